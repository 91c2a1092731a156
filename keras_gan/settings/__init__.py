"""Settings: what to train for so many images of one size, for pairs or for two sets of them, and why."""

from keras_gan.settings.images import ImageSettings, for_images
from keras_gan.settings.pairs import PairSettings, for_pairs
from keras_gan.settings.unpaired import UnpairedSettings, for_unpaired

__all__ = ["ImageSettings", "PairSettings", "UnpairedSettings", "for_images", "for_pairs", "for_unpaired"]


def __dir__():
    return __all__
