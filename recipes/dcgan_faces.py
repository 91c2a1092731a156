"""Faces, 64x64 in color: DCGAN's samples, interpolation between them, and arithmetic with their latents.

Without `--data`, the script makes 4,000 drawn faces. It combines the parts of Avataaars, by Pablo Stanley, which are
included in the package dicebear-styles (`pip install 'keras-gan[faces]'`). Photographs are harder to learn. With
`--data folder:PATH` or `--data celeb_a` (8 GB of memory) you need a GPU, more epochs, and the paper's `--width 64`.

Arithmetic: take the mean latent of three samples with glasses and long hair, subtract the mean latent of three with
long hair and no glasses, and add the mean latent of three with short hair and no glasses. The result should generate a
face with glasses and short hair. With the mean of three latents each, the result has the same variance as a single
latent, so the generator can handle it. A classifier that is trained on the drawn faces selects these samples and
classifies the result. For other data, choose nine samples by their numbers in `faces.png`, and run the script again
with `--gan` and `--pick`. Quality is not measured: the last epoch is kept.

Command:   python recipes/dcgan_faces.py
Minutes:   6 on 2 busy CPU cores
Expected:  A classifier, which is correct on all of 500 unseen faces, assigns 19 to 28 % of 1,000 samples to each class.
           Of 200 results of the arithmetic, 81 % (96 % with seed 1) have glasses and short hair; chance would give 25 %

Reference: [Radford et al., 2015](https://arxiv.org/abs/1511.06434), the networks and figure 7;
           [Zhao et al., 2020](https://arxiv.org/abs/2006.10738), the augmentation, since there are few faces
"""

import os

# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import time
from importlib import resources
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_gan

SHAPE, LATENT_DIM = (64, 64, 3), 32
# The classes of drawn faces, in the order of their labels; and the numbers of the classes in a - b + c.
FACES, TERMS = ("glasses_long", "glasses_short", "plain_long", "plain_short"), [0, 2, 3]
LONG_HAIR = ["bob", "curvy", "longButNotTooLong", "straight01", "straight02"]
SHORT_HAIR = ["shortFlat", "shortRound", "shortWaved", "sides", "theCaesar"]
GLASSES = {"accessoriesVariant": ["prescription02", "round", "sunglasses", "wayfarers"], "accessoriesColor": "#262e33"}
EYES = {"eyesVariant": ["default", "happy", "side"], "eyebrowsVariant": "default", "facialHairProbability": 0}
MOUTHS, CLOTHES = ["default", "serious", "smile", "twinkle"], ["hoodie", "shirtCrewNeck", "shirtVNeck"]


def draw_faces(folder, n):
    """Draws faces into subfolders that name their classes. The first n are the same each time."""
    import resvg_py
    from dicebear import Avatar, Style

    style = Style(json.loads(resources.files("dicebear_styles").joinpath("avataaars.json").read_text("utf-8")))
    for i in range(n):
        name = FACES[i % len(FACES)]
        options = {"seed": str(i), "size": SHAPE[0], "backgroundColor": "#b6e3f4", **EYES, **GLASSES}
        options |= {"accessoriesProbability": 100 if "glasses" in name else 0, "clothesVariant": CLOTHES}
        options |= {"topVariant": LONG_HAIR if "long" in name else SHORT_HAIR, "mouthVariant": MOUTHS}
        png = resvg_py.svg_to_bytes(svg_string=Avatar(style, options).to_string(), skip_system_fonts=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{i:05}.png").write_bytes(bytes(png))


def arithmetic(latents):
    """Returns the mean of a, minus that of b, plus that of c, of latents `(..., 3, samples, latent_dim)`."""
    a, b, c = np.moveaxis(latents.mean(axis=-2), -2, 0)
    return a - b + c


def train(data, run_dir, args):
    generator = keras_gan.architectures.dcgan_generator(SHAPE, LATENT_DIM, args.width)
    discriminator = keras_gan.architectures.dcgan_discriminator(SHAPE, args.width)
    gan = keras_gan.GAN(generator, discriminator, ema=0.99, seed=args.seed)
    faces = keras_gan.datasets.load(data, 64, image_size=SHAPE[0], seed=args.seed)
    epochs = 1 if args.quick else args.epochs
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * len(faces))
    adams = [keras.optimizers.Adam(rate, beta_1=0.0) for _ in range(2)]
    augmentation = keras_gan.augmentation.DiffAugment(color=False)  # With color augmentation, samples came out pale.
    gan.compile(*adams, penalties=[keras_gan.penalties.R1(0.1)], augmentation=augmentation)
    gan.fit(faces, epochs=epochs, callbacks=keras_gan.callbacks.for_run(run_dir))
    return gan


