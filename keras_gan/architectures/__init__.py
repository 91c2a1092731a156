"""Networks: functions that return Keras models."""

from keras_gan.architectures.dcgan import dcgan_discriminator, dcgan_generator
from keras_gan.architectures.mlp import mlp_discriminator, mlp_generator

__all__ = ["dcgan_discriminator", "dcgan_generator", "mlp_discriminator", "mlp_generator"]
