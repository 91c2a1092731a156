"""Atomic file writes."""

import contextlib
import os

from keras_gan.checks.values import check_path


@contextlib.contextmanager
def replacing(path):
    """Opens a context with a temporary path; once the file there is written, it replaces `path`.

    If the program ends before that, `path` is unchanged.

    Args:
        path: Path of a file; its folder must exist.

    Returns:
        Context manager that gives a `pathlib.Path` in the same folder, with the same suffix.

    Raises:
        ValueError: If the path is an address, such as `gs://...`.
        OSError: If it can't be written; the message has `path`.

    Example:

    ```python
    with keras_gan.saving.replacing("latents.npy") as path:
        np.save(path, np.zeros((16, 64)))
    np.load("latents.npy").shape  # (16, 64)
    ```
    """
    # If `path` is a link, its target is replaced.
    path = check_path("path", path).resolve()
    # The same name each time: the next run overwrites the leftovers of a killed one. The suffix sets the format.
    part = path.with_name(f".part.{path.name}")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = f"{path} was not written, and any older file there is unchanged: {error.strerror or error}"
            # Pillow's errors have no errno.
            raise OSError(*([] if error.errno is None else [error.errno]), reason) from error
        raise
