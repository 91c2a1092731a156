"""Is what was written what Keras computes?"""

import dataclasses
import math

import keras
import numpy as np

_EXAMPLES = 32
_RANGE = 2.0
# One step of 1/127.5 at a value that lies between two bytes.
_BYTE = 1 / 127.5


@dataclasses.dataclass(frozen=True)
class Errors:
    """How far a file's images are from the Keras generator's, in units of images in [-1, 1].

    Attributes:
        max_error: Float, the largest absolute difference.
        mean_error: Float, the mean absolute difference.
        psnr: Float, peak signal-to-noise ratio in dB, `10 log10(2 ** 2 / mean squared difference)`.
    """

    max_error: float
    mean_error: float
    psnr: float


# The largest error where arithmetic stays float32, else the smallest PSNR. A trained generator saturates: single
# pixels of an edge may swing far although no one can tell the images apart.
_MAX_ERROR = {None: 1e-5, "float16": 0.02}
_MIN_PSNR = 25.0


def check(file, signatures, quantize):
    """Compares each signature of a file with Keras on fresh examples.

    Args:
        file: What `keras_gan.export.runners.run` returns.
        signatures: List of `Signature` of the Keras generator.
        quantize: The precision, which says how large errors may be.

    Returns:
        `Errors`. For outputs that are no images in [-1, 1], in units of half their range.

    Raises:
        ValueError: If signatures, shapes or values are others, or values are not finite.
    """
    expected = {s.name: s.inputs for s in signatures}
    if file.inputs != expected:
        raise ValueError(f"The file must have the signatures {expected}. Received: {file.inputs}.")
    differences, scale, rounded = [], 1.0, False
    for signature in signatures:
        feeds = signature.feeds(signature.draw(_EXAMPLES))
        wanted = np.concatenate([signature(feed) for feed in feeds])
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
        wanted, received = to_float(wanted), to_float(received)
        scale = max(scale, float(np.abs(wanted).max()))
        differences.append(np.abs(received.astype("float64") - wanted).ravel())
    difference = np.concatenate(differences) / scale
    # The floor keeps what is exact finite, and JSON valid.
    psnr = 10 * math.log10(_RANGE**2 / max(float(np.square(difference).mean()), 1e-20))
    errors = Errors(float(difference.max()), float(difference.mean()), psnr)
    _check_bounds(errors, quantize, rounded)
    return errors


def _check_bounds(errors, quantize, rounded):
    if quantize in _MAX_ERROR:
        allowed = _MAX_ERROR[quantize] + (_BYTE if rounded else 0)
        if errors.max_error > allowed:
            raise ValueError(
                f"The file differs from the generator by up to {errors.max_error:.2g}; {allowed:.2g} is allowed."
            )
    elif errors.psnr < _MIN_PSNR:
        milder = {"int8": "quantize='dynamic'", "dynamic": "quantize='float16'"}[quantize]
        raise ValueError(
            f"quantize={quantize!r} takes too much from this generator: PSNR {errors.psnr:.1f} dB, at least "
            f"{_MIN_PSNR:g} are needed; mean error {errors.mean_error:.2g}. Use {milder}."
        )


def compare_metrics(file, signature, metrics, data):
    """Evaluates metrics on the Keras generator's images and on the file's, of the same latents.

    Args:
        file: What `keras_gan.export.runners.run` returns.
        signature: `Signature` of the Keras generator.
        metrics: List of metrics whose `update_state` takes `(real, fake)`.
        data: Real data: an array `(n, ...)`, or batches of images or of `(images, labels)`.

    Returns:
        Dict of names to pairs of floats, before and after.
    """
    if hasattr(data, "shape"):
        data = [data[i : i + 128] for i in range(0, len(data), 128)]
    before = _evaluate(metrics, signature, data, signature)
    after = _evaluate(metrics, signature, data, lambda feed: file.run(signature.name, feed))
    return {name: (before[name], after[name]) for name in before}


def _evaluate(metrics, signature, data, generate):
    for metric in metrics:
        metric.reset_state()
    for i, batch in enumerate(data):
        real, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        examples = signature.draw(len(real), seed=i)
        if "labels" in examples and labels is not None:
            examples["labels"] = keras.ops.convert_to_numpy(labels).reshape(-1).astype("int32")
        fake = np.concatenate([generate(feed) for feed in signature.feeds(examples)])[: len(real)]
        for metric in metrics:
            metric.update_state(real, to_float(fake).astype("float32"))
    results = {}
    for metric in metrics:
        value = metric.result()
        results.update(value if isinstance(value, dict) else {metric.name: value})
        metric.reset_state()
    return {name: float(value) for name, value in results.items()}


def to_float(images):
    """Bytes as float64 in [-1, 1]; other images as they are."""
    return images / 127.5 - 1 if images.dtype == np.uint8 else images
