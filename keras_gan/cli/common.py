"""What the commands share."""

import argparse
import dataclasses
import time

from keras_gan import datasets, saving
from keras_gan.gan import GAN

# What errors of `datasets.load` advise, and the same in options of commands that have them.
_ADVICE = {
    "pass on_error='skip'": "give --skip-bad-images",
    "pass cache=PATH on another disk, or ask for a smaller image_size": (
        "give --cache DIR on another disk, or a smaller --image-size"
    ),
    "Pass cache=PATH, or cache=False to keep the images in memory.": "Give --cache DIR.",
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


def load_gan(path):
    """Loads the `.keras` file of a GAN.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    gan = saving.load_untrusted(path)
    if not isinstance(gan, GAN):
        raise ValueError(
            f"gan must be a file that gan.save wrote. Received: {path}, which holds a {type(gan).__name__}."
        )
    return gan


def load_images(name, batch_size, split, skip_bad, **options):
    """Loads images as `keras_gan.datasets.load` does, whose errors speak of the command line's options.

    Args:
        name: String, as of `load`.
        batch_size: Int.
        split: String, as of `load`.
        skip_bad: Bool, whether images that can't be read are left out.
        **options: Others of `load`.
    """
    try:
        return datasets.load(name, batch_size, split, on_error="skip" if skip_bad else "raise", **options)
    except (OSError, ValueError) as error:
        words = str(error)
        for in_python, in_options in _ADVICE.items():
            if "cache" not in in_python or "cache" in options:
                words = words.replace(in_python, in_options)
        raise (OSError if isinstance(error, OSError) else ValueError)(words) from error


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
