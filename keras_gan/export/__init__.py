"""Generators as files for other programs: .tflite, ONNX and SavedModel, each checked as it was written."""

from keras_gan.export.export import export, export_translation
from keras_gan.export.latency import Benchmark, benchmark
from keras_gan.export.report import Report

__all__ = ["Benchmark", "Report", "benchmark", "export", "export_translation"]


def __dir__():
    return __all__
