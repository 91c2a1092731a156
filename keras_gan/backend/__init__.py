"""What differs between Keras's backends, and nothing else: one small module each."""

import keras

if keras.config.backend() == "tensorflow":
    from keras_gan.backend.tensorflow import Trainer, input_gradient, local_draw
else:
    raise ImportError(
        f"keras_gan trains on Keras's tensorflow backend. Received: {keras.config.backend()!r}. "
        "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )

__all__ = ["Trainer", "input_gradient", "local_draw"]
