"""Checks of sizes that the architectures share."""


def check_positive(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")


def check_data_shape(name, shape, ranks):
    """Returns the shape as a tuple.

    Raises:
        ValueError: If it does not have one of the ranks 1, `(features,)`, and 3, `(height, width, channels)`, that
            `ranks` allows, or an entry is not a positive integer.
    """
    forms = " or ".join({1: "(features,)", 3: "(height, width, channels)"}[rank] for rank in ranks)
    try:
        shape = tuple(shape)
    except TypeError:
        shape = (shape,)
        ok = False
    else:
        ok = len(shape) in ranks and all(isinstance(n, int) and n > 0 for n in shape)
    if not ok:
        raise ValueError(f"{name} must be {forms}, of positive integers. Received: {shape!r}.")
    return shape
