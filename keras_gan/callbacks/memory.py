"""State of callbacks for backups: attributes that are numbers, strings, and collections of these."""

import contextlib

import numpy as np

# Attributes that are not saved. Keras changes the sign of the first one when it first compares values; the second is
# true while a profiler runs; the third is a clock time that restarts at each boot.
_OF_A_PROCESS = {"min_delta", "_is_tracing", "_moment"}


def _encode(value):
    """Encodes a value as JSON for `_decode`. Raises a TypeError if it can't."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple, set):
        return {type(value).__name__: [_encode(part) for part in value]}
    if type(value) is dict:
        return {"dict": [[_encode(key), _encode(part)] for key, part in value.items()]}
    raise TypeError(f"{type(value).__name__} is not kept")


def _decode(code):
    if not isinstance(code, dict):
        return code
    ((kind, parts),) = code.items()
    if kind == "dict":
        return {_decode(key): _decode(part) for key, part in parts}
    return {"list": list, "tuple": tuple, "set": set}[kind](map(_decode, parts))


def of(callback):
    """Returns the state of a callback, encoded: attributes that are numbers, strings, and collections of these."""
    memory = {}
    for name, value in vars(callback).items():
        if name not in _OF_A_PROCESS:
            with contextlib.suppress(TypeError):
                memory[name] = _encode(value)
    return memory


def remember(callback, memory):
    for name, code in memory.items():
        value, old = _decode(code), getattr(callback, name, None)
        # In place: the user may hold the same list.
        if type(value) is type(old) is list:
            old[:] = value
        elif type(value) is type(old) in (dict, set):
            old.clear()
            old.update(value)
        else:
            setattr(callback, name, value)


def pair(callbacks, first, saved):
    """Yields each callback with its initial state and its saved state. They are matched by class, since the saved list
    of callbacks may differ from the current list."""
    saved = list(saved)
    for callback, beginning in zip(callbacks, first, strict=True):
        for i, (name, memory) in enumerate(saved):
            if name == type(callback).__name__:
                yield callback, beginning, memory
                del saved[i]
                break
