"""A fully connected GAN against DCGAN, at equal time.

A generator of 256, 512 and 1,024 units and a discriminator of 1,024, 512 and 256, with leaky ReLUs of slope 0.01 and a
tanh at the end, draw recognizable digits although they do not know which pixels are neighbors. The DCGAN gets the same
time, latents, rates and penalty. A classifier of real digits compares them by Frechet distance.

Command:   python recipes/mlp_digits.py
Minutes:   2 on 2 CPU cores
Expected:  in 43 seconds each, 1,890 steps of the MLP and a Frechet distance of 23, 911 steps of the DCGAN and 19.
           A step of the DCGAN costs twice as much; `digits.py` gives it more of them and reaches 6.7

Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661);
           [Radford et al., 2015](https://arxiv.org/abs/1511.06434), the convolutions
"""

import common
import numpy as np
from matplotlib.figure import Figure

import keras_gan

A = keras_gan.architectures
LATENT_DIM = 16


def main(argv=None):
    args = common.parse("mlp_digits", __doc__, epochs=30, argv=argv, quick_epochs=1)
    classifier = common.classifier(args.quick)
    networks = {
        "mlp": (
            A.mlp_generator(common.DIGITS, LATENT_DIM, units=(256, 512, 1024), negative_slope=0.01),
            A.mlp_discriminator(common.DIGITS, units=(1024, 512, 256), negative_slope=0.01),
        ),
        "dcgan": (
            A.dcgan_generator(common.DIGITS, LATENT_DIM, width=64),
            A.dcgan_discriminator(common.DIGITS, width=64),
        ),
    }
    clock, samples, curves, found = common.Clock(), {}, {}, {}
    for name, pair in networks.items():
        print(name + (f", for the same {clock.limit:.0f} seconds" if clock.limit else ""))
        gan = keras_gan.GAN(*pair, ema=0.99, seed=args.seed)
        best = common.train_digits(gan, classifier, args.run_dir / name, args, clock=clock)
        samples[name] = best.sample(1000, seed=args.seed)
        found[name] = {
            "seconds": clock.seconds,
            "steps": int(gan.optimizer.iterations),
            "parameters": gan.generator.count_params() + gan.discriminator.count_params(),
            **common.report(classifier, samples[name]),
        }
        curves[name] = gan.history.history["val_frechet_distance"]
        clock = common.Clock(clock.seconds)

    draw(samples, curves, found).savefig(args.run_dir / "comparison.png", dpi=110)
    print(f"\n{'':6} steps   parameters   Frechet distance   mean top probability   classes")
    for name, f in found.items():
        print(
            f"{name:6}{f['steps']:6,}{f['parameters']:13,}{f['frechet_distance']:19.1f}"
            f"{f['mean_top_probability']:23.2f}{f['classes_found']:10}"
        )
    common.finish(
        args.run_dir,
        {**found, "val_frechet_distance": curves},
        {
            "comparison.png": "samples of both, and the distance over time",
            "mlp/, dcgan/": "samples, logs, and gan.keras, the best epoch's",
        },
    )


def draw(samples, curves, found):
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    axes = figure.subplot_mosaic([[*samples, "chart"]])
    for name, digits in samples.items():
        common.show(axes[name], keras_gan.images.grid(digits[:64]), f"{name}, {found[name]['steps']:,} steps")
        time = np.linspace(0, found[name]["seconds"], len(curves[name]) + 1)[1:]
        axes["chart"].semilogy(time, curves[name], label=name)
    axes["chart"].set(xlabel="seconds of training", ylabel="Frechet distance from real test digits")
    axes["chart"].grid(alpha=0.3, which="both")
    axes["chart"].legend()
    return figure


if __name__ == "__main__":
    main()
