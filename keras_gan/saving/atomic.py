"""Atomic file writes."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Gives a path to write in place of `path`, whose place it takes when all is written.

    Whatever ends the program in between, `path` holds what it held before.

    Args:
        path: Path of a file; its folder must exist.

    Raises:
        OSError: If it can't be written, with the path that was asked for.
    """
    # Of a link, what it leads to.
    path = Path(path).resolve()
    # The same name each time: what a killed program leaves, the next one overwrites. The suffix tells the format.
    part = path.with_name(f".part.{path.name}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = f"{path} was not written, and what was there is as before: {error.strerror or error}"
            # Pillow's have no number.
            raise OSError(*([] if error.errno is None else [error.errno]), reason) from error
        raise
