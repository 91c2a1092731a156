"""The callbacks that `fit` adds, and the context manager of training."""

import contextlib

import keras
from keras import ops

from keras_gan import checks
from keras_gan.callbacks.backup import BackupAndRestore
from keras_gan.callbacks.metrics_log import MetricsLog
from keras_gan.callbacks.progress import Progress
from keras_gan.callbacks.sample_grid import SampleGrid
from keras_gan.callbacks.training_health import Finite, TrainingHealth
from keras_gan.datasets import order


class _Order(keras.callbacks.Callback):
    """Callback that seeds each pass over the data with the training step: a resumed run sees the same order."""

    def __init__(self, orders):
        super().__init__()
        self.orders = orders

    def on_epoch_begin(self, epoch, logs=None):
        self.begin(int(ops.convert_to_numpy(self.model.optimizer.iterations)))

    def begin(self, steps):
        for each in self.orders:
            each.begin(steps)

    def end(self):
        for each in self.orders:
            each.end()


def complete(callbacks, verbose, data, metrics=()):
    """Completes a list of callbacks, one callback, or none, with the callbacks that training needs.

    Args:
        callbacks: What `fit` takes.
        verbose: What `fit` takes.
        data: All data that `fit` takes, for training and for validation, in any structure.
        metrics: List of the metrics of `compile`, which callbacks may watch. Defaults to none.

    Returns:
        List of callbacks. `BackupAndRestore` comes last, since it saves the state of the others.
    """
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    checks.check_monitors(callbacks, metrics)
    backups = [c for c in callbacks if isinstance(c, BackupAndRestore)]
    others = [c for c in callbacks if c not in backups]
    if verbose and not any(isinstance(c, keras.callbacks.ProgbarLogger) for c in others):
        others.append(Progress())
    if not any(isinstance(c, keras.callbacks.History) for c in others):
        others.append(keras.callbacks.History())
    if not any(isinstance(c, TrainingHealth) for c in others):
        others.append(Finite())
    others = [_Terminate(c) if isinstance(c, keras.callbacks.TerminateOnNaN) else c for c in others]
    following = _Order(order.find(data))
    # Not backed up: only one process has the progress bar.
    remembered = [c for c in others if not isinstance(c, keras.callbacks.ProgbarLogger)]
    for backup in backups:
        backup.others, backup.order = remembered, following
    return [following, *others, *backups]


@contextlib.contextmanager
def in_training(callbacks):
    """Installs the signal handlers of backups during training, and resets the order of the data at its end."""
    with contextlib.ExitStack() as stack:
        # `fit` also takes a `keras.callbacks.CallbackList`.
        for callback in getattr(callbacks, "callbacks", callbacks):
            if isinstance(callback, _Order):
                stack.callback(callback.end)
            if isinstance(callback, BackupAndRestore):
                stack.enter_context(callback.listening())
        yield


class _Terminate(keras.callbacks.Callback):
    """Wrapper of `keras.callbacks.TerminateOnNaN`, which only watches `loss`: it gets the sum of all logs as `loss`."""

    def __init__(self, callback):
        super().__init__()
        self.callback = callback

    def set_model(self, model):
        super().set_model(model)
        self.callback.set_model(model)

    def on_train_batch_end(self, batch, logs=None):
        self.callback.on_batch_end(batch, {"loss": sum((logs or {}).values())})


def without_writers(callbacks):
    """Drops callbacks that write files, for workers other than the chief."""
    keras_writers = keras.callbacks.ModelCheckpoint, keras.callbacks.TensorBoard, keras.callbacks.CSVLogger
    writers = (MetricsLog, SampleGrid, *keras_writers)
    kept = []
    for callback in keras.tree.flatten(callbacks) if callbacks else []:
        if isinstance(callback, keras.callbacks.BackupAndRestore) and not isinstance(callback, BackupAndRestore):
            kept.append(_Restore(callback.backup_dir))
        elif not isinstance(callback, writers):
            kept.append(callback)
    return kept


class _Restore(keras.callbacks.BackupAndRestore):
    """Backup that is only read: the chief writes and removes it."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass
