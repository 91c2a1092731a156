"""Generators as files for other programs: SavedModel and .tflite, each checked as it was written."""

from keras_gan.export.export import export
from keras_gan.export.report import Report

__all__ = ["Report", "export"]
