"""Code that differs between Keras's backends: one module or package each, with the same names."""

import keras

match keras.config.backend():
    case "tensorflow":
        from keras_gan.backend import tensorflow as _own
    case "jax":
        from keras_gan.backend import jax as _own
    case "torch":
        from keras_gan.backend import torch as _own
    case other:
        raise ImportError(
            f"keras_gan trains on Keras's tensorflow, jax and torch backends. Received: {other!r}. "
            "Set the environment variable KERAS_BACKEND before Keras is imported."
        )

OpError = _own.OpError
Trainer = _own.Trainer
first_replica = _own.first_replica
gpus = _own.gpus
has_gradient = _own.has_gradient
inference = _own.inference
input_gradient = _own.input_gradient
length = _own.length
local_draw = _own.local_draw
on_whole_batch = _own.on_whole_batch
replica = _own.replica
warn_of_slow_processor = _own.warn_of_slow_processor
with_shape = _own.with_shape
write_rows = _own.write_rows
