"""Conversion of generated images to picture files."""

import math
from pathlib import Path

import numpy as np

from keras_gan import networks
from keras_gan.checks.values import check_integer
from keras_gan.saving import replacing

__all__ = ["grid", "save", "save_animation", "side_by_side", "to_uint8"]

# Pillow has more formats, but resizes icons, and some formats fail with some images.
_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def __dir__():
    return __all__


def to_uint8(images):
    """Maps images in [-1, 1] to bytes in [0, 255]; values outside are clipped.

    Args:
        images: Array of any shape, such as `(n, height, width, channels)`.

    Returns:
        NumPy array of the same shape, uint8.

    Example:

    ```python
    keras_gan.images.to_uint8([-1.0, 0.0, 1.0])  # [0, 128, 255]
    ```
    """
    return np.clip(np.round(np.asarray(images, "float32") * 127.5 + 127.5), 0, 255).astype("uint8")


def signed(samples, generator):
    """Maps a generator's output to [-1, 1]: from [0, 1] if it ends in a sigmoid."""
    return samples * 2 - 1 if networks.output_activation(generator) == "sigmoid" else samples


def grid(images, columns=None, gap=2):
    """Lays images out side by side.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1], with 1 or 3 channels.
        columns: Int > 0. Defaults to None, as square as possible.
        gap: Int >= 0, white pixels between two images. Defaults to `2`.

    Returns:
        Array `(grid_height, grid_width, channels)`, uint8, row by row; white where no image is left.

    Raises:
        ValueError: If these are not images, or a number is out of range.

    Example:

    ```python
    images = np.random.default_rng(0).uniform(-1, 1, (16, 28, 28, 1))
    keras_gan.images.grid(images).shape  # (118, 118, 1)
    keras_gan.images.grid(images, columns=8, gap=0).shape  # (56, 224, 1)
    ```
    """
    if columns is not None:
        columns = check_integer("columns", columns)
    gap = check_integer("gap", gap, 0)
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise ValueError(
            f"images must have shape (n, height, width, channels) with 1 or 3 channels. Received: {images.shape}."
        )
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, "uint8")
    for i, image in enumerate(to_uint8(images)):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def side_by_side(batches, gap=1):
    """Puts the images of batches next to each other, such as sources, outputs and targets.

    Args:
        batches: List of arrays `(n, height, width, channels)` in [-1, 1], with 1, 3 or 4 channels. Images that are
            smaller than those of the last array are enlarged by an integer factor.
        gap: Int >= 0, white pixels between two images. Defaults to `1`.

    Returns:
        Array `(n, height, total_width, channels)` in [-1, 1], with 1 channel if all are gray, else 3; transparent
        areas are white.

    Raises:
        ValueError: If these are not images, or their numbers differ.

    Example:

    ```python
    sources = np.zeros((4, 16, 16, 1))
    targets = np.ones((4, 32, 32, 3))
    keras_gan.images.side_by_side([sources, targets]).shape  # (4, 32, 65, 3)
    ```
    """
    gap = check_integer("gap", gap, 0)
    batches = [np.asarray(images, "float32") for images in batches]
    if any(x.ndim != 4 or x.shape[-1] not in (1, 3, 4) or len(x) != len(batches[0]) for x in batches):
        raise ValueError(
            "batches must be images (n, height, width, channels), with the same n and 1, 3 or 4 channels. Received: "
            f"{', '.join(str(x.shape) for x in batches)}."
        )
    height = batches[-1].shape[1]
    channels = 1 if all(x.shape[-1] == 1 for x in batches) else 3
    parts = []
    for x in batches:
        x = _on_white(x) if x.shape[-1] == 4 else x
        x = np.repeat(np.repeat(x, height // x.shape[1], axis=1), height // x.shape[1], axis=2)
        parts += [np.broadcast_to(x, (*x.shape[:3], channels)), np.ones((len(x), height, gap, channels), "float32")]
    return np.concatenate(parts[:-1], axis=2)


def _on_white(images):
    opacity = (images[..., 3:] + 1) / 2
    return images[..., :3] * opacity + (1 - opacity)


def check_suffix(path):
    """Raises a ValueError unless a path has the suffix of a supported picture format."""
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise ValueError(f"path must end in one of {', '.join(_SUFFIXES)}. Received: {path}.")


def save(path, image):
    """Writes one image as a file.

    Args:
        path: Path to write, in a folder that exists. The suffix sets the format: `.png`, `.jpg`, `.jpeg`, `.webp`,
            `.bmp`, `.gif`, `.tif` or `.tiff`.
        image: Array `(height, width, channels)`, uint8, with 1 or 3 channels.

    Returns:
        `PIL.Image.Image`, which a notebook shows if it is the last value of a cell.

    Raises:
        ValueError: If the suffix is none of these, or the path is an address, such as `gs://...`.

    Example:

    ```python
    samples = np.random.default_rng(0).uniform(-1, 1, (16, 28, 28, 1))
    keras_gan.images.save("samples.png", keras_gan.images.grid(samples))
    ```
    """
    from PIL import Image

    check_suffix(path)
    picture = Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image)
    with replacing(path) as part:
        picture.save(part)
    return picture


def save_animation(path, pictures, milliseconds=80, scale=3):
    """Writes pictures as an endless animation.

    Args:
        path: Path that ends in `.gif`.
        pictures: Array `(n, height, width, channels)`, uint8, or a list of such pictures, with 1 or 3 channels.
        milliseconds: Int > 0, how long each is shown. Defaults to `80`.
        scale: Int > 0, the factor by which the pictures are enlarged in each direction, by repeating pixels. Defaults
            to `3`.

    Raises:
        ValueError: If a number is out of range, or the path is an address, such as `gs://...`.

    Example:

    ```python
    steps = np.random.default_rng(0).uniform(-1, 1, (24, 28, 28, 1))
    keras_gan.images.save_animation("walk.gif", keras_gan.images.to_uint8(steps))
    ```
    """
    from PIL import Image

    milliseconds, scale = check_integer("milliseconds", milliseconds), check_integer("scale", scale)
    frames = [Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in pictures]
    frames = [f.resize((scale * f.width, scale * f.height), Image.Resampling.NEAREST) for f in frames]
    with replacing(path) as part:
        frames[0].save(part, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
