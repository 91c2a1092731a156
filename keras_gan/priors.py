"""Priors: the distributions that latents are drawn from."""

import math

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_integer, check_number, check_points

__all__ = ["Categorical", "Concatenated", "Mixture", "Normal", "Prior", "Uniform", "circle"]


def __dir__():
    return __all__


# A uniform float32 is 0 about once in 2**23 draws, which would map to a normal number of minus infinity.
_BELOW_ONE = 1 - 2**-23


class Prior:
    """Base class of priors: distributions of the latent.

    A subclass implements `from_uniform`, which maps uniform numbers to latents. All random numbers of a latent thus
    come from one row of a single draw, so that they are independent of each other for any kind of seed. (Two draws with
    the same int seed would repeat each other.)

    Args:
        latent_dim: Int > 0, the size of one latent.

    Attributes:
        num_uniforms: Int, how many uniform numbers make one latent. Defaults to `latent_dim`.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Bits(keras_gan.priors.Prior):
        # Each number is 0 or 1.

        def from_uniform(self, uniform, truncation=None):
            return keras.ops.floor(2 * uniform)


    prior = Bits(16)
    prior.sample(4, seed=0).shape  # (4, 16)
    prior.from_uniform(keras.ops.array([[0.2, 0.7]]))  # [[0.0, 1.0]]
    ```
    """

    def __init__(self, latent_dim):
        self.latent_dim = check_integer("latent_dim", latent_dim)
        self.num_uniforms = self.latent_dim

    def sample(self, n, seed=None, truncation=None):
        """Draws latents.

        Args:
            n: Int, or scalar integer tensor, how many.
            seed: Int, `keras.random.SeedGenerator`, or None for different numbers at each call.
            truncation: Float > 0, how many standard deviations a normal latent may lie from its mean. Smaller values
                give samples that look better and vary less. With the same seed, smaller values move the latents toward
                the mean. Defaults to None, no bound.

        Returns:
            Tensor `(n, latent_dim)`, float32.

        Raises:
            ValueError: If `truncation` is not positive or not a finite number, or is given to a `Uniform` prior or to a
                `Concatenated` prior that contains one.

        Reference:
            [Brock et al., 2018](https://arxiv.org/abs/1809.11096), the truncation trick
        """
        if truncation is not None:
            truncation = check_number("truncation", truncation, 0, open_low=True)
        uniform = keras.random.uniform((n, self.num_uniforms), dtype="float32", seed=seed)
        return self.from_uniform(uniform, truncation)

    def from_uniform(self, uniform, truncation=None):
        """Maps uniform numbers to latents.

        Args:
            uniform: Tensor `(n, num_uniforms)`, float32, in [0, 1). Exports also try a tensor with additional axes
                between the first and the last, because a phone's GPU then leaves this part to the CPU. A prior need not
                support such tensors.
            truncation: As in `sample`.

        Returns:
            Tensor `(n, latent_dim)`, float32.
        """
        raise NotImplementedError

    def get_config(self):
        return {"latent_dim": self.latent_dim}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class Normal(Prior):
    """Independent normal latents.

    With a truncation `t` each number follows the normal distribution conditioned on
    `|z - mean| <= t * stddev`: `z = mean + stddev * sqrt(2) * erfinv((2 u - 1) * erf(t / sqrt(2)))` for a uniform `u`.

    Args:
        latent_dim: Int > 0, the size of one latent.
        mean: Float. Defaults to `0.0`.
        stddev: Float > 0. Defaults to `1.0`.

    Example:

    ```python
    prior = keras_gan.priors.Normal(64)
    prior.sample(4, seed=0).shape  # (4, 64)
    latents = prior.sample(4, seed=0, truncation=0.5)
    float(keras.ops.max(keras.ops.abs(latents))) <= 0.5  # True
    ```
    """

    def __init__(self, latent_dim, mean=0.0, stddev=1.0):
        super().__init__(latent_dim)
        self.mean = check_number("mean", mean)
        self.stddev = check_number("stddev", stddev, 0, open_low=True)

    def from_uniform(self, uniform, truncation=None):
        return self.mean + self.stddev * _standard_normal(uniform, truncation)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@keras.saving.register_keras_serializable(package="keras_gan")
class Uniform(Prior):
    """Independent uniform latents, the choice of the DCGAN paper.

    They do not support truncation: they are bounded already.

    Args:
        latent_dim: Int > 0, the size of one latent.
        low: Float, the smallest value. Defaults to `-1.0`.
        high: Float > low, the bound from above. Defaults to `1.0`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    ```python
    prior = keras_gan.priors.Uniform(64)
    prior.sample(4, seed=0).shape  # (4, 64)
    prior.from_uniform(np.array([[0.0, 0.75]]))  # [[-1.0, 0.5]]
    ```

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """

    def __init__(self, latent_dim, low=-1.0, high=1.0):
        super().__init__(latent_dim)
        self.low = check_number("low", low)
        self.high = check_number("high", high)
        if not self.low < self.high:
            raise ValueError(f"low must be smaller than high. Received: low={low!r}, high={high!r}.")

    def from_uniform(self, uniform, truncation=None):
        if truncation is not None:
            raise ValueError(
                f"truncation must be None for a Uniform prior, which has no tails to cut. Received: {truncation!r}."
            )
        return self.low + (self.high - self.low) * uniform

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="keras_gan")
class Categorical(Prior):
    """One-hot vectors, each class as likely as the others: a categorical code.

    Truncation does not change them: they have no tails.

    Args:
        num_classes: Int > 0, the size of one latent.

    Example:

    ```python
    prior = keras_gan.priors.Categorical(10)
    prior.sample(4, seed=0).shape  # (4, 10)
    prior.from_uniform(keras.ops.array([[0.25]]))  # [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    ```
    """

    def __init__(self, num_classes):
        super().__init__(check_integer("num_classes", num_classes))
        self.num_uniforms = 1

    def from_uniform(self, uniform, truncation=None):
        return ops.one_hot(ops.cast(ops.floor(uniform[..., 0] * self.latent_dim), "int32"), self.latent_dim)

    def get_config(self):
        return {"num_classes": self.latent_dim}


