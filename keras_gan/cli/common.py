"""Helpers of all commands."""

import argparse
import contextlib
import dataclasses
import time

import keras

from keras_gan import datasets, saving
from keras_gan.cyclegan import CycleGAN
from keras_gan.gan import GAN
from keras_gan.translation import Pix2Pix

# What errors of `datasets` advise, and the same in options.
_ADVICE = {
    "pass on_error='skip'": "give --skip-bad-images",
    "pass cache=PATH on another disk, or ask for a smaller image_size": (
        "give --cache DIR on another disk, or a smaller --image-size"
    ),
    "Pass cache=PATH, or cache=False to keep the images in memory.": "Give --cache DIR.",
    "Pass b=None for images side by side.": "Give one folder alone for images side by side.",
    "image_size": "--image-size",
    "at scale=": "at --scale ",
}
# Of each kind of model: what a file of it is, the option that names its data, and a command that uses it.
_KINDS = {
    GAN: ("a GAN, which takes latents", "--data", "Draw samples with keras-gan sample."),
    Pix2Pix: ("which translates images", "--pairs", "Translate images with keras-gan translate."),
    CycleGAN: ("which translates images both ways", "--unpaired", "Translate images with keras-gan translate."),
}
# Options of `train` that have a form for no.
SWITCHES = {
    "augment": "the discriminator sees images changed at random",
    "flip": "images are mirrored at random",
    "simultaneous": "both players are updated at once",
}
# Where times of the whole command count from.
BEGUN = time.monotonic()
EPILOG = "Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage, 130 or 143 stopped by a signal."


def add_command(commands, name, run, help, description):
    """Adds a subcommand's parser with the options of all commands."""
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
        given: String, the option by which the command's data were given, if errors are to name the right one. Defaults
            to None: errors name a command for the file.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    return _load(path, (GAN,), "gan must make images from latents", "gan.save", given)


def load_translation(path, given=None):
    """Loads the `.keras` file of a model that has learned from pairs to translate images; as `load_gan`."""
    writers = "keras-gan train --pairs, or the save of a keras_gan.Pix2Pix,"
    return _load(path, (Pix2Pix,), "model must translate images as pairs do", writers, given)


def load_cycle(path, given=None):
    """Loads the `.keras` file of a model that translates images both ways; as `load_gan`."""
    writers = "keras-gan train --unpaired, or the save of a keras_gan.CycleGAN,"
    return _load(path, (CycleGAN,), "model must translate images both ways", writers, given)


def load_translator(path):
    """Loads the `.keras` file of a model that translates images, of either kind; as `load_gan`."""
    writers = "keras-gan train --pairs, or --unpaired,"
    return _load(path, (Pix2Pix, CycleGAN), "model must translate images", writers, None)


def _load(path, kinds, expected, writers, given):
    model = saving.load_untrusted(path)
    if isinstance(model, kinds):
        return model
    for kind, (what, option, command) in _KINDS.items():
        if isinstance(model, kind):
            advice = command if given is None else f"Give {option} in the place of {given}."
            if given == "--data" and kind is Pix2Pix and model.data_shape[0] > model.source_shape[0]:
                advice += f" Or add --degrade {model.data_shape[0] // model.source_shape[0]}."
            raise ValueError(f"{expected}. Received: {path}, {what}. {advice}")
    name = expected.partition(" ")[0]
    raise ValueError(
        f"{name} must be a file that {writers} wrote. Received: {path}, which holds a {type(model).__name__}."
    )


def add_direction(parser):
    """Adds the option that says where to a model of two sets translates."""
    parser.add_argument("--to", choices=("a", "b"), help="of a model of train --unpaired: the set to make (default: b)")


def direction(model, to, path):
    """Finds what a translation makes images with.

    Args:
        model: `keras_gan.Pix2Pix` or `keras_gan.CycleGAN`.
        to: `"a"`, `"b"` or None, as of `--to`.
        path: String, the model's file, for errors.

    Returns:
        The generator; and the shape of an image that it takes, `(height, width, channels)`.

    Raises:
        ValueError: If the model has one direction alone, and one is given.
    """
    if isinstance(model, CycleGAN):
        return model.best(model.generator_to(to or "b")), model.shapes["b" if to == "a" else "a"]
    check_one_way(to, path)
    return model.best_generator, model.source_shape


def check_one_way(to, path):
    """Raises a ValueError if a direction is given for a model that has no other."""
    if to is not None:
        raise ValueError(f"--to must be left out but for a model from train --unpaired. Received: --to {to}, {path}.")


def count_parameters(model):
    """Counts the parameters of each player, a dict."""
    return {
        name: sum(network.count_params() for network in keras.tree.flatten(player))
        for name, player in model.players().items()
    }


def load_images(name, batch_size, split, skip_bad, **options):
    """Loads images as `keras_gan.datasets.load` does, whose errors speak of the command line's options.

    Args:
        name: String, as of `load`.
        batch_size: Int.
        split: String, as of `load`.
        skip_bad: Bool, whether images that can't be read are left out.
        **options: Others of `load`.
    """
    with speaking_of_options(cache="cache" in options):
        return datasets.load(name, batch_size, split, on_error="skip" if skip_bad else "raise", **options)


@contextlib.contextmanager
def speaking_of_options(prefix="", cache=True):
    """Lets errors of `datasets` speak of the command line's options, of `--cache` where the command has it."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        words = str(error)
        for in_python, in_options in _ADVICE.items():
            if cache or "cache" not in in_python:
                words = words.replace(in_python, in_options)
        raise (OSError if isinstance(error, OSError) else ValueError)(prefix + words) from error


def check_condition(gan, path, instead):
    """Raises a ValueError if the GAN is conditioned on what no command line can give."""
    if gan.condition.given_name not in (None, "labels"):
        raise ValueError(
            f"gan must have no condition but one on labels. Received: {path}, with {gan.condition!r}. "
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
