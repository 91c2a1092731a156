"""Data: the embedded digits, TensorFlow Datasets and folders of images as `tf.data` pipelines; toy distributions."""

from keras_gan.datasets.convert import from_dataset
from keras_gan.datasets.load import load
from keras_gan.datasets.names import class_names
from keras_gan.datasets.survey import survey
from keras_gan.datasets.toy import grid, ring

__all__ = ["class_names", "from_dataset", "grid", "load", "ring", "survey"]


def __dir__():
    return __all__
