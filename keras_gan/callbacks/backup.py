"""Backups of a run, and resuming from them."""

import contextlib
import functools
import json
import logging
import signal
import threading
import zipfile

import keras
import numpy as np
from keras import ops

from keras_gan import keras_private
from keras_gan.callbacks import memory
from keras_gan.checks import check_integer, check_path
from keras_gan.checks.values import differences
from keras_gan.saving import replacing

_STATE = "state.json"
# Ignored in comparisons: auto-generated names, and options that do not affect training.
_NO_SETTINGS = {
    "build_config",
    "inbound_nodes",
    "input_layers",
    "jit_compile",
    "metrics",
    "module",
    "name",
    "output_layers",
    "registered_name",
    "run_eagerly",
    "shared_object_id",
}


class BackupAndRestore(keras.callbacks.BackupAndRestore):
    """Backup of training. If the same program is started again after an interruption, the run resumes from the last
    backup.

    After each epoch it writes one `.keras` file with all that the next step depends on: weights, both optimizers,
    averages, random states, running sums of metrics, the position in the data, and the state of other callbacks, such
    as the best value of `ModelCheckpoint`. Files are written atomically, and the previous backup is kept. If the latest
    one is damaged anyway, it is skipped with a warning. Weights that are not finite are not saved.

    Ctrl-C and SIGTERM, the signal before a machine is preempted, end training after the current step. A backup
    of that step is made, unless several processes train together. A second signal ends training at once.

    On a CPU the weights are bit for bit those of an uninterrupted run in three cases: the data come in a fixed order;
    they come from `keras_gan.datasets.load`; or, on TensorFlow, they are an array and `keras.utils.set_random_seed` was
    called. On TensorFlow this requires a new process: a second GAN of the same process may round differently, by 3e-8,
    unless `keras.backend.clear_session()` was called before it was made.

    From other callbacks, a backup keeps the attributes that are numbers, strings, or lists, tuples, sets and dicts of
    these. It does not keep arrays, such as the best weights of `EarlyStopping`: use `ModelCheckpoint` for the best
    weights. If a run resumes within an epoch, callbacks that write files every few batches may write the same files
    again. `CSVLogger` needs `append=True`.

    Args:
        backup_dir: Path of a folder for this run alone; made if it is missing.
        save_freq: `"epoch"` to save after each epoch, or an int n > 0 to save also every n steps within epochs.
            Defaults to `"epoch"`.
        delete_checkpoint: Bool, whether the backups are removed when `fit` ends. Defaults to True.
        force: Bool, whether to resume with settings other than those of the backup. Defaults to False.

    Raises:
        ValueError: If `save_freq` is neither `"epoch"` nor a positive integer, or `backup_dir` is a URL, such as
            `gs://...`. When training begins: if a backup was made with other settings (the message lists them), if
            there are backups but none can be read, or if the GAN can't be saved.
        OSError: When training begins, if nothing can be written to the folder; later, if a backup can't be written. The
            one before it stays.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(64,)),
    )
    gan.compile()
    points = np.random.default_rng(0).normal(size=(1024, 2))
    backup = keras_gan.callbacks.BackupAndRestore("runs/points/backup")
    gan.fit(points, batch_size=64, epochs=20, callbacks=[backup])
    ```
    """

    def __init__(self, backup_dir, save_freq="epoch", *, delete_checkpoint=True, force=False):
        if not (isinstance(save_freq, str) and save_freq == "epoch"):
            save_freq = check_integer("save_freq, where it is not 'epoch',", save_freq)
        self.folder = check_path("backup_dir", backup_dir)
        super().__init__(str(backup_dir), save_freq, delete_checkpoint=delete_checkpoint)
        self.force = force
        # Set by `fit`: its other callbacks, and the one that sets the order of the data.
        self.others, self.order = [], None
        self._signal = self._passing_over = None
        # Read once: on JAX, reading `self.model` in a signal handler breaks the step that it interrupts.
        self._chief = True

    @contextlib.contextmanager
    def listening(self):
        """Handles SIGTERM and Ctrl-C after a step, not during one, as a context manager."""
        self._signal = None
        before = {}
        # Python handles signals only in the main thread. Ignored signals stay ignored.
        if threading.current_thread() is threading.main_thread():
            numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
            before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
            self._end_if_asked("its own end")
        finally:
            self._stop_passing_over()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number, frame):
        if self._signal is not None:
            raise _end(number, "Training ended at once.")
        self._signal = number
        self._log("%s: training ends after this step.", signal.Signals(number).name)

    def on_train_begin(self, logs=None):
        if not self.others:
            raise ValueError(
                "BackupAndRestore must be in the list of callbacks of a keras_gan model's fit. "
                "Received: one in a CallbackList, or in the fit of another model."
            )
        self._restored = None
        self._kept = True
        self._chief = self.model.is_chief
        steps = {"steps per epoch (the data, or batch_size)": self.params.get("steps")}
        self._settings = {**steps, **_settings(self.model)}
        self._first = [memory.of(callback) for callback in self.others]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.model.is_chief:
                with replacing(self.folder / "writable") as path:
                    path.touch()
                (self.folder / "writable").unlink()
        except OSError as error:
            raise OSError(
                error.errno,
                f"backup_dir must be a writable folder. Received: {self.folder}: {error.strerror}. Choose another.",
            ) from error
        backups = self._backups()
        for path in reversed(backups):
            try:
                state = _read(path)
            # Damaged files can make parsers raise anything.
            except Exception as error:
                self._log("The backup %s can't be read (%s) and is skipped.", path, error)
            else:
                self._restore(path, state)
                return
        if backups:
            raise ValueError(
                f"backup_dir must hold backups that can be read. Received: {self.folder}, where all are damaged: "
                f"{' and '.join(path.name for path in backups)}. Remove the folder to start anew."
            )

    def _restore(self, path, state):
        found = differences(state["settings"], self._settings)
        changed = [f"{name}: was {_short(then)}, is {_short(now)}" for name, then, now in found]
        if changed and not self.force:
            raise ValueError(
                f"backup_dir must hold a run with the same settings. Received: {path}, made with others:\n"
                + "\n".join(f"  {line}" for line in changed[:10])
                + (f"\n  and {len(changed) - 10} more" if len(changed) > 10 else "")
                + "\nUse the settings of the backup, choose another folder, or accept the change with force=True."
            )
        self._apply(path, state)
        self._restored = path, state
        epochs = self.params["epochs"]
        # Keep backups of a run with more epochs than this one.
        self._kept = state["epoch"] <= epochs
        keras_private.start_at(self.model, epochs if state["stopped"] else state["epoch"])
        if any(getattr(callback, "restore_best_weights", False) for callback in self.others):
            self._log(
                "EarlyStopping keeps its best weights only in memory, so those from before this restart are lost: use "
                "ModelCheckpoint(save_best_only=True) to keep the best weights."
            )

    def _apply(self, path, state):
        self.model.load_weights(path)
        for callback, first, saved in memory.pair(self.others, self._first, state["callbacks"]):
            memory.remember(callback, {**first, **saved})

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._last_saved = 0
        self._start = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        if self._restored is not None and self._restored[1]["batch"]:
            self._go_on_within(*self._restored)
        self._restored = None

    def _go_on_within(self, path, state):
        """Skips the batches of an epoch that were trained on before the backup, in the same order."""
        model = self.model
        self._start = state["start"]
        self.order.begin(self._start)
        # Restores the means of the steps before the backup: `fit` has just reset them.
        model.step_means.set_sums(state["sums"])
        logs = model.step_means.read()
        self._passing_over = path, state, model.train_function
        model.train_function = functools.partial(model.skip_batches, logs)

    def _stop_passing_over(self):
        if self._passing_over is not None:
            self.model.train_function = self._passing_over[2]
            self._passing_over = None

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        if self._passing_over is not None:
            path, state, _ = self._passing_over
            if done >= state["batch"]:
                self._stop_passing_over()
                # Again: the skipped batches have changed the state of other callbacks.
                self._apply(path, state)
                self._last_saved = done
        # Several processes get the signal at different steps, but must save together.
        elif self._is_due(done) or (self._signal is not None and self.model.is_alone):
            self._save(self._epoch, done)
            self._last_saved = done
        self._end_if_asked(f"epoch {self._epoch + 1}, step {done}")

    def _is_due(self, done):
        return self.save_freq != "epoch" and done - self._last_saved >= self.save_freq

    def on_epoch_end(self, epoch, logs=None):
        self._save(epoch + 1, 0)
        self._end_if_asked(f"the end of epoch {epoch + 1}")

    def on_train_end(self, logs=None):
        if self.delete_checkpoint and self.model.is_chief and self._kept:
            for path in [*self._backups(), *self.folder.glob(".part.*")]:
                path.unlink()
            with contextlib.suppress(OSError):
                # The folder may hold other files.
                self.folder.rmdir()

    def _backups(self):
        """Returns all backups, the oldest first."""
        return sorted(self.folder.glob("epoch_*.keras"))

    def _save(self, epoch, batch):
        # Keras does not save the means that a step logs; after an epoch they are not needed. All processes must read
        # them, since reading sums the values of all processes.
        sums = self.model.step_means.get_sums() if batch else {}
        if not self.model.is_chief:
            return
        self._kept = all(np.isfinite(ops.convert_to_numpy(ops.sum(w.value))) for w in self.model.weights)
        if not self._kept:
            self._log("No backup is made of weights that are not finite; the last good one stays in %s.", self.folder)
            return
        state = {
            "epoch": epoch,
            "batch": batch,
            "start": self._start,
            "stopped": self.model.stop_training,
            "sums": sums,
            "settings": self._settings,
            "callbacks": [
                [type(callback).__name__, {k: v for k, v in memory.of(callback).items() if first.get(k) != v}]
                for callback, first in zip(self.others, self._first, strict=True)
            ],
        }
        # A `.keras` file: Keras writes it from memory, while HDF5 aborts the process on a full disk.
        with replacing(self.folder / f"epoch_{epoch:06d}_step_{batch:08d}.keras") as part:
            keras.saving.save_model(self.model, part)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(_STATE, json.dumps(state))
        for old in self._backups()[:-2]:
            old.unlink()

    def _end_if_asked(self, place):
        if self._signal is not None:
            raise _end(
                self._signal,
                f"Training ended at {place}. Run the same code again, with backup_dir {self.folder}, to resume any "
                "epochs left.",
            )

    def _log(self, *message):
        if self._chief:
            logging.getLogger("keras_gan").warning(*message)


