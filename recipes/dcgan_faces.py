"""Faces, 64x64 in color: DCGAN's samples, interpolation between them, and arithmetic with their latents.

Without `--data` the faces are drawn, not photographed: 4,000 from the parts of Avataaars, by Pablo Stanley, which the
package dicebear-styles ships (`pip install 'keras-gan[faces]'`). Half wear glasses, half have long hair. Photographs
are harder: `--data celeb_a`, 202,599 of them, which TensorFlow Datasets downloads (2.5 GB of memory at this size, 8 GB
while they are read), or `--data folder:PATH`, your own, require a GPU, more epochs, and the paper's `--width 64`.

Arithmetic: the mean latent of three samples with glasses and long hair, minus that of three with only long hair, plus
that of three with neither, should be glasses and short hair. With three of each, the sum has the variance of one
latent. A classifier of the drawn faces picks them and judges the sum. For other data you pick nine by their numbers
in `faces.png`, and run the script again with `--gan` and `--pick`. Quality is not measured: the last epoch is kept.

Command:   python recipes/dcgan_faces.py
Minutes:   6 on 2 busy CPU cores
Expected:  a classifier that is right about all of 500 faces it has not seen finds each class in 19 to 28 % of 1,000
           samples; 81 % of 200 sums (96 % with seed 1) have glasses and short hair, where chance would be 25 %

Reference: [Radford et al., 2015](https://arxiv.org/abs/1511.06434), the networks and figure 7;
           [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), the augmentation, since there are few faces
"""

from pathlib import Path

import common
import keras
import numpy as np
from matplotlib.figure import Figure

import keras_gan

SHAPE, LATENT_DIM = (64, 64, 3), 32
TERMS = [common.FACES.index(name) for name in ("glasses_long", "plain_long", "plain_short")]
FLAGS = {
    "--data": {"help": "celeb_a, folder:PATH, or another name for keras_gan.datasets.load (default: drawn faces)"},
    "--width": {"type": int, "default": 16, "help": "filters before the last layer (default: 16)"},
    "--gan": {"type": Path, "help": "the gan.keras of another run, in place of training"},
    "--pick": {"type": int, "choices": range(100), "nargs": 9, "metavar": "N", "help": "three each for a - b + c"},
}


def arithmetic(latents):
    """Returns the mean of a, minus that of b, plus that of c, of latents `(..., 3, samples, latent_dim)`."""
    a, b, c = np.moveaxis(latents.mean(axis=-2), -2, 0)
    return a - b + c


def train(data, args):
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator(SHAPE, LATENT_DIM, args.width),
        keras_gan.architectures.dcgan_discriminator(SHAPE, args.width),
        ema=0.99,
        seed=args.seed,
    )
    faces = keras_gan.datasets.load(data, 64, image_size=SHAPE[0], seed=args.seed)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, args.epochs * len(faces))
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0),
        discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0),
        penalties=[keras_gan.penalties.R1(0.1)],
        # With color augmentation samples came out pale.
        augmentation=keras_gan.augmentation.DiffAugment(color=False),
    )
    gan.fit(faces, epochs=args.epochs, callbacks=common.callbacks(args.run_dir, args.force, best=False))
    return gan


def judge(data, gan, latents, samples, args):
    """Picks the three samples a classifier is surest of, for each term, and classifies samples and 200 sums."""
    held_out, *rest = keras_gan.datasets.load(data, 8 if args.quick else 500, labels=True, seed=0)
    classifier = keras_gan.metrics.features.classifier(rest, epochs=1 if args.quick else 10)
    found = classifier.predict(samples, verbose=0)["probabilities"]
    surest = found.argsort(axis=0)[:-31:-1, TERMS].T
    tries = np.random.default_rng(args.seed).permuted(np.tile(surest, (200, 1, 1)), axis=-1)[..., :3]
    looked_at = {"real": held_out[0], "samples": samples, "sums": gan.predict(arithmetic(latents[tries]), verbose=0)}
    classes = {k: classifier.predict(v, verbose=0)["probabilities"].argmax(axis=1) for k, v in looked_at.items()}
    return surest[:, :3], {
        "classifier_accuracy": float(np.mean(classes["real"] == held_out[1])),
        "samples": {name: float(np.mean(classes["samples"] == k)) for k, name in enumerate(common.FACES)},
        "sums": {name: float(np.mean(classes["sums"] == k)) for k, name in enumerate(common.FACES)},
    }


def main(argv=None):
    args = common.parse("dcgan_faces", __doc__, epochs=40, argv=argv, quick_epochs=1, resumes=True, flags=FLAGS)
    gan = args.gan and keras.models.load_model(args.gan)
    data = args.data or f"folder:{args.run_dir / 'faces'}"
    if not args.data:
        common.draw_faces(args.run_dir / "faces", 64 if args.quick else 4000)
    gan = gan or train(data, args)
    latents = np.asarray(gan.prior.sample(1000, seed=args.seed))
    samples, picks, found = gan.predict(latents, verbose=0), np.reshape(args.pick or range(9), (3, 3)), {}
    if not (args.data or args.pick):
        picks, found = judge(data, gan, latents, samples, args)
        print(f"\nclassifier {found['classifier_accuracy']:6.1%} right " + "".join(f"{n:>14}" for n in common.FACES))
        print("1,000 samples           " + "".join(f"{share:14.0%}" for share in found["samples"].values()))
        print("200 of a - b + c        " + "".join(f"{share:14.0%}" for share in found["sums"].values()))
        print("a, b, c: {}, {}, {}, three of each".format(*(common.FACES[k] for k in TERMS)))
    draw(args.run_dir / "faces.png", gan, latents, samples, picks)
    walk = [common.picture(gan, x[None]) for x in keras_gan.walks.tour(latents[:24].reshape(6, 4, LATENT_DIM), 12)]
    keras_gan.images.save_animation(args.run_dir / "walk.gif", walk, scale=2)
    files = {"faces.png": "samples by number, walks, arithmetic", "walk.gif": "from face to face"}
    common.finish(args.run_dir, found, files if args.gan else {**files, "gan.keras": "the GAN of the last epoch"})


def draw(path, gan, latents, samples, picks):
    figure = Figure(figsize=(15, 7.6), layout="constrained")
    axes = figure.subplot_mosaic([["all", *["walks"] * 4], ["all", *"abcs"]], width_ratios=(8, 1, 1, 1, 3))
    common.show(axes["all"], keras_gan.images.grid(samples[:100]), "samples 0 to 99, ten a row")
    walks = [keras_gan.walks.slerp(*latents[i : i + 2], np.linspace(0, 1, 8)) for i in (0, 2, 4, 6)]
    common.show(axes["walks"], common.picture(gan, walks), "walks on four arcs")
    for name, sign, chosen in zip("abc", ("", "- ", "+ "), latents[picks], strict=True):
        column = common.picture(gan, [*chosen[:, None], chosen.mean(axis=0)[None]])
        common.show(axes[name], column, f"{sign}{name}\nand mean")
    noise = np.random.default_rng(0).uniform(-0.25, 0.25, (3, 3, LATENT_DIM)) * (np.arange(9) != 4).reshape(3, 3, 1)
    common.show(axes["s"], common.picture(gan, arithmetic(latents[picks]) + noise), "= a - b + c,\nand around it")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
