"""`keras-gan train`: makes a checked generator of images, or a translation from pairs or from two sets of them."""

import argparse
import contextlib
import dataclasses
import importlib.util
import math
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import keras

from keras_gan.callbacks import Progress, TrainingHealth
from keras_gan.checks.values import check_path
from keras_gan.cli import degraded, finishing, pairs
from keras_gan.cli.common import BEGUN, SWITCHES, Result, add_command, count_parameters, positive
from keras_gan.cli.cycling import Cycle
from keras_gan.cli.enlarging import Enlargement
from keras_gan.cli.generating import Generation
from keras_gan.cli.run_folder import RunFolder
from keras_gan.cli.translating import Translation
from keras_gan.datasets import memory
from keras_gan.metrics import features

# What is made of what: options of the command line, what they are called, and what makes it. The first that is given.
_TASKS = {
    "pairs": ("--pairs", Translation),
    "unpaired": ("--unpaired", Cycle),
    "degrade": ("images with --degrade", Enlargement),
    "source": ("images", Generation),
}
# By default, and at most: a year.
_MINUTES, _MOST_MINUTES = 15.0, 525_600
# The share of the time that features may take to learn.
_FEATURES = 0.1
# More of their steps hardly made them better.
_FEWEST_FEATURE_STEPS, _MOST_FEATURE_STEPS = 20, 1000
# What comes after training, in times of what comes before its first step: the export compiles, too.
_CLOSING = 2.0
# Options that change where and how a run is computed, and not what it is.
_NOT_THE_RUN = ("cache", "command", "dry_run", "json", "next_step", "run", "run_dir")
_CHOICES = {
    "architecture": (str, "dcgan, modern or resnet; of pairs unet or super_resolution"),
    "width": (positive, "filters of the networks; of a GAN, the discriminator's"),
    "generator_width": (positive, "filters of a GAN's generator"),
    "latent_dim": (positive, "the size of the latent"),
    "dropout": (float, "of pairs: the share of activations that the generator drops"),
    "batch_size": (positive, "images, or pairs, for each step; of two sets, of each"),
    "learning_rate": (float, "of both players, while it is constant"),
    "loss": (str, "such as hinge or relativistic"),
    "r1": (float, "the weight of the gradient penalty, 0 for none"),
    "reconstruction_weight": (float, "of pairs: the weight of the distance from the target"),
    "blocks": (positive, "of --unpaired: residual blocks of each generator"),
    "cycle_weight": (float, "of --unpaired: the weight of how far images come back from where they were"),
    "identity_weight": (float, "of --unpaired: a share of it, for changes of images that are of the set already"),
    "ema": (float, "the momentum of the generator's average"),
}
# What an epoch's line shows.
_SHOWN = {"val_kernel_distance": "distance", "val_precision": "precision", "val_recall": "recall"}
_SHOWN |= {"val_kernel_distance_b": "distance in B", "val_kernel_distance_a": "in A"}
_SHOWN |= {"val_cycle_loss_a": "back in A", "val_cycle_loss_b": "in B"}
_SHOWN |= {"val_mae": "MAE", "val_psnr": "PSNR", "val_ssim": "SSIM"}


