"""Helpers that the commands share."""

import argparse
import contextlib
import dataclasses
import os
import time

import keras

from keras_gan import datasets, saving
from keras_gan.cyclegan import CycleGAN
from keras_gan.gan import GAN
from keras_gan.translation import Pix2Pix

# Advice in errors of `datasets`, and the same advice in options of the command line.
_ADVICE = {
    "pass on_error='skip'": "give --skip-bad-images",
    "pass cache=PATH on another disk, or ask for a smaller image_size": (
        "give --cache DIR on another disk, or a smaller --image-size"
    ),
    "Pass cache=PATH, or cache=False to keep the images in memory.": "Give --cache DIR.",
    "Pass b=None for images side by side.": "Give one folder alone for images side by side.",
    "name must be 'folder:PATH' with a folder that exists. Received: 'folder:": (
        "images must be in a folder that exists. Received: '"
    ),
    "with labels=True": "with --labels",
    ", or pass labels=False": ", or leave --labels out",
    "image_size": "--image-size",
    "at scale=": "at --scale ",
}
# The same for commands other than `train`, which have neither --cache nor --labels.
_ADVICE_ELSEWHERE = _ADVICE | {
    "pass cache=PATH on another disk, or ask for a smaller image_size": (
        "or set KERAS_HOME to a folder on another disk, where caches are kept"
    ),
    "Pass cache=PATH, or cache=False to keep the images in memory.": "Set KERAS_HOME to such a folder.",
    "with labels=True": "with labels",
    ", or pass labels=False": "",
}
# For each kind of model: a description of its file, the option that names its data, and a command that uses the file.
_KINDS = {
    GAN: ("a GAN, which takes latents", "--data", "Draw samples with keras-gan sample."),
    Pix2Pix: ("which translates images", "--pairs", "Translate images with keras-gan translate."),
    CycleGAN: ("which translates images both ways", "--unpaired", "Translate images with keras-gan translate."),
}
# Options of `train` that also exist as `--no-OPTION`, with their help texts.
SWITCHES = {
    "augment": "the discriminator sees images changed at random",
    "flip": "images are mirrored at random",
    "separable": "for --unpaired with --architecture residual: convolutions are separable, for phones",
    "simultaneous": "the generator and the discriminator are updated simultaneously",
}
# The start of the command, from which its duration is measured.
BEGUN = time.monotonic()
EPILOG = "Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage, 130 or 143 stopped by a signal."


def add_command(commands, name, run, help, description):
    """Adds the parser of a subcommand, with the options that all commands have."""
    parser = commands.add_parser(name, help=help, description=description, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run, next_step="")
    return parser


@dataclasses.dataclass
class Result:
    """Result of a command: values for `--json`, and a text."""

    values: dict
    text: str

    def to_dict(self):
        return self.values

    def __str__(self):
        return self.text


def load_gan(path, given=None):
    """Loads the `.keras` file of a GAN.

    Args:
        path: String.
        given: String, the option with which the user gave the data. If the file needs a different option, the error
            message names the option that it needs. Defaults to None: the error names a command that takes the file.

    Raises:
        ValueError: If there is no such file, or it holds something other than a GAN.
    """
    return _load(path, (GAN,), "gan must be a GAN, which takes latents", "gan.save", given)


def load_translation(path, given=None):
    """Loads the `.keras` file of a model that has learned from pairs to translate images, as `load_gan` does."""
    writers = "keras-gan train --pairs or --degrade, or keras_gan.Pix2Pix.save"
    return _load(path, (Pix2Pix,), "gan must translate images one way", writers, given)


def load_cycle(path, given=None):
    """Loads the `.keras` file of a model that translates images both ways, as `load_gan` does."""
    writers = "keras-gan train --unpaired or keras_gan.CycleGAN.save"
    return _load(path, (CycleGAN,), "gan must translate images both ways", writers, given)


