"""Small pictures become large: super-resolution by pix2pix, and what its adversary adds to the distance.

Sources are made of the pictures: blurred a little, shrunk and noisy. Many large pictures become the same small one. The
distance alone answers with what is near to all of them, which is blurred; an adversary asks for one that could be real,
and pays for it in PSNR. Both train for as many seconds. What is trained comes from `keras_gan.settings.for_pairs`.
Without `--data` shapes with fine stripes are drawn.

Command:   python recipes/super_resolution.py --data FOLDER
Minutes:   60 on 2 CPU cores for 3,400 pictures, by the time of a step
Expected:  held-out photographs of clothes after 300 processor seconds (docs/settings.md), bicubic and the GAN: x2 26.3
           and 28.7 dB, kernel distance 0.003 and -0.015; x4 22.3 and 23.9 dB, 0.088 and 0.020

Reference: [Ledig et al., 2016](https://arxiv.org/abs/1609.04802), table 2
"""

import common
import keras
import numpy as np
from PIL import Image, ImageDraw

import keras_gan

SIZE, FIGURES = 64, ("psnr", "ssim", "kernel_distance")
FLAGS = {
    "--data": {"metavar": "FOLDER", "help": "a folder of pictures (default: drawn ones)"},
    "--image-size": {"type": int, "default": SIZE, "help": f"of targets (default: {SIZE})"},
    "--scale": {"type": int, "choices": (2, 4), "default": 2, "help": "how many times as large (default: 2)"},
    "--width": {"type": int, "default": 32, "help": "of both networks (default: 32)"},
    "--reconstruction-weight": {"type": float, "default": 100.0, "help": "that of the distance (default: 100)"},
}


def draw(rng, size):
    """A picture of four shapes with stripes of one to four pixels `(size, size, 3)`, uint8."""
    y, x = np.mgrid[:size, :size]
    picture = np.empty((size, size, 3), "uint8")
    picture[:] = rng.integers(150, 256, 3)
    for _ in range(4):
        mask, angle = Image.new("L", (size, size)), rng.uniform(0, np.pi)
        left, top = rng.integers(0, size // 2, 2).tolist()
        right, bottom = left + size // 3, top + rng.integers(size // 4, size // 2).item()
        getattr(ImageDraw.Draw(mask), rng.choice(["ellipse", "rectangle"]))((left, top, right, bottom), fill=1)
        stripes = (x * np.cos(angle) + y * np.sin(angle)) // rng.integers(1, 5) % 2
        filled = np.where(stripes[..., None], rng.integers(0, 256, 3), rng.integers(0, 256, 3))
        picture = np.where(np.asarray(mask)[..., None], filled, picture).astype("uint8")
    return picture


def load(args):
    """Pairs to train on, and those that are held out."""
    data, size = args.data, 16 if args.quick else args.image_size
    if data is None:
        rng = np.random.default_rng(0)
        data = np.stack([draw(rng, size) for _ in range(64 if args.quick else 2000)])
    options = {"batch_size": 16, "image_size": size, "degrade": args.scale, "seed": args.seed}
    parts = ("train[:-16]", "train[-16:]") if args.quick else ("train[:90%]", "train[90%:]")
    # Flipped, with another noise in each pass; those that are held out are always the same.
    return [keras_gan.datasets.load_pairs(data, split=part, flip=i == 0, **options) for i, part in enumerate(parts)]


def measure(enlarge, pairs, features):
    """Measures how far a function's outputs are from the targets."""
    distance = keras_gan.metrics.KernelDistance(features, max_examples=1000)
    metrics, found = [keras_gan.metrics.PSNR(), keras_gan.metrics.SSIM(), distance], {}
    for source, target in pairs:
        output = enlarge(source)
        for metric in metrics:
            metric.update_state(target, output)
    for metric in metrics:
        result = metric.result()
        found |= result if isinstance(result, dict) else {metric.name: float(result)}
    return {figure: found[figure] for figure in FIGURES}


def main(argv=None):
    args = common.parse("super_resolution", __doc__, epochs=40, argv=argv, quick_epochs=1, flags=FLAGS)
    train, test = load(args)
    shapes, clock = [tuple(spec.shape[1:]) for spec in train.element_spec], common.Clock()
    size = shapes[1][:2]
    settings = keras_gan.settings.for_pairs(*shapes, count=sum(len(x) for x, _ in train))
    choices = {"width": 4 if args.quick else args.width, "reconstruction_weight": args.reconstruction_weight}
    settings = common.planned(settings, train, args, **choices)
    print(f"{settings}\nWith an adversary", flush=True)
    gan = settings.build()
    watching = common.callbacks(args.run_dir, best=False, n=16, data=test)
    gan.fit(train, epochs=args.epochs, validation_data=test, callbacks=[*watching, clock])
    print(f"The distance alone, for {clock.seconds:.0f} seconds", flush=True)
    alone = settings.build().generator
    common.train_by_distance(alone, train, settings, clock.seconds)
    ways = {
        "bicubic": lambda x: keras.ops.clip(keras.ops.image.resize(x, size, "bicubic"), -1, 1),
        "distance": lambda x: alone(x, training=False),
        "gan": lambda x: gan(x, training=False),
    }
    features = keras_gan.metrics.features.self_supervised(train.map(lambda _, y: y), steps=2 if args.quick else None)
    found = {name: measure(enlarge, test, features) for name, enlarge in ways.items()}
    source, target = (part[:8] for part in next(iter(test)))
    rows = [source, *(enlarge(source) for enlarge in ways.values()), target]
    picture = keras_gan.images.grid(keras_gan.images.side_by_side(list(map(np.asarray, rows))), columns=1)
    keras_gan.images.save(args.run_dir / "comparison.png", picture)
    print("\n" + f"{'':14}" + "".join(f"{figure:>17}" for figure in FIGURES))
    for name, figures in found.items():
        print(f"{name:14}" + "".join(f"{value:17.4g}" for value in figures.values()))
    files = {"comparison.png": f"sources, {', '.join(ways)}, targets", "gan.keras": "the GAN, to export or go on with"}
    common.finish(args.run_dir, {"seconds": clock.seconds, **found}, files)


if __name__ == "__main__":
    main()
