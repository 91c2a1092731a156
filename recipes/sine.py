"""The smallest GAN worth watching: points on a curve.

Each example is a pair (x1, x2) with x2 = sin(x1) and x1 between 0 and 2 pi. The generator has to map two-dimensional
latents onto this curve. The discriminator has far more weights than 1,024 points need; dropout keeps it from memorizing
them. The weights of such a game circle a solution rather than converge to it. The R1 penalty damps this circling. A
learning rate that decays from 0.001 makes the circles smaller. A moving average of the generator's weights (`ema`) is
close to the center of the circles, and samples are drawn with these averaged weights. Without these three measures, one
run of three (with different seeds) had a mean distance of 0.15 from the curve and did not cover one end of it.

Command:   python recipes/sine.py
Minutes:   0.6 on a CPU
Expected:  with each of the seeds 0 to 2: a mean distance of 0.028 from the curve, 95 % within 0.09, and samples in each
           of 20 equal parts of the range, though with seed 0 hardly any beyond 6.1

Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661);
           [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), R1;
           [Yazici et al., 2018](https://arxiv.org/abs/1806.04498), the moving average
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
from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

import keras_gan

EXAMPLES = 1024
BINS = 20


def curve(x):
    return np.stack([x, np.sin(x)], axis=1).astype("float32")


def distances(points):
    """Returns the distance of each point `(n, 2)` from the curve, `(n,)`."""
    line = curve(np.linspace(0, 2 * np.pi, 2001))
    return np.sqrt(np.square(points[:, None] - line).sum(-1).min(1))


def covered(points):
    """Returns the share of equal parts of [0, 2 pi] that contain a point."""
    return float(np.mean(np.histogram(points[:, 0], BINS, (0, 2 * np.pi))[0] > 0))


class Film(keras.callbacks.Callback):
    """Callback that stores the GAN's samples of fixed latents at about a hundred evenly spaced epochs."""

    def on_train_begin(self, logs=None):
        self.frames = [(0, self.model.sample(500, seed=0))]

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % max(1, self.params["epochs"] // 100) == 0:
            self.frames.append((epoch + 1, self.model.sample(500, seed=0)))
            if len(self.frames) % 10 == 1:
                distance = distances(self.frames[-1][1]).mean()
                print(f"epoch {epoch + 1}: mean distance from the curve {distance:.3f}", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=300, help="how often to go through the data (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=Path, help="a new folder (default: runs/sine-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: 2 epochs")
    args = parser.parse_args(argv)
    epochs = 2 if args.quick else args.epochs
    run_dir = args.run_dir or Path(time.strftime("runs/sine-%Y%m%d-%H%M%S"))
    if run_dir.exists():
        parser.error(f"argument --run-dir: {run_dir} exists; nothing was overwritten")
    run_dir.mkdir(parents=True)
    keras.utils.set_random_seed(args.seed)

    real = curve(np.random.default_rng(args.seed).uniform(0, 2 * np.pi, EXAMPLES))
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=2, units=(16, 32), negative_slope=0.0),
        keras_gan.architectures.mlp_discriminator((2,), units=(256, 128, 64), dropout=0.3, negative_slope=0.0),
        ema=0.99,
        seed=args.seed,
    )
    steps = EXAMPLES // 32
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * steps)
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(rate, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.5),
        penalties=[keras_gan.penalties.R1(0.1)],
        steps_per_execution=steps,
    )
    film = Film()
    gan.fit(real, batch_size=32, epochs=epochs, verbose=0, callbacks=[film])
    gan.save(run_dir / "gan.keras")

    samples = gan.sample(1000, seed=args.seed)
    distance, share = distances(samples), covered(samples)
    print(f"\nThe mean distance of 1,000 samples from the curve is {distance.mean():.3f}, and 95 % lie within")
    print(f"{np.quantile(distance, 0.95):.3f}. Of {BINS} equal parts of the range, samples lie in {share:.0%}.")
    draw(film.frames, samples, run_dir)
    summary = {"mean_distance": float(distance.mean()), "covered": share, "epochs": epochs, "seed": args.seed}
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2))
    print(f"\nIn {run_dir}:")
    print("  samples.png         1,000 samples on the curve")
    print("  training.gif        how the samples find it")
    print("  gan.keras           the GAN: keras.models.load_model(...).sample(16)")
    print("  summary.json        these figures and more")


def draw(frames, samples, folder):
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(*curve(np.linspace(0, 2 * np.pi, 200)).T, "k", linewidth=1, label="x2 = sin(x1)")
    (points,) = axes.plot([], [], ".", markersize=4, alpha=0.5, label="samples")
    axes.set(xlabel="x1", ylabel="x2", xlim=(-1, 2 * np.pi + 1), ylim=(-1.9, 1.9))
    axes.legend(loc="upper right")
    writer = PillowWriter(fps=12)
    with writer.saving(figure, folder / "training.gif", dpi=80):
        for epoch, frame in [*frames, *frames[-1:] * 12]:  # the last one stays for a second
            points.set_data(*frame.T)
            axes.set_title(f"epoch {epoch}")
            writer.grab_frame()
    points.set_data(*samples.T)
    figure.savefig(folder / "samples.png", dpi=120)


if __name__ == "__main__":
    main()
