"""Features that metrics compare: of InceptionV3, or of a small network that is trained on the user's own images."""

from keras_gan.metrics.features.classifier import classifier
from keras_gan.metrics.features.inception import InceptionV3, inception_v3
from keras_gan.metrics.features.self_supervised import self_supervised, steps_within

__all__ = ["InceptionV3", "classifier", "inception_v3", "self_supervised", "steps_within"]


def __dir__():
    return __all__
