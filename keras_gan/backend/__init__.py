"""What differs between Keras's backends, and nothing else: one small module each."""

import keras

match keras.config.backend():
    case "tensorflow":
        from tensorflow.errors import OpError

        from keras_gan.backend.parts import local_draw
        from keras_gan.backend.tensorflow import Trainer, input_gradient
    case "jax":
        from jax.errors import JaxRuntimeError as OpError

        from keras_gan.backend.jax import Trainer, input_gradient, local_draw
    case "torch":
        from keras_gan.backend.torch import Trainer, input_gradient, local_draw

        OpError = RuntimeError
    case other:
        raise ImportError(
            f"keras_gan trains on Keras's tensorflow, jax and torch backends. Received: {other!r}. "
            "Set the environment variable KERAS_BACKEND before Keras is imported."
        )

__all__ = ["OpError", "Trainer", "input_gradient", "local_draw"]
