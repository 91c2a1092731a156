"""Uniform numbers from integer seeds, of operations that every device has: TensorFlow's own generators need Flex."""

import numpy as np
import tensorflow as tf

_COUNTER = 0x9E3779B9
_SECOND_ROUND = 0x5BD1E995


def uniform(seeds, n):
    """Numbers that look independent and uniform, the same for the same seed on every device.

    A counter-based generator: with `f` the finaliser of MurmurHash3 and `^` exclusive or, number `i` of seed `s` is
    `(floor(b / 2 ** 9) + 1 / 2) / 2 ** 23`, `b = f(f(f(s) ^ (i * 0x9E3779B9)) ^ 0x5BD1E995)`, in uint32.

    Args:
        seeds: Tensor `(batch,)`, int32.
        n: Int, how many numbers for each seed.

    Returns:
        Tensor `(batch, n)`, float32, in (0, 1), which `keras_gan.priors.Prior.from_uniform` takes.

    Reference:
        [Salmon et al., 2011](https://doi.org/10.1145/2063384.2063405), counter-based generators
    """
    counter = tf.constant(np.arange(n, dtype="uint32") * np.uint32(_COUNTER))
    bits = _finalise(tf.bitcast(seeds, tf.uint32))[:, None]
    bits = _finalise(tf.bitwise.bitwise_xor(bits, counter[None]))
    bits = _finalise(tf.bitwise.bitwise_xor(bits, tf.constant(_SECOND_ROUND, tf.uint32)))
    high = tf.bitcast(_shift(bits, 9), tf.int32)
    return (tf.cast(high, tf.float32) + 0.5) * 2.0**-23


def _finalise(x):
    x = tf.bitwise.bitwise_xor(x, _shift(x, 16)) * tf.constant(0x85EBCA6B, tf.uint32)
    x = tf.bitwise.bitwise_xor(x, _shift(x, 13)) * tf.constant(0xC2B2AE35, tf.uint32)
    return tf.bitwise.bitwise_xor(x, _shift(x, 16))


def _shift(x, k):
    return tf.bitwise.right_shift(x, tf.constant(k, tf.uint32))
