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

# The operating system's messages for a full disk. A limit on the size of files counts as a full disk.
_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]


def main(argv=None):
    """Runs one command.

    Args:
        argv: List of strings. Defaults to None, the arguments of the command line.

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
    """Exception that ends a command after a signal; its argument is the number of the signal."""


@contextlib.contextmanager
def _stoppable():
    """Lets SIGTERM and Ctrl-C end the command at any time; half-written files are removed.

    Python ignores an exception that a signal handler raises inside a callback whose exceptions are not propagated, such
    as `__del__` or a callback of the garbage collector. TensorFlow drops one that is raised while it examines an
    argument. So the signal is repeated until the command ends. C code may replace the exception with another one, which
    is then treated as the signal.
    """
    received = []

    def stop(number, frame):
        received.append(number)
        # Starts the thread with `_thread`, not with `threading`: the main thread may hold the locks of `threading`
        # here.
        _thread.start_new_thread(again, (number,))
        error = sys.exc_info()[1]
        while error is not None:
            # The command is ending already, and removes half-written files.
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

    # Only the main thread may set signal handlers.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that is ignored on purpose stays ignored.
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
    hook, sys.unraisablehook = sys.unraisablehook, hear
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except Exception as error:
        if received:
            raise _Stopped(received[0]) from error
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _print(text):
    """Prints a result. Escapes characters that standard output can't encode, and ignores a closed pipe."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Otherwise Python would try to write again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(args, error):
    """Prints one line with the error and, on a full disk, the next step; returns the exit code."""
    # Errors from a backend can fill pages.
    reason = str(error)[:300] if isinstance(error, OpError) else str(error)
    if any(words in str(error) for words in _FULL):
        advice = "" if "Make room" in reason else " Make room."
        reason = f"{reason.rstrip(' .')}.{advice}{args.next_step}"
    elif isinstance(error, (MemoryError, OverflowError, OpError)):
        reason = f"the computation failed. If memory ran out, end other programs. {reason}"
    print(f"keras-gan {args.command}: {' '.join(reason.split())}", file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gan",
        description="Trains a GAN on images, or an image translation model on pairs or on two sets of images, and uses "
        "the result.",
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
