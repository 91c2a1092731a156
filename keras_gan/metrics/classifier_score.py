"""The classes that a classifier finds in samples, and the classifier score (the Inception Score if the classifier is
Inception)."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_gan.metrics.accumulators import Sum
from keras_gan.metrics.base import FeatureMetric

_BATCH = 250


@keras.saving.register_keras_serializable(package="keras_gan")
class ClassifierScore(FeatureMetric):
    """Certainty of a classifier about each generated example, and evenness of the classes it finds. Higher is better.

    `exp(mean_i KL(p(y | x_i) || p(y)))`, with `p(y)` the mean of `p(y | x_i)`: between 1 and the number of classes. It
    uses only generated examples, as one set and not in the ten splits of the paper. It streams: memory depends only on
    the number of classes.

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
        ValueError: From `result()`, if `features` does not return probabilities.

    Example:

    ```python
    # Like the output of a classifier with 5 classes that is certain of each example and finds all classes.
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
        _check_probabilities(f"features of {self.name}", p)
        return [np.exp(self._negative_entropy.value() / n - np.sum(p * np.log(np.where(p > 0, p, 1))))]


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes that a classifier finds in images.

    Attributes:
        probabilities: NumPy array `(images, classes)`, float32.

    Example:

    ```python
    found = keras_gan.metrics.Classes(np.array([[0.8, 0.1, 0.1], [0.3, 0.1, 0.6]]))
    found.labels  # [0, 2]
    found.confidences  # [0.8, 0.6]
    found.shares  # [0.5, 0.0, 0.5]
    ```
    """

    probabilities: np.ndarray

    @property
    def labels(self):
        """NumPy array `(images,)`, int64, the most probable class of each image."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self):
        """NumPy array `(images,)`, float32, the probability of that class."""
        return self.probabilities.max(axis=1)

    @property
    def shares(self):
        """NumPy array `(classes,)`, float64, the share of the images that are most probably of each class."""
        return np.bincount(self.labels, minlength=self.probabilities.shape[1]) / len(self.probabilities)


def classify(classifier, images):
    """Finds the classes of images, such as samples, by a classifier of real ones.

    This tells which classes a GAN makes, how clearly, and if a sample is of the class that was asked for. The answers
    are as good as the classifier: compare its answers for held-out real images with their labels.

    Args:
        classifier: Keras model or function from images `(batch, ...)` to probabilities `(batch, classes)`, or to a dict
            with `"probabilities"`, such as `keras_gan.metrics.features.classifier`.
        images: Array `(images, ...)`, at least one; for that classifier in [-1, 1].

    Returns:
        `Classes`.

    Raises:
        TypeError: If `classifier` can't be called.
        ValueError: If there are no images, or the classifier does not return probabilities.

    Example:

    ```python
    images = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1))
    labels = np.arange(64) % 2
    images[labels == 1] *= 0.1
    dataset = [(images, labels)]
    classifier = keras_gan.metrics.features.classifier(dataset, epochs=10)
    found = keras_gan.metrics.classify(classifier, images)  # or gan.sample(1000)
    found.shares.shape  # (2,)
    accuracy = np.mean(found.labels == labels)
    ```
    """
    metric = ClassifierScore(classifier, name="classify")
    parts = [metric.features_of(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)]
    if not parts:
        raise ValueError("images must hold at least one image. Received: none.")
    probabilities = np.concatenate(parts)
    _check_probabilities("classifier", probabilities.mean(axis=0, dtype="float64"))
    return Classes(probabilities)


def _check_probabilities(name, mean):
    """Raises a ValueError unless a mean `(classes,)` can be that of probabilities."""
    if not abs(mean.sum() - 1) < 1e-3 or mean.min() < 0:
        raise ValueError(
            f"{name} must return probabilities, which are not negative and sum to 1, or a dict with 'probabilities'. "
            f"Received: class means with the sum {mean.sum():.4g} and the minimum {mean.min():.4g}. End the "
            "classifier in a softmax."
        )
