"""A folder of image files, as they look in a viewer."""

import collections
import contextlib
import io
import logging
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_gan.datasets.pictures import collect, fit

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# Cameras and browsers write these under other suffixes, such as .jfif, or under none. "BM" alone would say too little.
_SIGNATURES = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP", re.DOTALL)
# What lies beside images and is none: notes, tables, and what systems leave.
_SIDECARS = (
    *(".aae", ".csv", ".db", ".htm", ".html", ".ini", ".json", ".jsonl", ".log", ".md", ".rst", ".toml", ".tsv"),
    *(".txt", ".xml", ".xmp", ".yaml", ".yml"),
)
_SIDECAR_NAMES = ("icon\r", "licence", "license", "readme")
# Whatever a file is called: Pillow opens formats, too, that hand their content to other programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# A picture of colors that are spread evenly.
_COLORS = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype="uint8")] * 3), -1).reshape(-1, 1, 3)
# Decoding the largest takes 1.6 GB, so those above the second number have their turns.
_MAX_PIXELS, _LARGE_PIXELS = 89_000_000, 10_000_000


def read(path, split, size, with_labels, on_error, channels):
    """Reads all images in a folder and in its subfolders.

    Args:
        path: String, the folder's path.
        split: `"train"`.
        size: `(height, width)`, or None for the images' own.
        with_labels: Bool, whether the labels are needed.
        on_error: `"raise"` or `"skip"`, what to do about files that can't be read.
        channels: 1, 3 or 4.

    Returns:
        Images `(n, height, width, channels)`, uint8, and labels `(n,)`, int32, 0 where they are not needed: NumPy
        arrays.

    Raises:
        ValueError: If there is no such folder, split or label, or files can't be read.
    """
    if split != "train":
        raise ValueError(
            f"split of a folder must be 'train': a folder is one split. Received: {split!r}. Put the other images in "
            "a folder of their own."
        )
    folder = _existing(path)
    files, others = _find(folder)
    if others and (on_error == "raise" or not files):
        hint = ", or pass on_error='skip' to go on without them" if files else ""
        raise ValueError(
            f"{_describe(others, files, folder)} Convert them to PNG, or take them out of the folder{hint}."
        )
    if not files:
        raise ValueError(f"{folder} must hold images ({', '.join(_SUFFIXES)}). Received: none.")
    labels = np.zeros(len(files), "int32")
    if with_labels:
        loose = next((p for p in files if p.parent == folder), None)
        if loose is not None:
            raise ValueError(
                f"labels need every image in a subfolder that names its class. Received: {loose} outside of any."
            )
        numbers = {name: i for i, name in enumerate(_classes(folder, files + others))}
        labels = np.array([numbers[_class(folder, p)] for p in files], "int32")
    if others:
        logging.getLogger("keras_gan").warning(f"{_describe(others, files, folder)} They are left out.")
    good, bad = [], []

    def attempt(path):
        try:
            return _read(path, size, channels), None
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

    workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    try:
        results = _map_in_order(pool, attempt, files, 2 * workers)
        images = collect(whole(results), len(files), f"Reading {folder}", lambda i: files[good[i]])
    finally:
        pool.shutdown(cancel_futures=True)
    if bad:
        more = f"; and {len(bad) - 10} more" if len(bad) > 10 else ""
        found = f"{len(bad)} of {len(files)} images in {folder} can't be read: {'; '.join(bad[:10])}{more}."
        if on_error == "raise" or not good:
            hint = ", or pass on_error='skip' to go on without them" if good else ""
            raise ValueError(f"{found} Repair them or take them out of the folder{hint}.")
        logging.getLogger("keras_gan").warning(f"{found} They are left out.")
    return images, labels[good]


def class_names(path):
    """Lists the classes of a folder in the order of their numbers.

    Args:
        path: String, the folder's path.

    Returns:
        List of strings, the names of its subfolders with images, or with files of a kind that is not read; empty where
        it has none.

    Raises:
        ValueError: If there is no such folder.
    """
    folder = _existing(path)
    files, others = _find(folder)
    return _classes(folder, files + others)


