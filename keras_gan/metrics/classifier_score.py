"""The score of a classifier: the Inception Score, if the features are Inception's."""

import keras
import numpy as np
from keras import ops

from keras_gan.metrics.accumulators import Sum
from keras_gan.metrics.base import FeatureMetric


@keras.saving.register_keras_serializable(package="keras_gan")
class ClassifierScore(FeatureMetric):
    """Certainty of a classifier about each generated example, and evenness of its classes. Higher is better.

    `exp(mean_i KL(p(y | x_i) || p(y)))`, with `p(y)` the mean of `p(y | x_i)`: between 1 and the number of classes.
    It uses only generated examples, all at once and not in the ten splits of the paper. It streams: memory depends only
    on the number of classes.

    Args:
        features: Keras model or function from data `(batch, ...)` to probabilities `(batch, classes)`, or to a dict
            with `"probabilities"`, such as those of `keras_gan.metrics.features`. A function must be registered with
            `keras.saving.register_keras_serializable` to be loaded again.
        name: String. Defaults to `"classifier_score"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Not used.
        fake: Tensor of generated data `(batch, ...)`.

    Returns:
        From `result()`: float; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: From `result()`, if these are not probabilities.

    Example:

    ```python
    # As if of a classifier with 5 classes: it is certain of each example, and all classes are there.
    metric = keras_gan.metrics.ClassifierScore(keras.layers.Identity())
    probabilities = np.eye(5)
    metric.update_state(None, probabilities)
    metric.result()  # 5.0
    ```

    Reference:
        - [Salimans et al., 2016](https://arxiv.org/abs/1606.03498)
        - [Barratt and Sharma, 2018](https://arxiv.org/abs/1801.01973), its limitations
    """

    values = ("classifier_score",)
    directions = ("max",)
    output = "probabilities"

    def __init__(self, features, name="classifier_score", dtype=None):
        super().__init__(features, name, dtype)

    def create_variables(self, size):
        self._count = Sum(self, (), "count")
        self._classes = Sum(self, (size,), "classes")
        self._negative_entropy = Sum(self, (), "negative_entropy")

    def accumulate(self, real, fake):
        p = ops.cast(self.extract(fake), self._classes.dtype)
        self._count.add(ops.shape(p)[0])
        self._classes.add(ops.sum(p, axis=0))
        self._negative_entropy.add(ops.sum(p * ops.log(ops.where(p > 0, p, 1))))

    def compute(self):
        n = self._count.value()
        if n == 0:
            return None
        p = self._classes.value() / n
        if not abs(p.sum() - 1) < 1e-3 or p.min() < 0:
            raise ValueError(
                f"features of {self.name} must return probabilities, which are not negative and sum to 1, or a dict "
                f"with 'probabilities'. Received: a mean sum of {p.sum():.4g}. End the classifier in a softmax."
            )
        return [np.exp(self._negative_entropy.value() / n - np.sum(p * np.log(np.where(p > 0, p, 1))))]