def add(commands):
    parser = add_command(
        commands,
        "train",
        run,
        help="make a generator from a folder of images, a translation from pairs or two sets of them, or what enlarges",
        description="Trains a GAN on images, and writes a report with samples and figures, the GAN, and its generator "
        "for a phone, checked; with --pairs, --unpaired or --degrade a translation of images in its place. Says first "
        "what it found and what it will do. A run that was cut off, whatever ended it, goes on when the same command "
        "is given again with the same --run-dir.",
    )
    parser.set_defaults(next_step=" The same command goes on where it was.")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("source", nargs="?", help="a folder of images, 'digits', or an image set of TensorFlow Datasets")
    kind.add_argument(
        "--pairs",
        nargs="+",
        metavar="FOLDER",
        help="two folders, A of sources and B of what becomes of them, matched by the files' names; or one folder of "
        "images that hold both side by side",
    )
    kind.add_argument(
        "--unpaired",
        nargs=2,
        metavar=("A", "B"),
        help="two folders of images that don't belong together, each to be translated to the other's kind",
    )
    parser.add_argument("--run-dir", metavar="DIR", help="where to write (default: runs/SOURCE-DATE-TIME)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done; writes nothing")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--start-from", metavar="GAN", help="go on from the weights of a .keras file")
    parser.add_argument("--no-export", action="store_true", help="make no .tflite file")

    length = parser.add_argument_group("how long").add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=_minutes, metavar="N", help=f"of the whole command, by the clock (default: {_MINUTES:g})"
    )
    length.add_argument("--epochs", type=positive, metavar="N", help="times through the images")
    length.add_argument("--steps", type=positive, metavar="N", help="updates of the generator")

    data = parser.add_argument_group("images")
    data.add_argument(
        "--image-size",
        type=positive,
        metavar="N",
        help="pixels of a side, of pairs the target's (default: the images' own, or 64)",
    )
    data.add_argument("--labels", action="store_true", help="learn classes: subfolders, or the set's own")
    data.add_argument(
        "--channels",
        type=int,
        choices=(1, 3, 4),
        help="1 for gray, 3 for color, 4 for sources of pairs with transparency (default: the images' own, 1 or 3)",
    )
    data.add_argument("--target-channels", type=int, choices=(1, 3, 4), help="of pairs: the same of targets")
    data.add_argument(
        "--scale", type=positive, metavar="N", help="of pairs: how many times as large targets are (default: 1)"
    )
    pairs.add_options(data)
    degraded.add_options(data)
    data.add_argument("--skip-bad-images", action="store_true", help="go on without those that can't be read")
    data.add_argument(
        "--cache", nargs="?", const=True, metavar="DIR", help="keep them on disk, not in memory (default: if many)"
    )

    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multiworker"),
        default="none",
        help="mirrored: all GPUs of this machine; multiworker: all machines in TF_CONFIG, see docs/guides/devices.md",
    )
    machine.add_argument(
        "--precision",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
        default="float32",
        help="half precision is faster on GPUs that have it (default: float32)",
    )

    choices = parser.add_argument_group("settings", "Each overrides one choice; the command says the others.")
    for name, (kind, text) in _CHOICES.items():
        choices.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="X", help=text)
    for name, text in SWITCHES.items():
        choices.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, help=text)


def run(args):
    # With --json the result alone goes to stdout.
    output = contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(args.precision)
    try:
        with output:
            return _run(args)
    finally:
        keras.config.set_dtype_policy(policy)


def _run(args):
    command = {name: value for name, value in vars(args).items() if name not in _NOT_THE_RUN and value is not None}
    name = Path(args.source if args.source is not None else (args.pairs or args.unpaired)[-1]).name
    place = args.run_dir or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = RunFolder(place, command)
    if isinstance(args.cache, str):
        check_path("--cache", args.cache)
    if folder.is_finished:
        return Result({"run_dir": str(folder.path), "finished": True}, f"{folder.path} is finished: {folder.report}")
    folder.check_writable()
    _check_export(args)
    strategy = _strategy(args)
    task = _task(args)
    print(task.source, flush=True)
    if args.dry_run:
        return _dry_run(args, task)
    training = _Training(args, folder, task, strategy)
    training.plan()
    gan, alarms = training.fit()
    if not training.is_chief:
        return Result({"run_dir": str(folder.path)}, "The first worker writes the report.")
    result = finishing.finish(folder, gan, training, task, alarms, export=not args.no_export)
    folder.clean()
    return result


def _task(args):
    """Returns what is to be made, such as `Generation`."""
    called, kind = next(task for option, task in _TASKS.items() if getattr(args, option) is not None)
    foreign = [name for name in _foreign(kind) if _is_given(getattr(args, name), name)]
    if foreign:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        takers = [other for other, task in _TASKS.values() if set(foreign) - set(_foreign(task))]
        raise ValueError(f"{flags} must be left out for {called}. Received: what is for {' and '.join(takers)} alone.")
    return kind(args)


def _is_given(value, name):
    return value is not None and (value is not False or name in SWITCHES)


def _foreign(kind):
    """Lists the options that a kind of task has no use for."""
    own = {*kind.takes, *(field.name for field in dataclasses.fields(kind.choices))}
    of_data = [name for _, task in _TASKS.values() for name in task.takes]
    return [name for name in dict.fromkeys([*of_data, *_CHOICES, *SWITCHES]) if name not in own]


