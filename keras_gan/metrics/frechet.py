"""The Frechet distance: FID, if the features are Inception's."""

import keras
import numpy as np
from keras import ops

from keras_gan.metrics.accumulators import Sum
from keras_gan.metrics.base import FeatureMetric

LARGEST = 8192
_HALF = {"float64": "float32", "float32": "bfloat16"}


@keras.saving.register_keras_serializable(package="keras_gan")
class FrechetDistance(FeatureMetric):
    """Frechet distance of real and generated features, both modeled as normal distributions. Lower is better.

    `||m_r - m_f||^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))`, with means `m` and covariances `C`, normalized by `n - 1`.

    It streams: memory depends only on the number of features, `16 * features^2` bytes. With few examples, the estimate
    is biased upward. So compare only values from the same number of examples, at least 10,000 for 2,048 features. With
    fewer examples than features, the value is finite, but mostly bias. Sums have the precision of float64 on every
    backend.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        name: String. Defaults to `"frechet_distance"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: float >= 0; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If there are over 8,192 features, or, from `result()`, features that are not finite.

    Example:

    ```python
    real = np.random.normal(size=(1000, 2))
    metric = keras_gan.metrics.FrechetDistance()
    metric.update_state(real, real + [3.0, 4.0])
    metric.result()  # 25.0

    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(8,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(8,)),
    )
    # For images: FrechetDistance(keras_gan.metrics.features.classifier("digits")), or other features.
    gan.compile(metrics=[keras_gan.metrics.FrechetDistance()])
    gan.evaluate(real)  # or fit(..., validation_data=real), which logs val_frechet_distance
    ```

    Reference:
        - [Heusel et al., 2017](https://arxiv.org/abs/1706.08500)
        - [Chong and Forsyth, 2020](https://arxiv.org/abs/1911.07023), the bias
    """

    values = ("frechet_distance",)
    directions = ("min",)

    def __init__(self, features=None, name="frechet_distance", dtype=None):
        super().__init__(features, name, dtype)

    def create_variables(self, size):
        if size > LARGEST:
            raise ValueError(
                f"{self.name} takes at most {LARGEST} features, whose covariances fill 1 GB. Received: {size}. "
                "Pass a model with fewer outputs as features."
            )
        self._real, self._fake = _Moments(self, size, "real"), _Moments(self, size, "fake")

    def accumulate(self, real, fake):
        self._real.add(self.extract(real))
        self._fake.add(self.extract(fake))

    def compute(self):
        if not (self._real.n and self._fake.n):
            return None
        real, fake = self._real.value(), self._fake.value()
        self.check_finite(real[1], fake[1])
        return [frechet_distance(*real, *fake)]


class _Moments:
    """Running count, sum and outer products of features."""

    def __init__(self, metric, size, name):
        self._count = Sum(metric, (), f"{name}_count")
        self._sum = Sum(metric, (size,), f"{name}_sum")
        self._outer = Sum(metric, (size, size), f"{name}_outer")

    def add(self, x):
        # Products take most of the time, so they are float32. They are centered on the batch's mean, which avoids
        # cancellation, the loss of digits in small differences of large numbers. The mean is rounded to half the digits
        # of the sums, so its own products are exact. `rest` is the sum of what the rounding leaves over; the two rows
        # appended to the batch add its products with the mean.
        wide = self._sum.dtype
        n = ops.shape(x)[0]
        center = ops.cast(ops.sum(x, axis=0) / ops.maximum(ops.cast(n, x.dtype), 1), _HALF[wide])
        m = ops.cast(center, x.dtype)
        left = x - m
        rest = ops.sum(left, axis=0)
        products = ops.matmul(
            ops.transpose(ops.concatenate([left, m[None], rest[None]])),
            ops.concatenate([left, rest[None], m[None]]),
        )
        center = ops.cast(center, wide)
        scaled = center * ops.cast(n, wide)
        self._count.add(n)
        self._sum.add(rest, scaled)
        self._outer.add(products, scaled[:, None] * center)

    @property
    def n(self):
        return float(self._count.value())

    def value(self):
        """Returns mean and covariance, float64."""
        n, total = self.n, self._sum.value()
        mean = total / n
        return mean, (self._outer.value() - np.outer(total, mean)) / max(n - 1, 1)


def frechet_distance(mean1, covariance1, mean2, covariance2):
    """Computes `||m1 - m2||^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))` for NumPy arrays `(n,)` and `(n, n)`, a float.

    `C1 C2` has the same nonzero eigenvalues as the symmetric matrix `R^T C2 R`, for any `R` with `R R^T = C1`, so no
    matrix root of a product is needed.
    """
    root = _factor(covariance1)
    cross = np.sqrt(np.linalg.eigvalsh(root.T @ covariance2 @ root).clip(0)).sum()
    distance = np.square(mean1 - mean2).sum() + np.trace(covariance1) + np.trace(covariance2) - 2 * cross
    return max(float(distance), 0.0)


def _factor(covariance):
    """Returns a matrix `R` with `R R^T = covariance`: square, or with fewer columns if the covariance is singular."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # Too few examples, or features that don't vary: it is singular.
        values, vectors = np.linalg.eigh(covariance)
        # Below the rounding of float32 products there is only noise.
        kept = values > 1e-7 * values.max()
        return vectors[:, kept] * np.sqrt(values[kept])