def load_translator(path):
    """Loads the `.keras` file of either kind of model that translates images, as `load_gan` does."""
    writers = "keras-gan train --pairs, --degrade or --unpaired"
    return _load(path, (Pix2Pix, CycleGAN), "model must translate images", writers, None)


def _load(path, kinds, expected, writers, given):
    model = saving.load_untrusted(path)
    if isinstance(model, kinds):
        return model
    for kind, (what, option, command) in _KINDS.items():
        if isinstance(model, kind):
            advice = command if given is None else f"Give {option} instead of {given}."
            if given == "--data" and kind is Pix2Pix and model.data_shape[0] > model.source_shape[0]:
                advice += f" Or add --degrade {model.data_shape[0] // model.source_shape[0]}."
            raise ValueError(f"{expected}. Received: {path}, {what}. {advice}")
    name = expected.partition(" ")[0]
    raise ValueError(
        f"{name} must be a file written by {writers}. Received: {path}, which holds a {type(model).__name__}."
    )


def add_direction(parser):
    """Adds the option `--to`, the target set for a model that translates between two sets."""
    parser.add_argument(
        "--to", choices=("a", "b"), help="for a model from train --unpaired: the set to translate to (default: b)"
    )


def direction(model, to, path):
    """Finds the generator of a translation for one direction.

    Args:
        model: `keras_gan.Pix2Pix` or `keras_gan.CycleGAN`.
        to: `"a"`, `"b"` or None, the value of `--to`.
        path: String, the model's file, for errors.

    Returns:
        The generator, and the shape of an image that it takes, `(height, width, channels)`.

    Raises:
        ValueError: If the model has only one direction, and `to` is given.
    """
    if isinstance(model, CycleGAN):
        return model.best(model.generator_to(to or "b")), model.shapes["b" if to == "a" else "a"]
    check_one_way(to, path)
    return model.best_generator, model.source_shape


def takes_unit(model):
    """Checks if a model takes images in [0, 1]: a `CycleGAN` whose generators end in a sigmoid does."""
    return isinstance(model, CycleGAN) and model.data_range == (0, 1)


def check_one_way(to, path):
    """Raises a ValueError if a direction is given for a model that has only one."""
    if to is not None:
        raise ValueError(f"--to is only for a model from train --unpaired. Received: --to {to}, {path}. Leave it out.")


def count_parameters(model):
    """Returns a dict from the name of each player to its number of parameters."""
    return {
        name: sum(network.count_params() for network in keras.tree.flatten(player))
        for name, player in model.players().items()
    }


def data_name(given):
    """Returns the name that `datasets.load` takes: `folder:PATH` for the path of a folder; any other name is returned
    unchanged."""
    return f"folder:{given}" if os.path.isdir(os.path.expanduser(given)) else given


def load_images(name, batch_size, split, skip_bad, **options):
    """Loads images as `keras_gan.datasets.load` does, but errors name options of the command line.

    Args:
        name: String, as in `load`.
        batch_size: Int.
        split: String, as in `load`.
        skip_bad: Bool, whether to skip images that can't be read.
        **options: Other arguments of `load`.
    """
    with speaking_of_options(train="cache" in options):
        return datasets.load(name, batch_size, split, on_error="skip" if skip_bad else "raise", **options)


@contextlib.contextmanager
def speaking_of_options(prefix="", train=True):
    """Rewords errors of `datasets`: names of arguments are replaced by options of `train`, or of another command."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        words = str(error)
        for in_python, in_options in (_ADVICE if train else _ADVICE_ELSEWHERE).items():
            words = words.replace(in_python, in_options)
        raise (OSError if isinstance(error, OSError) else ValueError)(prefix + words) from error


def check_condition(gan, path, instead):
    """Raises a ValueError if the GAN has a condition other than labels, which can't be given on the command line."""
    if gan.condition.given_name not in (None, "labels"):
        raise ValueError(
            f"gan must have a condition on labels, or none. Received: {path}, with {gan.condition!r}. "
            f"Load it in Python with keras_gan.saving.load_untrusted and call {instead}."
        )


def positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, received {text}")
    return value