def judge(data, gan, latents, samples, args):
    """Picks the three samples a classifier is surest of, for each term, and classifies samples and 200 sums."""
    held_out, *rest = keras_gan.datasets.load(data, 8 if args.quick else 500, labels=True, seed=0)
    classifier = keras_gan.metrics.features.classifier(rest, epochs=1 if args.quick else 10)
    found = keras_gan.metrics.classify(classifier, samples)
    surest = found.probabilities.argsort(axis=0)[:-31:-1, TERMS].T
    tries = np.random.default_rng(args.seed).permuted(np.tile(surest, (200, 1, 1)), axis=-1)[..., :3]
    sums = keras_gan.metrics.classify(classifier, gan.predict(arithmetic(latents[tries]), verbose=0))
    right = keras_gan.metrics.classify(classifier, held_out[0]).labels == held_out[1]
    return surest[:, :3], {
        "classifier_accuracy": float(np.mean(right)),
        "samples": dict(zip(FACES, found.shares.tolist(), strict=True)),
        "sums": dict(zip(FACES, sums.shares.tolist(), strict=True)),
    }


def picture(gan, latents):  # (rows, columns, latent_dim)
    samples = gan.predict(np.reshape(latents, (-1, LATENT_DIM)).astype("float32"), verbose=0)
    return keras_gan.images.grid(samples, columns=len(latents[0]))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="celeb_a, folder:PATH, or another name for datasets.load (default: drawn faces)")
    parser.add_argument("--width", type=int, default=16, help="filters before the last layer (default: 16)")
    parser.add_argument("--gan", type=Path, help="the gan.keras of another run, in place of training")
    parser.add_argument("--pick", type=int, choices=range(100), nargs=9, metavar="N", help="three each for a - b + c")
    parser.add_argument("--epochs", type=int, default=40, help="how often to go through the faces (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=Path, help="output folder, or one to resume (default: a new one in runs/)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: 1 epoch with 64 faces")
    args = parser.parse_args(argv)
    run_dir = args.run_dir or Path(time.strftime("runs/dcgan_faces-%Y%m%d-%H%M%S"))
    if run_dir.exists() and not any(run_dir.glob("backup/epoch_*.keras")):
        parser.error(f"argument --run-dir: {run_dir} exists, without a backup to go on from; nothing was overwritten")
    keras.utils.set_random_seed(args.seed)
    run_dir.mkdir(parents=True, exist_ok=True)
    data = args.data or f"folder:{run_dir / 'faces'}"
    if not args.data:
        draw_faces(run_dir / "faces", 64 if args.quick else 4000)
    gan = keras.models.load_model(args.gan) if args.gan else train(data, run_dir, args)
    latents = np.asarray(gan.prior.sample(1000, seed=args.seed))
    samples, picks, found = gan.predict(latents, verbose=0), np.reshape(args.pick or range(9), (3, 3)), {}
    if not (args.data or args.pick):
        picks, found = judge(data, gan, latents, samples, args)
        print(f"\nclassifier {found['classifier_accuracy']:6.1%} right " + "".join(f"{n:>14}" for n in FACES))
        print("1,000 samples           " + "".join(f"{share:14.0%}" for share in found["samples"].values()))
        print("200 of a - b + c        " + "".join(f"{share:14.0%}" for share in found["sums"].values()))
    draw(run_dir / "faces.png", gan, latents, samples, picks)
    walk = [picture(gan, x[None]) for x in keras_gan.walks.tour(latents[:24].reshape(6, 4, LATENT_DIM), 12)]
    keras_gan.images.save_animation(run_dir / "walk.gif", walk, scale=2)
    (run_dir / "summary.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    print(f"\nIn {run_dir}:")
    print("  faces.png, walk.gif samples by number, walks, arithmetic; from face to face")
    print("  summary.json        these figures; gan.keras is the GAN of the last epoch")


def show(axes, picture, title):
    axes.imshow(picture)
    axes.set(title=title, xticks=[], yticks=[])


def draw(path, gan, latents, samples, picks):
    figure = Figure(figsize=(15, 7.6), layout="constrained")
    axes = figure.subplot_mosaic([["all", *["walks"] * 4], ["all", *"abcs"]], width_ratios=(8, 1, 1, 1, 3))
    show(axes["all"], keras_gan.images.grid(samples[:100]), "samples 0 to 99, ten a row")
    walks = [keras_gan.walks.slerp(*latents[i : i + 2], np.linspace(0, 1, 8)) for i in (0, 2, 4, 6)]
    show(axes["walks"], picture(gan, walks), "four walks, on arcs")
    for name, sign, chosen in zip("abc", ("", "- ", "+ "), latents[picks], strict=True):
        column = picture(gan, [*chosen[:, None], chosen.mean(axis=0)[None]])
        show(axes[name], column, f"{sign}{name}; below,\ntheir mean")
    noise = np.random.default_rng(0).uniform(-0.25, 0.25, (3, 3, LATENT_DIM)) * (np.arange(9) != 4).reshape(3, 3, 1)
    show(axes["s"], picture(gan, arithmetic(latents[picks]) + noise), "a - b + c, and with\nnoise around it")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
