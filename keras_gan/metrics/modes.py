"""Coverage of the known modes of the data."""

import math

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_number, check_points
from keras_gan.metrics.accumulators import Sum
from keras_gan.metrics.base import FeatureMetric


@keras.saving.register_keras_serializable(package="keras_gan")
class ModeCoverage(FeatureMetric):
    """Number of known modes that samples reach, share of samples that lie in one, and evenness of their spread.

    A sample belongs to the mode whose center is nearest, and it is of high quality if it lies there:
    `||x - center|| < 3 * sigma`. Let `n_k` be the number of high-quality samples in mode `k`, `n` their total, and
    `p_k = n_k / n`. Then:

    - `modes`: number of modes with `n_k > 0`
    - `high_quality`: `n` divided by the number of samples
    - `reverse_kl`: `KL(p || uniform) = sum_k p_k log(p_k * num_modes)`, in nats, with `0 log 0 = 0`

    So the divergence stays finite if modes are missing. Its maximum is `log(num_modes)`, if all samples are in one mode
    or no sample is of high quality.

    A perfect sampler is not at the ends of these scales. For a 2-D normal mode, 98.9 % of the probability, or
    `1 - exp(-9 / 2)`, lies within 3 sigma. A much higher share of high-quality samples means that the generated modes
    are too narrow. And `n` samples have a divergence of about `(num_modes - 1) / (2 * n)` by chance: 0.005 for 2,500 in
    25 modes, 0.019 for 26,000 in 1,000.

    Only counts are kept: memory does not grow with the number of samples.

    Args:
        centers: Array `(num_modes, dim)`, where the modes are.
        sigma: Float > 0, the standard deviation of a mode in each dimension. Defaults to None, for use with a
            classifier as `features`, which assigns samples to modes: every finite sample then counts as high quality.
        features: Keras model or function from data `(batch, ...)` to points `(batch, dim)`, or to a dict with
            `"probabilities"`, such as `keras_gan.metrics.features.classifier`: with the unit vectors
            `numpy.eye(num_classes)` as `centers` each class is a mode. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again. Defaults to None, the raw data.
        name: String. Defaults to `"mode_coverage"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Not used: the centers stand for the data.
        fake: Tensor of samples `(batch, dim)`, or inputs of `features`.

    Returns:
        From `result()`: dict of the floats `modes`, `high_quality` and `reverse_kl`; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If `centers` or `sigma` is out of range, or the features have another size than the centers.

    Example:

    ```python
    ring = keras_gan.datasets.ring()
    coverage = keras_gan.metrics.ModeCoverage(ring.centers, ring.stddev)
    coverage.update_state(None, ring.sample(2500, seed=0))
    coverage.result()  # modes 8, high_quality about 0.989, reverse_kl about 0.001
    coverage.reset_state()
    coverage.update_state(None, ring.centers[:4])
    coverage.result()  # {"modes": 4.0, "high_quality": 1.0, "reverse_kl": 0.6931}
    ```

    Reference:
        - [Srivastava et al., 2017](https://arxiv.org/abs/1705.07761): VEEGAN, the protocol
        - [Lin et al., 2018](https://arxiv.org/abs/1712.04086): PacGAN, with the divergence
    """

    values = ("modes", "high_quality", "reverse_kl")
    directions = ("max", "max", "min")
    output = "probabilities"

    def __init__(self, centers, sigma=None, features=None, name="mode_coverage", dtype=None):
        super().__init__(features, name, dtype)
        self.centers = check_points("centers", centers, "dim")
        self.sigma = None if sigma is None else check_number("sigma", sigma, 0, open_low=True)

    def create_variables(self, size):
        if size != self.centers.shape[1]:
            raise ValueError(
                f"centers must have {size} numbers each, as many as the features of an example. Received: centers of "
                f"{self.centers.shape[1]}. For other data pass features, a function from them to points."
            )
        self._counts = Sum(self, (len(self.centers),), "counts")
        self._samples = Sum(self, (), "samples")

    def accumulate(self, real, fake):
        # Subtracts the mean of the centers, and finds the nearest center without squared distances: for narrow modes
        # far from the origin, squared distances would lose their digits to cancellation.
        origin = self.centers.mean(0, dtype="float64").astype("float32")
        # As tensors: torch warns if it gets a NumPy array together with one.
        origin, centers = ops.convert_to_tensor(origin), ops.convert_to_tensor(self.centers - origin)
        points = self.extract(fake) - origin
        nearness = 2 * ops.matmul(points, ops.transpose(centers)) - ops.sum(ops.square(centers), axis=1)
        mode = ops.argmax(nearness, axis=1)
        distance = ops.norm(points - ops.take(centers, mode, axis=0), axis=1)
        found = ops.cast(distance < (math.inf if self.sigma is None else 3 * self.sigma), "float32")
        self._counts.add(ops.segment_sum(found, mode, num_segments=len(self.centers)))
        self._samples.add(ops.shape(points)[0])

    def compute(self):
        counts, samples = self._counts.value(), self._samples.value()
        if samples == 0:
            return None
        found = counts.sum()
        share = counts[counts > 0] / max(found, 1)
        return len(share), found / samples, math.log(len(counts)) + float((share * np.log(share)).sum())

    def get_config(self):
        return {**super().get_config(), "centers": self.centers.tolist(), "sigma": self.sigma}
