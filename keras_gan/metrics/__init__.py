"""How good are the samples? `keras.metrics.Metric` classes that compare generated data with real data."""

from keras_gan.metrics.modes import ModeCoverage

__all__ = ["ModeCoverage"]