def _existing(path):
    folder = Path(os.path.expanduser(path))
    if not path or not folder.is_dir():
        raise ValueError(f"name must be 'folder:PATH' with a folder that exists. Received: {'folder:' + path!r}.")
    return folder


def _classes(folder, files):
    """Lists classes in order. Of all files: one keeps its number if another has no image that can be read."""
    return sorted({_class(folder, path) for path in files if path.parent != folder})


def _class(folder, path):
    return path.relative_to(folder).parts[0]


def _find(folder):
    """Finds all paths of images, and those of other files that may have been meant as images, both in order.

    What the paths of images lead to is for the reader to judge.
    """

    def fail(error):
        raise ValueError(f"Every folder in {folder} must be one that you may read. Received: {error}.") from error

    paths = []
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        parent = Path(parent)
        # A link to one of them would lead round and round.
        above = {p.resolve() for p in (parent, *parent.absolute().parents)}
        folders[:] = [f for f in folders if not f.startswith(".") and (parent / f).resolve() not in above]
        paths += [parent / n for n in names if not n.startswith(".")]
    files, others = [], []
    for path in sorted(paths):
        suffix = path.suffix.lower()
        if suffix in _SUFFIXES or (suffix not in _SIDECARS and _has_signature(path)):
            files.append(path)
        elif suffix not in _SIDECARS and path.name.lower() not in _SIDECAR_NAMES:
            others.append(path)
    return files, others


def _has_signature(path):
    # Opening a named pipe would wait forever.
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            return _SIGNATURES.match(file.read(12)) is not None
    except OSError:
        return False


def _describe(others, files, folder):
    """Says how many files are of a kind that is not read, by suffix, with an example of each."""
    kinds = {}
    for path in others:
        kinds.setdefault(path.suffix.lower() or "without a suffix", []).append(path)
    kinds = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    listed = "; ".join(f"{len(found)} {kind}, such as {found[0].relative_to(folder)}" for kind, found in kinds[:10])
    more = f"; and {len(kinds) - 10} more kinds" if len(kinds) > 10 else ""
    return (
        f"{len(others)} of {len(files) + len(others)} files in {folder} are of a kind that is not read "
        f"({', '.join(_FORMATS)} are): {listed}{more}."
    )


def _map_in_order(pool, function, items, ahead):
    """Maps in threads; no more than `ahead` results are kept before they are asked for."""
    waiting = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_large_image = threading.Lock()


def _read(path, size, channels):
    """Reads one image as uint8 `(height, width, channels)`."""
    from PIL import Image

    # Opening a named pipe would wait forever.
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with Image.open(path, formats=_FORMATS) as image:
        pixels = image.width * image.height
        if not 0 < pixels <= _MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {_MAX_PIXELS:,} are read")
        with _large_image if pixels > _LARGE_PIXELS else contextlib.nullcontext():
            image = np.asarray(_convert(image, _MODES[channels]))
            return fit(image.reshape(*image.shape[:2], channels), size)


def _convert(image, mode):
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips what is above 255.
        gray, clear = np.asarray(image).astype("uint32"), image.info.get("transparency")
        image = Image.fromarray(((gray * 255 + 32767) // 65535).astype("uint8"))
        if clear is not None:
            image.putalpha(Image.fromarray(np.where(gray == clear, 0, 255).astype("uint8")))
    image = _to_srgb(image)
    if image.has_transparency_data:
        # What lies under transparent pixels is arbitrary; pages and most viewers show white.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if mode == "RGBA":
            return image
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image.convert(mode)


def _to_srgb(image):
    """Converts an image with another color profile, such as phones' Display P3; without a valid one, as it is."""
    from PIL import Image, ImageCms

    content = image.info.get("icc_profile")
    if not content:
        return image
    # Colors alone have a profile.
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    colors = image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        convert = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), colors.mode, "RGB")
        # Most profiles are of sRGB itself, and pictures are large.
        if colors.mode == "RGB":
            converted = ImageCms.applyTransform(Image.fromarray(_COLORS), convert)
            if np.abs(np.asarray(converted, "int32") - _COLORS).max() <= 1:
                return image
        colors = ImageCms.applyTransform(colors, convert)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if alpha is not None:
        colors.putalpha(alpha)
    return colors


def _reason(error):
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image, or of another format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
