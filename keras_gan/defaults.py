"""What a GAN trains with where nothing is asked for: what trials on photographs and digits found safe.

Each number is written here alone; `settings` takes those that it shares.
"""

from keras_gan import backend, checks, losses
from keras_gan.augmentation import DiffAugment
from keras_gan.penalties import R1, GradientPenalty

# The momentum of the average of the generator's weights.
EMA = 0.998
# The weight of R1.
GAMMA = 0.1
# The learning rate and `beta_1` of Adam for images. That of other data is the DCGAN paper's.
LEARNING_RATE, BETA_1 = 1e-3, 0.0
# Images in color are augmented from this side on. Gray ones are writing more often than not: digits became worse by it.
SMALLEST_AUGMENTED = 32


def adam(shape):
    """Returns the learning rate and `beta_1` of Adam for data of a shape; an empty dict for the DCGAN paper's."""
    return {"learning_rate": LEARNING_RATE, "beta_1": BETA_1} if len(shape) == 3 else {}


def augmentation(shape):
    """Returns the augmentation for data of a shape, or None."""
    is_color = len(shape) == 3 and None not in shape and shape[2] in (3, 4)
    return DiffAugment() if is_color and min(shape[:2]) >= SMALLEST_AUGMENTED else None


def penalties(loss, discriminator, measure):
    """Returns the list of penalties for a discriminator: one of its slope, where it needs and can take one.

    Args:
        loss: Name or object from `keras_gan.losses`.
        discriminator: Built `keras.Model`. One whose layers bound its slope needs no penalty.
        measure: Function that computes a penalty on an example. Some layers have no second derivative.
    """
    if checks.bounds_slope(discriminator):
        return []
    penalty = GradientPenalty() if getattr(losses.get(loss), "needs_lipschitz", False) else R1(GAMMA)
    return [penalty] if backend.has_gradient(lambda: measure(penalty), discriminator.trainable_variables) else []
