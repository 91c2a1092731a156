"""The kernel distance: KID, if the features are Inception's."""

import keras
import numpy as np

from keras_gan.metrics.base import BufferedMetric

_BLOCK = 1000


@keras.saving.register_keras_serializable(package="keras_gan")
class KernelDistance(BufferedMetric):
    """Unbiased squared maximum mean discrepancy of real and generated features. Lower is better.

    `mean_(i != j) k(x_i, x_j) + mean_(i != j) k(y_i, y_j) - 2 mean_(i, j) k(x_i, y_j)`, with the kernel
    `k(a, b) = (a . b / features + 1)^3`.

    Its mean is zero for a perfect generator, for any number of examples, so that a value may be negative. The standard
    error is that of a U-statistic, with the first-order and the second-order term of its variance, so that it is also
    valid near zero.

    It needs all examples at once. Only the first `max_examples` real and generated examples are kept. They need
    `8 * max_examples * features` bytes, under `tf.distribute` on every replica. Time grows with the square of the
    number that is kept.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        max_examples: Int > 1, how many examples to compare. Defaults to `10000`.
        name: String. Defaults to `"kernel_distance"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.

    Returns:
        From `result()`: dict of the floats `kernel_distance` and `kernel_distance_error`; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If `max_examples` is out of range; from `result()`, if there are fewer than 2 examples of
            each kind or features are not finite.

    Example:

    ```python
    metric = keras_gan.metrics.KernelDistance()
    # The kernel is 1 for two zeros, 8 for two ones, and 1 for one of each.
    metric.update_state(np.zeros((2, 1)), np.ones((2, 1)))
    metric.result()  # {"kernel_distance": 7.0, "kernel_distance_error": 0.0}
    ```

    Reference:
        - [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401): KID; it averages over random subsets
        - [Gretton et al., 2012](https://jmlr.org/papers/v13/gretton12a.html), the estimator (equation 3)
    """

    values = ("kernel_distance", "kernel_distance_error")
    directions = ("min", None)

    def __init__(self, features=None, max_examples=10_000, name="kernel_distance", dtype=None):
        super().__init__(features, max_examples, 2, name, dtype)

    def compare(self, real, fake):
        xx, yy, xy = _Kernel(real, real), _Kernel(fake, fake), _Kernel(real, fake)
        distance = xx.mean + yy.mean - 2 * xy.mean
        # The variance of a U-statistic is the sum of a first-order term, of single examples, and a second-order term,
        # of pairs. If the distributions are equal, only the term of pairs remains. `singles` estimates the first-order
        # term plus twice the term of pairs.
        n, m = len(real), len(fake)
        singles = 4 * np.var(xx.rows - xy.rows, ddof=1) / n + 4 * np.var(yy.rows - xy.columns, ddof=1) / m
        pairs = 2 * xx.pairs / n**2 + 2 * yy.pairs / m**2 + 4 * xy.pairs / (n * m)
        return distance, np.sqrt(max(singles - pairs, pairs))


class _Kernel:
    """Means of `k(a_i, b_j)`; without those of an example and itself, if `a` is `b`.

    Attributes:
        rows: Array, the mean over `j` for each `i`.
        columns: Array, the mean over `i` for each `j`.
        mean: Float, the mean over all.
        pairs: Float, the variance that rows and columns don't explain.
    """

    def __init__(self, a, b):
        rows, columns, squares = np.empty(len(a)), np.zeros(len(b)), 0.0
        for i in range(0, len(a), _BLOCK):
            part = slice(i, i + _BLOCK)
            k = (a[part] @ b.T / a.shape[1] + 1) ** 3
            if a is b:
                own = np.arange(len(k))
                k[own, own + i] = 0.0
            rows[part] = k.sum(1)
            columns += k.sum(0)
            squares += np.square(k).sum()
        left_out = 1 if a is b else 0
        self.rows, self.columns = rows / (len(b) - left_out), columns / (len(a) - left_out)
        self.mean = self.rows.mean()
        mean_square = squares / (len(a) * (len(b) - left_out))
        explained = np.square(self.rows).mean() + np.square(self.columns).mean() - self.mean**2
        self.pairs = max(mean_square - explained, 0.0)
