import keras
import pytest

from keras_gan import architectures, layers, networks
from keras_gan.conditions import Labels

L = keras.layers


def test_multiply_adds_of_dcgan_are_those_counted_by_hand():
    w, latent = 8, 16
    generator = architectures.dcgan_generator((28, 28, 1), latent, width=w)
    assert networks.multiply_adds(generator) == latent * 49 * 2 * w + 49 * 16 * 2 * w * w + 196 * 16 * w
    for build in (architectures.dcgan_discriminator, architectures.sn_dcgan_discriminator):
        discriminator = build((28, 28, 1), width=w)
        assert networks.multiply_adds(discriminator) == 196 * 16 * w + 49 * 16 * w * 2 * w + 49 * 2 * w


def test_multiply_adds_within_blocks_and_models():
    block = layers.Residual(
        [L.Conv2D(6, 3, padding="same"), L.AveragePooling2D(2)], [L.AveragePooling2D(2), L.Dense(6)]
    )
    inner = keras.Sequential([keras.Input((8, 8, 4)), block])
    model = keras.Sequential([keras.Input((8, 8, 4)), inner, L.SeparableConv2D(5, 3), L.Flatten(), L.Dense(7)])
    block_ = 64 * 9 * 4 * 6 + 16 * 4 * 6
    assert networks.multiply_adds(inner) == block_
    assert networks.multiply_adds(model) == block_ + 4 * (9 * 6 + 6 * 5) + 20 * 7
    plain, labeled = (architectures.resnet_generator((8, 8, 1), 4, width=2, condition=c) for c in (None, Labels(3)))
    assert networks.multiply_adds(plain) == networks.multiply_adds(labeled) > 0


@pytest.mark.parametrize(("build", "expected"), [("unet_generator", 6.05e9), ("residual_generator", 53.3e9)])
def test_multiply_adds_of_translations(build, expected):
    # CycleGAN's own is 56.8e9 (Li et al., 2020), with reflections around its maps.
    assert networks.multiply_adds(getattr(architectures, build)((256, 256, 3))) == pytest.approx(expected, rel=0.01)
