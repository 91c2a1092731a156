"""Residual networks: SNGAN's, from 28 to 128 pixels and beyond."""

from keras import layers

from keras_gan.architectures.conditioning import build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks import check_positive
from keras_gan.layers import Residual, SpectralNormalization


def resnet_generator(image_shape, latent_dim, width=64, num_classes=None, synchronized=False):
    """The residual generator of SNGAN: each block doubles the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of filters of the last block; each block before has twice as many. Defaults to
            `64`, which gives the paper's 1024-512-256-128-64 at 128 pixels.
        num_classes: Int > 0, how many classes labels name, as in `dcgan_generator`. Defaults to None, no labels.
        synchronized: Bool, as in `dcgan_generator`. Defaults to False.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1]; with
        `num_classes`, a `keras.Model` of `[latents, labels]`, the second `(batch,)`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """
    height, width_, channels = image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("width", width)
    stages = halvings(image_shape)
    base = (height // 2**stages, width_ // 2**stages, width * 2 ** (stages - 1))
    chain = [layers.Dense(base[0] * base[1] * base[2]), layers.Reshape(base)]
    chain += [_up_block(width * 2**stage, synchronized) for stage in reversed(range(stages))]
    chain += [
        layers.BatchNormalization(synchronized=synchronized),
        layers.ReLU(),
        layers.Conv2D(channels, 3, padding="same", activation="tanh", dtype="float32"),
    ]
    return build_generator(chain, latent_dim, num_classes)


def resnet_discriminator(image_shape, width=64, num_classes=None, conditioning="projection", num_codes=0):
    """The residual discriminator of SNGAN: each block halves the size, all weights are spectrally normalised.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first block; each block above has twice as many. Defaults to
            `64`, which gives the paper's 64-128-256-512-1024 at 128 pixels.
        num_classes: As in `dcgan_discriminator`. The embedding of `"projection"` is spectrally normalised, too.
        conditioning: As in `dcgan_discriminator`.
        num_codes: As in `dcgan_discriminator`.

    Returns:
        As `dcgan_discriminator`.

    Raises:
        ValueError: As `dcgan_discriminator`.

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("width", width)
    stages = halvings(image_shape)
    chain = [_first_block(width)]
    chain += [_down_block(width * 2**stage) for stage in range(1, stages)]
    chain += [_last_block(width * 2 ** (stages - 1)), layers.ReLU(), layers.GlobalAveragePooling2D()]
    # The paper pools by the sum, the mean times the number of pixels.
    chain.append(layers.Rescaling(image_shape[0] * image_shape[1] // 4**stages))
    return build_discriminator(chain, image_shape, num_classes, conditioning, num_codes, wrap=SpectralNormalization)


def _up_block(filters, synchronized):
    return Residual(
        [
            layers.BatchNormalization(synchronized=synchronized),
            layers.ReLU(),
            layers.UpSampling2D(),
            layers.Conv2D(filters, 3, padding="same"),
            layers.BatchNormalization(synchronized=synchronized),
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
