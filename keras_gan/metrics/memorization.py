"""Detection of copies of training images."""

import typing

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_integer
from keras_gan.metrics.base import BufferedMetric, FeatureMetric
from keras_gan.metrics.neighbors import center, squared_distances
from keras_gan.metrics.reading import batches, read

_MOST = 10_000
_QUANTILE = 0.05


@keras.saving.register_keras_serializable(package="keras_gan")
class Memorization(BufferedMetric):
    """Share of generated images that are unusually close to a training image, compared with held-out real images. Lower
    is better.

    The distance of an image from the training set is the distance in feature space to the nearest training image.
    Mirrored training images count, too. A generated image counts if it is at most as far from the training set as the
    nearest 5 % of held-out images. These are the `real` of `update_state`; for a metric of `gan.compile`, they are the
    `validation_data` of `fit`. So a generator as good as the data scores 0.05, one that repeats training images scores
    1, and one that makes bad images may score 0. A generator of nearly uniform images may also score 1, since their
    features can lie near the mean of all features. To check, look at the training images that `nearest` finds.
    `keras_gan.callbacks.TrainingHealth` sounds an alarm above one half. With few held-out images the figure is rough:
    of a hundred, the nearest 5 % are five images.

    If there are over 10,000 training images, it uses 10,000, chosen by their hashes: copies of the others are not
    detected. Only their features are kept, `8 * images * features` bytes, in memory and in the file of a saved GAN. A
    loaded GAN thus needs no training images.

    Args:
        features: Keras model or function from images `(batch, height, width, channels)` to features `(batch, ...)`, or
            to a dict with `"features"`. Those of `keras_gan.metrics.features.self_supervised` ignore mirroring and
            noise. A function must be registered with `keras.saving.register_keras_serializable` to be loaded again.
        training_set: The images that the GAN learns from, in [-1, 1]: an array, a `tf.data.Dataset` of images, or of
            `(images, labels)`. Defaults to None, which only `load_model` uses: the features are then read from the
            file.
        max_examples: Int > 1, how many held-out and generated images to compare. Defaults to `10000`.
        name: String. Defaults to `"memorization"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of images `(batch, height, width, channels)` that the GAN does not learn from.
        fake: Tensor of generated images, of the same shape.

    Returns:
        From `result()`: float in [0, 1]; NaN before the first batch.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If `max_examples` is out of range or `training_set` does not give images in [-1, 1]; from
            `result()`, if there is no training set, or features are not finite.

    Example:

    ```python
    train, held_out = np.random.default_rng(0).uniform(-1, 1, (2, 100, 8, 8, 1))
    metric = keras_gan.metrics.Memorization(keras.layers.Flatten(), train)
    metric.update_state(held_out, train[::-1])  # copies
    metric.result()  # 1.0
    ```

    Reference:
        [Meehan et al., 2020](https://arxiv.org/abs/2004.05675): data copying, by distances to the training set
    """

    values = ("memorization",)
    directions = ("min",)

    def __init__(self, features, training_set=None, max_examples=10_000, name="memorization", dtype=None):
        super().__init__(features, max_examples, 2, name, dtype)
        # Not a variable, which would be reset with the metric.
        self._training = None
        if training_set is not None:
            found, *_ = read(
                "training_set", training_set, limit=_MOST, store=lambda images: _both_ways(features, images)
            )
            self._training = found.reshape(-1, found.shape[-1])
            self.check_finite(self._training, 0.0)

    def compare(self, real, fake):
        if self._training is None:
            raise ValueError(f"{self.name} needs a training_set, an argument of its constructor. Received: None.")
        real, fake = self._to_nearest(real), self._to_nearest(fake)
        return [np.mean(fake <= np.quantile(real, _QUANTILE))]

    def _to_nearest(self, x):
        # Centers both on one mean, and takes a slice at a time: both may be large.
        mean = self._training.mean(0, dtype="float64")
        return np.concatenate([d.min(1) for _, d in squared_distances(x - mean, self._training - mean)])

    def save_own_variables(self, store):
        if self._training is not None:
            store["training"] = self._training

    def load_own_variables(self, store):
        if "training" in store:
            self._training = np.asarray(store["training"])


