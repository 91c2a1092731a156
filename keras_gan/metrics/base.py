"""Base classes of metrics, also for custom ones."""

import contextvars
import inspect
import math
import re

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_integer
from keras_gan.metrics.accumulators import Buffer

# Within `update`, the features extracted from the batch, and the range of the data. Thread-local: each replica is
# traced in its own thread.
_batch = contextvars.ContextVar("batch", default=None)


def update(metrics, real, fake, data_range=None):
    """Updates metrics with one batch. Metrics with the same features object extract features once.

    Args:
        metrics: List of `keras.metrics.Metric` whose `update_state` takes `(real, fake)`.
        real: Tensor of data `(batch, ...)`.
        fake: Tensor of generated data, of the same shape.
        data_range: Pair of numbers, the range of the data. Features with a `data_range` get the data mapped to
            that range. Defaults to None, not known: features get the data unchanged.
    """
    token = _batch.set(({}, data_range))
    try:
        for metric in metrics:
            metric.update_state(real, fake)
    finally:
        _batch.reset(token)


def _extract(features, data):
    if _batch.get() is None:
        return features(data)
    found, data_range = _batch.get()
    key = id(features), id(data)
    if key not in found:
        # Keeps the data, so that no other tensor gets their id meanwhile.
        found[key] = data, features(_rescale(data, data_range, getattr(features, "data_range", None)))
    return found[key][1]


def in_range(data, expected):
    """Maps data to the expected range `(low, high)`: from the range passed to `update`, or from [-1, 1] if it is not
    known."""
    return _rescale(data, (_batch.get() or (None, None))[1] or (-1, 1), expected)


def _rescale(data, data_range, expected):
    if data_range is None or expected is None or tuple(data_range) == tuple(expected):
        return data
    (low, high), (expected_low, expected_high) = data_range, expected
    return (data - low) * ((expected_high - expected_low) / (high - low)) + expected_low


