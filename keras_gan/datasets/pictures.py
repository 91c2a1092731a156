"""Sets of pictures, decoded on demand, and pictures as arrays of one size."""

import contextlib
import math

import keras
import numpy as np


class Pictures:
    """Set of pictures in a fixed order, decoded on demand. Each source has a subclass.

    Attributes:
        title: String, the name of the set.
        shape: `(height, width, channels)` of a picture, if all have one shape.
    """

    def __len__(self):
        raise NotImplementedError

    def decode(self, start=0):
        """Decodes pictures from number `start` on.

        Yields:
            Three values for each picture: an array `(height, width, channels)`, uint8, or None if it can't be read;
            its label, an int, 0 for a set without labels; and the reason why it can't be read, a string, or None.
        """
        raise NotImplementedError

    def key(self):
        """Returns everything that decoded pictures depend on, as JSON types."""
        raise NotImplementedError

    def name_of(self, i):
        """Returns the name of a picture in errors."""
        return f"number {i} of {self.title}"

    def report(self, bad):
        """Raises an error for pictures that can't be read, or logs them. Does nothing here: only image files in folders
        can be unreadable.

        Args:
            bad: List of pairs, the number of a picture and the reason.
        """

    @property
    def nbytes(self):
        """Int, the memory of all pictures."""
        return len(self) * math.prod(self.shape)


def decoded(pictures, start=0, first=None, into=None):
    """Decodes pictures, with a progress bar if there are many, and checks that all have one shape.

    Args:
        pictures: `Pictures`.
        start: Int, the number of the first. Defaults to `0`.
        first: `(height, width, channels)` of those before `start`. Defaults to None, set by the first.
        into: Path of the folder that they are written to. Defaults to None, they stay in memory.

    Yields:
        The number of the picture, then as `Pictures.decode`.

    Raises:
        ValueError: If pictures differ in shape.
    """
    n, named = len(pictures) - start, 0
    progress = keras.utils.Progbar(n, unit_name="image") if n >= 5000 else None
    if progress:
        print(
            f"Reading {pictures.title}" + (f" into {into}" if into else "") + (f", from {start:,} on" if start else ""),
            flush=True,
        )
    with contextlib.closing(pictures.decode(start)) as images:
        for i, (image, label, reason) in enumerate(images, start):
            if reason is None:
                if first is None:
                    first, named = image.shape, i
                if image.shape != first:
                    raise ValueError(
                        f"image_size must be given, such as 64, for images of different sizes. Received: {first[:2]} "
                        f"({pictures.name_of(named)}) and {image.shape[:2]} ({pictures.name_of(i)})."
                    )
            yield i, image, label, reason
            done = i + 1 - start
            if progress and (done % 1000 == 0 or done == n):
                progress.update(done)


def collect(pictures):
    """Decodes pictures into memory.

    Args:
        pictures: `Pictures`.

    Returns:
        Images `(count, height, width, channels)`, uint8, and labels `(count,)`, int32: NumPy arrays.

    Raises:
        ValueError: If the pictures differ in shape, can't be read, or do not fit into memory.
    """
    stacked, labels, bad = None, [], []
    with contextlib.closing(decoded(pictures)) as images:
        for i, image, label, reason in images:
            if reason is not None:
                bad.append((i, reason))
                continue
            if stacked is None:
                try:
                    stacked = np.empty((len(pictures), *image.shape), "uint8")
                except MemoryError as error:
                    raise ValueError(
                        f"image_size must be given, or smaller: {len(pictures):,} images of {image.shape} do not fit "
                        "into memory. Or pass cache=True to keep them on disk."
                    ) from error
            stacked[len(labels)] = image
            labels.append(label)
    if bad:
        pictures.report(bad)
    # Slices only if necessary. `load` holds a weak reference to the array that is returned here. Views of a slice would
    # keep alive the slice's base array, but not the slice.
    return stacked[: len(labels)] if bad else stacked, np.array(labels, "int32")


def fit(image, size, exact=None):
    """Crops the center of an image to the aspect ratio of `size`, and resizes it to `size`.

    Args:
        image: Array `(height, width, channels)`, uint8, or a `PIL.Image.Image`, of which no copy is made.
        size: `(height, width)`, or None to leave it as it is.
        exact: `(height, width)`, floats, the size of the image within the array, whose last row and column may be
            fractional pixels. Defaults to None, all of it.

    Returns:
        Array of that size, uint8.
    """
    is_array = isinstance(image, np.ndarray)
    whole = image.shape[:2] if is_array else image.size[::-1]
    if size is None or whole == size:
        return image if is_array else _pixels(image)
    height, width = exact or whole
    scale = min(height / size[0], width / size[1])
    picture, box = _picture(image), None
    if exact:
        crop_height, crop_width = (n * scale for n in size)
        left, top = (width - crop_width) / 2, (height - crop_height) / 2
        box = left, top, left + crop_width, top + crop_height
    else:
        crop_height, crop_width = (max(1, round(n * scale)) for n in size)
        top, left = (height - crop_height) // 2, (width - crop_width) // 2
        picture = picture.crop((left, top, left + crop_width, top + crop_height))
    return resize(picture, size, box)


def resize(image, size, box=None):
    """Resizes an image.

    Args:
        image: Array `(height, width, channels)`, uint8, or a `PIL.Image.Image`.
        size: `(height, width)`.
        box: Tuple of floats, the left, upper, right and lower edge of the part to take. Defaults to None, all.

    Returns:
        Array of that size, uint8.
    """
    from PIL import Image

    return _pixels(_picture(image).resize(size[::-1], Image.Resampling.LANCZOS, box))


def _picture(image):
    from PIL import Image

    if not isinstance(image, np.ndarray):
        return image
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def _pixels(picture):
    pixels = np.asarray(picture)
    return pixels.reshape(*pixels.shape[:2], -1)
