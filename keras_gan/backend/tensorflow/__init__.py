"""Training on TensorFlow, with and without `tf.distribute`."""

from tensorflow.errors import OpError

from keras_gan.backend.tensorflow.replica import (
    first_replica,
    length,
    local_draw,
    on_whole_batch,
    replica,
    with_shape,
)
from keras_gan.backend.tensorflow.trainer import (
    Trainer,
    gpus,
    has_gradient,
    inference,
    input_gradient,
    warn_of_slow_processor,
    write_rows,
)

__all__ = [
    "OpError",
    "Trainer",
    "first_replica",
    "gpus",
    "has_gradient",
    "inference",
    "input_gradient",
    "length",
    "local_draw",
    "on_whole_batch",
    "replica",
    "warn_of_slow_processor",
    "with_shape",
    "write_rows",
]
