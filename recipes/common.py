"""Helpers of all recipes: flags, the run folder, callbacks, and a classifier of real digits that judges samples."""

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from datetime import datetime
from importlib import resources
from pathlib import Path

BEGUN = time.monotonic()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Off by default on processors without AVX-512, where convolutions then take up to twice as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# TensorFlow writes notes to stderr while it is imported, before it heeds any setting.
_stderr = os.dup(2)
with open(os.devnull, "w") as _nowhere:
    os.dup2(_nowhere.fileno(), 2)
try:
    import keras
    import tensorflow as tf
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)

import numpy as np
from PIL import Image, ImageDraw

import keras_gan
from keras_gan import saving
from keras_gan.checks.values import is_address

DIGITS = (28, 28, 1)
# Of `plan`: what comes after training, in times of what comes before its first step.
CLOSING = 2.0

# The classes of drawn faces, in the order of their labels.
FACES = ("glasses_long", "glasses_short", "plain_long", "plain_short")
_HAIR = {
    "long": ["bob", "curvy", "longButNotTooLong", "straight01", "straight02"],
    "short": ["shortFlat", "shortRound", "shortWaved", "sides", "theCaesar"],
}
_COLORS = {"ellipse": (220, 60, 60), "rectangle": (60, 170, 90), "triangle": (70, 90, 220)}