class Neighbors(typing.NamedTuple):
    """The nearest training images of some samples, nearest first.

    Attributes:
        indices: NumPy array `(samples, n)`, int64: their positions in the training set.
        distances: NumPy array `(samples, n)`, float64, in units of the features.
        images: NumPy array `(samples, n, height, width, channels)`, float32.

    Example:

    ```python
    train = np.random.default_rng(0).uniform(-1, 1, (100, 8, 8, 1))
    found = keras_gan.metrics.nearest(keras.layers.Flatten(), train[:2], train, n=3)
    found.indices.shape  # (2, 3)
    found.distances.shape  # (2, 3)
    found.images.shape  # (2, 3, 8, 8, 1)
    ```
    """

    indices: np.ndarray
    distances: np.ndarray
    images: np.ndarray


def nearest(features, samples, training_set, n=1):
    """Finds the training images that are nearest to samples in feature space. Each training image is compared as it is
    and mirrored.

    It reads the training set once, a batch at a time: memory does not grow with it.

    Args:
        features: Keras model or function from images `(batch, height, width, channels)` to features `(batch, ...)`, or
            to a dict with `"features"`, such as `keras_gan.metrics.features.self_supervised`.
        samples: Array of images `(samples, height, width, channels)` in [-1, 1].
        training_set: Likewise, or a `tf.data.Dataset` of images, or of `(images, labels)`.
        n: Int > 0, how many for each sample. Defaults to `1`.

    Returns:
        `Neighbors`, a tuple of `indices`, `distances` and `images`.

    Raises:
        ValueError: If `n` is out of range, the images don't lie in [-1, 1], or the training set has fewer than `n`.

    Example:

    ```python
    train = np.random.default_rng(0).uniform(-1, 1, (100, 8, 8, 1))
    samples = 0.9 * train[[7, 42]]  # or gan.sample(2)
    found = keras_gan.metrics.nearest(keras.layers.Flatten(), samples, train)
    found.indices  # [[7], [42]]
    found.images.shape  # (2, 1, 8, 8, 1)
    pairs = keras_gan.images.side_by_side([samples, found.images[:, 0]])
    keras_gan.images.save("copies.png", keras_gan.images.grid(pairs))
    ```
    """
    n = check_integer("n", n)
    samples = ops.convert_to_numpy(samples).astype("float32")
    if samples.ndim != 4 or not np.abs(samples).max(initial=0) <= 1.001:
        raise ValueError(
            "samples must be images (samples, height, width, channels) in [-1, 1]. "
            f"Received: shape {samples.shape}, values up to {np.abs(samples).max(initial=0):g}."
        )
    targets = _both_ways(features, samples)[:, 0].astype("float64")
    seen = 0
    indices, squares = np.empty((len(samples), 0), "int64"), np.empty((len(samples), 0))
    found = np.empty((len(samples), 0, *samples.shape[1:]), "float32")
    for images, _ in batches("training_set", training_set):
        rows = _both_ways(features, images)
        new = np.minimum(*(_squares(targets, rows[:, way]) for way in range(2)))
        places = np.broadcast_to(seen + np.arange(len(images)), new.shape)
        indices, squares = np.concatenate([indices, places], axis=1), np.concatenate([squares, new], axis=1)
        best, had = np.argsort(squares, axis=1, kind="stable")[:, :n], found.shape[1]
        found = np.stack([[found[i, k] if k < had else images[k - had] for k in row] for i, row in enumerate(best)])
        indices, squares = (np.take_along_axis(column, best, axis=1) for column in (indices, squares))
        seen += len(images)
    if seen < n:
        raise ValueError(f"n must be at most the number of training images, {seen}. Received: {n}.")
    return Neighbors(indices, np.sqrt(squares), found)


def _both_ways(features, images):
    """Returns the features of images and of their mirror images, float32 `(batch, 2, size)`."""
    metric = FeatureMetric(features, name="nearest")
    return np.stack([metric.features_of(x) for x in (images, images[:, :, ::-1])], axis=1)


def _squares(a, b):
    return np.concatenate([squares for _, squares in squared_distances(*center(a, b))])
