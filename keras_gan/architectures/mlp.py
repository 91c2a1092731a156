"""Fully connected networks, for vectors and for small images."""

import math

import numpy as np
from keras import layers

from keras_gan.architectures.conditioning import build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape
from keras_gan.checks.values import check_integer, check_number


def mlp_generator(data_shape, latent_dim, units=(256, 512, 1024), negative_slope=0.2, condition=None):
    """Builds a fully connected generator.

    Args:
        data_shape: Tuple, the shape of one example: `(features,)`, which gives a linear output, or
            `(height, width, channels)`, which gives a tanh.
        latent_dim: Int > 0, the size of the latent.
        units: Ints, the widths of the hidden layers. Defaults to `(256, 512, 1024)`.
        negative_slope: Float >= 0, the slope below 0 of the leaky ReLU after each hidden layer, 0 for a ReLU. Defaults
            to `0.2`.
        condition: As in `dcgan_generator`. Defaults to None.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to `(batch, *data_shape)`; with a condition, as
        `dcgan_generator`.

    Raises:
        ValueError: If a size is not positive, or the shape is neither a vector's nor an image's.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    generator = keras_gan.architectures.mlp_generator((2,), latent_dim=16, units=(128, 128))
    generator(np.zeros((64, 16))).shape  # (64, 2)
    ```
    """
    data_shape = check_data_shape("data_shape", data_shape, ranks=(1, 3))
    chain = _hidden(units, negative_slope)
    if len(data_shape) == 1:
        chain.append(layers.Dense(data_shape[0], dtype="float32"))
    else:
        chain.append(layers.Dense(math.prod(data_shape), activation="tanh", dtype="float32"))
        chain.append(layers.Reshape(data_shape, dtype="float32"))
    return build_generator(chain, latent_dim, condition)


def mlp_discriminator(
    data_shape,
    units=(1024, 512, 256),
    dropout=0.3,
    negative_slope=0.2,
    condition=None,
    labels_by="projection",
):
    """Builds a fully connected discriminator.

    Args:
        data_shape: Tuple, the shape of one example: `(features,)` or `(height, width, channels)`.
        units: Ints, the widths of the hidden layers. Defaults to `(1024, 512, 256)`.
        dropout: Float in [0, 1), the share of activations that is dropped after each hidden layer. Defaults to `0.3`.
        negative_slope: Float >= 0, the slope below 0 of the leaky ReLU after each hidden layer, 0 for a ReLU. Defaults
            to `0.2`.
        condition: As in `dcgan_discriminator`. Defaults to None.
        labels_by: As in `dcgan_discriminator`; `"concatenation"` adds a one-hot vector to the flat data.

    Returns:
        `keras.Sequential`, `(batch, *data_shape)` to logits `(batch, 1)`; with a condition, as `dcgan_discriminator`.

    Raises:
        ValueError: If a size is not positive, the shape is neither a vector's nor an image's, or `labels_by` is
            unknown.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    discriminator = keras_gan.architectures.mlp_discriminator((2,), units=(128, 128))
    discriminator(np.zeros((64, 2))).shape  # (64, 1)
    ```
    """
    data_shape = check_data_shape("data_shape", data_shape, ranks=(1, 3))
    stem = [layers.Flatten()] if len(data_shape) == 3 else []
    chain = _hidden(units, negative_slope, dropout)
    return build_discriminator(chain, data_shape, condition, labels_by, stem)


def _hidden(units, negative_slope, dropout=0.0):
    if isinstance(units, str) or not np.iterable(units):
        raise ValueError(f"units must be a list of positive integers. Received: {units!r}.")
    negative_slope = check_number("negative_slope", negative_slope, 0)
    dropout = check_number("dropout", dropout, 0, 1, open_high=True)
    chain = []
    for width in units:
        chain += [layers.Dense(check_integer("each of units", width)), layers.LeakyReLU(negative_slope)]
        if dropout:
            chain.append(layers.Dropout(dropout))
    return chain
