"""The command line: `keras-gan COMMAND`, a file for each command.

A command's `add` makes its parser; its `run` takes the parsed arguments and returns a result that prints itself as text
and has `to_dict()` for `--json`.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading

from keras_gan.backend import OpError
from keras_gan.cli import benchmark, evaluate, export, sample, train, translate
from keras_gan.cli.common import EPILOG


def main(argv=None):
    """Runs one command.

    Args:
        argv: List of strings. Defaults to None, the command line's.

    Returns:
        Int, the exit code: 0 done, 1 failed, 2 wrong usage, 130 or 143 stopped.
    """
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code
    try:
        with _stopped_by(signal.SIGTERM):
            result = args.run(args)
        _print(json.dumps(result.to_dict(), indent=2) if args.json else str(result))
    except (ImportError, OSError, TypeError, ValueError) as error:
        return _fail(args, str(error))
    except (MemoryError, OpError) as error:
        # A backend's words may go on for pages.
        return _fail(args, f"this can't be computed, such as for lack of memory. {str(error)[:300]}")
    except KeyboardInterrupt as stop:
        print(f"keras-gan {args.command}: stopped; no file was left half written.{args.next_step}", file=sys.stderr)
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    return 0


@contextlib.contextmanager
def _stopped_by(number):
    """Lets a signal end what runs as Ctrl-C does: what is half written is removed."""

    def stop(number, frame):
        raise KeyboardInterrupt(number)

    # No other thread may set what a signal does.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


def _print(text):
    """Prints a result, also where standard output lacks a letter, and quietly where nobody reads it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(args, reason):
    print(f"keras-gan {args.command}: {' '.join(reason.split())}", file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gan",
        description="Makes a GAN from images, or a translation from pairs of them, and uses it.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train.add(commands)
    sample.add(commands)
    translate.add(commands)
    evaluate.add(commands)
    export.add(commands)
    benchmark.add(commands)
    return parser