def _read(path):
    """Reads the state of a backup, without the weights. Reads the whole file, to verify the checksums."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        state = json.loads(archive.read(_STATE))
    return {key: state[key] for key in ("epoch", "batch", "start", "stopped", "sums", "settings", "callbacks")}


def _end(number, message):
    if number == signal.SIGINT:
        return KeyboardInterrupt(message)
    logging.getLogger("keras_gan").warning(message)
    # The exit code of shells for a program that was ended by a signal.
    return SystemExit(128 + number)


# === Settings ===


def _settings(gan):
    """Returns all settings that affect training, as a flat dict, as they were when the model first trained."""
    if gan.first_settings is None:
        try:
            config = {**gan.get_config(), **gan.get_compile_config()}
        except (NotImplementedError, TypeError) as error:
            raise ValueError(
                "BackupAndRestore keeps the GAN as a .keras file, for which its networks, loss and penalties need "
                f"get_config. Received: {error}"
            ) from error
        # As text: Keras would wrap and track a dict.
        gan.first_settings = json.dumps(config, default=str)
    return dict(_flatten([], json.loads(gan.first_settings)))


def _flatten(path, value):
    if isinstance(value, dict):
        for key, part in value.items():
            # A dtype has only a name.
            if key not in _NO_SETTINGS or len(value) == 1:
                # A serialized object is a class and its config.
                yield from _flatten(path if key in ("config", "class_name") else [*path, key], part)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _flatten([*path, str(i)], part)
    else:
        yield ".".join(path), value


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
