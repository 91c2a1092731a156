"""Modern residual networks, as in R3GAN: grouped convolutions, no normalization, fix-up initialization."""

import itertools
import math

import keras
from keras import layers

from keras_gan.architectures.conditioning import build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks.values import check_integer
from keras_gan.layers import GroupedConv2D, Residual

_BLOCKS = 2
_EXPANSION = 2
_GROUP_SIZE = 16
_SLOPE = 0.2


def modern_generator(image_shape, latent_dim, width=64, condition=None):
    """Builds a generator as in R3GAN: two residual blocks at each size, bilinear upsampling between sizes.

    A block is a 1x1 convolution to twice the channels, a 3x3 convolution in groups of 16 channels and a 1x1 convolution
    back, with leaky ReLUs between, added to its input. There is no normalization. Instead, fix-up initialization keeps
    activations in bounds: the last convolution of a block starts at zero, so that each block starts as the identity.
    For the other convolutions of a block, the standard deviation of the initial weights is divided by the fourth root
    of the number of blocks. The network differs from the paper in two points: a dense layer makes the map of the lowest
    resolution, and a tanh ends the network.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of channels at full size; each halving of the size except the last doubles them.
            Defaults to `64`.
        condition: As in `dcgan_generator`. Defaults to None.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1]; with
        a condition, as `dcgan_generator`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    generator = keras_gan.architectures.modern_generator((32, 32, 3), latent_dim=64, width=16)
    generator(np.zeros((16, 64))).shape  # (16, 32, 32, 3)
    ```

    Reference:
        [Huang et al., 2024](https://arxiv.org/abs/2501.05441);
        fix-up: [Zhang et al., 2019](https://arxiv.org/abs/1901.09321)
    """
    height, width_, channels = image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    *lower, bottom = _widths(image_shape, width)
    stages = len(lower)
    base = (height // 2**stages, width_ // 2**stages, bottom)
    chain = [layers.Dense(math.prod(base)), layers.Reshape(base), *_blocks(bottom, stages)]
    before = bottom
    for filters in reversed(lower):
        # A 1x1 convolution commutes with the upsampling; this order takes a quarter of the work.
        if filters != before:
            chain.append(layers.Conv2D(filters, 1, use_bias=False))
        chain += [layers.UpSampling2D(interpolation="bilinear"), *_blocks(filters, stages)]
        before = filters
    chain.append(layers.Conv2D(channels, 1, activation="tanh", dtype="float32"))
    return build_generator(chain, latent_dim, condition)


def modern_discriminator(image_shape, width=64, condition=None, labels_by="projection"):
    """Builds a discriminator as in R3GAN: two residual blocks at each size, bilinear downsampling between.

    Blocks and initialization are those of `modern_generator`. A depthwise convolution as large as the last feature map
    makes the features. The paper trains it with the relativistic loss, R1 and R2.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of channels at full size; each halving of the size except the last doubles them.
            Defaults to `64`.
        condition: As in `dcgan_discriminator`.
        labels_by: As in `dcgan_discriminator`.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`; with a condition, as
        `dcgan_discriminator`.

    Raises:
        ValueError, TypeError: As `dcgan_discriminator`.

    Example:

    ```python
    discriminator = keras_gan.architectures.modern_discriminator((32, 32, 3), width=16)
    discriminator(np.zeros((16, 32, 32, 3))).shape  # (16, 1)
    ```

    Reference:
        [Huang et al., 2024](https://arxiv.org/abs/2501.05441);
        fix-up: [Zhang et al., 2019](https://arxiv.org/abs/1901.09321)
    """
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    widths = _widths(image_shape, width)
    stages = len(widths) - 1
    chain = [layers.Conv2D(width, 1), *_blocks(width, stages)]
    for before, filters in itertools.pairwise(widths):
        # The mean of 2x2 pixels is bilinear interpolation halfway between them.
        chain.append(layers.AveragePooling2D(2))
        if filters != before:
            chain.append(layers.Conv2D(filters, 1, use_bias=False))
        chain += _blocks(filters, stages)
    last = (image_shape[0] // 2**stages, image_shape[1] // 2**stages)
    chain += [layers.DepthwiseConv2D(last), layers.Flatten()]
    return build_discriminator(chain, image_shape, condition, labels_by)


def _widths(image_shape, width):
    """Returns the channels at each size, from full size down."""
    stages = halvings(image_shape)
    return [width * 2 ** min(stage, stages - 1) for stage in range(stages + 1)]


def _blocks(filters, stages):
    return [_block(filters, depth=_BLOCKS * (stages + 1)) for _ in range(_BLOCKS)]


def _block(filters, depth):
    """Makes a residual block of a network with `depth` blocks."""
    expanded = _EXPANSION * filters
    groups = expanded // math.gcd(expanded, _GROUP_SIZE)
    return Residual(
        [
            layers.Conv2D(expanded, 1, kernel_initializer=_fix_up(depth)),
            layers.LeakyReLU(_SLOPE),
            GroupedConv2D(expanded, 3, padding="same", groups=groups, kernel_initializer=_fix_up(depth)),
            layers.LeakyReLU(_SLOPE),
            layers.Conv2D(filters, 1, kernel_initializer="zeros"),
        ]
    )


def _fix_up(depth):
    # He initialization for a leaky ReLU; fix-up multiplies the standard deviations by depth ** (-1 / 4) for blocks of
    # three layers.
    scale = 2 / (1 + _SLOPE**2) / math.sqrt(depth)
    return keras.initializers.VarianceScaling(scale, "fan_in", "untruncated_normal")
