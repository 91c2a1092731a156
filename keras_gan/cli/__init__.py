"""The command line: `keras-gan COMMAND`, a file for each command.

A command's `add` makes its parser; its `run` takes the parsed arguments and returns a result that prints itself as text
and has `to_dict()` for `--json`.
"""

import _thread
import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import threading
import time

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
        with _stoppable():
            result = args.run(args)
        _print(json.dumps(result.to_dict(), indent=2) if args.json else str(result))
    except (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError, OpError) as error:
        return _fail(args, error)
    except KeyboardInterrupt as stop:
        print(f"keras-gan {args.command}: stopped; no file was left half written.{args.next_step}", file=sys.stderr)
        return 128 + (stop.args[0] if isinstance(stop, _Stopped) else signal.SIGINT)
    return 0


class _Stopped(KeyboardInterrupt):
    """The end by a signal, whose number is its argument."""


@contextlib.contextmanager
def _stoppable():
    """Lets SIGTERM and Ctrl-C end what runs, whenever they come: what is half written is removed.

    Python drops what a signal raises in a callback that can't fail, such as a `__del__` or the garbage collector's, and
    TensorFlow what is raised while it looks at an argument. So the signal comes again until the end has come.
    """

    def stop(number, frame):
        # Not `threading`, whose locks the main thread may hold here.
        _thread.start_new_thread(again, (number,))
        error = sys.exc_info()[1]
        while error is not None:
            # On its way out, where what is half written is being removed.
            if isinstance(error, _Stopped):
                return
            error = error.__context__
        raise _Stopped(number)

    def again(number):
        time.sleep(0.1)
        if sys.unraisablehook is hear:
            _thread.interrupt_main(number)

    def hear(dropped):
        if not issubclass(dropped.exc_type, _Stopped):
            hook(dropped)

    # No other thread may set what a signal does.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # One that is ignored on purpose stays so.
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
    hook, sys.unraisablehook = sys.unraisablehook, hear
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


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
