"""Sums and rows that metrics accumulate over batches, in variables that are summed over replicas."""

import warnings

import keras
import numpy as np
from keras import ops

from keras_gan import backend


def widest_float():
    """Returns `"float64"`, or `"float32"` on JAX unless float64 is enabled there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras.backend.standardize_dtype(ops.zeros((), "float64").dtype)


class Sum:
    """Sum over any number of batches, with the precision of float64 on every backend.

    Args:
        metric: `keras.metrics.Metric` that the variables belong to.
        shape: Tuple.
        name: String.
    """

    def __init__(self, metric, shape, name):
        self.dtype = widest_float()
        self._high = metric.add_weight(shape, "zeros", self.dtype, name)
        self._low = None
        if self.dtype == "float32":
            self._low = metric.add_weight(shape, "zeros", self.dtype, f"{name}_low")

    def add(self, *terms):
        high = self._high.value
        low = None if self._low is None else self._low.value
        for x in terms:
            x = ops.cast(x, self.dtype)
            total = high + x
            if low is not None:
                # Knuth's two-sum: the exact rounding error of this addition.
                part = total - high
                low = low + ((high - (total - part)) + (x - part))
            high = total
        self._high.assign(high)
        if low is not None:
            self._low.assign(low)

    def value(self):
        """Returns the sum so far, a float64 NumPy array."""
        variables = [self._high] if self._low is None else [self._high, self._low]
        return sum(np.asarray(ops.convert_to_numpy(v), "float64") for v in variables)


class Buffer:
    """Buffer of the first rows, up to a number.

    Args:
        metric: `keras.metrics.Metric` that the variables belong to.
        capacity: Int > 0, how many rows to keep.
        size: Int, the length of a row.
        name: String.
    """

    def __init__(self, metric, capacity, size, name):
        self.capacity = capacity
        # The last row takes the rows that no longer fit, since shapes are static.
        self._rows = metric.add_weight((capacity + 1, size), "zeros", "float32", f"{name}_rows")
        self._filled = metric.add_weight((capacity + 1,), "zeros", "float32", f"{name}_filled")
        self._count = metric.add_weight((), "zeros", "int32", f"{name}_count")

    def add(self, x):
        n = ops.shape(x)[0]
        # Replicas fill alternating rows and leave the others zero: the sum of their buffers holds the rows of all.
        replica, replicas = backend.replica()
        places = (self._count.value + ops.arange(n, dtype="int32")) * replicas + replica
        places = ops.minimum(places, self.capacity)
        backend.write_rows(self._rows, places, ops.cast(x, "float32"))
        backend.write_rows(self._filled, places, ops.ones((n,), "float32"))
        self._count.assign(self._count + n)

    def value(self):
        """Returns the rows so far, a float64 NumPy array `(n, size)`."""
        filled = np.asarray(ops.convert_to_numpy(self._filled))[:-1] > 0
        return np.asarray(ops.convert_to_numpy(self._rows))[:-1][filled].astype("float64")
