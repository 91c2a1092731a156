"""What all metrics of features share."""

import math

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_integer
from keras_gan.metrics.accumulators import Buffer


class FeatureMetric(keras.metrics.Metric):
    """Base of metrics that compare features of real and of generated data.

    A subclass names what `result` returns in `values`, makes its variables in `_create(size)`, fills them in
    `_add(real, fake)` and computes in `_evaluate()`, once, on the host.

    Args:
        features: Keras model or function from data `(batch, ...)` to features `(batch, ...)`, or to a dict of them;
            None for the data's own values. It is saved with the metric, and the GAN that this is compiled into: a
            function must be registered with `keras.saving.register_keras_serializable` to be loaded again, and a
            lambda can't be.
        name: String.
        dtype: As for any `keras.metrics.Metric`.
    """

    values = ()
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

    def build(self, data_shape):
        """Makes the variables. `GAN.compile` does this, since none can be made inside compiled code.

        Args:
            data_shape: Tuple, the shape of one example.

        Raises:
            ValueError: If the features don't take such data, or the metric was built for other features.
        """
        try:
            size = math.prod(self._call(ops.zeros((1, *data_shape))).shape[1:])
        except Exception as error:
            raise ValueError(
                f"features of {self.name} must take data of shape {(None, *data_shape)}. Received: {self.features!r}, "
                f"which fails on them: {error}"
            ) from error
        if self._size is None:
            self._create(size)
            self._size = size
        if size != self._size:
            raise ValueError(
                f"{self.name} was built for {self._size} features of an example and can't go on with {size}. "
                "Make a metric of its own for each kind of data."
            )

    def extract(self, data):
        """The features of data, float32 `(batch, size)`."""
        found = ops.cast(self._call(data), "float32")
        return ops.reshape(found, (ops.shape(found)[0], self._size))

    def _call(self, data):
        found = data if self.features is None else self.features(data)
        return found[self.output] if isinstance(found, dict) else found

    def update_state(self, real, fake):
        """Takes in a batch.

        Args:
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of generated data, of the same shape.
        """
        if self._size is None:
            self.build(tuple(fake.shape[1:]))
        self._add(real, fake)

    def result(self):
        """What the name says: a float, or a dict of floats. NaN before the first batch.

        Raises:
            ValueError: If features are not finite, or too few.
        """
        found = None if self._size is None else self._evaluate()
        if found is None:
            found = [math.nan] * len(self.values)
        return float(found[0]) if len(self.values) == 1 else dict(zip(self.values, map(float, found), strict=True))

    def check_finite(self, real, fake):
        """Raises a ValueError unless both arrays are finite."""
        for side, values in {"real": real, "generated": fake}.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{self.name} needs finite features. Received: NaN or infinite features of {side} examples."
                )

    def get_config(self):
        # As it is, for Keras to serialize: it then knows, when it loads, which metrics share one model.
        return {**super().get_config(), "features": self.features}

    @classmethod
    def from_config(cls, config):
        features = config["features"]
        if isinstance(features, dict):
            features = keras.saving.deserialize_keras_object(features)
        return cls(**{**config, "features": features})


class BufferedMetric(FeatureMetric):
    """Base of metrics that must see all examples at once, and keep the first of them.

    A subclass computes in `compare(real, fake)`, of float64 arrays `(n, size)` and `(m, size)`.

    Args:
        features: As for `FeatureMetric`.
        max_examples: Int >= `fewest`, how many examples to keep of each kind.
        fewest: Int > 0, how many `compare` needs.
        name: String.
        dtype: As for any `keras.metrics.Metric`.
    """

    def __init__(self, features, max_examples, fewest=1, name=None, dtype=None):
        super().__init__(features, name, dtype)
        self.fewest = check_integer("fewest", fewest)
        self.max_examples = check_integer("max_examples", max_examples)
        if self.max_examples < self.fewest:
            raise ValueError(
                f"max_examples must be at least {fewest}, the fewest that {self.name} can compare. "
                f"Received: {max_examples}."
            )

    def _create(self, size):
        self._real = Buffer(self, self.max_examples, size, "real")
        self._fake = Buffer(self, self.max_examples, size, "fake")

    def _add(self, real, fake):
        self._real.add(self.extract(real))
        self._fake.add(self.extract(fake))

    def _evaluate(self):
        real, fake = self._real.value(), self._fake.value()
        n = min(len(real), len(fake))
        if n == 0:
            return None
        if n < self.fewest:
            raise ValueError(f"{self.name} needs at least {self.fewest} examples of each kind. Received: {n}.")
        self.check_finite(real, fake)
        return self.compare(real, fake)

    def get_config(self):
        return {**super().get_config(), "max_examples": self.max_examples}
