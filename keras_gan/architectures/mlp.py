"""Fully connected networks, for vectors and for small images."""

import math

import keras
from keras import layers

from keras_gan.architectures.shapes import check_data_shape, check_positive


def mlp_generator(data_shape, latent_dim, units=(256, 512, 1024), negative_slope=0.2):
    """A fully connected generator.

    Args:
        data_shape: Tuple, the shape of one example: `(features,)`, which gives a linear output, or
            `(height, width, channels)`, which gives a tanh.
        latent_dim: Int > 0, the size of the latent.
        units: Ints, the widths of the hidden layers.
        negative_slope: Float >= 0, of the leaky ReLU after each hidden layer; 0 for a ReLU. Defaults to `0.2`.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to `(batch, *data_shape)`.

    Raises:
        ValueError: If a size is not positive, or the shape is neither a vector's nor an image's.
    """
    data_shape = check_data_shape("data_shape", data_shape, ranks=(1, 3))
    check_positive("latent_dim", latent_dim)
    model = keras.Sequential([keras.Input((latent_dim,), name="latent")], name="generator")
    _add_hidden(model, units, negative_slope)
    if len(data_shape) == 1:
        model.add(layers.Dense(data_shape[0]))
    else:
        model.add(layers.Dense(math.prod(data_shape), activation="tanh"))
        model.add(layers.Reshape(data_shape))
    return model


def mlp_discriminator(data_shape, units=(1024, 512, 256), dropout=0.3, negative_slope=0.2):
    """A fully connected discriminator.

    Args:
        data_shape: Tuple, the shape of one example: `(features,)` or `(height, width, channels)`.
        units: Ints, the widths of the hidden layers.
        dropout: Float in [0, 1), the share of activations that is dropped after each hidden layer. Defaults to `0.3`.
        negative_slope: Float >= 0, of the leaky ReLU after each hidden layer; 0 for a ReLU. Defaults to `0.2`.

    Returns:
        `keras.Sequential`, `(batch, *data_shape)` to logits `(batch, 1)`.

    Raises:
        ValueError: If a size is not positive, or the shape is neither a vector's nor an image's.
    """
    data_shape = check_data_shape("data_shape", data_shape, ranks=(1, 3))
    model = keras.Sequential([keras.Input(data_shape)], name="discriminator")
    if len(data_shape) == 3:
        model.add(layers.Flatten())
    _add_hidden(model, units, negative_slope, dropout)
    model.add(layers.Dense(1))
    return model


def _add_hidden(model, units, negative_slope, dropout=0.0):
    for width in units:
        check_positive("units", width)
        model.add(layers.Dense(width))
        model.add(layers.LeakyReLU(negative_slope))
        if dropout:
            model.add(layers.Dropout(dropout))
