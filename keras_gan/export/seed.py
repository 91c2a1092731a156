"""Uniform numbers from integer seeds, with operations that all devices have: TensorFlow's generators need Flex."""

import numpy as np
import tensorflow as tf
from keras import ops

_COUNTER = 0x9E3779B9
_SECOND_ROUND = 0x5BD1E995


def uniform(seeds, n):
    """Returns pseudo-random uniform numbers, the same for the same seed on every device.

    This is a counter-based generator: with `f` the finalizer of MurmurHash3 and `^` exclusive or, number `i` of seed
    `s` is `(floor(b / 2 ** 9) + 1 / 2) / 2 ** 23`, `b = f(f(f(s) ^ (i * 0x9E3779B9)) ^ 0x5BD1E995)`, in uint32.

    Args:
        seeds: Tensor of any shape, int32.
        n: Int, how many numbers for each seed.

    Returns:
        Tensor `(*seeds.shape, n)`, float32, in (0, 1), which `keras_gan.priors.Prior.from_uniform` takes.

    Reference:
        [Salmon et al., 2011](https://doi.org/10.1145/2063384.2063405), counter-based generators
    """
    counter = tf.constant(np.arange(n, dtype="uint32") * np.uint32(_COUNTER))
    bits = _finalise(tf.bitcast(tf.expand_dims(seeds, -1), tf.uint32))
    bits = _finalise(tf.bitwise.bitwise_xor(bits, counter))
    bits = _finalise(tf.bitwise.bitwise_xor(bits, tf.constant(_SECOND_ROUND, tf.uint32)))
    high = tf.bitcast(_shift(bits, 9), tf.int32)
    return (tf.cast(high, tf.float32) + 0.5) * 2.0**-23


def latents(prior, seeds):
    """Draws the latents for seeds, in operations that run on the CPU only.

    A GPU lacks these operations on integers, and half precision is too coarse for the tails of a prior: some GPUs give
    zeros for every seed. GPUs refuse tensors with five axes. So the latents are computed with five axes, which keeps
    them on the CPU, while the network runs on the GPU.

    Args:
        prior: `keras_gan.priors.Prior`.
        seeds: Tensor `(batch,)`, int32.

    Returns:
        Tensor `(batch, latent_dim)`, float32.
    """
    far = uniform(tf.reshape(seeds, (-1, 1, 1, 1)), prior.num_uniforms)
    if not _along_last_axis(prior):
        return prior.from_uniform(tf.reshape(far, (-1, prior.num_uniforms)))
    return tf.reshape(prior.from_uniform(far), (-1, prior.latent_dim))


def _along_last_axis(prior):
    """Checks if a prior, which may be custom, maps uniform numbers with more axes in the same way."""
    with tf.init_scope():
        given = uniform(tf.range(3), prior.num_uniforms)
        wanted = ops.convert_to_numpy(prior.from_uniform(given))
        try:
            found = ops.convert_to_numpy(prior.from_uniform(tf.reshape(given, (3, 1, 1, 1, -1))))
        # A custom prior may raise anything.
        except Exception:
            return False
    return found.shape == (3, 1, 1, 1, prior.latent_dim) and np.array_equal(found.reshape(wanted.shape), wanted)


def _finalise(x):
    x = tf.bitwise.bitwise_xor(x, _shift(x, 16)) * tf.constant(0x85EBCA6B, tf.uint32)
    x = tf.bitwise.bitwise_xor(x, _shift(x, 13)) * tf.constant(0xC2B2AE35, tf.uint32)
    return tf.bitwise.bitwise_xor(x, _shift(x, 16))


def _shift(x, k):
    return tf.bitwise.right_shift(x, tf.constant(k, tf.uint32))
