"""Trains a GAN on a folder of photographs, and evaluates it on held-out ones.

A tenth of the folder is held out, by hashes of the files' paths. The kernel distance compares samples with the held-out
photographs, and `memorization` is the share of samples that are copies of training photographs. Both use features that
are learned without labels. `--labels` uses the subfolders as classes, and features of a classifier of the photographs.
The classifier then says how many samples are of the requested class and, for comparison, how accurate it is on held-out
photographs. The classifier and the features are always trained on all photographs that are not held out, whatever
`--count` is. So runs with different options can be compared, for example `--count 300` with and without
`--no-augmentation`. Without `--data`, the script makes its own images of simple shapes.

Command:   python recipes/photos.py --data FOLDER, with --labels for classes
Minutes:   15 of training, or --minutes, and two or three before and after it
Expected:  see docs/settings.md. The photographs there are the small "clothing dataset", 3,781 in 10 classes, CC0, from
           https://github.com/alexeygrigorev/clothing-dataset-small; the contents of its three folders were merged

Reference: [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), the augmentation, since photographs are few
"""

import os

# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

import keras_gan

SAMPLES = 1000
SHAPES = {
    "ellipse": ("red", (220, 60, 60)),
    "rectangle": ("green", (60, 170, 90)),
    "polygon": ("blue", (70, 90, 220)),
}


def draw(folder, n, size):
    """Draws shapes into subfolders named after their color, which follows from the shape; returns the folder."""
    rng = np.random.default_rng(0)
    for i in range(n):
        shape = rng.choice(list(SHAPES))
        left, top = rng.integers(2, size // 3, 2).tolist()
        right, bottom = rng.integers(2 * size // 3, size - 2, 2).tolist()
        triangle = [(left, bottom), ((left + right) // 2, top), (right, bottom)]
        place = triangle if shape == "polygon" else (left, top, right, bottom)
        name, color = SHAPES[shape]
        picture = Image.new("RGB", (size, size), "white")
        getattr(ImageDraw.Draw(picture), shape)(place, fill=color)
        (folder / name).mkdir(parents=True, exist_ok=True)
        picture.save(folder / name / f"{i:04}.png")
    return folder


def judge(gan, features, metrics, held_out, args):
    """Compares samples with held-out photographs, in the same proportions of classes; returns a dict of figures."""
    parts = list(zip(*held_out, strict=True)) if args.labels else [list(held_out)]
    images, *labels = map(np.concatenate, parts)
    asked = np.resize(labels[0], SAMPLES) if args.labels else None
    samples, found = gan.sample(SAMPLES, seed=args.seed, labels=asked), {}
    for metric in metrics:
        for real, fake in zip(np.array_split(images, 10), np.array_split(samples, 10), strict=True):
            metric.update_state(real, fake)
        result = metric.result()
        found |= result if isinstance(result, dict) else {metric.name: result}
    if args.labels:
        for name, x, y in (("samples_of_their_class", samples, asked), ("held_out_of_their_class", images, labels[0])):
            found[name] = float(np.mean(keras_gan.metrics.classify(features, x).labels == y))
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", help="a folder of photographs (default: drawn shapes)")
    parser.add_argument("--labels", action="store_true", help="learn classes: the subfolders")
    parser.add_argument("--image-size", type=int, default=64, help="pixels of a side (default: 64)")
    parser.add_argument("--count", type=int, help="how many to train on (default: all that are not held out)")
    parser.add_argument("--no-augmentation", action="store_true", help="do not augment what the discriminator sees")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long to train (default: 15)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=Path, help="a new folder (default: runs/photos-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: 16x16, once through the data")
    args = parser.parse_args(argv)
    run_dir = args.run_dir or Path(time.strftime("runs/photos-%Y%m%d-%H%M%S"))
    if run_dir.exists():
        parser.error(f"argument --run-dir: {run_dir} exists; nothing was overwritten")
    run_dir.mkdir(parents=True)
    keras.utils.set_random_seed(args.seed)

    size = 16 if args.quick else args.image_size
    name = f"folder:{args.data or draw(run_dir / 'drawn', 80 if args.quick else 2000, size)}"
    most = keras_gan.datasets.survey(name, "train[:90%]", labels=args.labels).count
    if args.count is not None and not 0 < args.count <= most:
        sys.exit(f"argument --count: must be from 1 to {most:,}, since a tenth is held out, received {args.count}")
    classes = len(keras_gan.datasets.class_names(name))
    condition = keras_gan.conditions.Labels(classes) if args.labels else None
    settings = keras_gan.settings.for_images((size, size, 3), args.count or most, args.minutes, condition)
    changes = {**({"augment": False} if args.no_augmentation else {}), **({"width": 2} if args.quick else {})}
    settings = settings.replace(seed=args.seed, **changes)
    options = {"batch_size": settings.batch_size, "image_size": size, "labels": args.labels, "seed": args.seed}
    known, held_out = (keras_gan.datasets.load(name, split=part, **options) for part in ("train[:90%]", "train[90%:]"))
    some = "train[:90%]" if args.count is None else f"train[:{args.count}]"
    train, plain = (keras_gan.datasets.load(name, split=some, flip=f, **options) for f in (settings.flip, False))
    if args.labels:
        features = keras_gan.metrics.features.classifier(known, epochs=1 if args.quick else 10)
    else:
        features = keras_gan.metrics.features.self_supervised(known, steps=2 if args.quick else None)

    def metrics():
        return [keras_gan.metrics.KernelDistance(features), keras_gan.metrics.Memorization(features, plain)]

    if args.quick:
        settings = settings.replace(steps=len(train))
    else:
        print("Measuring how fast this machine is", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            settings.measure(train, held_out, metrics(), folder=scratch)
    print(f"\n{settings}\n", flush=True)
    keras.utils.set_random_seed(args.seed)  # As if nothing had been measured.
    gan, callbacks = settings.build(metrics()), keras_gan.callbacks.for_run(run_dir, settings.monitor)
    gan.fit(settings.epoch(train), epochs=settings.epochs, validation_data=held_out, verbose=2, callbacks=callbacks)
    gan = keras.models.load_model(run_dir / "gan.keras")  # The best epoch's, by the kernel distance.
    found = judge(gan, features, metrics(), held_out, args)
    columns = classes if args.labels else 10
    samples = gan.sample(8 * columns, seed=args.seed, labels=np.tile(range(columns), 8) if args.labels else None)
    keras_gan.images.save(run_dir / "samples.png", keras_gan.images.grid(samples, columns))
    nearest = keras_gan.metrics.nearest(features, samples[:10], plain).images[:, 0]
    copies = keras_gan.images.grid(np.concatenate([samples[:10], nearest]), columns=10)
    keras_gan.images.save(run_dir / "nearest.png", copies)
    print("\n" + "\n".join(f"{figure:24}{value:10.4g}" for figure, value in found.items()))
    summary = {"photographs": settings.count, "steps": settings.steps, **found}
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    print(f"\nIn {run_dir}:")
    print("  samples.png         samples of the best epoch" + (", a column for each class" if args.labels else ""))
    print("  nearest.png         samples, and below each the nearest photograph that was trained on")
    print("  gan.keras           that epoch's GAN: keras.models.load_model(...).sample(16)")
    print("  summary.json        these figures and more")


if __name__ == "__main__":
    main()
