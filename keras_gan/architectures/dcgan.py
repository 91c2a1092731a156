"""Deep convolutional networks: DCGAN, from 28 to 128 pixels and beyond, and its spectrally normalized discriminator."""

from keras import layers

from keras_gan.architectures.conditioning import as_is, build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks.values import check_integer
from keras_gan.layers import SpectralNormalization

# A multiple of the stride: each output pixel then sees as many weights as its neighbor, and no checkerboard shows
# (https://distill.pub/2016/deconv-checkerboard).
_KERNEL = 4
_STRIDE = 2


def dcgan_generator(image_shape, latent_dim, width=32, condition=None, synchronized=False):
    """Builds the generator of DCGAN: transposed convolutions, each of which doubles the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of filters before the last layer; each earlier stage has twice as many as the next.
            Defaults to `32`; `64` gives 512-256-128-64 at 64 pixels, as in the paper.
        condition: `keras_gan.conditions.Condition`, such as `Labels(10)`: its input, such as labels, is embedded and
            joins the latent. The codes of a `Codes` condition are no extra input: they are part of the latent. Defaults
            to None.
        synchronized: Bool, whether batch normalization takes the statistics of the global batch under `tf.distribute`,
            not those of each replica's part: slower, but independent of the number of replicas. Defaults to False.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1]. With
        a condition, a functional model that keeps it as `condition`. If the condition has an extra input, such as
        labels `(batch,)`, the model takes `[latents, given]`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    generator = keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64)
    generator(np.zeros((16, 64))).shape  # (16, 28, 28, 1)

    digits = keras_gan.conditions.Labels(10)
    generator = keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64, condition=digits)
    generator([np.zeros((16, 64)), np.arange(16) % 10]).shape  # (16, 28, 28, 1)
    ```

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    height, width_, channels = image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    stages = halvings(image_shape)
    base = (height // 2**stages, width_ // 2**stages, width * 2 ** (stages - 1))
    chain = [
        layers.Dense(base[0] * base[1] * base[2], use_bias=False),
        layers.Reshape(base),
        layers.BatchNormalization(momentum=0.9, synchronized=synchronized),
        layers.ReLU(),
    ]
    for stage in reversed(range(stages - 1)):
        chain += [
            layers.Conv2DTranspose(width * 2**stage, _KERNEL, _STRIDE, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9, synchronized=synchronized),
            layers.ReLU(),
        ]
    chain.append(layers.Conv2DTranspose(channels, _KERNEL, _STRIDE, padding="same", activation="tanh", dtype="float32"))
    return build_generator(chain, latent_dim, condition)


def dcgan_discriminator(image_shape, width=16, condition=None, labels_by="projection"):
    """Builds the discriminator of DCGAN: convolutions, each of which halves the size.

    Unlike in the paper, it has no batch normalization. The statistics would mix reals and fakes and fit neither, so the
    discriminator would work only in training mode. An example's logit would also depend on the other examples in the
    batch, which gradient penalties do not allow.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first layer; each further stage doubles them. Defaults to
            `16`; the paper has 64.
        condition: `keras_gan.conditions.Condition`, such as `Labels(10)`; it sets which inputs the discriminator takes
            in addition to data, and which outputs it returns in addition to logits. Defaults to None.
        labels_by: How labels, or other inputs of the condition, are used. `"projection"` adds the inner product of
            their embedding and the features to the logits ([Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637));
            `"concatenation"` adds one-hot maps, or a vector at each position, to the image's channels
            ([Mirza & Osindero, 2014](https://arxiv.org/abs/1411.1784)). Defaults to `"projection"`.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`. With a condition, a
        functional model that keeps it as `condition`. If the condition has an extra input for the discriminator, such
        as labels `(batch,)`, the model takes `[images, given]`. If the condition has `heads`, the model returns a dict
        of `"logits"` and these heads, such as `"classes"` `(batch, num_classes)` for `AuxiliaryClassifier` and
        `"codes"` `(batch, num_codes)` for `Codes`.

    Raises:
        ValueError: If a size is not positive, height or width is not divisible by 4, or `labels_by` is unknown.
        TypeError: If `condition` is of the wrong type.

    Example:

    ```python
    discriminator = keras_gan.architectures.dcgan_discriminator((28, 28, 1))
    discriminator(np.zeros((16, 28, 28, 1))).shape  # (16, 1)

    digits = keras_gan.conditions.Labels(10)
    discriminator = keras_gan.architectures.dcgan_discriminator((28, 28, 1), condition=digits)
    discriminator([np.zeros((16, 28, 28, 1)), np.arange(16) % 10]).shape  # (16, 1)
    ```

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    return _discriminator(image_shape, width, condition, labels_by)


def sn_dcgan_discriminator(image_shape, width=16, condition=None, labels_by="projection"):
    """Builds the discriminator of DCGAN with spectral normalization.

    Its generator is `dcgan_generator`.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first layer; each further stage doubles them. Defaults to
            `16`; the paper has 64.
        condition: As in `dcgan_discriminator`. The embedding of `"projection"` is spectrally normalized, too.
        labels_by: As in `dcgan_discriminator`.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`; with a condition, as
        `dcgan_discriminator`.

    Raises:
        ValueError: As `dcgan_discriminator`.

    Example:

    ```python
    discriminator = keras_gan.architectures.sn_dcgan_discriminator((32, 32, 3))
    discriminator(np.zeros((16, 32, 32, 3))).shape  # (16, 1)
    ```

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """
    return _discriminator(image_shape, width, condition, labels_by, spectral=True)


def _discriminator(image_shape, width, condition, labels_by, spectral=False):
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    width = check_integer("width", width)
    width = int(width)
    wrap = SpectralNormalization if spectral else as_is
    chain = []
    for stage in range(halvings(image_shape)):
        chain.append(wrap(layers.Conv2D(width * 2**stage, _KERNEL, _STRIDE, padding="same")))
        chain.append(layers.LeakyReLU(0.2))
    chain.append(layers.Flatten())
    return build_discriminator(chain, image_shape, condition, labels_by, wrap=wrap)
