"""Images of two domains, for translation between sets without pairs."""

import logging
import os

import numpy as np

from keras_gan.datasets import folder
from keras_gan.datasets.batches import find_range
from keras_gan.datasets.convert import as_images, at_size
from keras_gan.datasets.load import check_reading, keep, open_pictures
from keras_gan.datasets.order import Order
from keras_gan.datasets.pairs import check_apart
from keras_gan.datasets.pipeline import pipeline, together
from keras_gan.datasets.split import select

# Changes the seed for `b`: with the seed of `a`, sets of the same size would come in the same order.
_OF_B = 2**31


def load_unpaired(
    a,
    b,
    *,
    batch_size,
    split="train",
    image_size=None,
    seed=None,
    on_error="raise",
    channels=None,
    cache=None,
    flip=False,
    crop=0,
):
    """Loads images of two domains, which need not belong together, for `CycleGAN`: shuffled, batched and prefetched.

    Each domain has an order of its own. An epoch uses each image of the larger set once. The smaller set is repeated,
    in a new order each time, up to the same number of images; the logger `keras_gan` reports how many times.

    For evaluation, pass two arrays of equal length to `evaluate` instead of this `tf.data.Dataset`: with it, metrics
    would count repeated images more than once, and each pass would compare different images.

    Args:
        a: Path of a folder of images, an array of images as `from_dataset` takes it, or a name that `load` takes.
        b: The other domain, in any of these forms, whatever `a` is, and of any length.
        batch_size: Int > 0, how many images of each domain. The last batch of an epoch may be smaller.
        split: `"train"` or another part of both domains, as in `load`. For arrays it depends only on the indices.
            Defaults to `"train"`.
        image_size: Int, or `(height, width)`: crop the center to that aspect ratio and resize. Defaults to None, the
            images' own size, which must then be the same for all of both domains.
        seed: Int, makes both orders reproducible, as in `load`. Defaults to None, drawn at random.
        on_error: `"raise"` or `"skip"`, as in `load`, for folders. Defaults to `"raise"`.
        channels: Int, the number of channels of images from folders: 1, 3 or 4, as in `load`; or a pair of these, for
            `a` and for `b`. Defaults to None, 3; other sets have their own.
        cache: Where decoded images of both are kept, as in `load`. Must be None for two arrays.
        flip: Bool, whether to mirror each image, with probability one half. Defaults to False.
        crop: Int >= 0, as in `load`, for both. Defaults to `0`.

    Returns:
        `tf.data.Dataset` of known length, of `(a, b)`, both `(batch, height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: If images are of different sizes or can't be read, if both folders are the same or one is inside the
            other, or if an argument has a value other than those above.
        TypeError: If `a` or `b` is of the wrong type.
        OSError: If a cache can't be written.

    Example:

    ```python
    rng = np.random.default_rng(0)
    dark, bright = rng.integers(0, 150, (20, 16, 16, 3), "uint8"), rng.integers(100, 256, (50, 16, 16, 3), "uint8")
    train = keras_gan.datasets.load_unpaired(dark, bright, batch_size=4, flip=True)
    a, b = next(iter(train))
    a.shape, b.shape  # ((4, 16, 16, 3), (4, 16, 16, 3))
    len(train)  # 13
    ```
    """
    size = check_reading(batch_size, image_size, seed, on_error, cache, flip, crop)
    both = tuple(channels) if np.iterable(channels) and not isinstance(channels, str) else (channels, channels)
    if len(both) != 2:
        raise ValueError(f"channels must be 1, 3 or 4, or a pair of these, for a and for b. Received: {channels!r}.")
    are_arrays = [hasattr(data, "shape") for data in (a, b)]
    if all(are_arrays) and cache is not None:
        raise ValueError(f"cache must be None for arrays, which are taken as they are. Received: {cache!r}.")
    # Both are opened before either is decoded.
    found = [
        data if is_array else _pictures(name, data, split, size, count, on_error)
        for name, data, count, is_array in zip("ab", (a, b), both, are_arrays, strict=True)
    ]
    if all(isinstance(each, folder.Folder) for each in found):
        check_apart(*found)
    sets = [
        _array(name, each, split, size, count) if is_array else (keep(each, cache)[0], (0, 255), None)
        for name, each, count, is_array in zip("ab", found, both, are_arrays, strict=True)
    ]
    sizes = [images.shape[1:3] for images, _, _ in sets]
    if sizes[0] != sizes[1]:
        raise ValueError(
            "image_size must be given, such as 64, for domains of different sizes. Received: "
            f"{sizes[0]} and {sizes[1]}."
        )
    counts = [len(images if rows is None else rows) for images, _, rows in sets]
    length = max(counts)
    _say_rounds(counts, length)
    seeds = seed, None if seed is None else int(seed) ^ _OF_B
    varies = bool(flip or crop)
    return together(
        *(
            pipeline(
                images,
                None,
                Order(each, count, with_numbers=varies, length=length),
                int(batch_size),
                bool(flip),
                int(crop),
                data_range,
                rows,
            )
            for (images, data_range, rows), count, each in zip(sets, counts, seeds, strict=True)
        )
    )


def _pictures(name, data, split, size, channels, on_error):
    """Returns the `Pictures` of a folder's path, or of a name that `load` takes."""
    if not isinstance(data, (str, os.PathLike)):
        raise TypeError(
            f"{name} must be the path of a folder, an array, or a name that load takes. "
            f"Received: a {type(data).__name__}."
        )
    path = os.path.expanduser(os.fspath(data))
    is_path = isinstance(data, os.PathLike) or os.path.isdir(path) or os.sep in path
    if is_path and not path.startswith("folder:"):
        if not os.path.isdir(path):
            raise ValueError(f"{name} must be a folder that exists. Received: {os.fspath(data)!r}.")
        data = f"folder:{path}"
    try:
        return open_pictures(data, split, size, False, channels, on_error)
    except ValueError as error:
        if not str(error).startswith("name "):
            raise
        # The error names `load`'s argument.
        raise ValueError(f"{name} {str(error).removeprefix('name ')}") from error


def _array(name, data, split, size, channels):
    """Returns an array's images, their values of black and white, and which of them to take."""
    if channels is not None:
        raise ValueError(f"channels must be None for arrays, which are taken as they are. Received: {channels!r}.")
    images = as_images(data, name)
    chosen = select([str(i) for i in range(len(images))], split, "set")
    images, values = at_size(images, size, find_range(images[:1000], name, "Scale them to one of these."))
    return images, values, None if len(chosen) == len(images) else np.array(chosen)


def _say_rounds(counts, length):
    if counts[0] != counts[1]:
        often = " and ".join(
            f"{count:,} images of {name.upper()} {'once' if count == length else f'{length / count:.3g} times'}"
            for name, count in zip("ab", counts, strict=True)
        )
        logging.getLogger("keras_gan").warning(f"An epoch takes {often}, {length:,} of each domain.")
