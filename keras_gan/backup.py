"""Going on where a run was cut off."""

import contextlib
import functools
import json
import logging
import math
import signal
import threading
import zipfile
import zlib
from pathlib import Path

import keras
from keras import ops

from keras_gan import datasets, files
from keras_gan.checks import check_positive

_STATE = "state.json"
# Names count objects of the process, and what runs faster computes the same.
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
    """Goes on exactly where a run was cut off, when the same program is started again.

    After each epoch it writes one `.keras` file with all that the next step depends on: weights, both optimizers,
    averages, random states, what metrics have summed up, the place in the data, and what other callbacks remember, such
    as the best value of `ModelCheckpoint`. A file appears only once it is whole, and the one before it is kept: should
    the last be damaged all the same, it is passed over with a warning. A state that is not finite is not kept.

    Ctrl-C and SIGTERM, which a machine receives before it is taken away, end training after the current step, with a
    backup of that step, unless several processes train together; a second one ends it at once.

    On a CPU the weights are bit for bit those of the unbroken run where the data are in order, come from
    `keras_gan.datasets.load`, or, on TensorFlow, are an array and `keras.utils.set_random_seed` was called.
    `EarlyStopping` remembers its best weights in memory alone: use `ModelCheckpoint` for these.

    Args:
        backup_dir: Path of a folder of this run's own; made if it is missing.
        save_freq: `"epoch"`, or an int > 0: also after each so many steps, for long epochs. Defaults to `"epoch"`.
        delete_checkpoint: Bool, whether the backups are removed when `fit` has come to its end. Defaults to True.
        force: Bool, whether to go on with other settings than those of the backup. Defaults to False.

    Raises:
        ValueError: If `save_freq` is something else; when training begins, if a backup was made with other settings,
            each of which is named, or if there are backups and none can be read.
        OSError: When training begins, if nothing can be written to the folder; later, if a backup can't be written. The
            one before it stays.
    """

    def __init__(self, backup_dir, save_freq="epoch", delete_checkpoint=True, force=False):
        if save_freq != "epoch":
            check_positive("save_freq, where it is not 'epoch',", save_freq)
        super().__init__(str(backup_dir), save_freq, delete_checkpoint=delete_checkpoint)
        self.folder = Path(backup_dir)
        self.force = force
        # The other callbacks of this `fit`, which it hands over.
        self.others = []
        self._signal = None

    @contextlib.contextmanager
    def listening(self):
        """Within it, SIGTERM and Ctrl-C are heard after a step, and not in the midst of one."""
        self._signal = None
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number, frame):
        if self._signal is not None:
            raise _end(number, "Training ended at once.")
        self._signal = number
        self._log("%s: training ends after this step, with a backup.", signal.Signals(number).name)

    def on_train_begin(self, logs=None):
        self._restored = self._passing_over = None
        self._kept = True
        self._settings = _settings(self.model, self.params)
        self._first = [_memory(callback) for callback in self.others]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.model.is_chief:
                with files.replacing(self.folder / "writable") as path:
                    path.touch()
                (self.folder / "writable").unlink()
        except OSError as error:
            raise OSError(error.errno, f"backup_dir must be a folder to write to. {error.strerror}") from error
        backups = self._backups()
        for path in reversed(backups):
            try:
                self._restore(path)
            except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, json.JSONDecodeError) as error:
                self._log("The backup %s can't be read (%s) and is passed over.", path, error)
            else:
                return
        if backups:
            raise ValueError(
                f"backup_dir must hold backups that can be read. Received: {self.folder}, where "
                f"{' and '.join(path.name for path in backups)} are damaged. Remove the folder to start anew."
            )

    def _restore(self, path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} is damaged")
            state = json.loads(archive.read(_STATE))
        changed = _differences(state["settings"], self._settings)
        if changed and not self.force:
            raise ValueError(
                f"backup_dir must hold a run with the same settings. Received: {path}, made with others:\n"
                + "\n".join(f"  {line}" for line in changed[:10])
                + (f"\n  and {len(changed) - 10} more" if len(changed) > 10 else "")
                + "\nGo on with those of the backup, choose another folder, or accept the change with force=True "
                "(in recipes: --force)."
            )
        self.model.load_weights(path)
        for callback, memory in _pair(self.others, state["callbacks"]):
            vars(callback).update(memory)
        self.model._initial_epoch = self.params["epochs"] if state["stopped"] else state["epoch"]
        self._restored = state

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._last_saved = 0
        self._start = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        if self._restored is not None and self._restored["batch"]:
            self._go_on_within(self._restored)
        self._restored = None

    def _go_on_within(self, state):
        """Passes over the batches of an epoch that the backup has seen, in the order in which it saw them."""
        model = self.model
        self._start = state["start"]
        datasets.shuffle_by(self._start)
        # `fit` has just emptied them.
        for variable, value in zip(self._sums(), state["sums"], strict=True):
            variable.assign(value)
        logs = {mean.name: float(mean.result()) for mean in model.step_means}
        self._passing_over = state["batch"], model.train_function
        model.train_function = functools.partial(model.pass_over, logs)

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        if self._passing_over is not None:
            until, train = self._passing_over
            if done >= until:
                self.model.train_function = train
                self._passing_over = None
                self._last_saved = done
        # Not every one of several processes hears the signal at the same step, and a step is saved by all together.
        elif self._is_due(done) or (self._signal is not None and self.model.is_alone):
            self._save(self._epoch, done, logs)
            self._last_saved = done
        self._end_if_asked(f"epoch {self._epoch + 1}, step {done}")

    def _is_due(self, done):
        return self.save_freq != "epoch" and done - self._last_saved >= self.save_freq

    def on_epoch_end(self, epoch, logs=None):
        self._start = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        self._save(epoch + 1, 0, logs)
        self._end_if_asked(f"the end of epoch {epoch + 1}")

    def on_train_end(self, logs=None):
        if self.delete_checkpoint and self.model.is_chief and self._kept:
            for path in [*self._backups(), *self.folder.glob(".part.*")]:
                path.unlink()
            with contextlib.suppress(OSError):
                # What else lies there is not ours.
                self.folder.rmdir()

    def _sums(self):
        """The variables of the means that a step logs, which Keras leaves out of its files."""
        return [variable for mean in self.model.step_means for variable in mean.variables]

    def _backups(self):
        """All backups, the oldest first."""
        return sorted(self.folder.glob("step_*.keras"))

    def _save(self, epoch, batch, logs):
        self._kept = all(math.isfinite(value) for value in (logs or {}).values())
        if not self._kept:
            self._log("No backup is made of a state that is not finite; the last good one stays in %s.", self.folder)
        if not self._kept:
            return
        # Before the chief goes on alone: reading adds up what processes hold. After an epoch none is needed.
        sums = [float(ops.convert_to_numpy(ops.convert_to_tensor(v))) for v in self._sums()] if batch else []
        if not self.model.is_chief:
            return
        step = int(ops.convert_to_numpy(self.model.optimizer.iterations))
        state = {
            "epoch": epoch,
            "batch": batch,
            "start": self._start,
            "stopped": self.model.stop_training,
            "sums": sums,
            "settings": self._settings,
            "callbacks": [
                [type(callback).__name__, {k: v for k, v in _memory(callback).items() if first.get(k) != v}]
                for callback, first in zip(self.others, self._first, strict=True)
            ],
        }
        # A `.keras` file: Keras writes it from memory, while HDF5 ends the process when it finds the disk full.
        with files.replacing(self.folder / f"step_{step:010d}.keras") as part:
            keras.saving.save_model(self.model, part)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(_STATE, json.dumps(state))
        for old in self._backups()[:-2]:
            old.unlink()

    def _end_if_asked(self, place):
        if self._signal is not None:
            raise _end(
                self._signal,
                f"Training ended at {place}. Start the same program again, with backup_dir {self.folder}, to go on.",
            )

    def _log(self, *message):
        if self.model.is_chief:
            logging.getLogger("keras_gan").warning(*message)