def _check_export(args):
    """Raises an ImportError before anything is trained if the generator's file can't be made in the end."""
    if args.no_export:
        return
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"The .tflite file is made on Keras's tensorflow backend. Received: {keras.config.backend()!r}. Give "
            "--no-export, and make it later from gan.keras, by keras-gan export with KERAS_BACKEND=tensorflow."
        )
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise ImportError(
            "The .tflite file is checked by ai-edge-litert. Run: pip install 'keras-gan[export]', or give --no-export."
        )


def _strategy(args):
    """Returns the `tf.distribute.Strategy` that was asked for, or None."""
    if args.strategy == "none":
        return None
    import tensorflow as tf

    if args.strategy == "mirrored":
        return tf.distribute.MirroredStrategy()
    if not (args.run_dir and "TF_CONFIG" in os.environ and (args.steps or args.epochs)):
        raise ValueError(
            "--strategy multiworker needs TF_CONFIG in the environment, --run-dir, one folder for all workers, and "
            "--steps or --epochs, since workers that each measured would disagree; see docs/guides/devices.md."
        )
    # Before anything else of TensorFlow: many workers can't begin later.
    return tf.distribute.MultiWorkerMirroredStrategy()


def _settings(args, task):
    minutes = None if args.steps or args.epochs else args.minutes or _MINUTES
    chosen = {name: getattr(args, name) for name in (*_CHOICES, *SWITCHES) if getattr(args, name) is not None}
    settings = task.settings(minutes).replace(seed=args.seed, **chosen)
    # Of a batch three are there at once: two are read ahead.
    needed, free = 3 * 4 * settings.batch_size * math.prod(task.source.shape), memory.free()
    if needed > free:
        raise ValueError(
            f"--image-size and --batch-size must be smaller: batches take over {needed:,} bytes, and {free:,} are "
            f"free. Received: {settings.batch_size} images of {task.source.shape}."
        )
    if args.epochs:
        return settings.replace(steps=args.epochs * math.ceil(task.source.count / settings.batch_size))
    return settings.replace(steps=args.steps) if args.steps else settings


class _Training:
    """Data, settings and features of a run.

    Attributes:
        train: `tf.data.Dataset` to train on.
        settings: `keras_gan.settings.ImageSettings`, or another of its kind.
        features: Model whose features metrics compare.
    """

    def __init__(self, args, folder, task, strategy):
        self._args, self._folder, self._task, self._strategy = args, folder, task, strategy
        self._source = task.source
        self.settings = _settings(args, task)
        # What does not fit together is said before images are read.
        with self._scope():
            self.settings.build(start_from=self._start())
        self.train = self._source.load(self.settings.batch_size, flip=self.settings.flip)
        self._source.check(self.train)

    @property
    def is_chief(self):
        return self._strategy is None or self._strategy.extended.should_checkpoint

    def plan(self):
        """Trains the features, finds the steps, and writes both down, unless a run that goes on has them."""
        print(f"{'Going on' if self._folder.has_backup else 'Writing'} in {self._folder.path}. If this is cut off, the")
        print(f"same command with --run-dir {self._folder.path} goes on.", flush=True)
        self._note(images=self._source.facts())
        self._note(begun=self._folder.options.get("begun", f"{datetime.now():%Y-%m-%d %H:%M}"))
        options = self._folder.options
        plain = self._source.plain
        if "feature_steps" not in options:
            self._note(feature_steps=_feature_steps(self.settings, self._source.shape))
        self.features = features.self_supervised(plain, steps=options["feature_steps"])
        if "steps" not in options and self._args.strategy == "multiworker":
            # Workers that each timed steps would not make as many.
            self._note(steps=self.settings.steps, epochs=self.settings.epochs)
            print(f"\n{self.settings}\n", flush=True)
        elif "steps" not in options:
            self._measure()
        self.settings = self.settings.replace(steps=options["steps"], epochs=options["epochs"])

    def _note(self, **facts):
        if self.is_chief:
            self._folder.note(**facts)
        else:
            self._folder.options.update(facts)

    def _measure(self):
        """Finds the steps that fit into the time, and says how long all will take."""
        print("Measuring how fast this machine is", flush=True)
        settings = self.settings
        with self._scope():
            pace = _pace(settings, self.train, self._source.held_out, self._task.metrics(self.features), self._start())
        closing = _CLOSING * pace.start
        if settings.minutes is not None:
            settings.fit_into(max(settings.minutes - (_gone() + closing) / 60, 0), pace)
        self._note(steps=settings.steps, epochs=settings.epochs)
        print(f"\n{settings}\n\n{_expected(settings, pace, closing, _gone())}\n", flush=True)

    def fit(self):
        """Trains; returns the GAN, and what was alarming, a list of strings."""
        folder = self._folder.path
        # As if nothing had been made before: a run that goes on has measured nothing.
        keras.backend.clear_session()
        keras.utils.set_random_seed(self._args.seed)
        with self._scope():
            gan = self.settings.build(self._task.metrics(self.features), self._start())
        print(", ".join(f"{name} with {count:,} parameters" for name, count in count_parameters(gan).items()))
        following = [*self.settings.callbacks(folder, validation_data=self._source.held_out), Progress(_SHOWN)]
        gan.fit(
            self.settings.epoch(self.train),
            epochs=self.settings.epochs,
            validation_data=self._source.held_out,
            callbacks=following,
        )
        alarms = [text for _, _, text in next(c.alarms for c in following if isinstance(c, TrainingHealth))]
        if self.is_chief and not (folder / "gan.keras").exists():
            raise ValueError(
                f"Training broke before it made anything. {' '.join(alarms)} Give a lower --learning-rate."
            )
        return gan, alarms

    def _scope(self):
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def _start(self):
        return None if self._args.start_from is None else self._task.start(self._args.start_from)


