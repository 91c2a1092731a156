"""Saving: atomic files with the random state, and safe loading of untrusted files."""

from keras_gan.saving.atomic import replacing
from keras_gan.saving.untrusted import load_untrusted

__all__ = ["load_untrusted", "replacing"]


def __dir__():
    return __all__
