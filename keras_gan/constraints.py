"""Constraints: bounds on a layer's weights that hold after each update."""

import keras
from keras import ops

from keras_gan.checks.values import check_number

__all__ = ["WeightClipping"]


def __dir__():
    return __all__


@keras.saving.register_keras_serializable(package="keras_gan")
class WeightClipping(keras.constraints.Constraint):
    """Bound on the slope as in the original WGAN: each weight is clipped to [-c, c] after each update.

    Pass it to the discriminator's layers as a constraint, not to `GAN.compile` as a penalty.

    Args:
        c: Float > 0, the largest magnitude of a weight. Defaults to `0.01`.

    Call arguments:
        value: Tensor, a weight of a layer.

    Returns:
        Tensor of the same shape, clipped.

    Raises:
        ValueError: If `c` is not positive or not a finite number.

    Example:

    ```python
    clipping = keras_gan.constraints.WeightClipping(0.01)
    layer = keras.layers.Dense(64, kernel_constraint=clipping, bias_constraint=clipping)
    clipping(np.array([-1.0, 0.005, 1.0]))  # [-0.01, 0.005, 0.01]
    ```

    Reference:
        [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875), algorithm 1
    """

    def __init__(self, c=0.01):
        self.c = check_number("c", c, 0, open_low=True)

    def __call__(self, value):
        return ops.clip(value, -self.c, self.c)

    def get_config(self):
        return {"c": self.c}
