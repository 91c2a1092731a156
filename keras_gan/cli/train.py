"""`keras-gan train`: trains a GAN on images, or an image translation model on pairs or two sets, and exports it."""

import argparse
import contextlib
import dataclasses
import importlib.util
import math
import os
import sys
from datetime import datetime
from pathlib import Path

import keras

from keras_gan.checks.values import check_path
from keras_gan.cli import degraded, finishing, pairs
from keras_gan.cli.common import SWITCHES, Result, add_command, positive
from keras_gan.cli.cycling import Cycle
from keras_gan.cli.enlarging import Enlargement
from keras_gan.cli.generating import Generation
from keras_gan.cli.run_folder import RunFolder
from keras_gan.cli.training import Training, rehearse
from keras_gan.cli.translating import Translation
from keras_gan.datasets import memory

# The tasks by the options that choose them: the name in errors, and the class. The first option that is given decides.
_TASKS = {
    "pairs": ("--pairs", Translation),
    "unpaired": ("--unpaired", Cycle),
    "degrade": ("images with --degrade", Enlargement),
    "source": ("images", Generation),
}
# The default number of minutes, and the maximum, which is one year.
_MINUTES, _MOST_MINUTES = 15.0, 525_600
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
        "for --unpaired: the weight of the identity loss (on images already in the target set), as a share of "
        "--cycle-weight",
    ),
    "crop": (int, "read images this many pixels larger, and crop random windows from them; 0 for none"),
    "ema": (float, "the momentum of the average of the generator's weights"),
}


def add(commands):
    parser = add_command(
        commands,
        "train",
        run,
        help="train a GAN on images, an image translation model on pairs or on two sets, or a super-resolution model",
        description="Trains a GAN on images. Writes the GAN, a file of its generator for a phone, whose outputs are "
        "checked, and a report with samples and metrics. With --pairs, --unpaired or --degrade it trains an image "
        "translation model instead. It first prints what it found and what it will do. To resume a run, whatever ended "
        "it, give the same command with the same --run-dir.",
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
        help="height and width in pixels, for pairs those of the target (default: the images' own size if it is the "
        "same for all, at most 128, and possible for the networks; else 64)",
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
    settings = _settings(args, task)
    if args.dry_run:
        return rehearse(args, task, settings)
    training = Training(args, folder, task, settings, strategy)
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
        raise ValueError(f"{flags} must be left out for {called}. Give such options only with {' or '.join(takers)}.")
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
            "ai-edge-litert, which checks the .tflite file, must be installed. Received: no such package. "
            "Run: pip install 'keras-gan[export]', or give --no-export."
        )


def _strategy(args):
    """Returns the `tf.distribute.Strategy` that was asked for, or None."""
    if args.strategy == "none":
        return None
    import tensorflow as tf

    if args.strategy == "mirrored":
        return tf.distribute.MirroredStrategy()
    missing = [
        name
        for name, given in (
            ("TF_CONFIG", "TF_CONFIG" in os.environ),
            ("--run-dir", args.run_dir),
            ("--steps or --epochs", args.steps or args.epochs),
        )
        if not given
    ]
    if missing:
        raise ValueError(
            "--strategy multiworker needs TF_CONFIG in the environment; --run-dir, the same folder for all workers; "
            "and --steps or --epochs, because workers that measure their own speed would disagree on the number of "
            f"steps. Received: no {', no '.join(missing)}. See docs/guides/devices.md."
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
