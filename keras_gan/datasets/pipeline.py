"""Images in memory, or in a file that is mapped into it, as a `tf.data` pipeline."""

import numpy as np

from keras_gan.keras_private import with_parts


def pipeline(images, labels, order, batch_size, flip=False, crop=0, data_range=(0, 255)):
    """Makes the dataset of images in an order.

    Args:
        images: Array `(n, height, width, channels)`; a `numpy.memmap` stays on disk.
        labels: Array `(n,)`, int32, or None.
        order: `Order` of n, with numbers where images are flipped or cropped.
        batch_size: Int > 0.
        flip: Bool, whether to mirror each image with probability one half. Defaults to False.
        crop: Int >= 0, by how much images are larger, in each direction, than the window to take. Defaults to `0`.
        data_range: `(low, high)`, what black and white are in the images. Defaults to `(0, 255)`.

    Returns:
        `tf.data.Dataset` of known length, as `keras_gan.datasets.load` gives it; `parts_of` finds its parts.
    """
    import tensorflow as tf

    # Without what a memmap adds to each piece of it.
    images = np.asarray(images)
    with tf.device("CPU"):
        labels = None if labels is None else tf.constant(labels)
    n, height, width, channels = images.shape
    varies = flip or crop > 0
    low, half = data_range[0], (data_range[1] - data_range[0]) / 2

    def fetch(picks):
        # NumPy copies without holding Python's lock, and waits for the disk without it.
        columns = picks.swapaxes(0, 1)
        parts = [_vary(images, c, flip, crop) if varies else np.take(images, c, axis=0) for c in columns]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def pick(picks):
        batch = tf.numpy_function(fetch, [picks], images.dtype)
        batch = tf.ensure_shape(batch, (None, height - crop, width - crop, picks.shape[1] * channels))
        batch = (tf.cast(batch, tf.float32) - low) / half - 1.0
        if images.dtype != np.uint8:
            batch = tf.clip_by_value(batch, -1.0, 1.0)
        return batch if labels is None else (batch, tf.gather(labels, picks[:, 0, 0] if varies else picks[:, 0]))

    def part(index, count):
        def own(picks):
            # As TensorFlow divides a batch among workers: the last may have less, or nothing.
            size = -(-tf.shape(picks)[0] // count)
            return picks[index * size : (index + 1) * size]

        batches = order.dataset().batch(batch_size)
        batches = batches if count == 1 else batches.map(own)
        batches = batches.apply(tf.data.experimental.assert_cardinality(-(-n // batch_size)))
        return steady(batches.map(pick))

    return with_parts(part(0, 1), part)


def steady(dataset):
    """Lets a `tf.data.Dataset` read ahead, without its autotuner: `fit` can hang at its end for as long as that ran."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def _vary(images, picks, flip, crop):
    """Copies images, each mirrored or a window of it, as the number behind its index says."""
    _, height, width, channels = images.shape
    batch = np.empty((len(picks), height - crop, width - crop, channels), images.dtype)
    for image, (index, number) in zip(batch, picks.tolist(), strict=True):
        # Of 63 bits the lowest, the next 31, and the rest.
        top, left = (number >> 1) % 2**31 % (crop + 1), (number >> 32) % (crop + 1)
        window = images[index, top : top + height - crop, left : left + width - crop]
        image[:] = window[:, ::-1] if flip and number & 1 else window
    return batch
