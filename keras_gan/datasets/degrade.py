"""Makes small images from large ones by blurring, shrinking and adding noise, similar to the effects of cameras and of
compression."""

import zlib

import numpy as np

# Standard deviations of the blur, in pixels of the small image, and of the noise, for images in [-1, 1]. That of the
# noise is 2 on the scale from 0 to 255.
_BLUR, _NOISE = 0.3, 2 / 127.5


def degrade(images, scale, numbers=None):
    """Makes the source of each target: blurs it by a Gaussian, shrinks it by area, and adds Gaussian noise.

    Args:
        images: Tensor of targets `(batch, height, width, channels)`, float32 in [-1, 1], of known size.
        scale: Int, how many times smaller sources are, in each direction.
        numbers: Tensor `(batch,)`, int64 >= 0, the seed of each image's noise. Defaults to None: the seed is computed
            from the image's pixels.

    Returns:
        Tensor `(batch, height / scale, width / scale, channels)`, float32 in [-1, 1].
    """
    import tensorflow as tf

    rows, columns = (_shrinking(n, scale) for n in images.shape[1:3])
    small = tf.einsum("ih,bhwc,jw->bijc", rows, images, columns)
    shape = tuple(small.shape[1:])

    def noise(seeds):
        drawn = np.empty((len(seeds), *shape), "float32")
        for each, seed in zip(drawn, seeds.tolist(), strict=True):
            np.random.default_rng(seed).standard_normal(dtype="float32", out=each)
        return drawn

    if numbers is None:
        numbers = tf.numpy_function(_checksums, [images], tf.int64)
    small += _NOISE * tf.ensure_shape(tf.numpy_function(noise, [numbers], tf.float32), (None, *shape))
    return tf.clip_by_value(small, -1.0, 1.0)


def _shrinking(n, scale):
    """Returns the matrix `(n / scale, n)` that blurs and shrinks a row of pixels. At the ends of the row, each mean is
    over fewer pixels."""
    distances = np.arange(n)[:, None] - np.arange(n)
    weights = np.exp(-0.5 * (distances / (_BLUR * scale)) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return weights.reshape(n // scale, scale, n).mean(1).astype("float32")


def _checksums(images):
    return np.array([zlib.crc32(image) for image in images], "int64")
