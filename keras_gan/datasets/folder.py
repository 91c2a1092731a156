"""A folder of image files, as they look in a viewer."""

import contextlib
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_gan.datasets.pictures import collect, fit

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# Whatever a file is called: Pillow opens formats, too, that hand their content to other programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# Decoding the largest takes 1.6 GB, so those above the second number have their turns.
_MAX_PIXELS, _LARGE_PIXELS = 89_000_000, 10_000_000


def read(path, split, size, with_labels, on_error):
    """Reads all images in a folder and in its subfolders.

    Args:
        path: String, the folder's path.
        split: `"train"`.
        size: `(height, width)`, or None for the images' own.
        with_labels: Bool, whether the labels are needed.
        on_error: `"raise"` or `"skip"`, what to do about images that can't be read.

    Returns:
        Images `(n, height, width, 3)`, uint8, and labels `(n,)`, int32, 0 where they are not needed: NumPy arrays.

    Raises:
        ValueError: If there is no such folder, split or label, or images can't be read.
    """
    if split != "train":
        raise ValueError(
            f"split of a folder must be 'train': a folder is one split. Received: {split!r}. Put the other images in "
            "a folder of their own."
        )
    folder = Path(os.path.expanduser(path))
    if not path or not folder.is_dir():
        raise ValueError(f"name must be 'folder:PATH' with a folder that exists. Received: {'folder:' + path!r}.")
    files = _find(folder)
    if not files:
        raise ValueError(f"{folder} must hold images ({', '.join(_SUFFIXES)}). Received: none.")
    labels = np.zeros(len(files), "int32")
    if with_labels:
        classes = [p.relative_to(folder).parts[0] if p.parent != folder else None for p in files]
        if None in classes:
            raise ValueError(
                "labels need every image in a subfolder that names its class. "
                f"Received: {files[classes.index(None)]} outside of any."
            )
        # Of all files: a class keeps its number if another one has no image that can be read.
        labels = np.unique(classes, return_inverse=True)[1].astype("int32")
    good, bad = [], []

    def attempt(path):
        try:
            return _read(path, size), None
        # Decoders raise whatever broken bytes lead them to, SyntaxError and struct.error among others.
        except Exception as error:
            return None, error

    def whole(results):
        for i, (image, error) in enumerate(results):
            if error is None:
                good.append(i)
                yield image
            else:
                bad.append(f"{files[i].relative_to(folder)} ({_reason(error)})")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(attempt, files)
        images = collect(whole(results), len(files), f"Reading {folder}", lambda i: files[good[i]])
    if bad:
        more = f"; and {len(bad) - 10} more" if len(bad) > 10 else ""
        found = f"{len(bad)} of {len(files)} images in {folder} can't be read: {'; '.join(bad[:10])}{more}."
        if on_error == "raise" or not good:
            hint = ", or pass on_error='skip' to go on without them" if good else ""
            raise ValueError(f"{found} Repair them or take them out of the folder{hint}.")
        logging.getLogger("keras_gan").warning(f"{found} They are left out.")
    return images, labels[good]


def _find(folder):
    """Finds all paths with an image's suffix, in order; what they lead to is for the reader to judge."""

    def fail(error):
        raise ValueError(f"Every folder in {folder} must be one that you may read. Received: {error}.") from error

    paths = []
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        parent = Path(parent)
        # A link to one of them would lead round and round.
        above = {p.resolve() for p in (parent, *parent.absolute().parents)}
        folders[:] = [f for f in folders if not f.startswith(".") and (parent / f).resolve() not in above]
        paths += [parent / n for n in names if not n.startswith(".")]
    return sorted(p for p in paths if p.suffix.lower() in _SUFFIXES)


_large_image = threading.Lock()


def _read(path, size):
    """Reads one image as uint8 `(height, width, 3)`."""
    from PIL import Image

    # Opening a named pipe would wait forever.
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with Image.open(path, formats=_FORMATS) as image:
        pixels = image.width * image.height
        if not 0 < pixels <= _MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {_MAX_PIXELS:,} are read")
        with _large_image if pixels > _LARGE_PIXELS else contextlib.nullcontext():
            return fit(np.asarray(_to_rgb(image)), size)


def _to_rgb(image):
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips what is above 255.
        gray = np.asarray(image).astype("uint32")
        image = Image.fromarray(((gray * 255 + 32767) // 65535).astype("uint8"))
    if image.has_transparency_data:
        # What lies under transparent pixels is arbitrary; pages and most viewers show white.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _reason(error):
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image, or of another format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
