"""`tf.data` pipelines of images in memory or in memory-mapped files."""

import numpy as np

from keras_gan.datasets.degrade import degrade
from keras_gan.keras_private import parts_of, with_parts


def pipeline(images, labels, order, batch_size, flip=False, crop=0, data_range=(0, 255), rows=None):
    """Makes the dataset of images in an order.

    Args:
        images: Array `(n, height, width, channels)`; a `numpy.memmap` stays on disk.
        labels: Array `(n,)`, int32, or None.
        order: `Order` of n, with numbers where images are flipped or cropped.
        batch_size: Int > 0.
        flip: Bool, whether to mirror each image with probability one half. Defaults to False.
        crop: Int >= 0, by how much images are larger, in each direction, than the window to take. Defaults to `0`.
        data_range: `(low, high)`, the values of black and white. Defaults to `(0, 255)`.
        rows: Array of ints, which images to take. Defaults to None, all.

    Returns:
        `tf.data.Dataset` of known length, as `keras_gan.datasets.load` gives it; `parts_of` finds the function that
        reads one worker's parts of it.
    """
    import tensorflow as tf

    with tf.device("CPU"):
        labels = None if labels is None else tf.constant(labels)
    varies = flip or crop > 0
    read = _reader(images, data_range, flip, crop)

    def pick(picks):
        picks = _of_rows(picks, rows, varies)
        batch = read(picks)
        return batch if labels is None else (batch, tf.gather(labels, picks[:, 0, 0] if varies else picks[:, 0]))

    return _batches(order, batch_size, pick)


def pair_pipeline(parts, order, batch_size, flip, crop, rows=None):
    """Makes the dataset of pairs of images in an order: both are mirrored, and both are cropped, in the same way.

    Args:
        parts: Sources and targets: for each an array `(n, height, width, channels)` and `(low, high)`, the values of
            black and white in it. Targets are as large as sources, or larger by an integer factor. A `numpy.memmap`
            stays on disk.
        order: `Order` of the pairs, with numbers where they are flipped or cropped.
        batch_size: Int > 0.
        flip: Bool, whether to mirror each pair with probability one half.
        crop: Int >= 0, by how much targets are larger, in each direction, than the window to take.
        rows: Array of ints, which pairs of the arrays to take. Defaults to None, all.

    Returns:
        `tf.data.Dataset` of known length, of `(sources, targets)`.
    """
    scale = parts[1][0].shape[1] // parts[0][0].shape[1]
    readers = [_reader(*part, flip, crop // scale * unit, unit) for part, unit in zip(parts, (1, scale), strict=True)]

    def pick(picks):
        picks = _of_rows(picks, rows, flip or crop > 0)
        return tuple(read(picks) for read in readers)

    return _batches(order, batch_size, pick)


def degraded_pipeline(images, order, batch_size, scale, flip, crop, data_range, rows=None):
    """Makes the dataset of pairs whose targets are the images, and whose sources are degraded from them.

    Args:
        images: Array `(n, height, width, channels)`; a `numpy.memmap` stays on disk.
        order: `Order` of n, with numbers where images are flipped or cropped.
        batch_size: Int > 0.
        scale: Int > 1, how many times smaller sources are, in each direction.
        flip: Bool, whether to mirror each image with probability one half.
        crop: Int >= 0, by how much images are larger, in each direction, than the window to take.
        data_range: `(low, high)`, the values of black and white.
        rows: Array of ints, which images to take. Defaults to None, all.

    Returns:
        `tf.data.Dataset` of known length, of `(sources, targets)`.
    """
    varies = flip or crop > 0
    read = _reader(images, data_range, flip, crop)

    def pick(picks):
        targets = read(_of_rows(picks, rows, varies))
        return degrade(targets, scale, picks[:, 0, 1] if varies else None), targets

    return _batches(order, batch_size, pick)


def together(first, second):
    """Zips the batches of two pipelines; workers read their parts of both."""
    import tensorflow as tf

    both = first, second
    zipped = tf.data.Dataset.zip(both)
    return with_parts(zipped, lambda *part: tf.data.Dataset.zip(tuple(parts_of(each)(*part) for each in both)))


def _of_rows(picks, rows, varies):
    """Maps row numbers to image numbers. If images are flipped or cropped, each number is followed by a random number,
    which is kept."""
    import tensorflow as tf

    if rows is None:
        return picks
    index = tf.gather(rows, picks[:, :, :1] if varies else picks)
    return tf.concat([index, picks[:, :, 1:]], -1) if varies else index


def _batches(order, batch_size, pick):
    """Makes the dataset of batches, of which each worker reads only its part."""
    import tensorflow as tf

    def part(worker, workers, devices=1):
        def own(picks):
            # As TensorFlow divides a batch among devices: the last may get fewer examples, or none.
            size = -(-tf.shape(picks)[0] // (workers * devices))
            first = worker * devices * size
            starts = tf.data.Dataset.range(devices, output_type=tf.int32)
            return starts.map(lambda i: picks[first + i * size :][:size])

        batches = order.dataset().batch(batch_size)
        batches = batches if workers * devices == 1 else batches.flat_map(own)
        batches = batches.apply(tf.data.experimental.assert_cardinality(devices * -(-len(order) // batch_size)))
        return steady(batches.map(pick))

    return with_parts(part(0, 1), part)


def _reader(images, data_range, flip, crop, unit=1):
    """Makes the function that reads a batch of images, float32 in [-1, 1], for the indices of an order."""
    import tensorflow as tf

    # Without the overhead of memmap slices.
    images = np.asarray(images)
    _, height, width, channels = images.shape
    low, half = data_range[0], (data_range[1] - data_range[0]) / 2

    def fetch(picks):
        columns = picks.swapaxes(0, 1)
        parts = [_vary(images, c, flip, crop, unit) if flip or crop > 0 else _take(images, c) for c in columns]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def read(picks):
        batch = tf.numpy_function(fetch, [picks], images.dtype)
        batch = tf.ensure_shape(batch, (None, height - crop, width - crop, picks.shape[1] * channels))
        batch = (tf.cast(batch, tf.float32) - low) / half - 1.0
        return batch if images.dtype == np.uint8 else tf.clip_by_value(batch, -1.0, 1.0)

    return read


def steady(dataset):
    """Prefetches with `tf.data`'s autotuner turned off. With the autotuner, `fit` may hang at its end, for as long as
    the training took."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def _take(images, picks):
    # NumPy copies, and waits for the disk, without holding the GIL. On a view, `np.take` would copy all of it.
    return np.take(images, picks, axis=0) if images.flags.c_contiguous else images[picks]


def _vary(images, picks, flip, crop, unit):
    """Copies images, each mirrored or cropped according to the number after its index.

    Windows begin at multiples of `unit`.
    """
    _, height, width, channels = images.shape
    batch = np.empty((len(picks), height - crop, width - crop, channels), images.dtype)
    for image, (index, number) in zip(batch, picks.tolist(), strict=True):
        # Splits the 63-bit random number into three: the lowest bit, the next 31 bits and the remaining bits.
        top, left = (unit * (n % (crop // unit + 1)) for n in ((number >> 1) % 2**31, number >> 32))
        window = images[index, top : top + height - crop, left : left + width - crop]
        image[:] = window[:, ::-1] if flip and number & 1 else window
    return batch
