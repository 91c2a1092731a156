"""Callbacks that watch a GAN in training."""

import contextlib
import logging
import math
import shutil
from pathlib import Path

import keras
from keras import ops

from keras_gan import datasets, health, images
from keras_gan.backup import BackupAndRestore
from keras_gan.checks import check_positive, check_sample_given, check_seed


class SampleGrid(keras.callbacks.Callback):
    """Draws what the generator makes of the same latents after each epoch.

    Writes `samples/epoch_0001.png` and on under `log_dir`, and the same pictures for TensorBoard, beside the scalars
    of `keras.callbacks.TensorBoard(log_dir)`.

    Args:
        log_dir: Path of the run's folder; made if it is missing.
        n: Int > 0, how many images. Defaults to `64`.
        columns: Int > 0. Defaults to None, as square as possible.
        seed: Int >= 0, which latents. Defaults to `0`.
        given: Array `(n, ...)`, what each image is conditioned on, as in `GAN.sample`. Defaults to None, all classes in
            turn if there is a condition on labels; a condition that is a vector needs it.

    Raises:
        ValueError: If a number is out of range; when training begins, if the generator makes no images with 1 or 3
            channels, or `given` does not fit its condition.
    """

    def __init__(self, log_dir, n=64, columns=None, seed=0, given=None):
        super().__init__()
        check_positive("n", n)
        if columns is not None:
            check_positive("columns", columns)
        check_seed(seed)
        self.log_dir = Path(log_dir)
        self.n = n
        self.columns = columns
        self.seed = seed
        self.given = given
        self._writer = None

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        shape = self.model.data_shape
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(
                "SampleGrid draws images (height, width, channels) with 1 or 3 channels. "
                f"Received: a generator of {shape}."
            )
        check_sample_given(self.model.condition, self.n, None, self.given)
        (self.log_dir / "samples").mkdir(parents=True, exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(self.log_dir / "train"))

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        samples = images.signed(self.model.sample(self.n, seed=self.seed, given=self.given), self.model.generator)
        picture = images.grid(samples, self.columns)
        images.save(self.log_dir / "samples" / f"epoch_{epoch + 1:04d}.png", picture)
        with self._writer.as_default():
            tf.summary.image("samples", picture[None], step=epoch)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()


class TrainingHealth(keras.callbacks.Callback):
    """Says in plain words when a game goes wrong.

    - `not_finite`: a loss or another logged value is NaN or infinite, with the part of the step that made it: the data,
      a player's loss, a penalty, a gradient. Watched at each step, and in the losses of `validation_data`, which show
      what an epoch's last step broke; it always ends training, since nothing is learned from there on.
    - `discriminator_won`: over `patience` epochs the discriminator's loss is below 5 % of what a guess costs. A loss
      for which a guess costs nothing (`Wasserstein`) has no alarm, and label smoothing, such as 0.1, keeps those of
      `Minimax` and `NonSaturating` above it.
    - `generator_collapsed`: over `patience` epochs the `diversity` of fakes is below 5 % of the data's.

    The words go to the logger `keras_gan` between two epochs, and to TensorBoard's text page.

    Args:
        log_dir: Path of the run's folder, for TensorBoard. Defaults to None, the log alone.
        patience: Int > 0, how many epochs in a row must look wrong. Defaults to `3`.
        stop: Bool, whether any alarm ends training. Defaults to False.
        checkpoint: Path of the file that a `keras.callbacks.ModelCheckpoint(..., save_best_only=True)` writes. An alarm
            then ends training, and the GAN returns to that file's state, unless it is of an epoch that made values
            which are not finite. Defaults to None.

    Attributes:
        alarms: List of `(epoch, name, message)`, epochs counted from 0, of all that was said.

    Raises:
        ValueError: If `patience` is not a positive integer, or `checkpoint` has a suffix that Keras does not load.
    """

    _LOSS_FLOOR = 0.05
    _LEAST_DIVERSITY = 0.05
    _CALMER = "Try lower learning rates, a smaller penalty or, with a loss without bound, a gradient penalty"

    def __init__(self, log_dir=None, patience=3, stop=False, checkpoint=None):
        super().__init__()
        check_positive("patience", patience)
        if checkpoint is not None and not str(checkpoint).endswith((".keras", ".weights.h5")):
            raise ValueError(f"checkpoint must end in .keras or .weights.h5. Received: {str(checkpoint)!r}.")
        self.log_dir = None if log_dir is None else Path(log_dir)
        self.patience = patience
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.stop = stop or checkpoint is not None
        self.alarms = []
        self._unsaid = []
        self._streaks = {}
        self._broken = False
        self._written = None

    def on_train_begin(self, logs=None):
        guess = ops.full((1, 1), getattr(self.model.loss, "boundary", 0.0))
        self._guess = float(ops.convert_to_numpy(self.model.loss.discriminator(guess, guess)))
        self._streaks = {}
        self._broken = False

    def on_epoch_begin(self, epoch, logs=None):
        self._say()
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        broken = _not_finite(logs, logs)
        # After a step, not before: where many processes train, the first has then written what it had to.
        self._written = self._when_written()
        if broken and not self.model.stop_training:
            updates = self.model.discriminator_steps * self.model.steps_per_execution
            culprit = health.culprit(broken, self.model.penalties, updates)
            hint = "Look for NaN and infinite values in the data" if "the data" in culprit else self._CALMER
            self._end(f"Step {batch + 1} made a value that is not finite, first in {culprit}.", hint, broken)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        broken = _not_finite(logs, ("val_discriminator_loss", "val_generator_loss"))
        # Otherwise a step has said so itself.
        if broken and not _not_finite(logs, [mean.name for mean in self.model.step_means]):
            self._end(
                "Validation made a loss that is not finite, where all steps made finite ones: most likely the epoch's "
                "last step broke the weights.",
                self._CALMER,
                broken,
            )
        loss, diversity = logs.get("discriminator_loss", math.nan), logs.get("diversity", math.nan)
        if self._lasts("discriminator_won", self._guess > 0 and loss < self._LOSS_FLOOR * self._guess):
            self._alarm(
                "discriminator_won",
                f"The discriminator has won: its loss is {loss:.2g}, where a guess costs {self._guess:.2g}, so the "
                "generator hardly learns. Try penalties=[keras_gan.penalties.R1()], a lower learning rate of the "
                "discriminator, or an augmentation if data are few.",
            )
        if self._lasts("generator_collapsed", diversity < self._LEAST_DIVERSITY):
            self._alarm(
                "generator_collapsed",
                f"The generator has collapsed: its samples differ from each other {diversity:.1%} as much as the data "
                "do. Try GAN(..., pack=2), penalties=[keras_gan.penalties.R1()], or a lower learning rate.",
            )

    def on_train_end(self, logs=None):
        if self._unsaid and self.checkpoint is not None:
            if not self.checkpoint.exists():
                self._unsaid.append(f"The GAN stays as it is: there is no {self.checkpoint} yet.")
            # `ModelCheckpoint` takes the first value for the best, NaN too.
            elif self._broken and self._when_written() != self._written:
                self._unsaid.append(f"The GAN stays as it is: {self.checkpoint} is of the epoch that broke.")
            else:
                self.model.load_weights(self.checkpoint)
                self._unsaid.append(f"The GAN returns to {self.checkpoint}.")
        self._say()

    def _lasts(self, name, wrong):
        """Whether something has just been wrong for the whole of the patience."""
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
        # Later than the alarm: a line in the midst of a progress bar can't be read.
        while self._unsaid and self.model.is_chief:
            logging.getLogger("keras_gan").warning(self._unsaid.pop(0))


