"""Alarms when training goes wrong."""

import logging
import math

import keras

from keras_gan.checks import check_integer, check_path


class TrainingHealth(keras.callbacks.Callback):
    """Alarms when training goes wrong: `not_finite` for any model, and those that its `alarms()` lists.

    - `not_finite`: a loss or another logged value is NaN or infinite. The message names the part of the step that made
      it: the data, a player's loss, a penalty, a gradient. This alarm is checked at each step, and on the validation
      losses, which show the effect of an epoch's last step. It always ends training, since nothing can be learned
      afterwards.

    For a `GAN`:

    - `discriminator_won`: for `patience` epochs the discriminator's loss is below 5 % of the loss of a discriminator
      that guesses. There is no such alarm for a loss that is 0 when the discriminator guesses (`Wasserstein`). With
      label smoothing, such as 0.1, the losses `Minimax` and `NonSaturating` stay above 5 %, so that the alarm never
      sounds.
    - `generator_collapsed`: for `patience` epochs the `diversity` of fakes is below 5 % of the data's.
    - `generator_memorizes`: for `patience` epochs the `val_memorization` of a `keras_gan.metrics.Memorization` in
      `compile` is above one half.

    For `Pix2Pix` and `CycleGAN`: `discriminator_won`, `output_ignores_source`, `output_copies_source`, and
    `reconstruction_stands_still` or `cycle_stands_still`; names of `CycleGAN` end in `_a` or `_b`.

    Messages go to the logger `keras_gan` between two epochs, and to TensorBoard's text page.

    Args:
        log_dir: Path of the run's folder, for TensorBoard. Defaults to None, only the logger.
        patience: Int > 0, how many epochs in a row must look wrong. Defaults to `3`.
        stop: Bool, whether any alarm ends training. Defaults to False.
        checkpoint: Path of the file that a `keras.callbacks.ModelCheckpoint(..., save_best_only=True)` writes. An alarm
            then ends training, and the model returns to the state in that file, unless the file was written in an epoch
            that made values which are not finite. Defaults to None.

    Attributes:
        alarms: List of `(epoch, name, message)` of all alarms, epochs counted from 0.

    Raises:
        ValueError: If `patience` is not a positive integer, `checkpoint` has a suffix that Keras does not load, or a
            path is a URL, such as `gs://...`.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(64,)),
    )
    gan.compile()
    health = keras_gan.callbacks.TrainingHealth(stop=True)
    gan.fit(np.random.default_rng(0).normal(size=(1024, 2)), batch_size=64, epochs=20, callbacks=[health])
    health.alarms  # []
    ```
    """

    _CALMER = "Try lower learning rates, a smaller penalty weight or, if the loss is unbounded, a gradient penalty"

    def __init__(self, log_dir=None, patience=3, stop=False, checkpoint=None):
        super().__init__()
        if checkpoint is not None and not str(checkpoint).endswith((".keras", ".weights.h5")):
            raise ValueError(f"checkpoint must end in .keras or .weights.h5. Received: {str(checkpoint)!r}.")
        self.log_dir = None if log_dir is None else check_path("log_dir", log_dir)
        self.patience = check_integer("patience", patience)
        self.checkpoint = None if checkpoint is None else check_path("checkpoint", checkpoint)
        self.stop = stop or checkpoint is not None
        self.alarms = []
        self._unsaid = []
        self._streaks = {}
        # The logs of the first epoch, for alarms that compare with them.
        self._first = {}
        self._broken = False
        self._written = None
        self._watched = []

    def on_train_begin(self, logs=None):
        self._watched = self.model.alarms()
        self._streaks, self._first = {}, {}
        self._broken = False

    def on_epoch_begin(self, epoch, logs=None):
        self._say()
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        broken = _not_finite(logs, logs)
        # Read after a step, not before it: when several processes train, the chief has written its files by then.
        self._written = self._when_written()
        if broken and not self.model.stop_training:
            culprit = self.model.culprit(broken)
            hint = "Look for NaN and infinite values in the data" if "the data" in culprit else self._CALMER
            self._end(f"Step {batch + 1} made a value that is not finite, first in {culprit}.", hint, broken)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        names = self.model.step_means.names
        broken = _not_finite(logs, [f"val_{name}" for name in names])
        # Otherwise a step has already reported it.
        if broken and not _not_finite(logs, names):
            self._end(
                "A validation loss is not finite, although the losses of all steps were finite: most likely the "
                "epoch's last step broke the weights.",
                self._CALMER,
                broken,
            )
        self._first = self._first or {f"first_{name}": value for name, value in logs.items()}
        for alarm in self._watched:
            if self._lasts(alarm.name, alarm.sounds({**self._first, **logs})):
                self._alarm(alarm.name, alarm.message(logs))

    def on_train_end(self, logs=None):
        if self._unsaid and self.checkpoint is not None:
            if not self.checkpoint.exists():
                self._unsaid.append(f"The model stays as it is: there is no {self.checkpoint} yet.")
            # `ModelCheckpoint` takes the first value as the best, even NaN.
            elif self._broken and self._when_written() != self._written:
                self._unsaid.append(f"The model stays as it is: {self.checkpoint} was written in the epoch that broke.")
            else:
                self.model.load_weights(self.checkpoint)
                self._unsaid.append(f"The model returns to {self.checkpoint}.")
        self._say()

    def _lasts(self, name, wrong):
        """Checks if something has been wrong for exactly `patience` epochs."""
        self._streaks[name] = self._streaks.get(name, 0) + 1 if wrong else 0
        return self._streaks[name] == self.patience

    def _when_written(self):
        exists = self.checkpoint is not None and self.checkpoint.exists()
        return self.checkpoint.stat().st_mtime_ns if exists else None

    def _end(self, message, hint, broken):
        self.model.stop_training = self._broken = True
        self._alarm("not_finite", f"{message} Training ends here. {hint}. Not finite: {', '.join(sorted(broken))}.")

    def _alarm(self, name, message):
        import tensorflow as tf

        message = f"Epoch {self._epoch + 1}: {message}"
        self.alarms.append((self._epoch, name, message))
        self._unsaid.append(message)
        self.model.stop_training |= self.stop
        if self.log_dir is not None and self.model.is_chief:
            with tf.summary.create_file_writer(str(self.log_dir / "train")).as_default():
                tf.summary.text(f"health/{name}", message, step=self._epoch)

    def _say(self):
        # Messages are logged later than the alarm, between epochs: a line within a progress bar can't be read.
        while self._unsaid and self.model.is_chief:
            logging.getLogger("keras_gan").warning(self._unsaid.pop(0))


def _not_finite(logs, names):
    return {name for name in names if not math.isfinite(logs.get(name, 0.0))}


class Finite(TrainingHealth):
    """The alarm `not_finite` only: `fit` adds it if there is no `TrainingHealth`."""

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._watched = []
