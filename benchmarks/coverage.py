"""Mode coverage of a GAN on three standard tests, compared with published figures.

  ring     8 modes on a circle, as recipes/gaussians.py trains it
  grid     25 modes in a square, likewise
  stacked  stacked MNIST: three digits at random as the channels of one image,
           1,000 modes; a classifier of digits reads 26,000 samples

The figures of all seeds, their mean and their standard error go to a JSON file,
which is rewritten after each run.

Commands:  python benchmarks/coverage.py ring grid
           python benchmarks/coverage.py stacked --seeds 1 --steps 5000
           python benchmarks/coverage.py stacked --data mnist
                                    # for a GPU; TFDS downloads MNIST
Minutes:   2 for each run of ring or grid on a CPU; 11 for 5,000 steps of stacked,
           which reached 998 modes and a reverse KL of 0.26 on 2 cores
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import json
import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "recipes"))

import gaussians
import keras
import numpy as np
from keras import layers

import keras_gan
from keras_gan import saving

FIGURES = ("modes", "high_quality", "reverse_kl")

# Modes, share of high quality in %, reverse KL in nats; with the standard error if the paper gives one.
VEEGAN, PACGAN, R3GAN = "VEEGAN [1]", "PacGAN [2]", "R3GAN [3]"
PUBLISHED = {
    "ring": [
        ("GAN", "1", "99.3", "", VEEGAN),
        ("Unrolled GAN", "7.6", "35.6", "", VEEGAN),
        ("VEEGAN", "8", "52.9", "", VEEGAN),
        ("GAN", "6.3 ± 0.5", "98.2", "", PACGAN),
        ("ALI", "6.6", "97.6", "", PACGAN),
        ("PacGAN2", "7.9 ± 0.1", "95.6", "", PACGAN),
        ("PacGAN4", "7.8 ± 0.1", "95.9", "", PACGAN),
    ],
    "grid": [
        ("GAN", "3.3", "0.5", "", VEEGAN),
        ("Unrolled GAN", "23.6", "16", "", VEEGAN),
        ("VEEGAN", "24.6", "40", "", VEEGAN),
        ("GAN", "17.3 ± 0.8", "94.8", "0.70", PACGAN),
        ("ALI", "24.1", "95.7", "0.14", PACGAN),
        ("PacGAN2", "23.8 ± 0.7", "91.3", "0.13", PACGAN),
        ("PacGAN4", "24.8 ± 0.2", "93.6", "0.04", PACGAN),
    ],
    "stacked": [
        ("DCGAN", "99", "", "3.40", VEEGAN),
        ("Unrolled GAN", "48.7", "", "4.32", VEEGAN),
        ("VEEGAN", "150", "", "2.95", VEEGAN),
        ("DCGAN", "78.9 ± 6.5", "", "4.50", PACGAN),
        ("PacDCGAN2", "1000 ± 0", "", "0.06 ± 0.003", PACGAN),
        ("GAN, R1, R2", "693", "", "0.93", R3GAN),
        ("RpGAN, R1, R2", "1000", "", "0.08", R3GAN),
        ("R3GAN", "1000", "", "0.03", R3GAN),
    ],
}
NOTE = """\
All rows share the modes, the number of samples and the figures. Networks and
training time differ, and for stacked also the classifier and the digits: the
papers train on all of MNIST. One method differs between papers, too: compare
a row with the plain GAN of the same paper first.
[1] arXiv 1705.07761  [2] arXiv 1712.04086  [3] arXiv 2501.05441, single runs,
as others quote it"""


class Progress(keras.callbacks.Callback):
    """Progress of a run, on one line."""

    def __init__(self, title):
        super().__init__()
        self.title = title

    def on_epoch_end(self, epoch, logs=None):
        print(f"\r{self.title}: {(epoch + 1) / self.params['epochs']:4.0%}", end=" ", flush=True)


# Each test is a function of the flags. It returns a function that runs one seed, to a dict of figures, and the figures
# of real data.

# === Ring and grid ===


def toy(name, args):
    modes = gaussians.TOYS[name]
    epochs = 1 if args.quick else gaussians.EPOCHS
    coverage = keras_gan.metrics.ModeCoverage(modes.centers, modes.stddev)
    coverage.update_state(None, modes.sample(gaussians.SAMPLES, seed=0))

    def run(seed, progress):
        return gaussians.train(modes, epochs, seed, [progress], verbose=0)[1]

    return run, coverage.result()


# === Stacked MNIST ===

STACK = (28, 28, 3)
STEPS, SAMPLES, BATCH = 100_000, 26_000, 250


def stacked(name, args):
    steps, samples = (4, 500) if args.quick else (args.steps, SAMPLES)
    epochs = min(steps, 20)
    coverage = triples_of_digits(keras_gan.metrics.features.classifier(args.data, epochs=1 if args.quick else 10))
    test = keras_gan.datasets.load(args.data, BATCH, split="test", stack=3, seed=0).repeat().take(samples // BATCH)
    for images in test:
        coverage.update_state(None, images)
    real = coverage.result()

    def run(seed, progress):
        keras.utils.set_random_seed(seed)
        gan = keras_gan.GAN(
            keras_gan.architectures.dcgan_generator(STACK, latent_dim=64, width=64),
            keras_gan.architectures.dcgan_discriminator(STACK, width=64),
            ema=0.999,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
        gan.compile(
            generator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99),
            discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99),
            loss="relativistic",
            penalties=[keras_gan.penalties.R1(0.1)],
            augmentation=None,
            metrics=[coverage],
        )
        train = keras_gan.datasets.load(args.data, batch_size=64, stack=3, seed=seed).repeat()
        gan.fit(train, epochs=epochs, steps_per_epoch=steps // epochs, callbacks=[progress], verbose=0)
        picture = keras_gan.images.grid(gan.sample(64, seed=seed))
        keras_gan.images.save(args.json.with_name(f"{args.json.stem}-stacked-{seed}.png"), picture)
        return gan.evaluate(test, verbose=0, return_dict=True)

    return run, real


def triples_of_digits(classifier):
    """Returns a metric that counts 1,000 modes: a classifier of one digit reads each of three channels."""
    images = keras.Input(STACK)
    digits = layers.Concatenate()([classifier(images[..., i : i + 1])["probabilities"] for i in range(3)])
    triples = np.indices((10, 10, 10)).reshape(3, -1).T
    centers = np.eye(10)[triples].reshape(1000, 30)
    return keras_gan.metrics.ModeCoverage(centers, features=keras.Model(images, digits))


# === The report ===


def summarise(runs):
    """Computes mean and standard error of each figure over the seeds."""
    values = {name: np.array([run[name] for run in runs]) for name in FIGURES}
    return {
        "mean": {name: float(v.mean()) for name, v in values.items()},
        "standard_error": {
            name: float(v.std(ddof=1) / np.sqrt(len(v))) if len(v) > 1 else None for name, v in values.items()
        },
    }


def table(name, result):
    """Formats a test's figures next to the published ones, in lines of at most 80 columns."""

    def show(figure, scale, digits):
        mean, error = result["mean"][figure] * scale, result["standard_error"][figure]
        return f"{mean:.{digits}f}" + (f" ± {error * scale:.{digits}f}" if error is not None else "")

    n, real = len(result["runs"]), result["real"]
    is_toy = name != "stacked"
    rows = [
        ("", "modes", "high quality, %" if is_toy else "", "reverse KL", "from"),
        (
            "keras_gan",
            show("modes", 1, 1),
            show("high_quality", 100, 1) if is_toy else "",
            show("reverse_kl", 1, 3),
            f"this run, {n} seed{'s' if n > 1 else ''}",
        ),
        (
            "real data",
            f"{real['modes']:.0f}",
            f"{real['high_quality']:.1%}".rstrip("%") if is_toy else "",
            f"{real['reverse_kl']:.3f}",
            "this run",
        ),
        *PUBLISHED[name],
    ]
    return [f"{a:15}{b:13}{c:17}{d:15}{e}".rstrip() for a, b, c, d, e in rows]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", metavar="TEST", help="ring, grid or stacked (default: ring grid)")
    parser.add_argument("--seeds", type=int, help="how many runs of each test (default: 5)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of stacked, in batches of 64 (default: {STEPS:,})")
    parser.add_argument("--data", default="digits", help="of stacked: digits, 4,000 embedded ones (default), or mnist")
    parser.add_argument(
        "--json", type=Path, help="file to write all figures to (default: runs/coverage-DATE-TIME.json)"
    )
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: a few steps, one seed")
    args = parser.parse_args(argv)
    args.tests = args.tests or ["ring", "grid"]
    unknown = sorted(set(args.tests) - set(PUBLISHED))
    if unknown:
        parser.error(f"argument TEST: must be ring, grid or stacked, received {unknown[0]}")
    args.seeds = args.seeds if args.seeds is not None else 1 if args.quick else 5
    if min(args.seeds, args.steps) < 1:
        parser.error("arguments --seeds and --steps: must be at least 1")
    args.json = args.json or Path("runs") / f"coverage-{datetime.now():%Y%m%d-%H%M%S}.json"
    if args.json.exists():
        parser.error(f"argument --json: {args.json} is there already; nothing was overwritten")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    return args


def main(argv=None):
    args = parse(argv)
    results = {}
    for name in args.tests:
        run, real = (stacked if name == "stacked" else toy)(name, args)
        result = results[name] = {"real": {k: float(real[k]) for k in FIGURES}, "runs": []}
        for seed in range(args.seeds):
            title = f"{name}, seed {seed}"
            start = time.time()
            found = run(seed, Progress(title))
            minutes = (time.time() - start) / 60
            result["runs"].append({"seed": seed, "minutes": minutes, **{k: float(found[k]) for k in FIGURES}})
            result.update(summarise(result["runs"]))
            write(args.json, {"quick": args.quick, "data": args.data, "steps": args.steps, **results})
            quality = "" if name == "stacked" else f"{found['high_quality']:.1%} of high quality, "
            kl = found["reverse_kl"]
            print(f"\r{title}: {found['modes']:.0f} modes, {quality}reverse KL {kl:.4f}, {minutes:.1f} minutes")
    for name, result in results.items():
        print(f"\n{name}", *table(name, result), sep="\n")
    print(f"\n{NOTE}\n\nIn {args.json}: each run's figures")


def write(path, content):
    """Writes JSON atomically."""
    with saving.replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
