"""`keras-gan train`: trains a GAN on images, or a translation on pairs or two sets of images, and exports it."""

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

# The tasks by the options that choose them: the name in errors, and the class. The first option that is given decides.
_TASKS = {
    "pairs": ("--pairs", Translation),
    "unpaired": ("--unpaired", Cycle),
    "degrade": ("images with --degrade", Enlargement),
    "source": ("images", Generation),
}
# The default number of minutes, and the maximum, which is one year.
_MINUTES, _MOST_MINUTES = 15.0, 525_600
# The maximum share of the total time that may be spent on training the features.
_FEATURES = 0.1
# Limits on the number of training steps of the features: additional steps hardly improved them.
_FEWEST_FEATURE_STEPS, _MOST_FEATURE_STEPS = 20, 1000
# Estimate of the time after training, as a multiple of the time before the first step. Both include compilation, since
# the export also compiles.
_CLOSING = 2.0
# Options that change where and how a run is computed, but not what the run is.
_NOT_THE_RUN = ("cache", "command", "dry_run", "json", "next_step", "run", "run_dir")
_CHOICES = {
    "architecture": (
        str,
        "dcgan, modern or resnet; for pairs: unet or super_resolution; for --unpaired: unet or residual",
    ),
    "width": (positive, "base number of filters of the networks; for a GAN: of the discriminator"),
    "generator_width": (positive, "base number of filters of a GAN's generator"),
    "latent_dim": (positive, "the size of the latent"),
    "dropout": (float, "for pairs: the share of activations that the generator drops"),
    "batch_size": (positive, "images or pairs per step; for --unpaired: images of each set"),
    "learning_rate": (float, "the initial learning rate of all networks"),
    "loss": (str, "the loss, such as hinge or relativistic"),
    "r1": (float, "the weight of the gradient penalty, 0 for none"),
    "reconstruction_weight": (float, "for pairs: the weight of the distance from the target"),
    "blocks": (positive, "for --unpaired with --architecture residual: number of blocks of each generator"),
    "cycle_weight": (float, "for --unpaired: the weight of the error of images translated there and back"),
    "identity_weight": (
        float,
        "for --unpaired: the weight of the identity loss, for images that are in the target "
        "set already, as a share of --cycle-weight",
    ),
    "crop": (int, "read images this many pixels larger, and crop random windows from them; 0 for none"),
    "ema": (float, "the momentum of the average of the generator's weights"),
}
# Figures in the line of an epoch, and their names there.
_SHOWN = {"val_kernel_distance": "distance", "val_precision": "precision", "val_recall": "recall"}
_SHOWN |= {"val_kernel_distance_b": "distance in B", "val_kernel_distance_a": "in A"}
_SHOWN |= {"val_cycle_loss_a": "back in A", "val_cycle_loss_b": "in B"}
_SHOWN |= {"val_mae": "MAE", "val_psnr": "PSNR", "val_ssim": "SSIM"}


