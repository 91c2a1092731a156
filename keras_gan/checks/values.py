"""Checks of single values, which the others share."""

import numpy as np


def check_positive(name, value):
    """Raises a ValueError unless `value` is a positive integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")


def check_seed(seed):
    """Raises a ValueError unless `seed` is an integer that Keras takes, or None."""
    if seed is not None and (
        isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32
    ):
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, or None. Received: {seed!r}.")


def same_shape(received, expected):
    """Whether two shapes are equal where both are known."""
    if len(received) != len(expected):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(received, expected, strict=True))


def join(shape):
    """A shape as text, without parentheses."""
    return ", ".join(map(str, shape))
