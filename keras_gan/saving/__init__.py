"""Files: whole or not at all, with the random state, and safe to load when somebody else made them."""

from keras_gan.saving.atomic import replacing
from keras_gan.saving.untrusted import load_untrusted

__all__ = ["load_untrusted", "replacing"]


def __dir__():
    return __all__
