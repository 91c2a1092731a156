"""The command line: `keras-gan COMMAND`, a file for each command.

A command's `add` makes its parser; its `run` takes the parsed arguments and returns a result that prints itself as text
and has `to_dict()` for `--json`.
"""

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import threading

from keras_gan.backend import OpError
from keras_gan.cli import benchmark, evaluate, export, sample, train, translate
from keras_gan.cli.common import EPILOG

# What the system says of a disk without room. A limit on the size of files counts as one.
_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]


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
    except (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError, OpError) as error:
        return _fail(args, error)
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


def _fail(args, error):
    """Says in a line what went wrong, and what to do; returns the exit code."""
    # A backend's words may go on for pages.
    reason = str(error)[:300] if isinstance(error, OpError) else str(error)
    if any(words in str(error) for words in _FULL):
        advice = "" if "Make room" in reason else " Make room."
        reason = f"{reason.rstrip(' .')}.{advice}{args.next_step}"
    elif isinstance(error, (MemoryError, OverflowError, OpError)):
        reason = f"this can't be computed, such as for lack of memory. {reason}"
    print(f"keras-gan {args.command}: {' '.join(reason.split())}", file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gan",
        description="Makes a GAN from images, or a translation from pairs or two sets of them, and uses it.",
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
