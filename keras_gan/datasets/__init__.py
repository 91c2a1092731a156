"""Data: the embedded digits, TensorFlow Datasets and folders of images as `tf.data` pipelines; toy distributions."""

from keras_gan.datasets.load import class_names, load
from keras_gan.datasets.toy import grid, ring

__all__ = ["class_names", "grid", "load", "ring"]


def __dir__():
    return __all__
