"""Export of generators to .tflite, ONNX and SavedModel; each written file is checked."""

from keras_gan.export.export import export, export_translation
from keras_gan.export.latency import Benchmark, benchmark
from keras_gan.export.report import Report

__all__ = ["Benchmark", "Report", "benchmark", "export", "export_translation"]


def __dir__():
    return __all__
