"""The command line: `keras-gan COMMAND`, one function for each command.

A command's function takes the parsed arguments and returns a result that prints itself as text and has `to_dict()`
for `--json`.
"""

import argparse
import json
import sys

import keras

from keras_gan.export import export
from keras_gan.gan import GAN

_EPILOG = "Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage."


def main(argv=None):
    """Runs one command.

    Args:
        argv: List of strings. Defaults to None, the command line's.

    Returns:
        Int, the exit code: 0 done, 1 failed, 2 wrong usage.
    """
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code
    try:
        result = args.run(args)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"keras-gan {args.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(json.dumps(result.to_dict(), indent=2) if args.json else result)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gan", description="What a trained GAN is good for.", epilog=_EPILOG, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_export(commands)
    return parser


def _add_command(commands, name, run, help, description):
    """A subcommand's parser, with what all of them have."""
    parser = commands.add_parser(name, help=help, description=description, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)
    return parser


def load(path):
    """Loads a `.keras` file.

    Raises:
        ValueError: If there is no such file, or it holds no Keras model.
    """
    try:
        return keras.models.load_model(path)
    except Exception as error:
        raise ValueError(f"gan must be a .keras file that gan.save wrote. Received: {path}. {error}") from error


# === export ===


def _add_export(commands):
    parser = _add_command(
        commands,
        "export",
        _export,
        help="write the generator as a file for a phone or a server",
        description="Writes the generator of a saved GAN as a file for another program, runs the written file beside "
        "the Keras generator, and leaves nothing behind unless they agree.",
    )
    parser.add_argument("gan", help="the GAN, or a generator alone: a .keras file")
    parser.add_argument("file", help="what to write: NAME.tflite, or NAME for a SavedModel")


def _export(args):
    model = load(args.gan)
    return model.export(args.file) if isinstance(model, GAN) else export(model, args.file)
