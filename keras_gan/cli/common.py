"""What the commands share."""

import argparse
import contextlib
import dataclasses
import time

from keras_gan import datasets, saving
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
# Where times of the whole command count from.
BEGUN = time.monotonic()
EPILOG = "Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage, 130 or 143 stopped by a signal."


def add_command(commands, name, run, help, description):
    """A subcommand's parser, with what all of them have."""
    parser = commands.add_parser(name, help=help, description=description, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run, next_step="")
    return parser


@dataclasses.dataclass
class Result:
    """What a command found: values for `--json`, and a text."""

    values: dict
    text: str

    def to_dict(self):
        return self.values

    def __str__(self):
        return self.text


def load_gan(path, instead="Translate images with keras-gan translate."):
    """Loads the `.keras` file of a GAN.

    Args:
        path: String.
        instead: String, what an error advises for a file that translates images.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    gan = saving.load_untrusted(path)
    if isinstance(gan, Pix2Pix):
        raise ValueError(f"gan must make images from latents. Received: {path}, which translates images. {instead}")
    if not isinstance(gan, GAN):
        raise ValueError(
            f"gan must be a file that gan.save wrote. Received: {path}, which holds a {type(gan).__name__}."
        )
    return gan


def load_translation(path, instead="Draw samples with keras-gan sample."):
    """Loads the `.keras` file of a model that translates images; as `load_gan`."""
    model = saving.load_untrusted(path)
    if isinstance(model, GAN):
        raise ValueError(f"model must translate images. Received: {path}, a GAN, which takes latents. {instead}")
    if not isinstance(model, Pix2Pix):
        raise ValueError(
            "model must be a file that keras-gan train --pairs, or the save of a keras_gan.Pix2Pix, wrote. "
            f"Received: {path}, which holds a {type(model).__name__}."
        )
    return model


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
