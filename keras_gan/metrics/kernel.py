"""The kernel distance: KID, if the features are Inception's."""

import keras
import numpy as np

from keras_gan.metrics.base import BufferedMetric

_BLOCK = 1000


@keras.saving.register_keras_serializable(package="keras_gan")
class KernelDistance(BufferedMetric):
    """Squared maximum mean discrepancy of real and generated features, without bias. Lower is better.

    With the kernel `k(a, b) = (a . b / features + 1)^3` and `n` pairs `(x_i, y_i)`,

    `1 / (n (n - 1)) * sum_(i != j) [k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)]`

    Its mean is zero for a perfect generator, however few the examples, so that a value may be negative. The standard
    error is that of a U-statistic, of both orders: it holds near zero too.

    All examples must be there at once. The first `max_examples` of each kind are kept, on every replica under
    `tf.distribute`, in `8 * max_examples * features` bytes; later ones are left out. Time grows with their square.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict with
            `"features"`, such as those of `keras_gan.metrics.features`. Defaults to None, the data's own values.
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
        ValueError: If `max_examples` is no positive integer; from `result()`, if there are fewer than 2 examples of
            each kind or features are not finite.

    Reference:
        - [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401): KID; it averages over random subsets
        - [Gretton et al., 2012](https://jmlr.org/papers/v13/gretton12a.html), the estimator (lemma 6)
    """

    values = ("kernel_distance", "kernel_distance_error")

    def __init__(self, features=None, max_examples=10_000, name="kernel_distance", dtype=None):
        super().__init__(features, max_examples, 2, name, dtype)

    def compare(self, real, fake):
        n = min(len(real), len(fake))
        x, y = real[:n], fake[:n]
        sums, squares = np.empty(n), 0.0
        for i in range(0, n, _BLOCK):
            part = slice(i, i + _BLOCK)
            h = _kernel(x[part], x) + _kernel(y[part], y) - _kernel(x[part], y) - _kernel(y[part], x)
            rows = np.arange(len(h))
            h[rows, rows + i] = 0.0
            sums[part] = h.sum(1)
            squares += np.square(h).sum()
        pairs = n * (n - 1)
        distance = sums.sum() / pairs
        # The variance of a U-statistic has a term of the means over j, and one of single pairs, which is what is left
        # where both distributions are one. The variance of the means contains twice the latter.
        pairwise = 2 * (squares / pairs - distance**2) / pairs
        variance = 4 * np.var(sums / (n - 1), ddof=1) / n - pairwise
        return distance, np.sqrt(max(variance, pairwise))


def _kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3
