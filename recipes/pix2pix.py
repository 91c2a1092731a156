"""Outlines become drawings: pix2pix, and what its adversary adds to the distance from the target.

Without `--data` the pairs are drawn: outlines of three shapes, and the same shapes filled with stripes. Their color
follows from the shape; where the stripes lie, nothing says. A generator that minimizes the distance alone answers with
the mean of all answers, a flat color. An adversary that judges patches asks for stripes, and the weight of the distance
says how much it is heard. `--l1-only` trains by the distance alone, for as many seconds as the first weight took. What
is trained comes from `keras_gan.settings.for_pairs`.

Command:   python recipes/pix2pix.py --l1-only, with --data A B for pairs of your own
Minutes:   75 on 2 CPU cores with AVX-512, by the time of a step: 19 for each of the four
Expected:  satellite to relief, 327 held-out pairs, medians (docs/settings.md says how): PSNR 22.6, 22.8, 23.1 dB and
           kernel distance 0.23, 0.26, 0.36 for weights of 30, 100 and 300; 23.5 dB and 0.65 from the distance alone

Reference: [Isola et al., 2016](https://arxiv.org/abs/1611.07004), figure 4 and table 1
"""

import common
import numpy as np

import keras_gan

SIZE, FIGURES = 64, ("mae", "psnr", "ssim", "kernel_distance")
FLAGS = {
    "--data": {"nargs": "+", "metavar": "FOLDER", "help": "two folders, or one of images side by side"},
    "--image-size": {"type": int, "default": SIZE, "help": f"of targets (default: {SIZE})"},
    "--width": {"type": int, "default": 32, "help": "of both networks (default: 32)"},
    "--reconstruction-weight": {
        "type": float,
        "nargs": "+",
        "default": [30.0, 100.0, 300.0],
        "metavar": "W",
        "help": "weights of the distance, a model for each (default: 30 100 300)",
    },
    "--l1-only": {"action": "store_true", "help": "also train by the distance alone, for as long"},
}


def draw_pair(rng, size):
    """An outline in gray `(size, size, 1)`, and what fills it in color `(size, size, 3)`, uint8."""
    outline, inside, color = common.draw_shape(rng, size)
    stripes = (np.arange(size) + rng.integers(8)) // 4 % 2 * 70
    filled = np.minimum(color + stripes[:, None, None], 255)
    target = np.where(inside, filled, 255)
    return outline, target.astype("uint8")


def load(args):
    """Pairs to train on, and those that are held out."""
    data, size = args.data, 16 if args.quick else args.image_size
    if data is None:
        rng = np.random.default_rng(0)
        pairs = [draw_pair(rng, size) for _ in range(64 if args.quick else 2000)]
        data = list(map(np.stack, zip(*pairs, strict=True)))
    splits = ("train[:90%]", "train[90%:]") if args.data or not args.quick else ("train[:-16]", "train[-16:]")
    options = {"batch_size": 16, "image_size": size, "seed": args.seed}
    return [keras_gan.datasets.load_pairs(*data, split=split, flip=i == 0, **options) for i, split in enumerate(splits)]


def main(argv=None):
    args = common.parse("pix2pix", __doc__, epochs=31, argv=argv, quick_epochs=1, flags=FLAGS)
    train, test = load(args)
    shapes, count = [tuple(spec.shape[1:]) for spec in train.element_spec], sum(len(x) for x, _ in train)
    settings = keras_gan.settings.for_pairs(*shapes, count=count)
    settings = common.planned(settings, train, args, width=4 if args.quick else args.width)
    print(settings)
    features = keras_gan.metrics.features.self_supervised(train.map(lambda _, y: y), steps=2 if args.quick else None)
    models, seconds = {}, None
    for weight in args.reconstruction_weight:
        name, clock = f"weight_{weight:g}", common.Clock()
        print(f"A reconstruction weight of {weight:g}")
        distance = keras_gan.metrics.KernelDistance(features, max_examples=1000)
        models[name] = model = settings.replace(reconstruction_weight=weight).build([distance])
        watching = common.callbacks(args.run_dir / name, best=False, n=16, data=test)
        model.fit(train, epochs=args.epochs, validation_data=test, callbacks=[*watching, clock])
        seconds = seconds or clock.seconds
    if args.l1_only:
        print(f"The distance alone, for {seconds:.0f} seconds")
        distance = keras_gan.metrics.KernelDistance(features, max_examples=1000)
        models["l1_only"] = model = settings.build([distance])
        common.train_by_distance(model.generator, train, settings, seconds)
        model.save(args.run_dir / "l1_only.keras")
    found = {name: model.evaluate(test, verbose=0, return_dict=True) for name, model in models.items()}
    found = {name: {figure: logs[figure] for figure in FIGURES} for name, logs in found.items()}
    source, target = next(iter(test))
    rows = [source[:8], *(model.predict(source[:8], verbose=0) for model in models.values()), target[:8]]
    picture = keras_gan.images.grid(keras_gan.images.side_by_side(rows), columns=1)
    keras_gan.images.save(args.run_dir / "comparison.png", picture)
    print("\n" + f"{'':14}" + "".join(f"{figure:>17}" for figure in FIGURES))
    for name, figures in found.items():
        print(f"{name:14}" + "".join(f"{value:17.4g}" for value in figures.values()))
    files = {"comparison.png": f"sources, {', '.join(models)}, targets", "weight_*/": "samples, logs and gan.keras"}
    common.finish(args.run_dir, {"seconds": seconds, **found}, files)


if __name__ == "__main__":
    main()
