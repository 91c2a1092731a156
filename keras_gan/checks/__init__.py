"""Errors before work is spent, which name the argument, what was expected and what came."""

from keras_gan.checks.data import (
    RANGES,
    Expected,
    check_data,
    check_ends,
    check_pairs,
    check_real,
    check_sample_given,
    is_arrays,
    is_endless,
)
from keras_gan.checks.streams import Later, first_examples
from keras_gan.checks.training import (
    bounds_slope,
    check_adaptive,
    check_metrics,
    check_monitors,
    check_names,
    check_owner,
    check_pack,
    check_trainable,
    check_training,
    check_views,
    result_names,
    warn_without_lipschitz_control,
)
from keras_gan.checks.values import check_integer, check_number, check_seed

__all__ = [
    "RANGES",
    "Expected",
    "Later",
    "bounds_slope",
    "check_adaptive",
    "check_data",
    "check_ends",
    "check_integer",
    "check_metrics",
    "check_monitors",
    "check_names",
    "check_number",
    "check_owner",
    "check_pack",
    "check_pairs",
    "check_real",
    "check_sample_given",
    "check_seed",
    "check_trainable",
    "check_training",
    "check_views",
    "first_examples",
    "is_arrays",
    "is_endless",
    "result_names",
    "warn_without_lipschitz_control",
]
