"""Only what differs between Keras's backends: one room each, with the same names."""

import keras

match keras.config.backend():
    case "tensorflow":
        from keras_gan.backend.tensorflow import (
            OpError,
            Trainer,
            first_replica,
            inference,
            input_gradient,
            length,
            local_draw,
            replica,
            with_shape,
            write_rows,
        )
    case "jax":
        from keras_gan.backend.jax import (
            OpError,
            Trainer,
            first_replica,
            inference,
            input_gradient,
            length,
            local_draw,
            replica,
            with_shape,
            write_rows,
        )
    case "torch":
        from keras_gan.backend.torch import (
            OpError,
            Trainer,
            first_replica,
            inference,
            input_gradient,
            length,
            local_draw,
            replica,
            with_shape,
            write_rows,
        )
    case other:
        raise ImportError(
            f"keras_gan trains on Keras's tensorflow, jax and torch backends. Received: {other!r}. "
            "Set the environment variable KERAS_BACKEND before Keras is imported."
        )

__all__ = [
    "OpError",
    "Trainer",
    "first_replica",
    "inference",
    "input_gradient",
    "length",
    "local_draw",
    "replica",
    "with_shape",
    "write_rows",
]