class FeatureMetric(keras.metrics.Metric):
    """Base class of metrics that compare features of real and of generated data.

    A subclass names its results in `values`, makes its variables in `create_variables`, updates them in `accumulate`
    and computes in `compute`. For metrics that need all examples at once, see `BufferedMetric`.

    Attributes:
        values: Tuple of strings, the names of the results. A single one is returned as a float under the metric's own
            name, several as a dict. In the dict, a custom `name` and an underscore come before each key. If `name` is
            the default name plus a suffix, such as `kernel_distance_b`, only the suffix is added to each key.
        directions: Tuple of `"min"`, `"max"` or None for each of `values`, which way is better: callbacks such as
            `keras.callbacks.EarlyStopping` then need no `mode`. Defaults to none.
        output: String, which of several outputs of `features` to take. Defaults to `"features"`.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict of them;
            None for the raw data. If `features` has an attribute `data_range`, such as `(-1, 1)`, a GAN with another
            output range maps its data to that range first. `features` is saved with the metric, and with a GAN that has
            the metric in `compile`. To be loaded again, a function must be registered with
            `keras.saving.register_keras_serializable`; a lambda can't be loaded.
        name: String.
        dtype: As for any `keras.metrics.Metric`.

    Raises:
        TypeError: If `features` can't be called.

    Example:

    ```python
    import keras
    import numpy as np
    from keras import ops

    import keras_gan


    @keras.saving.register_keras_serializable()
    class MeanDistance(keras_gan.metrics.FeatureMetric):
        # How far the mean of generated features lies from that of real ones.

        values = ("mean_distance",)
        directions = ("min",)

        def create_variables(self, size):
            self.count = self.add_weight((), "zeros", name="count")
            self.sums = self.add_weight((2, size), "zeros", name="sums")

        def accumulate(self, real, fake):
            self.count.assign_add(ops.cast(ops.shape(real)[0], "float32"))
            self.sums.assign_add(ops.stack([ops.sum(self.extract(x), axis=0) for x in (real, fake)]))

        def compute(self):
            count = float(ops.convert_to_numpy(self.count))
            if count == 0:
                return None
            real, fake = ops.convert_to_numpy(self.sums) / count
            self.check_finite(real, fake)
            return [np.linalg.norm(real - fake)]


    metric = MeanDistance(name="mean_distance")
    metric.update_state(np.zeros((4, 2)), np.full((4, 2), [3.0, 4.0]))
    metric.result()  # 5.0
    ```
    """

    values = ()
    directions = ()
    output = "features"

    def __init__(self, features=None, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        if isinstance(features, (str, type)) or not (features is None or callable(features)):
            raise TypeError(
                "features must be a Keras model or a function of data, such as "
                f"keras_gan.metrics.features.inception_v3(), or None. Received: {features!r}."
            )
        self.features = features
        self._size = None

    @property
    def result_names(self):
        """Tuple of strings, the names that results are logged under."""
        if len(self.values) == 1:
            return (self.name,)
        default = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        if f"{self.name}_".startswith(f"{default}_"):
            return tuple(value + self.name.removeprefix(default) for value in self.values)
        return tuple(f"{self.name}_{value}" for value in self.values)

    def build(self, data_shape):
        """Makes the variables. `GAN.compile` calls it, since variables can't be made in compiled code.

        Args:
            data_shape: Tuple, the shape of one example.

        Raises:
            ValueError: If the features don't accept such data, or the metric was built for other features.
        """
        try:
            found = self._call(ops.zeros((1, *data_shape)))
        except Exception as error:
            raise ValueError(
                f"features of {self.name} must take data of shape {(None, *data_shape)}. Received: {self.features!r}, "
                f"which fails on such data: {error}"
            ) from error
        size = math.prod(self._pick(found).shape[1:])
        if self._size is None:
            self.create_variables(size)
            self._size = size
        if size != self._size:
            raise ValueError(
                f"{self.name} was built for data with {self._size} features per example. Received: {size}. "
                "Create a separate metric for each kind of data."
            )

    def create_variables(self, size):
        """Makes the variables, with `add_weight`. Under `tf.distribute` they are summed over the replicas.

        Args:
            size: Int, how many features an example has.
        """
        raise NotImplementedError

    def accumulate(self, real, fake):
        """Accumulates a batch. Runs in compiled code.

        Args:
            real: Tensor of data `(batch, ...)`; `extract` gives its features.
            fake: Tensor of generated data, of the same shape.
        """
        raise NotImplementedError

    def compute(self):
        """Computes the results from the variables. Runs once, on the host, and may use NumPy.

        Returns:
            Sequence of floats, one for each of `values`; None before the first batch, which gives NaN.
        """
        raise NotImplementedError

    def extract(self, data):
        """Returns the features of data, float32 `(batch, size)`."""
        found = ops.cast(self._pick(self._call(data)), "float32")
        return ops.reshape(found, (ops.shape(found)[0], self._size))

    def features_of(self, data):
        """Returns the features of data outside compiled code, a NumPy array `(batch, size)`, float32."""
        return ops.convert_to_numpy(ops.cast(self._pick(self._call(data)), "float32")).reshape(len(data), -1)

    def _call(self, data):
        return data if self.features is None else _extract(self.features, data)

    def _pick(self, found):
        if not isinstance(found, dict):
            return found
        if self.output not in found:
            raise ValueError(
                f"features of {self.name} must return {self.output!r}, as keras_gan.metrics.features.classifier does. "
                f"Received: {self.features!r}, which returns {', '.join(map(repr, found))}."
            )
        return found[self.output]

    def update_state(self, real, fake):
        """Accumulates a batch.

        Args:
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of generated data, of the same shape.
        """
        if self._size is None:
            self.build(tuple(fake.shape[1:]))
        self.accumulate(real, fake)

    def result(self):
        """Returns the results: a float, or a dict of floats. NaN before the first batch.

        Raises:
            ValueError: If features are not finite, or too few.
        """
        found = None if self._size is None else self.compute()
        if found is None:
            found = [math.nan] * len(self.values)
        if len(self.values) == 1:
            return float(found[0])
        return dict(zip(self.result_names, map(float, found), strict=True))

    def check_finite(self, real, fake):
        """Raises a ValueError unless both arrays are finite."""
        for side, values in {"real": real, "generated": fake}.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{self.name} needs finite features. Received: NaN or infinite features of {side} examples. "
                    "Check that the examples are finite, and in the range that `features` expects."
                )

    def get_config(self):
        # Unserialized, so that Keras knows at loading which metrics share a model.
        return {**super().get_config(), "features": self.features}

    @classmethod
    def from_config(cls, config):
        features = config["features"]
        if isinstance(features, dict):
            features = keras.saving.deserialize_keras_object(features)
        return cls(**{**config, "features": features})


class BufferedMetric(FeatureMetric):
    """Base class of metrics that need all examples at once. They keep the first `max_examples`.

    A subclass names its results in `values`, and computes in `compare`.

    Args:
        features: As for `FeatureMetric`. Defaults to None, the raw data.
        max_examples: Int >= `fewest`, how many examples to keep of each kind. Defaults to `10000`.
        fewest: Int > 0, how many `compare` needs. Defaults to `1`.
        name: String.
        dtype: As for any `keras.metrics.Metric`.

    Raises:
        TypeError: If `features` can't be called.
        ValueError: If a number is out of range.

    Example:

    ```python
    import keras
    import numpy as np

    import keras_gan


    @keras.saving.register_keras_serializable()
    class MedianDistance(keras_gan.metrics.BufferedMetric):
        # How far the median of generated features lies from that of real ones.

        values = ("median_distance",)
        directions = ("min",)

        def compare(self, real, fake):
            return [np.linalg.norm(np.median(real, axis=0) - np.median(fake, axis=0))]


    metric = MedianDistance(max_examples=5000, name="median_distance")
    metric.update_state(np.zeros((4, 2)), np.full((4, 2), [3.0, 4.0]))
    metric.result()  # 5.0
    ```
    """

    def __init__(self, features=None, max_examples=10_000, fewest=1, name=None, dtype=None):
        super().__init__(features, name, dtype)
        self.fewest = check_integer("fewest", fewest)
        self.max_examples = check_integer("max_examples", max_examples)
        if self.max_examples < self.fewest:
            raise ValueError(
                f"max_examples must be at least {fewest}, the fewest that {self.name} can compare. "
                f"Received: {max_examples}."
            )

    def compare(self, real, fake):
        """Computes the results. Runs once, on the host.

        Args:
            real: NumPy array `(n, size)`, float64, the features of the first real examples, all finite.
            fake: NumPy array `(m, size)`, float64, those of the generated ones.

        Returns:
            Sequence of floats, one for each of `values`.
        """
        raise NotImplementedError

    def create_variables(self, size):
        self._real = Buffer(self, self.max_examples, size, "real")
        self._fake = Buffer(self, self.max_examples, size, "fake")

    def accumulate(self, real, fake):
        self._real.add(self.extract(real))
        self._fake.add(self.extract(fake))

    def compute(self):
        real, fake = self._real.value(), self._fake.value()
        n = min(len(real), len(fake))
        if n == 0:
            return None
        if n < self.fewest:
            raise ValueError(
                f"{self.name} needs at least {self.fewest} examples of each kind. Received: {n}. Give more."
            )
        self.check_finite(real, fake)
        return self.compare(real, fake)

    def get_config(self):
        config = {**super().get_config(), "max_examples": self.max_examples}
        # A subclass whose constructor has no `fewest` sets it itself.
        if "fewest" in inspect.signature(type(self)).parameters:
            config["fewest"] = self.fewest
        return config
