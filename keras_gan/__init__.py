"""GANs for Keras 3: train with `fit`, watch in TensorBoard, ship a checked generator."""

from keras_gan import architectures, callbacks, datasets, layers, losses, priors
from keras_gan.gan import GAN

__version__ = "0.1.0"
__all__ = ["GAN", "architectures", "callbacks", "datasets", "layers", "losses", "priors"]
