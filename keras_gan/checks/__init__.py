"""Errors before work is spent, which name the argument, what was expected and what came."""

from keras_gan.checks.data import RANGES, Expected, check_data, check_real, check_sample_given, is_arrays
from keras_gan.checks.networks import (
    check_metrics,
    check_options,
    check_trainable,
    check_training,
    common_condition,
    connect,
    noise_size,
    output_activation,
    result_names,
    symbolic_inputs,
    try_given,
    warn_without_lipschitz_control,
)
from keras_gan.checks.streams import Later
from keras_gan.checks.values import check_integer, check_number, check_positive, check_seed

__all__ = [
    "RANGES",
    "Expected",
    "Later",
    "check_data",
    "check_integer",
    "check_metrics",
    "check_number",
    "check_options",
    "check_positive",
    "check_real",
    "check_sample_given",
    "check_seed",
    "check_trainable",
    "check_training",
    "common_condition",
    "connect",
    "is_arrays",
    "noise_size",
    "output_activation",
    "result_names",
    "symbolic_inputs",
    "try_given",
    "warn_without_lipschitz_control",
]
