"""Residual networks of SNGAN, from 28 to 128 pixels and beyond."""

import functools

from keras import layers

from keras_gan.architectures.conditioning import build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks.values import check_integer
from keras_gan.layers import ConditionalBatchNormalization, Residual, SpectralNormalization


def resnet_generator(image_shape, latent_dim, width=64, condition=None, synchronized=False):
    """Builds the residual generator of SNGAN: each block doubles the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of filters of the last block; each earlier block has twice as many as the next.
            Defaults to `64`, which gives 1024-512-256-128-64 at 128 pixels, as in the paper.
        condition: `keras_gan.conditions.Condition`; its input sets scale and offset of each batch normalization,
            as in the paper on projection. Defaults to None.
        synchronized: Bool, as in `dcgan_generator`. Defaults to False.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1]; with
        a condition, as `dcgan_generator`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    generator = keras_gan.architectures.resnet_generator((32, 32, 3), latent_dim=128, width=16)
    generator(np.zeros((16, 128))).shape  # (16, 32, 32, 3)
    ```

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957);
        conditional: [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637)
    """
    height, width_, channels = image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    stages = halvings(image_shape)
    base = (height // 2**stages, width_ // 2**stages, width * 2 ** (stages - 1))
    chain = [layers.Dense(base[0] * base[1] * base[2]), layers.Reshape(base)]
    normalize = _normalization(condition, synchronized)
    chain += [_up_block(width * 2**stage, normalize) for stage in reversed(range(stages))]
    chain += [
        normalize(),
        layers.ReLU(),
        layers.Conv2D(channels, 3, padding="same", activation="tanh", dtype="float32"),
    ]
    return build_generator(chain, latent_dim, condition)


def resnet_discriminator(image_shape, width=64, condition=None, labels_by="projection"):
    """Builds the residual discriminator of SNGAN: each block but the last halves the size, and all weights are
    spectrally normalized.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first block; each further block but the last doubles them. Defaults
            to `64`, which gives 64-128-256-512-1024 at 128 pixels, as in the paper.
        condition: As in `dcgan_discriminator`. The embedding of `"projection"` is spectrally normalized, too.
        labels_by: As in `dcgan_discriminator`.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`; with a condition, as
        `dcgan_discriminator`.

    Raises:
        ValueError, TypeError: As `dcgan_discriminator`.

    Example:

    ```python
    discriminator = keras_gan.architectures.resnet_discriminator((32, 32, 3), width=16)
    discriminator(np.zeros((16, 32, 32, 3))).shape  # (16, 1)
    ```

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    stages = halvings(image_shape)
    chain = [_first_block(width)]
    chain += [_down_block(width * 2**stage) for stage in range(1, stages)]
    chain += [_last_block(width * 2 ** (stages - 1)), layers.ReLU(), layers.GlobalAveragePooling2D()]
    # The paper pools by the sum, the mean times the number of pixels.
    chain.append(layers.Rescaling(image_shape[0] * image_shape[1] // 4**stages))
    return build_discriminator(chain, image_shape, condition, labels_by, wrap=SpectralNormalization)


def _normalization(condition, synchronized):
    """Returns a function that makes a layer of batch normalization."""
    if getattr(condition, "given_name", None) is None:
        return functools.partial(layers.BatchNormalization, momentum=0.9, synchronized=synchronized)
    return functools.partial(ConditionalBatchNormalization, condition, momentum=0.9, synchronized=synchronized)


def _up_block(filters, normalize):
    return Residual(
        [
            normalize(),
            layers.ReLU(),
            layers.UpSampling2D(),
            layers.Conv2D(filters, 3, padding="same"),
            normalize(),
            layers.ReLU(),
            layers.Conv2D(filters, 3, padding="same"),
        ],
        # A 1x1 convolution commutes with the upsampling; this order takes a quarter of the work.
        shortcut=[layers.Conv2D(filters, 1), layers.UpSampling2D()],
    )


def _first_block(filters):
    # No ReLU first: it would discard the negative half of the image.
    return Residual(
        [_conv(filters), layers.ReLU(), _conv(filters), layers.AveragePooling2D(2)],
        shortcut=[layers.AveragePooling2D(2), _conv(filters, 1)],
    )


def _down_block(filters):
    return Residual(
        [layers.ReLU(), _conv(filters), layers.ReLU(), _conv(filters), layers.AveragePooling2D(2)],
        shortcut=[layers.AveragePooling2D(2), _conv(filters, 1)],
    )


def _last_block(filters):
    return Residual([layers.ReLU(), _conv(filters), layers.ReLU(), _conv(filters)])


def _conv(filters, kernel=3):
    return SpectralNormalization(layers.Conv2D(filters, kernel, padding="same"))
