"""The progress bar of `fit`."""

import shutil

import keras


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, without the model's `hidden_logs`.

    The metrics stand in it while they fit into the terminal's width, else at the end of an epoch: a line that wraps is
    printed anew at each step instead of in its place. `fit` uses it.
    """

    _WIDTH = 140

    def on_train_batch_end(self, batch, logs=None):
        wide = shutil.get_terminal_size().columns >= self._WIDTH
        super().on_train_batch_end(batch, self._brief(logs) if wide else None)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, self._brief(logs))

    def _brief(self, logs):
        hidden = self.model.hidden_logs
        return {name: value for name, value in (logs or {}).items() if name not in hidden}
