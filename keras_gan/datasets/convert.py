"""Conversion of existing image data to what GANs take."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_gan.checks import check_integer, check_seed, is_arrays, streams
from keras_gan.datasets import memory
from keras_gan.datasets.batches import Standard, channels_last, check_batch, find_range, to_bytes, to_integers
from keras_gan.datasets.load import check_size
from keras_gan.datasets.order import Order
from keras_gan.datasets.pictures import Pictures, collect, fit
from keras_gan.datasets.pipeline import pipeline, steady


def from_dataset(data, batch_size=None, labels=False, image_size=None, seed=None, data_range=None):
    """Converts existing image data to what GANs train on: images in [-1, 1], with integer labels.

    Channels are moved to the end, and gray images without a channel axis get one. Labels may be integers of shape
    `(batch,)` or `(batch, 1)`, or one-hot.

    Args:
        data: Arrays or batches. Arrays are one array of images, or a pair of arrays, images and labels; an array from
            `numpy.load(path, mmap_mode="r")` stays on disk. Batches, of images or of images and labels, must be
            readable again in each epoch: a `tf.data.Dataset`, such as `keras.utils.image_dataset_from_directory`
            returns, a `keras.utils.PyDataset`, or a torch `DataLoader`.
        batch_size: Int > 0, only for arrays. Defaults to None: 32 for arrays. Other data must already be batched.
        labels: Bool, whether to give `(images, labels)` instead of `images`. Defaults to False.
        image_size: Int, or `(height, width)`: images are cropped at the center to that aspect ratio and resized.
            Resized images have 8 bits per channel. Defaults to None, the images' own size.
        seed: Int, for arrays: makes their order reproducible, as in `load`. Defaults to None, drawn at random; other
            data keep their own order.
        data_range: `(low, high)`, the values of black and white. Defaults to None: `(0, 255)` for unsigned bytes; for
            others `(0, 255)`, `(0, 1)` or `(-1, 1)`, inferred from the first batch, or an array's first thousand
            images.

    The order of arrays depends on the seed and the step, as in `load`: an interrupted run resumes bit for bit. Batches
    have their own order, which can't be set: a run resumes, but not bit for bit.

    Returns:
        `tf.data.Dataset`, which `fit` takes on every backend, of images `(batch, height, width, channels)`, float32 in
        [-1, 1], or of `(images, labels)` with labels `(batch,)`, int32. Values slightly beyond the range, as from
        resizing, are clipped.

    Raises:
        ValueError: If the shape, size or range of the images is not supported, labels are missing or not integers, or a
            `tf.data.Dataset` has no known length.
        TypeError: If the data are of the wrong type, or can't be read again in each epoch.

    Example:

    ```python
    digits = np.random.default_rng(0).integers(0, 256, (60, 28, 28), "uint8")
    train = keras_gan.datasets.from_dataset(digits, batch_size=4)
    next(iter(train)).shape  # (4, 28, 28, 1)

    photos = keras.utils.image_dataset_from_directory("photos", image_size=(64, 64), batch_size=2)
    train = keras_gan.datasets.from_dataset(photos, labels=True)
    images, labels = next(iter(train))
    images.shape  # (2, 64, 64, 3)
    labels.shape  # (2,)
    ```
    """
    size = check_size(image_size)
    check_seed(seed)
    if data_range is not None:
        data_range = _check_range(data_range)
    if batch_size is not None:
        check_integer("batch_size", batch_size)
    if is_arrays(data):
        return _from_arrays(data, batch_size or 32, labels, size, seed, data_range)
    for name, value in (("batch_size", batch_size), ("seed", seed)):
        if value is not None:
            raise ValueError(
                f"{name} must be None for data that come in batches, in an order of their own. Received: {value!r}."
            )
    return _from_stream(data, labels, size, data_range)


def _check_range(data_range):
    try:
        low, high = (float(value) for value in data_range)
        if np.isfinite([low, high]).all() and low < high:
            return low, high
    except (TypeError, ValueError):
        pass
    raise ValueError(f"data_range must be (low, high), two finite numbers with low < high. Received: {data_range!r}.")


class _Arrays(Pictures):
    """Images of an array, resized."""

    title = "the array"

    def __init__(self, images, size, data_range):
        self.images, self.size, self.data_range = images, size, data_range
        self.shape = (*size, images.shape[-1])

    def __len__(self):
        return len(self.images)

    def decode(self, start=0):
        for image in self.images[start:]:
            yield fit(to_bytes(image, self.data_range), self.size), 0, None


def _from_arrays(data, batch_size, labels, size, seed, data_range):
    images, given, weights = keras.utils.unpack_x_y_sample_weight(data)
    check_batch(images, given, weights, labels)
    images = as_images(images)
    data_range = data_range or find_range(images[:1000])
    numbers = None
    if labels:
        numbers = to_integers(ops.convert_to_numpy(streams.plain(given)), len(images))
    images, data_range = at_size(images, size, data_range)
    return pipeline(images, numbers, Order(seed, len(images)), int(batch_size), data_range=data_range)


def as_images(data, name="data"):
    """Returns images as a NumPy array `(n, height, width, channels)`; a `numpy.memmap` stays on disk.

    Raises:
        ValueError: If it is of another shape, or empty; the message calls it `name`.
        TypeError: If it does not hold numbers.
    """
    images = data if isinstance(data, np.memmap) else ops.convert_to_numpy(streams.plain(data))
    images = channels_last(images, name)
    if len(images) == 0:
        raise ValueError(f"{name} must hold at least one image. Received: an array of shape {images.shape}.")
    return images


def at_size(images, size, data_range):
    """Resizes images and keeps the result in memory; images that already have the requested size are returned
    unchanged. Also returns their value range `(black, white)`.

    Raises:
        ValueError: If they don't fit into memory.
    """
    if size is None or size == images.shape[1:3]:
        return images, data_range
    pictures = _Arrays(images, size, data_range)
    if pictures.nbytes > memory.free():
        raise ValueError(
            f"image_size must be None, or smaller, for an array whose images don't fit into memory at that size, "
            f"{pictures.nbytes:,} bytes. Received: {size}. Save an array of that size to disk, or load a "
            "folder of images."
        )
    return collect(pictures)[0], (0, 255)


def _from_stream(data, labels, size, data_range):
    import tensorflow as tf

    draw, n = _batches(data)
    first = next(draw(), None)
    if first is None:
        raise ValueError("data must hold at least one batch. Received: none.")
    images, given, weights = keras.utils.unpack_x_y_sample_weight(first)
    check_batch(images, given, weights, labels)
    images = _numpy(images)
    standard = Standard(images, size, data_range)
    if labels:
        to_integers(_numpy(given), len(images))

    def standardize(*batch):
        images = standard.images(_numpy(batch[0]))
        return (images, to_integers(_numpy(batch[1]), len(images))) if labels else images

    kinds = (tf.float32, tf.int32) if labels else tf.float32

    def shaped(images, numbers=None):
        images = tf.ensure_shape(images, (None, *standard.shape))
        return images if numbers is None else (images, tf.ensure_shape(numbers, (None,)))

    if isinstance(data, tf.data.Dataset):
        # Under `map` its cardinality stays known, and its source can be found.
        parts = 2 if labels else 1
        dataset = data.map(lambda *batch: tf.numpy_function(standardize, _unpack(batch)[:parts], kinds))
    else:
        specs = tf.nest.map_structure(lambda kind: tf.TensorSpec(None, kind), kinds)

        def standardized():
            for batch in draw():
                yield standardize(*_unpack(batch))

        dataset = tf.data.Dataset.from_generator(standardized, output_signature=specs)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(n))
    return steady(dataset.map(shaped))


def _unpack(batch):
    return keras.utils.unpack_x_y_sample_weight(batch[0] if isinstance(batch, tuple) and len(batch) == 1 else batch)


def _numpy(part):
    part = streams.plain(part)
    return part.numpy() if hasattr(part, "numpy") and not hasattr(part, "detach") else ops.convert_to_numpy(part)


def _batches(data):
    """Returns a function that starts a pass over a stream, and the number of batches of a pass, -1 if infinite."""
    import tensorflow as tf

    if isinstance(data, tf.data.Dataset):
        n = int(data.cardinality())
        if n == tf.data.UNKNOWN_CARDINALITY:
            raise ValueError(
                "data must have a known number of batches. Received: a tf.data.Dataset of unknown length. Set it with "
                "data.apply(tf.data.experimental.assert_cardinality(n))."
            )
        return lambda: iter(data), n
    if isinstance(data, keras.utils.PyDataset):
        n = data.num_batches

        def draw():
            data.on_epoch_begin()
            for i in itertools.count() if n is None else range(n):
                yield data[i]
            data.on_epoch_end()

        return draw, -1 if n is None else n
    try:
        n, again = len(data), iter(data) is not data
    except TypeError:
        n, again = None, False
    if not again or isinstance(data, (list, tuple, dict, str)):
        raise TypeError(
            "data must be an array, a pair of arrays, a tf.data.Dataset, a keras.utils.PyDataset or a torch DataLoader "
            f"of known length; others can't be restarted for each epoch. Received: a {type(data).__name__}."
        )
    return lambda: iter(data), n
