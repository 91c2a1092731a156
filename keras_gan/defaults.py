"""Default settings of training, found safe in trials on photographs and digits.

Each number is defined only here; `settings` imports those that it shares.
"""

from keras_gan import backend, checks, losses
from keras_gan.augmentation import DiffAugment
from keras_gan.penalties import R1, GradientPenalty

# The momentum of the average of the generator's weights.
EMA = 0.998
# The weight of R1.
GAMMA = 0.1
# The learning rate and `beta_1` of Adam for images. Other data get those of the DCGAN paper.
LEARNING_RATE, BETA_1 = 1e-3, 0.0
# The smallest side of color images to augment. Gray ones are mostly writing: augmentation made digits worse.
SMALLEST_AUGMENTED = 32


def adam(shape):
    """Returns a dict of Adam's learning rate and `beta_1` for data of a shape. It is empty if the data are not images:
    then the values of the DCGAN paper apply."""
    return {"learning_rate": LEARNING_RATE, "beta_1": BETA_1} if len(shape) == 3 else {}


def augmentation(shape):
    """Returns the augmentation for data of a shape, or None."""
    is_color = len(shape) == 3 and None not in shape and shape[2] in (3, 4)
    return DiffAugment() if is_color and min(shape[:2]) >= SMALLEST_AUGMENTED else None


def penalties(loss, discriminator, measure):
    """Returns the list of penalties for a discriminator: a gradient penalty, if it needs and supports one.

    Args:
        loss: Name or object from `keras_gan.losses`.
        discriminator: Built `keras.Model`. One whose layers bound its slope needs no penalty.
        measure: Function that computes a penalty on an example. Some layers have no second derivative.
    """
    if checks.bounds_slope(discriminator):
        return []
    penalty = GradientPenalty() if getattr(losses.get(loss), "needs_lipschitz", False) else R1(GAMMA)
    return [penalty] if backend.has_gradient(lambda: measure(penalty), discriminator.trainable_variables) else []