def add(commands):
    parser = add_command(
        commands,
        "train",
        run,
        help="train a GAN on images, a translation on pairs or two sets of images, or a model that enlarges images",
        description="Trains a GAN on images, and writes a report with samples and figures, the GAN, and a checked file "
        "of its generator for a phone. With --pairs, --unpaired or --degrade it trains a translation of images "
        "instead. It first prints what it found and what it will do. To resume a run, whatever ended it, give the same "
        "command with the same --run-dir.",
    )
    parser.set_defaults(next_step=" To resume, give the same command with the same --run-dir.")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("source", nargs="?", help="a folder of images, 'digits', or an image set of TensorFlow Datasets")
    kind.add_argument(
        "--pairs",
        nargs="+",
        metavar="FOLDER",
        help="two folders, A with sources and B with their targets, matched by the files' names; or one folder of "
        "images that hold source and target side by side",
    )
    kind.add_argument(
        "--unpaired",
        nargs=2,
        metavar=("A", "B"),
        help="two folders of images without pairs: images of each are translated to the kind of the other",
    )
    parser.add_argument("--run-dir", metavar="DIR", help="the folder to write to (default: runs/SOURCE-DATE-TIME)")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done, and write nothing")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another run (default: 0)")
    parser.add_argument("--start-from", metavar="GAN", help="start a new run from the weights of a .keras file")
    parser.add_argument("--no-export", action="store_true", help="write no .tflite file")

    length = parser.add_argument_group("how long").add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=_minutes,
        metavar="N",
        help=f"wall-clock minutes for the whole command (default: {_MINUTES:g})",
    )
    length.add_argument("--epochs", type=positive, metavar="N", help="number of passes through the images")
    length.add_argument("--steps", type=positive, metavar="N", help="number of updates of the generator")

    data = parser.add_argument_group("images")
    data.add_argument(
        "--image-size",
        type=positive,
        metavar="N",
        help="height and width in pixels; for pairs: of the target (default: the images' own size if all share one of "
        "at most 128 pixels that the networks can make, else 64)",
    )
    data.add_argument("--labels", action="store_true", help="learn classes: the subfolders, or the classes of the set")
    data.add_argument(
        "--channels",
        type=int,
        choices=(1, 3, 4),
        help="1 for gray, 3 for color, 4 for sources of pairs with transparency (default: the images' own, 1 or 3)",
    )
    data.add_argument("--target-channels", type=int, choices=(1, 3, 4), help="for pairs: as --channels, for targets")
    data.add_argument(
        "--scale",
        type=positive,
        metavar="N",
        help="for pairs: targets are N times as high and wide as sources (default: 1)",
    )
    pairs.add_options(data)
    degraded.add_options(data)
    data.add_argument(
        "--skip-bad-images",
        action="store_true",
        help="skip images that can't be read, and pairs that can't be used",
    )
    data.add_argument(
        "--cache",
        nargs="?",
        const=True,
        metavar="DIR",
        help="keep decoded images on disk, in DIR or below ~/.keras, not in memory (default: only if they need over "
        "half of the free memory)",
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

    choices = parser.add_argument_group(
        "settings", "Each sets a value that the command would otherwise choose. The command prints all values."
    )
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
    """Returns the task of the command, such as `Generation`."""
    called, kind = next(task for option, task in _TASKS.items() if getattr(args, option) is not None)
    foreign = [name for name in _foreign(kind) if _is_given(getattr(args, name), name)]
    if foreign:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        takers = [other for other, task in _TASKS.values() if set(foreign) - set(_foreign(task))]
        raise ValueError(f"{flags} must be left out for {called}: only for {' and '.join(takers)}.")
    return kind(args)


def _is_given(value, name):
    return value is not None and (value is not False or name in SWITCHES)


def _foreign(kind):
    """Lists the options that a kind of task does not use."""
    own = {*kind.takes, *(field.name for field in dataclasses.fields(kind.choices))}
    of_data = [name for _, task in _TASKS.values() for name in task.takes]
    return [name for name in dict.fromkeys([*of_data, *_CHOICES, *SWITCHES]) if name not in own]


def _check_export(args):
    """Raises an error before training if the generator's file can't be made after it."""
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


def _check_readable(args, source):
    """Raises a ValueError for examples that can't be read, held-out ones included, before anything is written."""
    if source.refused and not args.skip_bad_images:
        raise ValueError(source.refused)


def _strategy(args):
    """Returns the `tf.distribute.Strategy` that was asked for, or None."""
    if args.strategy == "none":
        return None
    import tensorflow as tf

    if args.strategy == "mirrored":
        return tf.distribute.MirroredStrategy()
    if not (args.run_dir and "TF_CONFIG" in os.environ and (args.steps or args.epochs)):
        raise ValueError(
            "--strategy multiworker needs TF_CONFIG in the environment; --run-dir, the same folder for all workers; "
            "and --steps or --epochs, because workers that measure their own speed would disagree on the number of "
            "steps. See docs/guides/devices.md."
        )
    # Before TensorFlow is used for anything else: later this strategy can't be made.
    return tf.distribute.MultiWorkerMirroredStrategy()


def _settings(args, task):
    minutes = None if args.steps or args.epochs else args.minutes or _MINUTES
    chosen = {name: getattr(args, name) for name in (*_CHOICES, *SWITCHES) if getattr(args, name) is not None}
    settings = task.settings(minutes).replace(seed=args.seed, **chosen)
    # Three batches are in memory at once: two are read ahead.
    needed, free = 3 * 4 * settings.batch_size * math.prod(task.source.shape), memory.free()
    if needed > free:
        raise ValueError(
            f"--image-size and --batch-size must be smaller: batches need more than {needed:,} bytes, and "
            f"{free:,} are free. Received: {settings.batch_size} images of {task.source.shape}."
        )
    if args.epochs:
        return settings.replace(steps=args.epochs * math.ceil(task.source.count / settings.batch_size))
    return settings.replace(steps=args.steps) if args.steps else settings


class _Training:
    """Data, settings and features of a run.

    Attributes:
        train: `tf.data.Dataset` to train on.
        settings: `keras_gan.settings.ImageSettings`, or another of its kind.
        features: Model that computes the features that metrics compare.
    """

    def __init__(self, args, folder, task, strategy):
        self._args, self._folder, self._task, self._strategy = args, folder, task, strategy
        self._source = task.source
        self.settings = _settings(args, task)
        # Raises errors for settings that don't fit together, before images are read.
        with self._scope():
            self.settings.build(start_from=self._start())
        _check_readable(args, self._source)
        self.train = self._source.load(self.settings.batch_size, flip=self.settings.flip, crop=self.settings.crop)
        self._source.check()

    @property
    def is_chief(self):
        return self._strategy is None or self._strategy.extended.should_checkpoint

    def plan(self):
        """Trains the features, finds the number of steps, and records both, unless a resumed run has them already."""
        print(f"{'Resuming' if self._folder.has_backup else 'Writing'} in {self._folder.path}. To resume after")
        print(f"an interruption, give the same command with --run-dir {self._folder.path}.", flush=True)
        self._note(images=self._source.facts())
        self._note(begun=self._folder.options.get("begun", f"{datetime.now():%Y-%m-%d %H:%M}"))
        options = self._folder.options
        plain = self._source.plain
        if "feature_steps" not in options:
            self._note(feature_steps=_feature_steps(self.settings, self._source.shape))
        self.features = features.self_supervised(plain, steps=options["feature_steps"])
        if "steps" not in options and self._args.strategy == "multiworker":
            # Workers that measure their own speed would choose different numbers of steps.
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
        """Finds the number of steps that fits into the time, and prints how long everything will take."""
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
        """Trains the model; returns it, and the alarms, a list of strings."""
        folder = self._folder.path
        # Clears the state that the speed measurement left. A resumed run does not measure its speed, and must still
        # train identically.
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
                f"Training failed before a model was saved. {' '.join(alarms)} Give a lower --learning-rate."
            )
        return gan, alarms

    def _scope(self):
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def _start(self):
        return None if self._args.start_from is None else self._task.start(self._args.start_from)


