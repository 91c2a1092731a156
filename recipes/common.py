"""What the recipes share: flags, the run folder, and a classifier of real digits that judges generated ones."""

import argparse
import json
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
from keras import layers

import keras_gan

DIGITS = (28, 28, 1)


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
    """TensorBoard logs, a grid of samples after each epoch, and a backup from which the same command goes on."""
    return [
        keras.callbacks.BackupAndRestore(run_dir / "backup"),
        keras.callbacks.TensorBoard(run_dir),
        keras_gan.callbacks.SampleGrid(run_dir, **grid),
    ]


class Judge:
    """A small classifier, trained on the real digits, that looks at generated ones.

    Args:
        quick: Bool, whether to train for one epoch only.
    """

    def __init__(self, quick=False):
        inputs = keras.Input(DIGITS)
        x = inputs
        for width in (32, 64):
            x = layers.Conv2D(width, 3, activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        features = layers.Dense(64, activation="relu")(layers.Flatten()(x))
        outputs = layers.Dense(10, activation="softmax")(layers.Dropout(0.3)(features))
        self.classifier = keras.Model(inputs, outputs)
        self.features = keras.Model(inputs, features)
        self.classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        train = keras_gan.datasets.load("digits", batch_size=64, labels=True, seed=0)
        self.classifier.fit(train, epochs=1 if quick else 10, verbose=0, shuffle=False)

    def probabilities(self, images):
        """The probability of each class, `(n, 10)`."""
        return self.classifier.predict(images, verbose=0)

    def report(self, samples):
        """What it finds in samples: how many of each class, and how sure it is."""
        probabilities = self.probabilities(samples)
        shares = np.bincount(probabilities.argmax(1), minlength=10) / len(samples)
        test = keras_gan.datasets.load("digits", batch_size=250, split="test", labels=True)
        return {
            "classes_found": int(np.count_nonzero(shares)),
            "shares": shares.tolist(),
            "mean_top_probability": float(probabilities.max(1).mean()),
            "frechet_distance": self.frechet_distance(samples),
            "judge_accuracy_on_real_test_digits": self.classifier.evaluate(test, verbose=0)[1],
        }

    def frechet_distance(self, samples):
        """Frechet distance of samples and the real test digits, on the classifier's 64 features.

        `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`, of the means and covariances. Not comparable with figures on
        the features of an Inception network.

        Reference:
            [Heusel et al., 2017](https://arxiv.org/abs/1706.08500)
        """
        real = np.concatenate(list(keras_gan.datasets.load("digits", batch_size=250, split="test")))
        (m1, c1), (m2, c2) = (
            (x.mean(0), np.cov(x, rowvar=False))
            for x in (self.features.predict(images, verbose=0).astype("float64") for images in (real, samples))
        )
        values, vectors = np.linalg.eigh(c1)
        root = vectors * np.sqrt(values.clip(0)) @ vectors.T
        cross = np.sqrt(np.linalg.eigvalsh(root @ c2 @ root).clip(0)).sum()
        return float(np.square(m1 - m2).sum() + np.trace(c1) + np.trace(c2) - 2 * cross)


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
    print(f"\nNext:\n  {Path(sys.executable).with_name('tensorboard')} --logdir {run_dir.parent}")
