"""Quality of samples: `keras.metrics.Metric` classes that compare generated data with real data."""

from keras_gan.metrics import features
from keras_gan.metrics.base import BufferedMetric, FeatureMetric
from keras_gan.metrics.classifier_score import Classes, ClassifierScore, classify
from keras_gan.metrics.frechet import FrechetDistance
from keras_gan.metrics.kernel import KernelDistance
from keras_gan.metrics.memorization import Memorization, Neighbors, nearest
from keras_gan.metrics.modes import ModeCoverage
from keras_gan.metrics.neighbors import DensityCoverage, PrecisionRecall
from keras_gan.metrics.one_dimensional import JensenShannon, KolmogorovSmirnov, SlicedWasserstein
from keras_gan.metrics.similarity import PSNR, SSIM

__all__ = [
    "PSNR",
    "SSIM",
    "BufferedMetric",
    "Classes",
    "ClassifierScore",
    "DensityCoverage",
    "FeatureMetric",
    "FrechetDistance",
    "JensenShannon",
    "KernelDistance",
    "KolmogorovSmirnov",
    "Memorization",
    "ModeCoverage",
    "Neighbors",
    "PrecisionRecall",
    "SlicedWasserstein",
    "classify",
    "features",
    "nearest",
]


def __dir__():
    return __all__
