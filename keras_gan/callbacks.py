"""Callbacks that watch a GAN in training."""

import shutil
from pathlib import Path

import keras

from keras_gan import images


class SampleGrid(keras.callbacks.Callback):
    """Draws what the generator makes of the same latents after each epoch.

    Writes `samples/epoch_0001.png` and on under `log_dir`, and the same pictures for TensorBoard, beside the scalars
    of `keras.callbacks.TensorBoard(log_dir)`.

    Args:
        log_dir: Path of the run's folder; made if it is missing.
        n: Int > 0, how many images. Defaults to `64`.
        columns: Int > 0. Defaults to None, as square as possible.
        seed: Int, which latents. Defaults to `0`.

    Raises:
        ValueError: When training begins, if the generator makes no images with 1 or 3 channels.
    """

    def __init__(self, log_dir, n=64, columns=None, seed=0):
        super().__init__()
        self.log_dir = Path(log_dir)
        self.n = n
        self.columns = columns
        self.seed = seed
        self._writer = None

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        shape = self.model.data_shape
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(
                "SampleGrid draws images (height, width, channels) with 1 or 3 channels. "
                f"Received: a generator of {shape}."
            )
        (self.log_dir / "samples").mkdir(parents=True, exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(self.log_dir / "train"))

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        picture = images.grid(self.model.sample(self.n, seed=self.seed), self.columns)
        images.save(self.log_dir / "samples" / f"epoch_{epoch + 1:04d}.png", picture)
        with self._writer.as_default():
            tf.summary.image("samples", picture[None], step=epoch)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, with the metrics while they fit into the terminal's width, else at the end of an epoch.

    `GAN.fit` uses it: a line that wraps is printed anew at each step instead of in its place.
    """

    _WIDTH = 140

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs if shutil.get_terminal_size().columns >= self._WIDTH else None)


def with_progress(callbacks):
    """Adds `Progress` to a list of callbacks, to one callback, or to None, unless a progress bar is there."""
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    if any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks):
        return callbacks
    return [*callbacks, Progress()]