@keras.saving.register_keras_serializable(package="keras_gan")
class Mixture(Prior):
    """Mixture of normal modes of equal weight and width, for clustered data.

    A truncation bounds, in each dimension, how many standard deviations a latent lies from the center of its own mode.

    Args:
        centers: Array `(num_modes, latent_dim)`, the mean of each mode; `circle` makes a common arrangement.
        stddev: Float > 0, of each number within a mode. Defaults to `1.0`.

    Example:

    ```python
    prior = keras_gan.priors.Mixture(keras_gan.priors.circle(10, latent_dim=64, radius=4.0), stddev=0.5)
    prior.centers.shape  # (10, 64)
    prior.sample(4, seed=0).shape  # (4, 64)
    ```

    Reference:
        [Ben-Yosef and Weinshall, 2018](https://arxiv.org/abs/1808.10356)
    """

    def __init__(self, centers, stddev=1.0):
        self.centers = check_points("centers", centers, "latent_dim")
        super().__init__(self.centers.shape[1])
        self.stddev = check_number("stddev", stddev, 0, open_low=True)
        self.num_uniforms = 1 + self.latent_dim

    def from_uniform(self, uniform, truncation=None):
        mode = ops.cast(ops.floor(uniform[..., 0] * len(self.centers)), "int32")
        return ops.take(self.centers, mode, axis=0) + self.stddev * _standard_normal(uniform[..., 1:], truncation)

    def get_config(self):
        return {"centers": self.centers.tolist(), "stddev": self.stddev}


@keras.saving.register_keras_serializable(package="keras_gan")
class Concatenated(Prior):
    """Concatenation of independent noise vectors, each from its own prior, for a generator with one input.

    Args:
        priors: List of `Prior`. The size of one latent is the sum of theirs.

    Example:

    ```python
    prior = keras_gan.priors.Concatenated([keras_gan.priors.Normal(62), keras_gan.priors.Uniform(2)])
    prior.latent_dim  # 64
    prior.sample(4, seed=0).shape  # (4, 64)
    ```
    """

    def __init__(self, priors):
        priors = list(priors)
        if not priors or not all(isinstance(prior, Prior) for prior in priors):
            raise ValueError(f"priors must be a list of at least one keras_gan.priors.Prior. Received: {priors!r}.")
        super().__init__(sum(prior.latent_dim for prior in priors))
        self.priors = priors
        self.num_uniforms = sum(prior.num_uniforms for prior in priors)

    def from_uniform(self, uniform, truncation=None):
        ends = np.cumsum([prior.num_uniforms for prior in self.priors])
        parts = ops.split(uniform, ends[:-1].tolist(), axis=-1)
        return ops.concatenate(
            [p.from_uniform(u, truncation) for p, u in zip(self.priors, parts, strict=True)], axis=-1
        )

    def get_config(self):
        return {"priors": [keras.saving.serialize_keras_object(prior) for prior in self.priors]}

    @classmethod
    def from_config(cls, config):
        return cls([keras.saving.deserialize_keras_object(prior) for prior in config["priors"]])


def circle(num_modes, latent_dim, radius=1.0):
    """Returns centers for a `Mixture`, evenly spread on a circle in the first two dimensions and 0 in the others.

    Args:
        num_modes: Int > 0.
        latent_dim: Int > 1: the plane of the circle has two dimensions.
        radius: Float. Defaults to `1.0`. Neighbors lie `2 * radius * sin(pi / num_modes)` apart.

    Returns:
        NumPy array `(num_modes, latent_dim)`, float32.

    Raises:
        ValueError: If there is no mode, a latent has less than two dimensions, or `radius` is not a finite number.

    Example:

    ```python
    centers = keras_gan.priors.circle(4, latent_dim=3, radius=2.0)
    centers.shape  # (4, 3)
    centers[1]  # [0.0, 2.0, 0.0]
    ```
    """
    num_modes, latent_dim = check_integer("num_modes", num_modes), check_integer("latent_dim", latent_dim, 2)
    radius = check_number("radius", radius)
    angle = 2 * np.pi * np.arange(num_modes) / num_modes
    centers = np.zeros((num_modes, latent_dim), "float32")
    centers[:, :2] = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centers


def _standard_normal(uniform, truncation):
    bound = math.inf if truncation is None else float(truncation)
    centered = ops.clip(2 * uniform - 1, -_BELOW_ONE, _BELOW_ONE)
    z = math.sqrt(2) * _erfinv(math.erf(bound / math.sqrt(2)) * centered)
    return ops.clip(z, -bound, bound)


# Coefficients of Giles, 2010, "Approximating the erfinv function": near the middle and in the tails.
_ERFINV_MIDDLE = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_ERFINV_TAILS = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)


def _erfinv(x):
    """Computes `ops.erfinv` to the precision of float32, with operations that phones have."""
    w = -ops.log((1 - x) * (1 + x))
    middle = _polynomial(_ERFINV_MIDDLE, w - 2.5)
    tails = _polynomial(_ERFINV_TAILS, ops.sqrt(w) - 3)
    return x * ops.where(w < 5, middle, tails)


def _polynomial(coefficients, x):
    y = coefficients[0]
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y