def _not_finite(logs, names):
    return {name for name in names if not math.isfinite(logs.get(name, 0.0))}


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar with the game's losses and accuracies, and what validation found.

    The metrics stand in it while they fit into the terminal's width, else at the end of an epoch: a line that wraps is
    printed anew at each step instead of in its place. `GAN.fit` uses it.
    """

    _WIDTH = 140

    def on_train_batch_end(self, batch, logs=None):
        wide = shutil.get_terminal_size().columns >= self._WIDTH
        super().on_train_batch_end(batch, self._brief(logs) if wide else None)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, self._brief(logs))

    def _brief(self, logs):
        hidden = health.names(self.model.loss, self.model.penalties)
        return {name: value for name, value in (logs or {}).items() if name not in hidden}


class _Order(keras.callbacks.Callback):
    """Makes the order of the data follow from how far training is, so that who goes on meets the same."""

    def on_epoch_begin(self, epoch, logs=None):
        datasets.shuffle_by(int(ops.convert_to_numpy(self.model.optimizer.iterations)))


def complete(callbacks, verbose):
    """What `fit` calls: a list of callbacks, one callback, or none, with those that training needs.

    Args:
        callbacks: What `fit` takes.
        verbose: What `fit` takes.

    Returns:
        List of callbacks. `BackupAndRestore` comes last, since it keeps what the others have found.
    """
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    backups = [c for c in callbacks if isinstance(c, BackupAndRestore)]
    others = [c for c in callbacks if c not in backups]
    if verbose and not any(isinstance(c, keras.callbacks.ProgbarLogger) for c in others):
        others.append(Progress())
    if not any(isinstance(c, keras.callbacks.History) for c in others):
        others.append(keras.callbacks.History())
    for backup in backups:
        backup.others = others
    return [_Order(), *others, *backups]


@contextlib.contextmanager
def in_training(callbacks):
    """What holds while callbacks train, however that ends: backups hear signals, and orders follow training."""
    with contextlib.ExitStack() as stack:
        stack.callback(datasets.shuffle_by, None)
        # `fit` also takes a `keras.callbacks.CallbackList`.
        for callback in getattr(callbacks, "callbacks", callbacks):
            if isinstance(callback, BackupAndRestore):
                stack.enter_context(callback.listening())
        yield


def without_writers(callbacks):
    """What of a list of callbacks a process keeps that shares its folders with the chief: all that write no file."""
    writers = (SampleGrid, keras.callbacks.ModelCheckpoint, keras.callbacks.TensorBoard, keras.callbacks.CSVLogger)
    kept = []
    for callback in keras.tree.flatten(callbacks) if callbacks else []:
        if isinstance(callback, keras.callbacks.BackupAndRestore) and not isinstance(callback, BackupAndRestore):
            kept.append(_Restore(callback.backup_dir))
        elif not isinstance(callback, writers):
            kept.append(callback)
    return kept


class _Restore(keras.callbacks.BackupAndRestore):
    """Goes on from the chief's backup, and leaves making and removing it to the chief."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass
