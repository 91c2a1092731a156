"""The command line: `keras-gan COMMAND`, one function for each command.

A command's function takes the parsed arguments and returns a result that prints itself as text and has `to_dict()`
for `--json`.
"""

import argparse
import json
import sys

import keras

from keras_gan.export import benchmark, export
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
    _add_benchmark(commands)
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
        "the Keras generator, and leaves nothing behind unless they agree. A model card is written beside the file.",
    )
    parser.add_argument("gan", help="the GAN, or a generator alone: a .keras file")
    parser.add_argument("file", help="what to write: NAME.tflite, NAME.onnx, or NAME for a SavedModel")
    parser.add_argument(
        "--quantize",
        choices=("float16", "dynamic", "int8"),
        help="smaller weights for a .tflite file: 'dynamic' is a quarter of the size and the fastest on a CPU; "
        "'float16' half the size; 'int8' for hardware that has integers alone (default: float32)",
    )
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[1], metavar="N", help="images per call, one function for each"
    )
    parser.add_argument("--sample", action="store_true", help="add sample(seed), which draws the latents itself")
    parser.add_argument("--output", choices=("float32", "uint8"), default="float32", help="images in [-1, 1], or bytes")
    parser.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FACT=TEXT",
        type=_fact,
        help="a fact for the model card, such as --card license='CC BY 4.0' --card data='70,000 faces'; repeatable",
    )


def _fact(text):
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be FACT=TEXT, received {text!r}")
    return name, value


def _export(args):
    model = load(args.gan)
    options = {
        "quantize": args.quantize,
        "batch_sizes": args.batch_sizes,
        "sample": args.sample,
        "output": args.output,
        "card": dict(args.card),
    }
    if isinstance(model, GAN):
        return model.export(args.file, **options)
    return export(model, args.file, **options)


# === benchmark ===


def _add_benchmark(commands):
    parser = _add_command(
        commands,
        "benchmark",
        lambda args: benchmark(args.file, args.threads, args.seconds),
        help="time a generator file",
        description="Times a generator file, of keras_gan or not: latency and memory.",
    )
    parser.add_argument("file", help="a .tflite file, an .onnx file or the folder of a SavedModel")
    parser.add_argument(
        "--threads", type=_positive, nargs="+", default=[1, 2], metavar="N", help="how many to use (default: 1 2)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to run for each (default: 1)")


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, received {text}")
    return value
