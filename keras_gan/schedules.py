"""Learning rate schedules that Keras lacks."""

import keras
from keras import ops

from keras_gan.checks.values import check_integer, check_number

__all__ = ["ConstantThenLinear"]


def __dir__():
    return __all__


@keras.saving.register_keras_serializable(package="keras_gan")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that is constant for a part of the steps, and then decays linearly to a share of itself.

    Args:
        initial_learning_rate: Float > 0.
        steps: Int > 0, the number of training steps; later ones keep the last rate.
        constant: Float in [0, 1), the part of the steps before the decay. Defaults to `0.5`.
        alpha: Float in [0, 1], the final rate as a share of the initial one. Defaults to `0.02`.

    Call arguments:
        step: Int >= 0, the steps made so far.

    Returns:
        Float32 scalar.

    Raises:
        ValueError: If a number is out of range.

    Example:

    ```python
    rate = keras_gan.schedules.ConstantThenLinear(1e-3, steps=1000)
    float(rate(0)), float(rate(500)), float(rate(1000))  # (1e-3, 1e-3, 2e-5)
    ```

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), whose rate decays to zero
    """

    def __init__(self, initial_learning_rate, steps, constant=0.5, alpha=0.02):
        self.initial_learning_rate = check_number("initial_learning_rate", initial_learning_rate, 0, open_low=True)
        self.steps = check_integer("steps", steps)
        self.constant = check_number("constant", constant, 0, 1, open_high=True)
        self.alpha = check_number("alpha", alpha, 0, 1)

    def __call__(self, step):
        done = ops.cast(step, "float32") / self.steps
        fallen = ops.clip((done - self.constant) / (1 - self.constant), 0.0, 1.0)
        return self.initial_learning_rate * (1 - fallen * (1 - self.alpha))

    def get_config(self):
        names = "initial_learning_rate", "steps", "constant", "alpha"
        return {name: getattr(self, name) for name in names}
