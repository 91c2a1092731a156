"""GANs for Keras 3: train with `fit`, watch in TensorBoard, ship a checked generator."""

from keras_gan import (
    architectures,
    augmentation,
    callbacks,
    conditions,
    datasets,
    export,
    health,
    images,
    layers,
    losses,
    metrics,
    penalties,
    priors,
    saving,
)
from keras_gan.gan import GAN
from keras_gan.model import AdversarialModel

__version__ = "0.1.0"
__all__ = [
    "GAN",
    "AdversarialModel",
    "architectures",
    "augmentation",
    "callbacks",
    "conditions",
    "datasets",
    "export",
    "health",
    "images",
    "layers",
    "losses",
    "metrics",
    "penalties",
    "priors",
    "saving",
]
