"""Several processes on JAX: saving in one of them, where Keras's own stands in the way.

Where Keras 3.15 saves, it makes an optimizer, to see which attributes each optimizer has. Under a distribution its
variables lie on the devices of all processes, so that all would have to save at the same moment
(`get_attr_skipset` in Keras's `saving_lib.py`). `tests/test_hosts.py` notices when one process can.
"""

import contextlib

import keras


class SavesAlone:
    """Mixin for `keras.Model`, before it: a process saves without the others."""

    def save(self, *args, **kwargs):
        with _without_distribution():
            super().save(*args, **kwargs)

    def save_weights(self, *args, **kwargs):
        with _without_distribution():
            super().save_weights(*args, **kwargs)


@contextlib.contextmanager
def _without_distribution():
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)
