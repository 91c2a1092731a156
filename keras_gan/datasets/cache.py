"""Decoded images, in a file that is mapped into memory.

A folder for each set holds two files: `images`, the bytes of all readable images one after the other, and `log`, a line
of JSON for each chunk of them, written after the chunk. Bytes without a valid entry in the log are ignored: the cache
of a killed program continues after the last whole chunk, and corrupt bytes are decoded again.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import math
import os
import re
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_gan.datasets.pictures import decoded
from keras_gan.saving.home import keras_home

# Version number. Change it whenever the file format or the decoding changes: this invalidates all caches.
_VERSION = 1
# Pictures in a chunk.
_CHUNK = 256
_ADVICE = "Make room, pass cache=PATH on another disk, or ask for a smaller image_size."


def cached(pictures, place=None):
    """Returns decoded pictures from a cache, which is written if missing. Other processes that need it wait.

    Args:
        pictures: `Pictures`.
        place: Path of the folder that holds caches. Defaults to None, `keras_gan/data` in Keras's home.

    Returns:
        Images `(count, height, width, channels)`, uint8, a read-only `numpy.memmap`; and labels `(count,)`, int32.

    Raises:
        ValueError: If the pictures differ in shape, or can't be read.
        OSError: If the cache can't be written, such as on a full disk. Nothing that this call wrote is left then.
    """
    place = default_place() if place is None else Path(place).expanduser()
    digest = hashlib.sha256(json.dumps([_VERSION, pictures.key()]).encode()).hexdigest()
    name = re.sub(r"\W+", "-", Path(pictures.title).name).strip("-")
    folder = place / f"{name}-{digest[:16]}"
    with _locked(folder) as log:
        header = json.dumps({"keras_gan": _VERSION, "key": digest, "count": len(pictures)}).encode() + b"\n"
        chunks = _intact(log, header, folder / "images")
        if len(chunks) * _CHUNK < len(pictures):
            chunks += _write(pictures, chunks, log, header, folder)
        bad = [tuple(pair) for chunk in chunks for pair in chunk["bad"]]
        if bad:
            pictures.report(bad)
        labels = np.array([label for chunk in chunks for label in chunk["labels"]], "int32")
        return np.memmap(folder / "images", "uint8", "r", shape=(len(labels), *_shape(chunks))), labels


def default_place():
    """Returns the default folder of caches."""
    return keras_home() / "keras_gan" / "data"


def _shape(chunks):
    return next((tuple(chunk["shape"]) for chunk in chunks if chunk["shape"]), None)


@contextlib.contextmanager
def _locked(folder):
    """Opens the log of a cache with an exclusive lock, which a killed process releases."""
    while True:
        with _open(folder) as log:
            _lock(log, folder)
            if _is_at(log, folder / "log"):
                yield log
                return


def _open(folder):
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return open(folder / "log", "a+b")
        except FileNotFoundError:
            # Another process failed to write the cache and has just removed the folder.
            continue
        except OSError as error:
            raise OSError(
                error.errno,
                f"cache must be in a folder that can be written to. Received: {folder} ({error.strerror}). Pass "
                "cache=PATH, or cache=False to keep the images in memory.",
            ) from error


def _is_at(file, path):
    """Checks if an open file is still the one at a path: its last owner may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(log, folder):
    try:
        import fcntl
    except ImportError:  # On Windows, two processes must not write the same cache at the same time.
        return
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for another process, which is using {folder}.", flush=True)
        fcntl.flock(log, fcntl.LOCK_EX)


def _intact(log, header, path):
    """Reads the chunks of a log up to the first whose images are missing or corrupt, and truncates the rest.

    Returns:
        List of dicts: `shape` of the images, None if none could be read; their `labels`; `bad`, pairs of the number of
        a picture that can't be read and the reason; and `crc`, the checksum of their bytes.
    """
    log.seek(0)
    first, *lines = log.readlines() or [b""]
    if first != header or not path.is_file():
        return []
    chunks = []
    for line in lines:
        # A partially written line has no newline.
        try:
            chunks.append(json.loads(line) if line.endswith(b"\n") else None)
        except ValueError:
            chunks.append(None)
    chunks = list(itertools.takewhile(lambda chunk: chunk is not None, chunks))
    row = math.prod(_shape(chunks) or (0,))
    sizes = [row * len(chunk["labels"]) for chunk in chunks]
    starts = itertools.accumulate(sizes, initial=0)

    def is_right(start, size, chunk):
        return zlib.crc32(content[start : start + size]) == chunk["crc"]

    content = np.memmap(path, "uint8", "r") if path.stat().st_size else np.zeros(0, "uint8")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        right = list(pool.map(is_right, starts, sizes, chunks))
    count = right.index(False) if False in right else len(right)
    log.truncate(len(first) + sum(map(len, lines[:count])))
    return chunks[:count]


def _write(pictures, before, log, header, folder):
    """Decodes the pictures that are missing in the chunks, and returns the new chunks."""
    chunks, shape, path = [], _shape(before), folder / "images"
    total = pictures.nbytes if shape is None else math.prod(shape) * len(pictures)
    _check_room(total, path, folder, bool(before))
    try:
        if not before:
            # Unlinked, since another process may have it mapped.
            path.unlink(missing_ok=True)
            log.truncate(0)
            log.write(header)
        with open(path, "r+b" if before else "xb") as file:
            if shape is not None:
                _reserve(file, total)
                file.seek(math.prod(shape) * sum(len(chunk["labels"]) for chunk in before))
            with contextlib.closing(decoded(pictures, len(before) * _CHUNK, shape, folder)) as images:
                for i, image, label, reason in images:
                    if i % _CHUNK == 0:
                        chunk = {"shape": None, "labels": [], "bad": [], "crc": 0}
                    if reason is not None:
                        chunk["bad"].append([i, reason])
                    else:
                        if shape is None:
                            shape = image.shape
                            _reserve(file, math.prod(shape) * len(pictures))
                        content = image.tobytes()
                        file.write(content)
                        chunk["shape"], chunk["crc"] = shape, zlib.crc32(content, chunk["crc"])
                        chunk["labels"].append(label)
                    if (i + 1) % _CHUNK == 0 or i + 1 == len(pictures):
                        _sync(file)
                        log.write(json.dumps(chunk).encode() + b"\n")
                        _sync(log)
                        chunks.append(chunk)
            # Drop the space reserved for those that can't be read.
            file.truncate(file.tell())
    except (OSError, ValueError) as error:
        _remove(folder)
        if isinstance(error, OSError):
            raise OSError(
                error.errno or errno.EIO,
                f"The cache {folder} was not written, and nothing is left of it: {error.strerror or error}. It needs "
                f"{total:,} bytes. {_ADVICE}",
            ) from error
        raise
    return chunks


def _check_room(total, path, folder, is_begun):
    needed = total - (_size_on_disk(path) if is_begun else 0)
    free = shutil.disk_usage(folder).free
    if needed > free:
        if not is_begun:
            _remove(folder)
        raise OSError(
            errno.ENOSPC,
            f"The cache {folder} needs {needed:,} bytes, and its disk has {free:,} bytes free. {_ADVICE}",
        )


def _size_on_disk(path):
    # Not available on Windows.
    return getattr(path.stat(), "st_blocks", 0) * 512


def _remove(folder):
    for path in (folder / "images", folder / "log"):
        with contextlib.suppress(OSError):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _reserve(file, size):
    # Not available on macOS and Windows.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


def _sync(file):
    file.flush()
    os.fsync(file.fileno())
