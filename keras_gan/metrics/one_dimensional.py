"""Distances of one-dimensional distributions, or of projections to one dimension."""

import keras
import numpy as np

from keras_gan.checks.values import check_integer
from keras_gan.metrics.base import BufferedMetric


@keras.saving.register_keras_serializable(package="keras_gan")
class SlicedWasserstein(BufferedMetric):
    """Mean Wasserstein-1 distance of real and generated features along random lines. Lower is better.

    `mean_u integral |F_u(t) - G_u(t)| dt`. `F_u` and `G_u` are the distribution functions of real and generated
    features, projected onto directions `u` that are drawn uniformly from the unit sphere. The result is in the units of
    the features. The directions are the same at each call. For data of one dimension it is the Wasserstein-1 distance
    itself.

    It needs all examples at once. The first `max_examples` of each kind are kept, on every replica under
    `tf.distribute`, in `8 * max_examples * features` bytes; later ones are left out.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        projections: Int > 0, how many lines. Defaults to `128`.
        max_examples: Int > 0, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"sliced_wasserstein"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: float >= 0; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If a number is not a positive integer; from `result()`, if features are not finite.

    Example:

    ```python
    real = np.random.normal(size=(100, 1))
    metric = keras_gan.metrics.SlicedWasserstein()
    metric.update_state(real, real + 3.0)
    metric.result()  # 3.0
    ```

    Reference:
        [Bonneel et al., 2015](https://doi.org/10.1007/s10851-014-0506-3)
    """

    values = ("sliced_wasserstein",)
    directions = ("min",)

    def __init__(self, features=None, projections=128, max_examples=10_000, name="sliced_wasserstein", dtype=None):
        super().__init__(features, max_examples, name=name, dtype=dtype)
        self.projections = check_integer("projections", projections)

    def compare(self, real, fake):
        directions = np.random.default_rng(0).normal(size=(real.shape[1], self.projections))
        directions /= np.linalg.norm(directions, axis=0)
        return [_over_columns(_wasserstein, real @ directions, fake @ directions)]

    def get_config(self):
        return {**super().get_config(), "projections": self.projections}


@keras.saving.register_keras_serializable(package="keras_gan")
class JensenShannon(BufferedMetric):
    """Jensen-Shannon divergence of histograms of real and generated data, in nats. Lower is better.

    `(KL(p || m) + KL(q || m)) / 2` with `m = (p + q) / 2`: between 0 and log 2 = 0.693. The bins are of equal width
    over the range of the real data, with one more on each side for values beyond it. Each column of data
    `(batch, columns)` is compared on its own, and the result is the mean over the columns.

    By chance, `n` examples of one and the same distribution have a divergence of about `bins / (4 * n)`.

    It needs all examples at once, since the bins depend on the real data. The first `max_examples` of each kind are
    kept, on every replica under `tf.distribute`; later ones are left out.

    Args:
        features: Keras model or function from data `(batch, ...)` to columns `(batch, columns)`, such as the mean
            brightness of images. A function must be registered with `keras.saving.register_keras_serializable` to be
            loaded again. Defaults to None, the raw data.
        bins: Int > 0, over the range of the real data. Defaults to `50`.
        max_examples: Int > 0, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"jensen_shannon"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch,)` or `(batch, columns)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: float in [0, log 2]; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If a number is not a positive integer; from `result()`, if data are not finite.

    Example:

    ```python
    real = np.array([0.0, 0.25, 0.75, 1.0])
    metric = keras_gan.metrics.JensenShannon(bins=2)
    metric.update_state(real, real / 4)  # real: half of the values in each bin; fake: all in the first bin
    metric.result()  # 0.2158
    ```

    Reference:
        [Lin, 1991](https://doi.org/10.1109/18.61115)
    """

    values = ("jensen_shannon",)
    directions = ("min",)

    def __init__(self, features=None, bins=50, max_examples=10_000, name="jensen_shannon", dtype=None):
        super().__init__(features, max_examples, name=name, dtype=dtype)
        self.bins = check_integer("bins", bins)

    def compare(self, real, fake):
        return [_over_columns(self._divergence, real, fake)]

    def _divergence(self, x, y):
        # The last edge lies just beyond the largest value, so that this value has a bin even if all values are equal.
        edges = np.unique(np.linspace(x.min(), np.nextafter(x.max(), np.inf), self.bins + 1))
        p, q = (np.bincount(np.searchsorted(edges, v, "right"), minlength=len(edges) + 1) / len(v) for v in (x, y))
        m = (p + q) / 2
        return sum(np.sum(v[v > 0] * np.log(v[v > 0] / m[v > 0])) for v in (p, q)) / 2

    def get_config(self):
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="keras_gan")
class KolmogorovSmirnov(BufferedMetric):
    """Largest difference of the distribution functions of real and generated data. Lower is better.

    `sup_t |F(t) - G(t)|`, with `F(t)` the share of real and `G(t)` that of generated values up to `t`: the
    two-sample Kolmogorov-Smirnov statistic, between 0 and 1. Each column of data `(batch, columns)` is compared on its
    own, and the result is the mean over the columns.

    By chance, `n` examples of one and the same distribution differ by about `1.23 / sqrt(n)`, and in one case of
    twenty by over `1.92 / sqrt(n)`.

    It needs all examples at once. The first `max_examples` of each kind are kept, on every replica under
    `tf.distribute`; later ones are left out.

    Args:
        features: Keras model or function from data `(batch, ...)` to columns `(batch, columns)`, such as the mean
            brightness of images. A function must be registered with `keras.saving.register_keras_serializable` to be
            loaded again. Defaults to None, the raw data.
        max_examples: Int > 0, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"kolmogorov_smirnov"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch,)` or `(batch, columns)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: float in [0, 1]; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If `max_examples` is not a positive integer; from `result()`, if data are not finite.

    Example:

    ```python
    real = np.array([0.0, 1.0, 2.0, 3.0])
    metric = keras_gan.metrics.KolmogorovSmirnov()
    metric.update_state(real, real + 2.0)  # up to t = 1: half of the real values, none of the generated ones
    metric.result()  # 0.5
    ```

    Reference:
        [Smirnov, 1948](https://doi.org/10.1214/aoms/1177730256)
    """

    values = ("kolmogorov_smirnov",)
    directions = ("min",)

    def __init__(self, features=None, max_examples=10_000, name="kolmogorov_smirnov", dtype=None):
        super().__init__(features, max_examples, name=name, dtype=dtype)

    def compare(self, real, fake):
        return [_over_columns(lambda x, y: np.abs(_difference(x, y)[1]).max(), real, fake)]


def _over_columns(distance, real, fake):
    return np.mean([distance(x, y) for x, y in zip(real.T, fake.T, strict=True)])


def _difference(x, y):
    """Returns all values of two samples in order, and the difference of their distribution functions there."""
    t = np.sort(np.concatenate([x, y]))
    f, g = (np.searchsorted(np.sort(v), t, "right") / len(v) for v in (x, y))
    return t, f - g


def _wasserstein(x, y):
    t, difference = _difference(x, y)
    return np.sum(np.abs(difference[:-1]) * np.diff(t))
