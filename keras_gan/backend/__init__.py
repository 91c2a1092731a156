"""What differs between Keras's backends, and nothing else: one small module each."""

import keras

match keras.config.backend():
    case "tensorflow":
        from keras_gan.backend.parts import local_draw
        from keras_gan.backend.tensorflow import Trainer, input_gradient
    case "jax":
        from keras_gan.backend.jax import Trainer, input_gradient, local_draw
    case "torch":
        from keras_gan.backend.torch import Trainer, input_gradient, local_draw
    case other:
        raise ImportError(
            f"keras_gan trains on Keras's tensorflow, jax and torch backends. Received: {other!r}. "
            "Set the environment variable KERAS_BACKEND before Keras is imported."
        )

__all__ = ["Trainer", "input_gradient", "local_draw"]
