"""Decoding of one image file, as a viewer shows it."""

import contextlib
import io
import math
import re
import threading

import numpy as np

from keras_gan.datasets.pictures import fit

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# The only formats that are read, whatever the suffix: for others, Pillow may pass the content to other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# Cameras and browsers write these under other suffixes, such as .jfif, or none. BMP is not among them: its signature,
# "BM", is too short to tell it from other files.
_SIGNATURES = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP", re.DOTALL)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# A picture of evenly spaced colors.
_COLORS = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype="uint8")] * 3), -1).reshape(-1, 1, 3)
# Limits in pixels. Decoding an image of MAX_PIXELS needs 1.6 GB. So images of more than _LARGE_PIXELS are decoded one
# at a time, and images of more than MAX_PIXELS are not decoded.
MAX_PIXELS, _LARGE_PIXELS = 89_000_000, 10_000_000


_large_image = threading.Lock()


def read(path, size, channels):
    """Reads one image.

    Args:
        path: `Path` of the file.
        size: `(height, width)`, or None for the image's own.
        channels: 1, 3 or 4.

    Returns:
        Array `(height, width, channels)`, uint8.

    Raises:
        Exception: Of any kind, if it can't be read; `reason` describes it.
    """
    with _opened(path) as image:
        pixels = image.width * image.height
        exact = None if size is None else _shrink(image, size)
        with _large_image if pixels > _LARGE_PIXELS else contextlib.nullcontext():
            return fit(_convert(image, _MODES[channels]), size, exact)


def header(path):
    """Reads the header of an image file, without decoding the image.

    Args:
        path: `Path` of the file.

    Returns:
        `(height, width)` as in a viewer, and Pillow's color mode, such as `"RGB"`.

    Raises:
        Exception: As `read`.
    """
    with _opened(path) as image:
        size = image.size if _lies(image) else image.size[::-1]
        return size, image.mode


def has_signature(path):
    """Checks if a file starts with the signature of an image."""
    # Opening a named pipe would wait forever.
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            return _SIGNATURES.match(file.read(12)) is not None
    except OSError:
        return False


@contextlib.contextmanager
def _opened(path):
    from PIL import Image

    # Opening a named pipe would wait forever.
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    with Image.open(path, formats=FORMATS) as image:
        if not 0 < image.width * image.height <= MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
        yield image


def _lies(image):
    """Checks if an image is rotated by 90 degrees, according to EXIF."""
    # EXIF data that follow a PNG's pixels are ignored, since the PNG would have to be decoded to find them. MPO is
    # Pillow's name for the format of phones' JPEGs that hold a second image.
    is_known = image.format in ("JPEG", "MPO") or "exif" in image.info
    return is_known and image.getexif().get(0x0112, 1) >= 5


def _shrink(image, size):
    """Sets up a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size, if that is at least twice the requested size.

    Returns:
        `(height, width)` of the picture in decoded pixels, floats: the last row and column may be fractional; None if
        nothing changes.
    """
    lies = _lies(image)
    height, width = size[::-1] if lies else size
    scale = min(image.height / height, image.width / width) / 2
    if scale < 2:
        return None
    drafted = image.draft(None, (math.ceil(image.width / scale), math.ceil(image.height / scale)))
    if drafted is None:
        return None
    _, (_, _, width, height) = drafted
    return (width, height) if lies else (height, width)


def _convert(image, mode):
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips values above 255.
        gray, clear = np.asarray(image).astype("uint32"), image.info.get("transparency")
        image = Image.fromarray(((gray * 255 + 32767) // 65535).astype("uint8"))
        if clear is not None:
            image.putalpha(Image.fromarray(np.where(gray == clear, 0, 255).astype("uint8")))
    image = _to_srgb(image)
    if image.has_transparency_data:
        # Colors under transparent pixels are arbitrary; web pages and most viewers show white.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if mode == "RGBA":
            return image
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image.convert(mode)


def _to_srgb(image):
    """Converts an image from its color profile, such as phones' Display P3, if it has a valid one."""
    from PIL import Image, ImageCms

    content = image.info.get("icc_profile")
    if not content:
        return image
    # Profiles describe colors, not alpha.
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    colors = image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        convert = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), colors.mode, "RGB")
        # Most profiles are sRGB itself, and conversion of large pictures is slow.
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


def reason(error):
    """Returns a short reason why an image can't be read."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not an image, or of an unsupported format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
