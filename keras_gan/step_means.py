"""Means of what the steps of an epoch log."""

import keras
import numpy as np
from keras import ops


class StepMeans(keras.metrics.Metric):
    """Means of the logs of steps, each step weighted by its number of examples.

    All logs share two vectors. With a `keras.metrics.Mean` for each, the logs of a small model are a fifth of the
    operations of its step.

    Attributes:
        names: List of the logs' names, in order.
    """

    def __init__(self, names):
        super().__init__(name="step_means")
        self.names = list(names)
        self._total, self._count = (
            self.add_variable((len(self.names),), initializer="zeros", name=name) for name in ("total", "count")
        )

    def update_state(self, logs, n):
        """Adds the logs of a step.

        Args:
            logs: Dict from names to tensors. Names may be missing; their means stay as they are.
            n: Int or scalar tensor, the number of examples.
        """
        values = [ops.mean(ops.cast(logs[name], self.dtype)) if name in logs else 0.0 for name in self.names]
        weights = ops.cast(n, self.dtype) * ops.convert_to_tensor([name in logs for name in self.names], self.dtype)
        self._total.assign_add(ops.stack(values) * weights)
        self._count.assign_add(weights)

    def result(self):
        """Returns the means, a dict from names to scalar tensors; 0 where nothing was logged."""
        means = ops.divide_no_nan(ops.convert_to_tensor(self._total), ops.convert_to_tensor(self._count))
        return dict(zip(self.names, ops.unstack(means), strict=True))

    def read(self):
        """Returns the means of `result` as a dict of floats. For use outside of a step; it needs no tensor operation
        for each mean."""
        total, count = self._sums()
        means = np.divide(total, count, out=np.zeros_like(total), where=count != 0)
        return dict(zip(self.names, means.tolist(), strict=True))

    def get_sums(self):
        """Returns what `set_sums` takes: a dict from names to the weighted sum of values and the sum of weights."""
        return {name: sums.tolist() for name, sums in zip(self.names, self._sums().T, strict=True)}

    def set_sums(self, sums):
        """Sets the sums of all logs. The sums of names that are missing in `sums` are set to zero; unknown names are
        ignored."""
        total, count = zip(*(sums.get(name, (0.0, 0.0)) for name in self.names), strict=True)
        self._total.assign(total)
        self._count.assign(count)

    def _sums(self):
        return np.stack([ops.convert_to_numpy(ops.convert_to_tensor(x)) for x in (self._total, self._count)])