# Several GANs in one process, one after the other, are not the mistake of which it warns.
tf.get_logger().setLevel("ERROR")
# It tells stderr that the first figure on a machine takes a moment.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def parse(name, doc, epochs, argv=None, quick_epochs=2, distributed=False, resumes=False, minutes=None, flags=()):
    """Reads a recipe's flags and makes its run folder.

    Args:
        name: String, the recipe's; the default folder is `runs/NAME-DATE-TIME`.
        doc: The recipe's docstring.
        epochs: Int, the default.
        argv: List of strings, or None for the command line.
        quick_epochs: Int, what `--quick` stands for.
        distributed: Bool, whether the recipe can train on many devices.
        resumes: Bool, whether a run that was cut off goes on from its folder. Else the folder is refused.
        minutes: Float, what the whole may take by default: `plan` then finds the epochs. Defaults to None, `epochs`.
        flags: Dict of the recipe's own, name to the arguments of `ArgumentParser.add_argument`.

    Returns:
        Namespace of `epochs`, `seed`, `run_dir`, `quick` and the recipe's own; if distributed also `strategy`, a
        `tf.distribute.Strategy`; if it resumes also `force`; with minutes also `minutes`, and `epochs` is None where
        they count.
    """
    parser = argparse.ArgumentParser(
        prog=f"{name}.py", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = f"what fits into {minutes} minutes" if minutes else epochs
    parser.add_argument("--epochs", type=int, help=f"how often to go through the data (default: {default})")
    if minutes:
        parser.add_argument("--minutes", type=float, help=f"how long the whole may take (default: {minutes})")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--run-dir", type=local_path, help=f"where to write (default: runs/{name}-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: a few steps")
    for flag, arguments in dict(flags).items():
        parser.add_argument(flag, **arguments)
    if distributed:
        parser.add_argument(
            "--strategy",
            choices=("none", "mirrored", "multiworker"),
            default="none",
            help="mirrored: all GPUs of this machine; multiworker: all those in TF_CONFIG, see docs/guides/devices.md",
        )
    if resumes:
        parser.add_argument("--force", action="store_true", help="go on with a run that began with other flags")
    args = parser.parse_args(argv)
    if minutes and args.minutes is not None and not 0 < args.minutes < float("inf"):
        parser.error(f"argument --minutes: must be more than 0, received {args.minutes}")
    if minutes and args.minutes is not None and args.epochs is not None:
        parser.error("argument --minutes: leave out either it or --epochs")
    if args.epochs is None and args.quick:
        args.epochs = quick_epochs
    elif args.epochs is None and minutes and not (distributed and args.strategy == "multiworker"):
        args.minutes = args.minutes or minutes
    elif args.epochs is None:
        # Workers that each measured would disagree.
        args.epochs = epochs
    if args.epochs is not None and args.epochs < 1:
        parser.error(f"argument --epochs: must be at least 1, received {args.epochs}")
    chief = not distributed or _begin(parser, args)
    keras.utils.set_random_seed(args.seed)
    if not chief:
        return args
    args.run_dir = args.run_dir or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    if (args.run_dir / "summary.json").exists():
        parser.error(f"argument --run-dir: {args.run_dir} holds a finished run; nothing was overwritten")
    try:
        args.run_dir.mkdir(parents=True, exist_ok=True)
        begun = any(args.run_dir.iterdir())
    except OSError as error:
        parser.error(f"argument --run-dir: {args.run_dir} can't be written to: {error.strerror}")
    if begun and not (resumes and _holds_a_run(args.run_dir)):
        parser.error(f"argument --run-dir: {args.run_dir} holds something else; nothing was overwritten")
    if resumes:
        print(f"{'Going on in' if begun else 'Writing to'} {args.run_dir}. If it is cut off, the same command with")
        print(f"--run-dir {args.run_dir} goes on.", flush=True)
    return args


def local_path(text):
    """Reads the path that a flag gives, which must not be an address."""
    if is_address(text):
        raise argparse.ArgumentTypeError(f"must be a path on this machine, received the address {text}")
    return Path(text)


def plan(args, build, train, validation_data):
    """Sets `args.epochs` to what fits into `args.minutes`, unless they are known, and writes them to `options.json`.

    A run that goes on keeps the number that it began with.

    Args:
        args: Namespace that `parse` returned.
        build: Function of a number of epochs that returns a compiled GAN for them.
        train: `tf.data.Dataset` to train on.
        validation_data: As in `fit`.
    """
    path = args.run_dir / "options.json"
    if args.epochs is None and path.exists():
        args.epochs = json.loads(path.read_text("utf-8"))["epochs"]
    elif args.epochs is None:
        print("Measuring how fast this machine is", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            # Without the backup, from which the second of its trainings would go on.
            _, *others = callbacks(Path(scratch))
            pace = keras_gan.pace.measure(build(1), train, validation_data, others)
        # What comes after training, such as the export, takes time as compiling does.
        left = 60 * args.minutes - (time.monotonic() - BEGUN) - CLOSING * pace.start
        args.epochs = pace.epochs_within(left, len(train))
        steps = f"{args.epochs} epochs of {len(train)} steps"
        print(f"A step takes {1000 * pace.step:.0f} ms: {steps} fit into {args.minutes:g} minutes", flush=True)
    if args.strategy.extended.should_checkpoint and not path.exists():
        options = {"minutes": args.minutes, "epochs": args.epochs, "steps": args.epochs * len(train), "seed": args.seed}
        with saving.replacing(path) as part:
            part.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    # As if nothing had been measured.
    keras.utils.set_random_seed(args.seed)


def _holds_a_run(folder):
    """Returns whether a folder is that of an interrupted run: it has backups, or nothing but a place for them."""
    if [p.name for p in folder.iterdir()] == ["options.json"]:
        return True
    backup = folder / "backup"
    return backup.is_dir() and all(
        p.is_dir() or p.match("epoch_*.keras") or p.name[:1] == "." for p in backup.rglob("*")
    )


def _begin(parser, args):
    """Makes the strategy that a flag names; returns whether this process is the one that looks after the folder."""
    if args.strategy == "multiworker" and not (args.run_dir and "TF_CONFIG" in os.environ):
        parser.error(
            "argument --strategy: multiworker needs TF_CONFIG in the environment, and --run-dir, one folder for all "
            "workers; see docs/guides/devices.md"
        )
    # Before anything else of TensorFlow: many workers can't begin later.
    args.strategy = {
        "none": tf.distribute.get_strategy,
        "mirrored": tf.distribute.MirroredStrategy,
        "multiworker": tf.distribute.MultiWorkerMirroredStrategy,
    }[args.strategy]()
    return args.strategy.extended.should_checkpoint


def callbacks(run_dir, force=False, best=True, **grid):
    """TensorBoard logs, a grid of samples after each epoch, alarms, the best epoch's GAN as `gan.keras`, and a backup.

    The best has the lowest Frechet distance; where nothing measures that, `best=False` keeps the last.
    """
    return [
        backup(run_dir / "backup", force),
        keras.callbacks.TensorBoard(run_dir),
        keras_gan.callbacks.SampleGrid(run_dir, **grid),
        keras_gan.callbacks.TrainingHealth(run_dir),
        keras.callbacks.ModelCheckpoint(run_dir / "gan.keras", monitor="val_frechet_distance", save_best_only=best),
    ]


def backup(folder, force):
    """Makes the backup that lets the same command resume, until `finish` removes it."""
    return keras_gan.callbacks.BackupAndRestore(folder, delete_checkpoint=False, force=force)


def classifier(quick):
    """A small classifier of the real digits, whose features the Frechet distance compares; barely trained if quick."""
    return keras_gan.metrics.features.classifier("digits", epochs=1 if quick else 10)


def real_digits(labels=False):
    """The 1,000 real digits that are kept for testing, as a dataset."""
    return keras_gan.datasets.load("digits", batch_size=250, split="test", labels=labels)


def draw_faces(folder, n):
    """Draws faces, 64x64 in color, into subfolders of a folder that name their classes, with and without glasses.

    Their parts are those of Avataaars, by Pablo Stanley, which the package dicebear-styles ships. The first n are the
    same each time.
    """
    try:
        import resvg_py
        from dicebear import Avatar, Style
    except ImportError:
        sys.exit("Drawn faces need more packages. Run: pip install 'keras-gan[faces]', or choose others with --data.")

    parts = json.loads(resources.files("dicebear_styles").joinpath("avataaars.json").read_text("utf-8"))
    style, bar = Style(parts), progress(n, "face")
    for i in range(n):
        name = FACES[i % len(FACES)]
        glasses, hair = name.split("_")
        options = {
            "seed": str(i),
            "size": 64,
            "backgroundColor": "#b6e3f4",
            "topVariant": _HAIR[hair],
            "accessoriesProbability": 100 if glasses == "glasses" else 0,
            "accessoriesVariant": ["prescription02", "round", "sunglasses", "wayfarers"],
            "accessoriesColor": "#262e33",
            "facialHairProbability": 0,
            "eyesVariant": ["default", "happy", "side"],
            "eyebrowsVariant": "default",
            "mouthVariant": ["default", "serious", "smile", "twinkle"],
            "clothesVariant": ["hoodie", "shirtCrewNeck", "shirtVNeck"],
        }
        png = resvg_py.svg_to_bytes(svg_string=Avatar(style, options).to_string(), skip_system_fonts=True)
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{i:05}.png").write_bytes(bytes(png))
        bar.update(i + 1)


def draw_shape(rng, size):
    """An outline in gray `(size, size, 1)`, uint8; where it is filled, `(size, size, 1)`, 0 or 1; and a color.

    The color follows from the shape: an ellipse, a rectangle or a triangle.
    """
    kind = rng.choice(list(_COLORS))
    left, top = rng.integers(2, size // 3, 2).tolist()
    right, bottom = rng.integers(2 * size // 3, size - 2, 2).tolist()
    place = [(left, bottom), ((left + right) // 2, top), (right, bottom)]
    place = place if kind == "triangle" else (left, top, right, bottom)
    outline, inside = Image.new("L", (size, size), 255), Image.new("L", (size, size), 0)
    method = "polygon" if kind == "triangle" else kind
    getattr(ImageDraw.Draw(outline), method)(place, outline=0)
    getattr(ImageDraw.Draw(inside), method)(place, fill=1)
    return np.asarray(outline)[..., None], np.asarray(inside)[..., None], np.array(_COLORS[kind])


def vectors(dataset):
    """All images of a dataset `(images, labels)` as vectors `(n, pixels)`, and the labels."""
    images, labels = map(np.concatenate, zip(*dataset, strict=True))
    return images.reshape(len(images), -1), labels


def report(classifier, samples):
    """Judges samples by a classifier of real digits: the share of each class, its confidence, and distances.

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


def small_dcgan(latent_dim, seed, prior=None, condition=None):
    """The pair of `digits.py` with half of its filters, for recipes that need several minutes for something else."""
    return keras_gan.GAN(
        keras_gan.architectures.dcgan_generator(DIGITS, latent_dim, width=32, condition=condition),
        keras_gan.architectures.dcgan_discriminator(DIGITS, width=32, condition=condition),
        prior=prior,
        ema=0.99,
        seed=seed,
    )


def train_digits(gan, classifier, run_dir, args, labels=False, clock=None):
    """Trains a GAN on digits with the settings of `digits.py`, for recipes that look at something else than those.

    Args:
        gan: `keras_gan.GAN`, not yet compiled.
        classifier: As `classifier` returns it.
        run_dir: Path, for the files of `callbacks`.
        args: Namespace of `epochs`, `seed` and `quick`.
        labels: Bool, whether the GAN takes them. Defaults to False.
        clock: `Clock`, for comparisons at equal time. The rate then stays as it is, since nobody knows how many steps
            a number of seconds will be. Defaults to None: it falls to zero over `args.epochs`.

    Returns:
        The GAN of the epoch with the lowest Frechet distance.
    """
    train = keras_gan.datasets.load("digits", batch_size=64, labels=labels, seed=args.seed)
    train = train.take(2) if args.quick else train
    rate = 1e-3 if clock else keras.optimizers.schedules.CosineDecay(1e-3, args.epochs * len(train))
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0),
        discriminator_optimizer=keras.optimizers.Adam(rate, beta_1=0.0),
        penalties=[keras_gan.penalties.R1(0.05)],
        metrics=[keras_gan.metrics.FrechetDistance(classifier)],
    )
    gan.fit(
        train,
        epochs=10_000 if clock and clock.limit is not None else args.epochs,
        validation_data=real_digits(labels=labels),
        callbacks=[*callbacks(run_dir), *([clock] if clock else [])],
    )
    return keras.models.load_model(run_dir / "gan.keras")


class Clock(keras.callbacks.Callback):
    """Counts the `seconds` of training after its first step, which compiles, and without evaluations.

    It ends training after `limit` of them, if there is one. With `learning_rate` the rate falls from it to 0 over the
    second half of them.
    """

    def __init__(self, limit=None, learning_rate=None):
        super().__init__()
        self.limit, self.learning_rate = limit, learning_rate

    def on_train_begin(self, logs=None):
        self.start = None

    def on_test_begin(self, logs=None):
        self.pause = time.time()

    def on_test_end(self, logs=None):
        self.start += time.time() - self.pause

    def on_train_batch_end(self, batch, logs=None):
        self.start = self.start or time.time()
        if self.limit is None:
            return
        left = self.limit - (time.time() - self.start)
        if self.learning_rate and left > 0:
            self.model.optimizer.learning_rate = self.learning_rate * min(1.0, 2 * left / self.limit)
        self.model.stop_training = self.model.stop_training or left <= 0

    def on_train_end(self, logs=None):
        self.seconds = time.time() - self.start


def planned(settings, data, args, **choices):
    """Settings of `args.epochs` times through the data, with the choices of the recipe."""
    steps = args.epochs * int(data.cardinality())
    return settings.replace(steps=steps, epochs=args.epochs, seed=args.seed, **choices)


def train_by_distance(generator, pairs, settings, seconds):
    """Trains a generator by its distance from the target alone, at the rate of the settings."""
    generator.compile(keras.optimizers.Adam(settings.learning_rate, beta_1=0.5), loss=settings.reconstruction)
    clock = Clock(seconds, settings.learning_rate)
    generator.fit(pairs, epochs=10_000, callbacks=[clock], verbose=2, shuffle=False)


def picture(generator, latents):
    """A picture of what a generator, or a GAN, makes of latents `(rows, columns, latent_dim)`, uint8."""
    latents = np.asarray(latents, "float32")
    samples = generator.predict(latents.reshape(-1, latents.shape[-1]), verbose=0)
    return keras_gan.images.grid(samples, columns=latents.shape[1])


def show(axes, picture, title):
    """Draws a picture `(height, width, channels)`, uint8, without axes."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title)
    axes.axis("off")


def finish(run_dir, summary, lines):
    """Writes `summary.json`, which ends a run, removes its backups and says where things are.

    Args:
        run_dir: Path.
        summary: Dict, for the file.
        lines: Dict of what else lies in the folder, name to description.
    """
    with saving.replacing(run_dir / "summary.json") as part:
        part.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    for backup in run_dir.rglob("backup/**/epoch_*.keras"):
        backup.unlink()
    for folder in sorted(run_dir.rglob("backup/**/"), reverse=True):
        # What else lies there is not ours.
        with contextlib.suppress(OSError):
            folder.rmdir()
    print(f"\nIn {run_dir}:")
    for name, text in {**lines, "summary.json": "these figures and more"}.items():
        print(f"  {name:20}{text}")
    if any(run_dir.rglob("events.out.tfevents*")):
        print(f"\nNext:\n  {Path(sys.executable).with_name('tensorboard')} --logdir {run_dir.parent}")


def progress(n, unit):
    """A progress bar of n steps; a file or a pipe, which receives a line for each update, gets few."""
    return keras.utils.Progbar(n, interval=0.2 if sys.stdout.isatty() else 10.0, unit_name=unit)


class EpochBar(keras.callbacks.Callback):
    """One progress bar for all epochs, where they are many and short; for `fit(verbose=0)`."""

    def on_train_begin(self, logs=None):
        self.bar = progress(self.params["epochs"], "epoch")

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