def _pace(settings, *data):
    """Measures with all that the end of an epoch brings; what it writes is removed."""
    with tempfile.TemporaryDirectory() as scratch:
        return settings.measure(*data, folder=scratch, seconds=_seconds_to_measure(settings.minutes))


def _dry_run(args, task):
    settings, source = _settings(args, task), task.source
    print("Measuring how fast this machine is, on noise", flush=True)
    pace = _pace(settings, None, *task.rehearse())
    # Beside training; images are not read here, and their reading is left out.
    rest = _learning(settings, source.shape) + _CLOSING * pace.start
    if settings.minutes is not None:
        settings.fit_into(max(settings.minutes - (_gone() + rest) / 60, 0), pace)
    expected = _expected(settings, pace, rest, 0)
    print(f"\n{settings}\n\n{expected}")
    if source.refused and not args.skip_bad_images:
        raise ValueError(source.refused)
    values = {"source": source.title, "count": source.count, "steps": settings.steps}
    return Result(values, "Only headers were read, and nothing was written.")


def _feature_steps(settings, shape):
    if settings.minutes is None:
        return max(_FEWEST_FEATURE_STEPS, min(_MOST_FEATURE_STEPS, settings.steps // 4))
    return min(_MOST_FEATURE_STEPS, features.steps_within(_FEATURES * 60 * settings.minutes, shape))


def _learning(settings, shape):
    """Measures how many seconds features will take to learn."""
    step = 60 / features.steps_within(60, shape)
    if settings.minutes is None:
        return step * _feature_steps(settings, shape)
    return min(_FEATURES * 60 * settings.minutes, step * _MOST_FEATURE_STEPS)


def _expected(settings, pace, rest, gone):
    minutes = (gone + pace.seconds(settings.steps, settings.epochs) + rest) / 60
    end = datetime.now() + timedelta(minutes=minutes - gone / 60)
    steps = f"A step takes {1000 * pace.step:.3g} ms: {settings.steps:,} steps and all else"
    text = f"{steps}\ntake about {minutes:.3g} minutes, until {end:%H:%M}."
    if settings.steps * settings.batch_size < settings.count:
        text += "\nThat is less than once through the data, too little to\nlearn from: give it more time."
    return text


def _seconds_to_measure(minutes):
    return 5.0 if minutes is None else min(5.0, minutes)


def _gone():
    return time.monotonic() - BEGUN


def _minutes(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"must be a number more than 0, and at most {_MOST_MINUTES}, received {text}")
    return value
