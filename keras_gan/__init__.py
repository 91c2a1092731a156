"""GANs for Keras 3: train with `fit`, watch in TensorBoard, ship a checked generator."""

from keras_gan import (
    architectures,
    augmentation,
    callbacks,
    conditions,
    constraints,
    datasets,
    export,
    health,
    images,
    layers,
    losses,
    metrics,
    pace,
    penalties,
    priors,
    saving,
    schedules,
    settings,
    walks,
)
from keras_gan.cyclegan import CycleGAN
from keras_gan.gan import GAN
from keras_gan.model import AdversarialModel
from keras_gan.translation import Pix2Pix

__version__ = "0.1.0"
__all__ = [
    "GAN",
    "AdversarialModel",
    "CycleGAN",
    "Pix2Pix",
    "architectures",
    "augmentation",
    "callbacks",
    "conditions",
    "constraints",
    "datasets",
    "export",
    "health",
    "images",
    "layers",
    "losses",
    "metrics",
    "pace",
    "penalties",
    "priors",
    "saving",
    "schedules",
    "settings",
    "walks",
]


def __dir__():
    return __all__
