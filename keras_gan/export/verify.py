"""Checks an exported file against the Keras generator."""

import dataclasses
import math

import keras
import numpy as np

from keras_gan.keras_private import layers_of
from keras_gan.metrics.base import update

# Tolerance of one byte level, since a value near .5 may be rounded up or down.
_BYTE = 1 / 127.5
# Tolerance for relative rounding errors. The error of a sum of a thousand float32 numbers is a fifth of this tolerance.
_ROUNDING = 5e-6
# `_ALONE` is the number of other pictures in the batch of a picture. `_MAX_ALONE` is the largest change that they may
# cause in its output, in units of half the range. It is not 0, because the order of additions depends on the batch
# size.
_ALONE, _MAX_ALONE = 4, 1e-4


@dataclasses.dataclass(frozen=True)
class Errors:
    """Errors of a file's outputs against those of the Keras generator, in their units; bytes are rescaled to [-1, 1].

    Attributes:
        max_error: Float, the largest absolute difference.
        mean_error: Float, the mean absolute difference.
        psnr: Float, peak signal-to-noise ratio in dB, `10 log10(r ** 2 / mean squared difference)`. `r` is 2 for a tanh
            and 1 for a sigmoid. For other outputs, it is the range of the entry that varies most over the examples.
        output_range: Pair of floats: the bounds of a tanh or a sigmoid, else the smallest and the largest output that
            was compared.
    """

    max_error: float
    mean_error: float
    psnr: float
    output_range: tuple


# Limits: the largest error, in units of half the range, if arithmetic stays float32; else the smallest PSNR. A trained
# generator saturates: single pixels of an edge may differ much although the images look the same.
_MAX_ERROR = {None: 1e-5, "float16": 0.02}
_MIN_PSNR = 25.0


def check(file, signatures, quantize, bounds=None):
    """Compares each signature of a file with Keras on fresh examples.

    Args:
        file: Result of `keras_gan.export.runners.run`.
        signatures: List of `Signature` of the Keras generator.
        quantize: The precision, which sets the tolerance.
        bounds: Pair of floats, the range of outputs. Defaults to None: errors are relative to how much outputs vary
            from example to example.

    Returns:
        `Errors`.

    Raises:
        ValueError: If signatures, shapes or values differ, or values are not finite.
    """
    expected = {s.name: s.inputs for s in signatures}
    if file.inputs != expected:
        raise ValueError(f"The file must have the signatures {expected}. Received: {file.inputs}.")
    outputs, differences, rounded = [], [], False
    for signature in signatures:
        feeds, wanted = signature.expected
        received = np.concatenate([file.run(signature.name, feed) for feed in feeds])
        if not np.isfinite(wanted).all():
            raise ValueError("The Keras generator gives values that are NaN or infinite.")
        if received.shape != wanted.shape or received.dtype != wanted.dtype:
            raise ValueError(
                f"The file gives {received.dtype} {received.shape[1:]}, the generator {wanted.dtype} "
                f"{wanted.shape[1:]}."
            )
        if not np.isfinite(received).all():
            raise ValueError("The file gives values that are NaN or infinite.")
        rounded = wanted.dtype == np.uint8
        outputs.append(to_float(wanted).astype("float64"))
        differences.append(np.abs(to_float(received) - outputs[-1]))
    outputs, difference = np.concatenate(outputs), np.concatenate(differences)
    rounding = _ROUNDING * float(np.abs(outputs).max())
    # Errors are relative to the variation of outputs, not to their mean: a generator of heights in centimeters, for
    # example, gives values around 190 that vary by 40. All entries share one scale, since entries that never vary, such
    # as a border, have no scale of their own.
    spread = bounds[1] - bounds[0] if bounds else float(np.ptp(outputs, axis=0).max())
    # Outputs that vary by no more than rounding count as constant. The lower bounds of the spread and of the mean
    # square keep the PSNR of exact results finite, as JSON requires.
    spread = max(spread, 2 * rounding, 1e-30)
    psnr = -10 * math.log10(max(float(np.square(difference / spread).mean()), 1e-20))
    output_range = bounds or (outputs.min(), outputs.max())
    errors = Errors(float(difference.max()), float(difference.mean()), psnr, tuple(map(float, output_range)))
    allowed = max(_MAX_ERROR.get(quantize, 0) * spread / 2, rounding) + (_BYTE if rounded else 0)
    _check_bounds(errors, quantize, allowed)
    return errors


