"""Training on TensorFlow, with and without `tf.distribute`."""

from tensorflow.errors import OpError

from keras_gan.backend.tensorflow.replica import first_replica, local_draw, replica
from keras_gan.backend.tensorflow.trainer import Trainer, inference, input_gradient, write_rows

__all__ = ["OpError", "Trainer", "first_replica", "inference", "input_gradient", "local_draw", "replica", "write_rows"]
