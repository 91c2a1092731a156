"""Callbacks that watch a model in training, and save it."""

from keras_gan.callbacks.backup import BackupAndRestore
from keras_gan.callbacks.metrics_log import MetricsLog, read_metrics
from keras_gan.callbacks.progress import Progress
from keras_gan.callbacks.sample_grid import SampleGrid
from keras_gan.callbacks.stopwatch import Stopwatch
from keras_gan.callbacks.training_health import TrainingHealth
from keras_gan.callbacks.usual import for_run

__all__ = [
    "BackupAndRestore",
    "MetricsLog",
    "Progress",
    "SampleGrid",
    "Stopwatch",
    "TrainingHealth",
    "for_run",
    "read_metrics",
]


def __dir__():
    return __all__
