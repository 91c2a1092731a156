"""Separate measures of fidelity and variety, from nearest neighbors in feature space."""

import keras
import numpy as np

from keras_gan.checks.values import check_integer
from keras_gan.metrics.base import BufferedMetric

_BLOCK = 1000


class _NeighborMetric(BufferedMetric):
    def __init__(self, features, neighbors, max_examples, name, dtype):
        neighbors = check_integer("neighbors", neighbors)
        super().__init__(features, max_examples, neighbors + 1, name, dtype)
        self.neighbors = neighbors

    def get_config(self):
        return {**super().get_config(), "neighbors": self.neighbors}


@keras.saving.register_keras_serializable(package="keras_gan")
class PrecisionRecall(_NeighborMetric):
    """Share of generated examples that look real, and of real ones that could be generated. Higher is better.

    Each example has a ball that reaches its `neighbors`-th nearest neighbor of the same kind.

    - `precision`: the share of generated examples within the ball of some real one
    - `recall`: the share of real examples within the ball of some generated one

    Two samples of one distribution do not score 1. They score about what two halves of `real` score when compared with
    each other.

    It needs all examples at once. The first `max_examples` of each kind are kept, on every replica under
    `tf.distribute`, in `8 * max_examples * features` bytes; later ones are left out. Time grows
    with the square of the number that is kept.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        neighbors: Int > 0, the rank of the neighbor. Defaults to `3`, as in the paper.
        max_examples: Int > `neighbors`, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"precision_recall"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: dict of the floats `precision` and `recall` in [0, 1]; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If a number is out of range; from `result()`, if there are no more than `neighbors` examples
            of each kind or features are not finite.

    Example:

    ```python
    # There are two clusters, and the generator draws one.
    real, fake = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([[-0.1], [0.1], [0.9], [1.1]])
    metric = keras_gan.metrics.PrecisionRecall(neighbors=1)
    metric.update_state(real, fake)
    metric.result()  # {"precision": 1.0, "recall": 0.5}
    ```

    Reference:
        [Kynkaanniemi et al., 2019](https://arxiv.org/abs/1904.06991)
    """

    values = ("precision", "recall")
    directions = ("max", "max")

    def __init__(self, features=None, neighbors=3, max_examples=10_000, name="precision_recall", dtype=None):
        super().__init__(features, neighbors, max_examples, name, dtype)

    def compare(self, real, fake):
        real, fake = center(real, fake)
        real_radii, fake_radii = _radii(real, self.neighbors), _radii(fake, self.neighbors)
        precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
        for part, distances in squared_distances(real, fake):
            precise |= (distances <= real_radii[part, None]).any(0)
            recalled[part] = (distances <= fake_radii).any(1)
        return precise.mean(), recalled.mean()


@keras.saving.register_keras_serializable(package="keras_gan")
class DensityCoverage(_NeighborMetric):
    """Density of generated examples among real ones, and share of reals with fakes nearby. Higher is better.

    Each real example has a ball that reaches its `neighbors`-th nearest real neighbor. Unlike in `PrecisionRecall`, an
    outlier among the generated examples widens no ball, and one among the reals counts little.

    - `density`: in how many balls a generated example lies, on average, divided by `neighbors`; 1 on average for a
      perfect generator, and more for one that prefers dense regions of the data
    - `coverage`: the share of balls with a generated example; `1 - 2^-neighbors` on average for a perfect generator

    It needs all examples at once. The first `max_examples` of each kind are kept, on every replica under
    `tf.distribute`, in `8 * max_examples * features` bytes; later ones are left out. Time grows
    with the square of the number that is kept.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        neighbors: Int > 0, the rank of the neighbor. Defaults to `5`, as in the paper.
        max_examples: Int > `neighbors`, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"density_coverage"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: dict of the floats `density` >= 0 and `coverage` in [0, 1]; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If a number is out of range; from `result()`, if there are no more than `neighbors` examples
            of each kind or features are not finite.

    Example:

    ```python
    # There are two clusters, and the generator draws one.
    real, fake = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([[-0.1], [0.1], [0.9], [1.1]])
    metric = keras_gan.metrics.DensityCoverage(neighbors=1)
    metric.update_state(real, fake)
    metric.result()  # {"density": 1.5, "coverage": 0.5}
    ```

    Reference:
        [Naeem et al., 2020](https://arxiv.org/abs/2002.09797)
    """

    values = ("density", "coverage")
    directions = ("max", "max")

    def __init__(self, features=None, neighbors=5, max_examples=10_000, name="density_coverage", dtype=None):
        super().__init__(features, neighbors, max_examples, name, dtype)

    def compare(self, real, fake):
        real, fake = center(real, fake)
        radii = _radii(real, self.neighbors)
        inside, covered = 0, 0
        for part, distances in squared_distances(real, fake):
            within = distances <= radii[part, None]
            inside += np.count_nonzero(within)
            covered += np.count_nonzero(within.any(1))
        return inside / (self.neighbors * len(fake)), covered / len(real)


def center(real, fake):
    """Subtracts the reals' mean from both, to avoid cancellation in the squared distances below."""
    mean = real.mean(0)
    return real - mean, fake - mean


def squared_distances(a, b):
    """Yields squared distances, a slice of `a` at a time."""
    squares = np.square(b).sum(1)
    for i in range(0, len(a), _BLOCK):
        part = a[i : i + _BLOCK]
        scale = np.square(part).sum(1)[:, None] + squares
        distances = scale - 2 * part @ b.T
        # Rounding must not separate equal examples.
        distances[distances < 1e-12 * scale] = 0.0
        yield slice(i, i + _BLOCK), distances


def _radii(x, k):
    """Returns the squared distance of each example to its k-th neighbor. The nearest is the example itself."""
    return np.concatenate([np.partition(distances, k, axis=1)[:, k] for _, distances in squared_distances(x, x)])
