"""Checks of single values, such as numbers, seeds and paths."""

import math
import numbers
import re
from pathlib import Path

import keras
import numpy as np
from keras import ops

# A Windows drive, such as `C:`, has one letter, so schemes need at least two. `Path` turns `//` into `/`; with a single
# slash, only common schemes count as an address.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|^(file|gs|hdfs|hf|https?|s3):/", re.IGNORECASE)


def check_bool(name, value):
    """Raises a ValueError unless a value is True or False; NumPy's bools are accepted."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False. Received: {value!r}.")


def check_integer(name, value, low=1, high=None):
    """Returns an integer within bounds as a Python int.

    Args:
        name: String, the name of the argument.
        value: The value received. NumPy integers are integers; a bool is not.
        low: Int, the smallest that is allowed, or None for no bound. Defaults to `1`.
        high: Int, the largest that is allowed. Defaults to None, no bound.

    Returns:
        Int.

    Raises:
        ValueError: If `value` is not an integer within the bounds.
    """
    value = _scalar(value)
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not _is_within(value, low, high):
        if high is not None and low is not None:
            expected = f"an integer from {low} to {high}"
        else:
            expected = "a positive integer" if low == 1 else f"an integer{_bounds(low, high)}"
        raise ValueError(f"{name} must be {expected}. Received: {value!r}.")
    return int(value)


def check_integers(name, values):
    """Returns positive integers, given one or a list of them, as a tuple of Python ints.

    Raises:
        ValueError: If a value is not a positive integer, or there is none.
    """
    if not isinstance(values, (list, tuple)):
        return (check_integer(name, values),)
    if not values:
        raise ValueError(f"{name} must have at least one positive integer. Received: none.")
    return tuple(check_integer(f"each of {name}", value) for value in values)


def check_number(name, value, low=None, high=None, open_low=False, open_high=False):
    """Returns a finite number within bounds as a Python float.

    Args:
        name: String, the name of the argument.
        value: The value received. NumPy numbers are numbers; a bool is not.
        low: Float, the bound from below. Defaults to None, no bound.
        high: Float, the bound from above. Defaults to None, no bound.
        open_low: Bool, whether `low` itself is out of bounds. Defaults to False.
        open_high: Bool, whether `high` itself is out of bounds. Defaults to False.

    Returns:
        Float.

    Raises:
        ValueError: If `value` is not a finite number within the bounds.
    """
    value = _scalar(value)
    if (
        not isinstance(value, numbers.Real)
        or isinstance(value, bool)
        or not _is_finite(value)
        or not _is_within(value, low, high, open_low, open_high)
    ):
        if high is not None and low is not None:
            expected = f"a number in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
        else:
            expected = f"a finite number{_bounds(low, high, open_low, open_high)}"
        raise ValueError(f"{name} must be {expected}. Received: {value!r}.")
    return float(value)


def check_seed(seed):
    """Returns a seed that Keras accepts, converted to a Python int; None stays None.

    Raises:
        ValueError: If `seed` is neither None nor an integer from 0 to 2**32 - 1.
    """
    return None if seed is None else check_integer("seed", seed, 0, 2**32 - 1)


def check_path(name, path):
    """Returns a path of this machine as a `Path`.

    Args:
        name: String, the name of the argument.
        path: String or `os.PathLike`.

    Raises:
        ValueError: If it is an address, such as `gs://bucket/run`: a folder `gs:` would be made.
    """
    if is_address(path):
        raise ValueError(
            f"{name} must be a path on this machine, not an address. Received: {str(path)!r}. Mount the storage, or "
            "give a local path and copy the files afterwards."
        )
    return Path(path)


def is_address(path):
    """Checks if a path is an address, such as `gs://bucket/run` or `hf://user/model`."""
    return _ADDRESS.search(str(path)) is not None


def check_points(name, value, size):
    """Returns points as an array.

    Args:
        name: String, the name of the argument.
        value: The value received: an array, a tensor or a list of lists.
        size: String, the name of a point's size.

    Returns:
        NumPy array `(num_modes, size)`, float32.

    Raises:
        ValueError: If these are not finite numbers of that shape, or there are none.
    """
    try:
        points = np.asarray(ops.convert_to_numpy(value), "float32")
        fits = points.ndim == 2 and 0 not in points.shape and np.isfinite(points).all()
        received = f"an array of shape {points.shape}"
    except (TypeError, ValueError):
        fits, received = False, repr(value)
    if not fits:
        raise ValueError(f"{name} must be finite numbers of shape (num_modes, {size}). Received: {received}.")
    return points


def is_auto(value):
    """Checks if an argument is left at `"auto"`."""
    # `==` on an array would compare each entry.
    return isinstance(value, str) and value == "auto"


def differences(then, now):
    """Lists the entries in which two dicts differ.

    Args:
        then: Dict.
        now: Dict. An entry that one of them lacks counts as None.

    Returns:
        List of `(name, then, now)`: a name, and its two values.
    """
    values = [(name, then.get(name), now.get(name)) for name in {**then, **now}]
    return [(name, before, after) for name, before, after in values if before != after]


def same_shape(received, expected):
    """Compares two shapes where both are known."""
    if len(received) != len(expected):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(received, expected, strict=True))


def join(shape):
    """Writes a shape as text, without parentheses."""
    return ", ".join(map(str, shape))


def _scalar(value):
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer beyond the largest float.
        return False


def _is_within(value, low, high, open_low=False, open_high=False):
    above = low is None or (value > low if open_low else value >= low)
    below = high is None or (value < high if open_high else value <= high)
    return above and below


def _bounds(low, high, open_low=False, open_high=False):
    if low is not None:
        return f" {'>' if open_low else '>='} {low}"
    return "" if high is None else f" {'<' if open_high else '<='} {high}"


def check_model(name, model):
    """Raises a TypeError unless this is a `keras.Model`."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must be a keras.Model. Received: {model!r}.")


def offers(thing, *methods):
    """Checks if a value is an object, not a class, with these methods."""
    return not isinstance(thing, type) and all(callable(getattr(thing, name, None)) for name in methods)
