"""Data: digits, TensorFlow Datasets, one or two folders of images, as `tf.data` pipelines; toy distributions."""

from keras_gan.datasets.convert import from_dataset
from keras_gan.datasets.load import load
from keras_gan.datasets.names import class_names
from keras_gan.datasets.pairs import load_pairs
from keras_gan.datasets.survey import survey, survey_pairs
from keras_gan.datasets.toy import grid, ring
from keras_gan.datasets.unpaired import load_unpaired

__all__ = [
    "class_names",
    "from_dataset",
    "grid",
    "load",
    "load_pairs",
    "load_unpaired",
    "ring",
    "survey",
    "survey_pairs",
]


def __dir__():
    return __all__