def _pace(settings, *data):
    """Measures the speed of training and of all work at the end of an epoch; removes the files that this writes."""
    with tempfile.TemporaryDirectory() as scratch:
        return settings.measure(*data, folder=scratch, seconds=_seconds_to_measure(settings.minutes))


def _dry_run(args, task):
    settings, source = _settings(args, task), task.source
    print("Measuring how fast this machine is, on noise", flush=True)
    pace = _pace(settings, None, *task.rehearse())
    # The time of everything except the training steps. It does not include the time to read the images, since a dry run
    # does not read them.
    rest = _learning(settings, source.shape) + _CLOSING * pace.start
    if settings.minutes is not None:
        settings.fit_into(max(settings.minutes - (_gone() + rest) / 60, 0), pace)
    expected = _expected(settings, pace, rest, 0)
    print(f"\n{settings}\n\n{expected}")
    _check_readable(args, source)
    values = {"source": source.title, "count": source.count, "steps": settings.steps}
    return Result(values, "Only headers were read, and nothing was written.")


def _feature_steps(settings, shape):
    if settings.minutes is None:
        return max(_FEWEST_FEATURE_STEPS, min(_MOST_FEATURE_STEPS, settings.steps // 4))
    return min(_MOST_FEATURE_STEPS, features.steps_within(_FEATURES * 60 * settings.minutes, shape))


def _learning(settings, shape):
    """Measures how many seconds the training of the features will take."""
    step = 60 / features.steps_within(60, shape)
    if settings.minutes is None:
        return step * _feature_steps(settings, shape)
    return min(_FEATURES * 60 * settings.minutes, step * _MOST_FEATURE_STEPS)


def _expected(settings, pace, rest, gone):
    minutes = (gone + pace.seconds(settings.steps, settings.epochs) + rest) / 60
    end = datetime.now() + timedelta(minutes=minutes - gone / 60)
    steps = f"A step takes {1000 * pace.step:.3g} ms: {settings.steps:,} steps and everything else"
    text = f"{steps}\ntake about {minutes:.3g} minutes, until {end:%H:%M}."
    if settings.steps * settings.batch_size < settings.count:
        text += "\nThat is less than one pass through the data, too little\nto learn from: give it more time."
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
        raise argparse.ArgumentTypeError(
            f"must be a number greater than 0, and at most {_MOST_MINUTES}, received {text}"
        )
    return value
