"""Networks: functions that return Keras models."""

from keras_gan.architectures.dcgan import dcgan_discriminator, dcgan_generator, sn_dcgan_discriminator
from keras_gan.architectures.mlp import mlp_discriminator, mlp_generator
from keras_gan.architectures.modern import modern_discriminator, modern_generator
from keras_gan.architectures.resnet import resnet_discriminator, resnet_generator
from keras_gan.architectures.translation import (
    patch_discriminator,
    residual_generator,
    super_resolution_generator,
    unet_generator,
)

__all__ = [
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_discriminator",
    "mlp_generator",
    "modern_discriminator",
    "modern_generator",
    "patch_discriminator",
    "residual_generator",
    "resnet_discriminator",
    "resnet_generator",
    "sn_dcgan_discriminator",
    "super_resolution_generator",
    "unet_generator",
]


def __dir__():
    return __all__
