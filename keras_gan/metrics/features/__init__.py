"""Features for metrics: of InceptionV3, or of a small network trained on the user's images."""

from keras_gan.metrics.features.classifier import classifier
from keras_gan.metrics.features.inception import InceptionV3, inception_v3
from keras_gan.metrics.features.self_supervised import self_supervised, steps_within

__all__ = ["InceptionV3", "classifier", "inception_v3", "self_supervised", "steps_within"]


def __dir__():
    return __all__