def check_alone(generator, signature, bounds=None):
    """Checks that the Keras generator's output for a picture does not depend on the others of its batch.

    Args:
        generator: `keras.Model`, for the names of its layers.
        signature: `Signature` of it, from float32 to float32, for any batch.
        bounds: Pair of floats, the range of outputs. Defaults to None, the observed range.

    Raises:
        ValueError: If the output depends on the other pictures by more than rounding, or a layer of batch normalization
            is called with `training=True`.
    """
    examples = signature.draw(_ALONE, seed=1)
    # Pictures of one kind have similar batch statistics. A negative has different statistics, so the negative of the
    # first picture is added to the batch.
    crowd = {name: np.concatenate([x, -x[:1]]) for name, x in examples.items()}
    among = signature(crowd).astype("float64")
    difference = np.abs(signature({name: x[:1] for name, x in examples.items()})[0] - among[0]).max()
    low, high = bounds or (among.min(), among.max())
    allowed = _MAX_ALONE * (high - low) / 2 + _ROUNDING * np.abs(among).max()
    names = _called_in_training(generator)
    normalizing = [x for x in layers_of(generator) if isinstance(x, keras.layers.BatchNormalization)]
    named = ", ".join(repr(layer.name) for layer in normalizing if layer.name in names)
    if named:
        # In inference Keras 3.15 overrides `training=True`, and gives other pictures than in training.
        received = f"one that calls batch normalization with training=True ({named})"
    elif difference > allowed:
        received = f"one whose output changes by {difference:.2g} in a batch with others"
    else:
        # NaN is reported by the check of the file.
        return
    raise ValueError(
        "generator must give the same output for a picture each time, whatever else is in its batch: on a device "
        f"pictures come one at a time. Received: {received}. Call layers without training=True: then they use their "
        "moving averages, and dropout is off. Or normalize each picture separately, as instance normalization does."
    )


def _called_in_training(generator):
    """Returns the names of layers that functional models always call with `training=True`."""
    try:
        todo = [keras.saving.serialize_keras_object(generator)]
    # A subclassed model without a configuration may raise anything.
    except Exception:
        return set()
    found = set()
    while todo:
        config = todo.pop()
        if isinstance(config, dict):
            nodes = config.get("inbound_nodes") or []
            if any(isinstance(node, dict) and node.get("kwargs", {}).get("training") is True for node in nodes):
                found.add(config.get("name"))
            todo += config.values()
        elif isinstance(config, (list, tuple)):
            todo += config
    return found


def describe_range(output_range):
    """Formats a pair of floats."""
    return "[{:.6g}, {:.6g}]".format(*output_range)


def _check_bounds(errors, quantize, allowed):
    outputs = f"for outputs in {describe_range(errors.output_range)}"
    if quantize in _MAX_ERROR:
        if errors.max_error > allowed:
            raise ValueError(
                f"The file differs from the generator by up to {errors.max_error:.2g} {outputs}; {allowed:.2g} is "
                "allowed."
            )
    elif errors.psnr < _MIN_PSNR:
        milder = {"int8": "quantize='dynamic'", "dynamic": "quantize='float16'"}[quantize]
        raise ValueError(
            f"quantize={quantize!r} is too coarse for this generator: PSNR {errors.psnr:.1f} dB, at least "
            f"{_MIN_PSNR:g} are needed; mean error {errors.mean_error:.2g} {outputs}. Use {milder}."
        )


def twins(metrics):
    """Makes two lists of new metrics like those given, one for the Keras generator and one for the file.

    Raises:
        TypeError: If a metric can't be made from its configuration.
    """
    try:
        return tuple([metric.from_config(metric.get_config()) for metric in metrics] for _ in range(2))
    except Exception as error:
        raise TypeError(
            "metrics must be such that from_config(get_config()) copies each: one copy measures the Keras generator, "
            f"the other the file. Received: {metrics!r}, which fails: {error}"
        ) from error


def compare_metrics(file, signature, twins, data, match, data_range):
    """Evaluates metrics on images of the Keras generator and of the file, from the same examples.

    Args:
        file: Result of `keras_gan.export.runners.run`.
        signature: `Signature` of the Keras generator.
        twins: Two lists of the same metrics, whose `update_state` takes `(real, fake)`.
        data: An array `(n, ...)`, or batches.
        match: Function of a batch and a seed that returns real images and the examples that belong to them.
        data_range: Pair of numbers, the range of the data, or None.

    Returns:
        Dict of names to pairs of floats, before and after.
    """
    if hasattr(data, "shape"):
        data = [data[i : i + 128] for i in range(0, len(data), 128)]
    generators = signature.compiled, lambda feed: file.run(signature.name, feed)
    # Uses one pass over the data: in a second pass, shuffled data would have another order, and a Python generator
    # would be exhausted.
    for i, batch in enumerate(data):
        real, examples = match(batch, i)
        feeds = signature.feeds(examples)
        for generate, metrics in zip(generators, twins, strict=True):
            fake = to_float(np.concatenate([generate(feed) for feed in feeds])[: len(real)]).astype("float32")
            update(metrics, real, fake, data_range)
    before, after = map(_results, twins)
    return {name: (before[name], after[name]) for name in before}


def _results(metrics):
    results = {}
    for metric in metrics:
        value = metric.result()
        results.update(value if isinstance(value, dict) else {metric.name: value})
    return {name: float(value) for name, value in results.items()}


def to_float(images):
    """Converts bytes to float64 in [-1, 1]; other images are unchanged."""
    return images / 127.5 - 1 if images.dtype == np.uint8 else images
