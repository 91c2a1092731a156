"""Penalties: one small class per published control of the discriminator's slope."""

import keras
from keras import ops

from keras_gan import backend
from keras_gan.checks.values import check_number

__all__ = ["R1", "R2", "GradientPenalty", "LipschitzPenalty", "Penalty"]


def __dir__():
    return __all__


class Penalty:
    """Base class: a term, already weighted, that is added to the discriminator's objective.

    A subclass implements `__call__`. It sees the discriminator as a function that takes each example by itself: in
    inference mode, so that the statistics of a batch neither tie its examples together nor move.

    Where a patch discriminator gives a map of logits, `D(x)` is the mean over its entries in all penalties of this
    module: their weights mean the same for a map of any size. (CycleGAN's and StarGAN's code differentiates the sum
    over a map, whose slope is as many times steeper as the map has entries.)
    """

    def __call__(self, discriminator, real, fake, seed=None):
        """Computes the penalty, in float32.

        Args:
            discriminator: Callable, data `(batch, ...)` to logits `(batch, ..., 1)`.
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of generated data, shaped like `real`.
            seed: `keras.random.SeedGenerator`, int, or None, for penalties that draw random numbers.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class R1(Penalty):
    """Zero-centered gradient penalty on reals.

    `penalty = gamma / 2 * mean_i(||grad_x D(x_i)||^2)`, with `D = logits`

    Args:
        gamma: Float >= 0, weight of the penalty. Defaults to `10.0`.

    Raises:
        ValueError: If `gamma` is negative or no finite number.

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406)
    """

    def __init__(self, gamma=10.0):
        self.gamma = check_number("gamma", gamma, 0)

    def __call__(self, discriminator, real, fake, seed=None):
        return self.gamma / 2 * ops.mean(_squared_gradient_norm(discriminator, real))

    def get_config(self):
        return {"gamma": self.gamma}


@keras.saving.register_keras_serializable(package="keras_gan")
class R2(R1):
    """Zero-centered gradient penalty on fakes.

    `penalty = gamma / 2 * mean_i(||grad_x D(G(z_i))||^2)`, with `D = logits`

    Args:
        gamma: Float >= 0, weight of the penalty. Defaults to `10.0`.

    Raises:
        ValueError: If `gamma` is negative or no finite number.

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406)
    """

    def __call__(self, discriminator, real, fake, seed=None):
        return super().__call__(discriminator, fake, real, seed)


@keras.saving.register_keras_serializable(package="keras_gan")
class GradientPenalty(Penalty):
    """WGAN-GP: a slope of 1 on the lines between reals and fakes.

    `penalty = weight * mean_i((||grad_x D(u_i)|| - 1)^2)`, with `D = logits`, `u_i = e_i x_i + (1 - e_i) G(z_i)` and
    one `e_i` for each example, uniform in [0, 1).

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `10.0`.

    Raises:
        ValueError: If `weight` is negative or no finite number.

    Reference:
        [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028)
    """

    def __init__(self, weight=10.0):
        self.weight = check_number("weight", weight, 0)

    def __call__(self, discriminator, real, fake, seed=None):
        squared = _squared_gradient_norm(discriminator, _interpolate(real, fake, seed))
        # The slope of the square root at zero is infinite; the bound makes it zero there and changes nothing above.
        norm = ops.sqrt(ops.maximum(squared, 1e-12))
        return self.weight * ops.mean(ops.square(self._excess(norm)))

    def _excess(self, norm):
        return norm - 1

    def get_config(self):
        return {"weight": self.weight}


@keras.saving.register_keras_serializable(package="keras_gan")
class LipschitzPenalty(GradientPenalty):
    """WGAN-LP: a slope of at most 1 on the lines between reals and fakes, which leaves smaller slopes alone.

    `penalty = weight * mean_i(max(0, ||grad_x D(u_i)|| - 1)^2)`, with `u_i` as in `GradientPenalty`.

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `10.0`.

    Raises:
        ValueError: If `weight` is negative or no finite number.

    Reference:
        [Petzka et al., 2017](https://arxiv.org/abs/1709.08894)
    """

    def _excess(self, norm):
        return ops.relu(norm - 1)


def _squared_gradient_norm(discriminator, x):
    """Computes `||grad_x D(x_i)||^2`, `(batch,)`."""

    def judge(x):
        logits = ops.cast(discriminator(x), "float32")
        return ops.mean(logits, axis=tuple(range(1, len(logits.shape))))

    # In float32 from the input on: squares soon leave the range of float16.
    gradient = backend.input_gradient(judge, ops.cast(x, "float32"))
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def _interpolate(real, fake, seed):
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    ones = (1,) * (len(real.shape) - 1)
    # Of packs there are fewer than examples.
    epsilon = backend.local_draw(
        lambda n: keras.random.uniform((n, *ones), dtype="float32", seed=seed), ops.shape(real)[0], per_example=False
    )
    return epsilon * real + (1 - epsilon) * fake
