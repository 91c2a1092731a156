"""Deep convolutional networks: DCGAN, from 28 to 128 pixels and beyond, and its spectrally normalised discriminator."""

from keras import layers

from keras_gan.architectures.conditioning import as_is, build_discriminator, build_generator
from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks import check_positive
from keras_gan.layers import SpectralNormalization

# A multiple of the stride: each output pixel then sees as many weights as its neighbour, and no checkerboard shows
# (https://distill.pub/2016/deconv-checkerboard).
_KERNEL = 4
_STRIDE = 2


def dcgan_generator(image_shape, latent_dim, width=64, num_classes=None, synchronized=False):
    """The generator of DCGAN: transposed convolutions, each of which doubles the size.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        latent_dim: Int > 0, the size of the latent.
        width: Int > 0, the number of filters before the last layer; each stage below has twice as many. Defaults
            to `64`, which gives the paper's 512-256-128-64 at 64 pixels.
        num_classes: Int > 0, how many classes labels name; an embedding of theirs joins the latent. Defaults to None,
            no labels.
        synchronized: Bool, whether batch normalization takes the statistics of the global batch under
            `tf.distribute`, not those of each replica's part: slower, and the same whatever the number of replicas.
            Defaults to False.

    Returns:
        `keras.Sequential`, latents `(batch, latent_dim)` to images `(batch, height, width, channels)` in [-1, 1]; with
        `num_classes`, a `keras.Model` of `[latents, labels]`, the second `(batch,)`.

    Raises:
        ValueError: If a size is not positive, or height or width is not divisible by 4.

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    height, width_, channels = image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("width", width)
    stages = halvings(image_shape)
    base = (height // 2**stages, width_ // 2**stages, width * 2 ** (stages - 1))
    chain = [
        layers.Dense(base[0] * base[1] * base[2], use_bias=False),
        layers.Reshape(base),
        layers.BatchNormalization(synchronized=synchronized),
        layers.ReLU(),
    ]
    for stage in reversed(range(stages - 1)):
        chain += [
            layers.Conv2DTranspose(width * 2**stage, _KERNEL, _STRIDE, padding="same", use_bias=False),
            layers.BatchNormalization(synchronized=synchronized),
            layers.ReLU(),
        ]
    chain.append(layers.Conv2DTranspose(channels, _KERNEL, _STRIDE, padding="same", activation="tanh", dtype="float32"))
    return build_generator(chain, latent_dim, num_classes)


def dcgan_discriminator(image_shape, width=64, num_classes=None, conditioning="projection", num_codes=0):
    """The discriminator of DCGAN: convolutions, each of which halves the size.

    Unlike the paper's it has no batch normalization. Its statistics would mix reals and fakes and fit neither, so that
    the discriminator could judge in training alone, and an example's logit would depend on its neighbours, which
    gradient penalties do not allow.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first layer; each stage above has twice as many. Defaults to
            `64`.
        num_classes: Int > 0, how many classes labels name. Defaults to None, no labels.
        conditioning: What to do with classes. `"projection"` adds the inner product of the label's embedding and the
            features to the logits ([Miyato & Koyama, 2018](https://arxiv.org/abs/1802.05637)); `"concatenation"` adds
            one-hot maps to the image's channels ([Mirza & Osindero, 2014](https://arxiv.org/abs/1411.1784));
            `"auxiliary"` takes no labels and predicts them, as AC-GAN does
            ([Odena et al., 2016](https://arxiv.org/abs/1610.09585)). Defaults to `"projection"`.
        num_codes: Int >= 0, how many parameters of InfoGAN's codes a second head gives
            ([Chen et al., 2016](https://arxiv.org/abs/1606.03657)). Defaults to `0`, no such head.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to logits `(batch, 1)`. With `num_classes`, a
        `keras.Model` of `[images, labels]`; or, if auxiliary, of images to a dict of `"logits"` and `"classes"`
        `(batch, num_classes)`. With `num_codes`, of images to a dict of `"logits"` and `"codes"` `(batch, num_codes)`.

    Raises:
        ValueError: If a size is not positive, height or width is not divisible by 4, `conditioning` is unknown, or
            classes and codes are both asked for.

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """
    return _discriminator(image_shape, width, num_classes, conditioning, num_codes)


def sn_dcgan_discriminator(image_shape, width=64, num_classes=None, conditioning="projection", num_codes=0):
    """The discriminator of DCGAN with spectral normalization.

    Its generator is `dcgan_generator`.

    Args:
        image_shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        width: Int > 0, the number of filters of the first layer; each stage above has twice as many. Defaults to
            `64`.
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
    return _discriminator(image_shape, width, num_classes, conditioning, num_codes, spectral=True)


def _discriminator(image_shape, width, num_classes, conditioning, num_codes, spectral=False):
    image_shape = check_data_shape("image_shape", image_shape, ranks=(3,))
    check_positive("width", width)
    wrap = SpectralNormalization if spectral else as_is
    chain = []
    for stage in range(halvings(image_shape)):
        chain.append(wrap(layers.Conv2D(width * 2**stage, _KERNEL, _STRIDE, padding="same")))
        chain.append(layers.LeakyReLU(0.2))
    chain.append(layers.Flatten())
    return build_discriminator(chain, image_shape, num_classes, conditioning, num_codes, wrap=wrap)
