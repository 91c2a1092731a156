"""Networks and training settings for images, pairs or two sets without pairs, each choice with its reason."""

from keras_gan.settings.images import ImageSettings, for_images
from keras_gan.settings.pairs import PairSettings, for_pairs
from keras_gan.settings.unpaired import UnpairedSettings, for_unpaired

__all__ = ["ImageSettings", "PairSettings", "UnpairedSettings", "for_images", "for_pairs", "for_unpaired"]


def __dir__():
    return __all__
