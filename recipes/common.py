"""What the recipes share: flags, the run folder, callbacks, and what a classifier of real digits finds in samples."""

import argparse
import json
import logging
import os
import sys
from datetime import datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# TensorFlow writes notes to stderr while it is imported, before it heeds any setting.
_stderr = os.dup(2)
with open(os.devnull, "w") as _nowhere:
    os.dup2(_nowhere.fileno(), 2)
try:
    import keras
    import tensorflow  # noqa: F401
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)

import numpy as np

import keras_gan

DIGITS = (28, 28, 1)

# It tells stderr that the first figure on a machine takes a moment.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def parse(name, doc, epochs, argv=None, quick_epochs=2):
    """Reads a recipe's flags and makes its run folder.

    Args:
        name: String, the recipe's; the default folder is `runs/NAME-DATE-TIME`.
        doc: The recipe's docstring.
        epochs: Int, the default.
        argv: List of strings, or None for the command line.
        quick_epochs: Int, what `--quick` stands for.

    Returns:
        Namespace of `epochs`, `seed`, `run_dir` and `quick`.
    """
    parser = argparse.ArgumentParser(
        prog=f"{name}.py", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, help=f"how often to go through the data (default: {epochs})")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=Path, help=f"where to write (default: runs/{name}-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: a few steps")
    args = parser.parse_args(argv)
    args.epochs = args.epochs if args.epochs is not None else quick_epochs if args.quick else epochs
    if args.epochs < 1:
        parser.error(f"argument --epochs: must be at least 1, received {args.epochs}")
    args.run_dir = args.run_dir or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if (args.run_dir / "summary.json").exists():
        parser.error(f"argument --run-dir: {args.run_dir} holds a finished run; nothing was overwritten")
    if args.run_dir.exists() and any(args.run_dir.iterdir()) and not (args.run_dir / "backup").is_dir():
        parser.error(f"argument --run-dir: {args.run_dir} holds something else; nothing was overwritten")
    args.run_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)
    return args


def callbacks(run_dir, **grid):
    """TensorBoard logs, a grid of samples after each epoch, alarms, the best epoch's GAN as `gan.keras`, and a backup.

    The best has the lowest Frechet distance. From the backup the same command goes on.
    """
    return [
        keras.callbacks.BackupAndRestore(run_dir / "backup"),
        keras.callbacks.TensorBoard(run_dir),
        keras_gan.callbacks.SampleGrid(run_dir, **grid),
        keras_gan.callbacks.TrainingHealth(run_dir),
        keras.callbacks.ModelCheckpoint(
            run_dir / "gan.keras", monitor="val_frechet_distance", mode="min", save_best_only=True
        ),
    ]


def classifier(quick):
    """A small classifier of the real digits, whose features the Frechet distance compares; barely trained if quick."""
    return keras_gan.metrics.features.classifier("digits", epochs=1 if quick else 10)


def real_digits(labels=False):
    """The 1,000 real digits that are kept for testing, as a dataset."""
    return keras_gan.datasets.load("digits", batch_size=250, split="test", labels=labels)


def report(classifier, samples):
    """What a classifier of real digits finds in samples: how many of each class, how sure it is, and how far they are.

    The Frechet distance of its 64 features is from the real test digits, and can't be compared with figures on the
    features of Inception.
    """
    probabilities = classifier.predict(samples, verbose=0)["probabilities"]
    shares = np.bincount(probabilities.argmax(1), minlength=10) / len(samples)
    digits, labels = map(np.concatenate, zip(*real_digits(labels=True), strict=True))
    distance = keras_gan.metrics.FrechetDistance(classifier)
    distance.update_state(digits, samples)
    found = classifier.predict(digits, verbose=0)["probabilities"].argmax(1)
    return {
        "classes_found": int(np.count_nonzero(shares)),
        "shares": shares.tolist(),
        "mean_top_probability": float(probabilities.max(1).mean()),
        "frechet_distance": distance.result(),
        "judge_accuracy_on_real_test_digits": float(np.mean(found == labels)),
    }


def finish(run_dir, summary, lines):
    """Writes `summary.json` and says where things are.

    Args:
        run_dir: Path.
        summary: Dict, for the file.
        lines: Dict of what else lies in the folder, name to description.
    """
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(f"\nIn {run_dir}:")
    for name, text in {**lines, "summary.json": "these figures and more"}.items():
        print(f"  {name:20}{text}")
    if (run_dir / "train").is_dir():
        print(f"\nNext:\n  {Path(sys.executable).with_name('tensorboard')} --logdir {run_dir.parent}")


class EpochBar(keras.callbacks.Callback):
    """One progress bar for all epochs, where they are many and short; for `fit(verbose=0)`."""

    def on_train_begin(self, logs=None):
        # A file or a pipe receives a line for each update.
        interval = 0.2 if sys.stdout.isatty() else 10.0
        self.bar = keras.utils.Progbar(self.params["epochs"], interval=interval, unit_name="epoch")

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update(epoch + 1)


def normal_density(x, mean, stddev):
    """The density of a normal distribution at `x`."""
    return np.exp(-(((x - mean) / stddev) ** 2) / 2) / (stddev * np.sqrt(2 * np.pi))


def kullback_leibler(p, q, dx):
    """`KL(p || q)` in nats, of densities on a grid with steps of `dx`."""
    mass = p > 0
    return float(np.sum(p[mass] * np.log(p[mass] / q[mass])) * dx)


def jensen_shannon(p, q, dx):
    """`(KL(p || m) + KL(q || m)) / 2` in nats, where `m = (p + q) / 2`: from 0 to log 2."""
    m = (p + q) / 2
    return (kullback_leibler(p, m, dx) + kullback_leibler(q, m, dx)) / 2
