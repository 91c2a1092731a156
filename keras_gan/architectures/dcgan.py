"""Deep convolutional networks: DCGAN, from 28 to 128 pixels and beyond."""

import keras
from keras import layers

from keras_gan.architectures.shapes import check_data_shape, check_positive

# A multiple of the stride: each output pixel then sees as many weights as its neighbour, and no checkerboard shows
# (https://distill.pub/2016/deconv-checkerboard).
_KERNEL = 4
_STRIDE = 2


def dcgan_generator(image_shape, latent_dim, width=64):
    """The generator of DCGAN: transposed convolutions, each of which doubles the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of filters before the last layer; each stage below has twice as many. Defaults
            to `64`, which gives the paper's 512-256-128-64 at 64 pixels.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1].

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    height, width_, channels = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("latent_dim", latent_dim)
    check_positive("width", width)
    stages = _stages(height, width_)
    base = (height // 2**stages, width_ // 2**stages, width * 2 ** (stages - 1))
    model = keras.Sequential([keras.Input((latent_dim,), name="latent")], name="generator")
    model.add(layers.Dense(base[0] * base[1] * base[2], use_bias=False))
    model.add(layers.Reshape(base))
    model.add(layers.BatchNormalization())
    model.add(layers.ReLU())
    for stage in reversed(range(stages - 1)):
        model.add(layers.Conv2DTranspose(width * 2**stage, _KERNEL, _STRIDE, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.Conv2DTranspose(channels, _KERNEL, _STRIDE, padding="same", activation="tanh"))
    return model


def dcgan_discriminator(image_shape, width=64):
    """The discriminator of DCGAN: convolutions, each of which halves the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first layer; each stage above has twice as many. Defaults to
            `64`.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("width", width)
    model = keras.Sequential([keras.Input(image_shape, name="image")], name="discriminator")
    for stage in range(_stages(*image_shape[:2])):
        model.add(layers.Conv2D(width * 2**stage, _KERNEL, _STRIDE, padding="same", use_bias=stage == 0))
        if stage > 0:
            model.add(layers.BatchNormalization())
        model.add(layers.LeakyReLU(0.2))
    model.add(layers.Flatten())
    model.add(layers.Dense(1))
    return model


def _stages(height, width):
    """How often to halve: down to about 4 pixels, or to an odd size before."""
    if height % 4 or width % 4:
        raise ValueError(
            "image_shape must have height and width divisible by 4, to be halved at least twice. "
            f"Received: {height} x {width}."
        )
    stages = 2
    while height % 2 ** (stages + 1) == 0 and width % 2 ** (stages + 1) == 0 and min(height, width) // 2**stages > 4:
        stages += 1
    return stages