def _end(number, message):
    if number == signal.SIGINT:
        return KeyboardInterrupt(message)
    logging.getLogger("keras_gan").warning(message)
    # What a shell reports of a program that a signal has ended.
    return SystemExit(128 + number)


def _plain(value):
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    raise TypeError


def _memory(callback):
    """What a callback remembers that JSON can hold."""
    memory = {}
    for name, value in vars(callback).items():
        with contextlib.suppress(TypeError, ValueError):
            memory[name] = json.loads(json.dumps(value, default=_plain))
    return memory


def _pair(callbacks, saved):
    """Callbacks and what was saved of them, which may have been others, or in another order."""
    saved = list(saved)
    for callback in callbacks:
        for i, (name, memory) in enumerate(saved):
            if name == type(callback).__name__:
                yield callback, memory
                del saved[i]
                break


def _settings(gan, params):
    """All that decides how training goes, as a flat dict of names and values."""
    flat = {"steps per epoch (the data, or batch_size)": params.get("steps")}

    def flatten(path, value):
        if isinstance(value, dict):
            for key, part in value.items():
                # A data type has nothing but a name.
                if key not in _NO_SETTINGS or len(value) == 1:
                    # A serialised object is its class and a config of its own.
                    flatten(path if key in ("config", "class_name") else [*path, key], part)
        elif isinstance(value, (list, tuple)):
            for i, part in enumerate(value):
                flatten([*path, str(i)], part)
        else:
            flat[".".join(path)] = value

    try:
        flatten([], json.loads(json.dumps({**gan.get_config(), **gan.get_compile_config()})))
    except (NotImplementedError, TypeError, ValueError):
        # A network or a loss of the user's own that can't tell its settings.
        return {}
    return flat


def _differences(then, now):
    if not then or not now:
        return []
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return [f"{name}: {_short(then.get(name))} then, {_short(now.get(name))} now" for name in names]


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
