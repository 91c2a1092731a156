"""Code that differs between Keras's backends: one module or package each, with the same names."""

import keras

match keras.config.backend():
    case "tensorflow":
        from keras_gan.backend import tensorflow as _room
    case "jax":
        from keras_gan.backend import jax as _room
    case "torch":
        from keras_gan.backend import torch as _room
    case other:
        raise ImportError(
            f"keras_gan trains on Keras's tensorflow, jax and torch backends. Received: {other!r}. "
            "Set the environment variable KERAS_BACKEND before Keras is imported."
        )

OpError = _room.OpError
Trainer = _room.Trainer
first_replica = _room.first_replica
gpus = _room.gpus
has_gradient = _room.has_gradient
inference = _room.inference
input_gradient = _room.input_gradient
length = _room.length
local_draw = _room.local_draw
on_whole_batch = _room.on_whole_batch
replica = _room.replica
warn_of_slow_processor = _room.warn_of_slow_processor
with_shape = _room.with_shape
write_rows = _room.write_rows
