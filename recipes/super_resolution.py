"""Super-resolution with pix2pix: the effect of its discriminator, compared with the reconstruction loss alone.

Sources are made from the pictures: blurred a little, shrunk and noisy. Many large pictures become the same small one.
With the reconstruction loss alone, the output is close to all possible large pictures, and therefore blurred. With a
discriminator, the output is one picture that could be real, at the cost of a lower PSNR. Both models are trained for
the same number of seconds. `keras_gan.settings.for_pairs` chooses the networks and the training settings. Without
`--data`, the script makes its own pictures: shapes with fine stripes.

Command:   python recipes/super_resolution.py --data FOLDER
Minutes:   60 on 2 CPU cores for 3,400 pictures (estimated from the time of a step)
Expected:  Results on held-out photographs of clothes (docs/settings.md). Scale 2, after 1,900 CPU seconds: PSNR
           26.3 dB (bicubic) and 28.6 dB (GAN), kernel distance 0.002 and -0.018. Scale 4, after 1,800: PSNR 22.3
           and 23.8 dB, kernel distance 0.085 and -0.011

Reference: [Ledig et al., 2016](https://arxiv.org/abs/1609.04802), table 2
"""

import os

# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

import keras_gan

FIGURES = ("psnr", "ssim", "kernel_distance")


def draw(rng, size):
    """Draws a picture of four shapes with stripes of one to four pixels `(size, size, 3)`, uint8."""
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
    """Returns pairs to train on, and those that are held out."""
    data, size = args.data, 16 if args.quick else args.image_size
    if data is None:
        rng = np.random.default_rng(0)
        data = np.stack([draw(rng, size) for _ in range(64 if args.quick else 2000)])
    options = {"batch_size": 16, "image_size": size, "degrade": args.scale, "seed": args.seed}
    parts = ("train[:-16]", "train[-16:]") if args.quick else ("train[:90%]", "train[90%:]")
    # Training pairs are flipped at random, and their noise differs in each pass; held-out pairs are always the same.
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


def train_by_distance(generator, pairs, settings, seconds):
    """Trains a generator only with the reconstruction loss, without a discriminator."""
    generator.compile(keras.optimizers.Adam(settings.learning_rate, beta_1=0.5), loss=settings.reconstruction)
    watch = keras_gan.callbacks.Stopwatch(limit=seconds, learning_rate=settings.learning_rate)
    generator.fit(pairs, epochs=10_000, callbacks=[watch], verbose=2, shuffle=False)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", help="a folder of pictures (default: drawn ones)")
    parser.add_argument("--image-size", type=int, default=64, help="side of the targets in pixels (default: 64)")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2, help="target by source size (default: 2)")
    parser.add_argument("--width", type=int, default=32, help="filters of the first layers (default: 32)")
    parser.add_argument("--reconstruction-weight", type=float, default=100.0, help="(default: 100)")
    parser.add_argument("--epochs", type=int, default=40, help="how often to go through the data (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=Path, help="a new folder (default: runs/super_resolution-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: small networks, 16x16, 1 epoch")
    args = parser.parse_args(argv)
    run_dir = args.run_dir or Path(time.strftime("runs/super_resolution-%Y%m%d-%H%M%S"))
    if run_dir.exists():
        parser.error(f"argument --run-dir: {run_dir} exists; nothing was overwritten")
    run_dir.mkdir(parents=True)
    keras.utils.set_random_seed(args.seed)
    epochs = 1 if args.quick else args.epochs

    train, test = load(args)
    shapes, watch = [tuple(spec.shape[1:]) for spec in train.element_spec], keras_gan.callbacks.Stopwatch()
    size = shapes[1][:2]
    settings = keras_gan.settings.for_pairs(*shapes, count=sum(len(x) for x, _ in train))
    choices = {"width": 4 if args.quick else args.width, "reconstruction_weight": args.reconstruction_weight}
    steps = epochs * int(train.cardinality())
    settings = settings.replace(steps=steps, epochs=epochs, seed=args.seed, **choices)
    print(f"{settings}\nWith an adversary", flush=True)
    gan = settings.build()
    callbacks = keras_gan.callbacks.for_run(run_dir, grid={"n": 16, "data": test})
    gan.fit(train, epochs=epochs, validation_data=test, callbacks=[*callbacks, watch])
    print(f"The distance alone, for {watch.seconds:.0f} seconds", flush=True)
    alone = settings.build().generator
    train_by_distance(alone, train, settings, watch.seconds)
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
    keras_gan.images.save(run_dir / "comparison.png", picture)
    print("\n" + f"{'':14}" + "".join(f"{figure:>17}" for figure in FIGURES))
    for name, figures in found.items():
        print(f"{name:14}" + "".join(f"{value:17.4g}" for value in figures.values()))
    summary = {"seconds": watch.seconds, **found}
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    print(f"\nIn {run_dir}:")
    print(f"  comparison.png      sources, {', '.join(ways)}, targets")
    print("  gan.keras           the GAN, to export or go on with")
    print("  summary.json        these figures and more")


if __name__ == "__main__":
    main()
