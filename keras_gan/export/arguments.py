"""Checks the arguments of `export` before any expensive work begins."""

import dataclasses
import itertools
import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from keras_gan import checks, networks
from keras_gan.checks.values import check_path, join, same_shape
from keras_gan.export import latency, report, runners
from keras_gan.export.tasks import EXAMPLES

_SUFFIXES = {".tflite": "litert", ".onnx": "onnx", "": "tf_saved_model"}
_PRECISIONS = (None, "float16", "dynamic", "int8")
_OUTPUTS = ("float32", "uint8")
_BATCH = 32


def _check_format(filepath, format):
    """Returns the format of the file, `"litert"`, `"onnx"` or `"tf_saved_model"`."""
    if filepath.name in _SUFFIXES:
        raise ValueError(f"filepath must have a name before its suffix. Received: {str(filepath)!r}.")
    if format is None:
        if filepath.suffix not in _SUFFIXES:
            raise ValueError(
                f"filepath must end in .tflite or .onnx, or have no suffix for a SavedModel. "
                f"Received: {str(filepath)!r}."
            )
        return _SUFFIXES[filepath.suffix]
    suffixes = {name: suffix for suffix, name in _SUFFIXES.items()}
    if format not in suffixes:
        raise ValueError(f"format must be one of {', '.join(map(repr, suffixes))}. Received: {format!r}.")
    if suffixes[format] and filepath.suffix != suffixes[format]:
        raise ValueError(f"filepath must end in {suffixes[format]} for format={format!r}. Received: {str(filepath)!r}.")
    return format


@dataclasses.dataclass(frozen=True)
class Options:
    """Checked arguments that all exports share, about the file to write.

    Attributes:
        filepath: Path.
        format: `"litert"`, `"onnx"` or `"tf_saved_model"`.
        quantize: None, `"float16"`, `"dynamic"` or `"int8"`.
        batch_sizes: Tuple of ints, or `(None,)` for any size.
        output: `"float32"` or `"uint8"`.
        card: Mapping of facts, or None.
        accelerator: None or `"gpu"`.
    """

    filepath: Path
    format: str
    quantize: str | None
    batch_sizes: tuple
    output: str
    card: Mapping | None
    accelerator: str | None


def check_options(filepath, format, quantize, batch_sizes, output, card, accelerator, sample=False):
    """Checks the arguments shared by all exports, and that the file can be written; returns `Options`."""
    filepath = check_path("filepath", filepath)
    format = _check_format(filepath, format)
    if card is not None and not isinstance(card, Mapping):
        raise TypeError(f"card must be a dict of facts, such as {{'license': 'CC0'}}. Received: {card!r}.")
    if quantize not in _PRECISIONS:
        raise ValueError(f"quantize must be one of {', '.join(map(repr, _PRECISIONS))}. Received: {quantize!r}.")
    if output not in _OUTPUTS:
        raise ValueError(f"output must be one of {', '.join(map(repr, _OUTPUTS))}. Received: {output!r}.")
    batch_sizes = checks.check_integers("batch_sizes", batch_sizes)
    if len(set(batch_sizes)) < len(batch_sizes):
        raise ValueError(f"batch_sizes must differ. Received: {batch_sizes}.")
    for name, value, default, kinds in (
        ("quantize", quantize, None, {"litert": ".tflite files"}),
        ("batch_sizes", batch_sizes, (1,), {"litert": ".tflite files"}),
        ("sample", sample, False, {"litert": ".tflite files", "tf_saved_model": "SavedModels"}),
        ("output", output, "float32", {"litert": ".tflite files", "tf_saved_model": "SavedModels"}),
    ):
        if value != default and format not in kinds:
            raise ValueError(
                f"{name} must be left out with format={format!r}: only {' and '.join(kinds.values())} support it. "
                f"Received: {name}={value!r}. Leave {name} out, or write NAME.tflite."
            )
    if sample and quantize == "int8":
        raise ValueError(
            "sample=True needs float arithmetic for its random numbers, and quantize='int8' allows only integers. Use "
            "quantize='dynamic', or draw latents in the app."
        )
    _check_accelerator(accelerator, format, quantize, sample)
    _check_place(filepath, format)
    if format != "tf_saved_model":
        runners.import_runtime(format)
    batch_sizes = batch_sizes if format == "litert" else (None,)
    return Options(filepath, format, quantize, batch_sizes, output, card, accelerator)


def _check_accelerator(accelerator, format, quantize, sample):
    """Raises a ValueError unless the accelerator can run the requested file."""
    latency.check_accelerator(accelerator, format)
    if accelerator is None:
        return
    if quantize == "int8":
        raise ValueError(
            "accelerator='gpu' needs weights in floating point. Received: quantize='int8'. Use quantize='float16'."
        )
    if sample:
        raise ValueError(
            "accelerator='gpu' can't be combined with sample=True: GPUs lack the integer arithmetic of its random "
            "numbers, and LiteRT refuses a file that has such a function. Draw latents in the app, as the samples in "
            "export/ do; or leave accelerator out, and let the app use the GPU and the CPU."
        )


def _check_place(filepath, format):
    """Raises an error unless the file and its card can be written."""
    if not filepath.parent.is_dir():
        raise ValueError(
            f"filepath must lie in a folder that exists. Received: {filepath}. Make {filepath.parent} first."
        )
    if not os.access(filepath.parent, os.W_OK):
        raise PermissionError(13, f"filepath must lie in a folder that you may write to. Received: {filepath}")
    try:
        str(filepath).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"filepath must be valid text: runtimes read it as UTF-8. Received: {str(filepath)!r}."
        ) from error
    if format == "tf_saved_model":
        runners.check_folder(filepath)
    if format != "tf_saved_model":
        if filepath.is_dir():
            raise ValueError(f"filepath must be a file. Received: {filepath}, which is a folder.")
    elif filepath.exists() and (not filepath.is_dir() or any(filepath.iterdir())):
        raise FileExistsError(
            f"filepath must be a new or an empty folder. Received: {filepath}, which is there already."
        )
    card = card_path(filepath)
    if card.exists() and not (card.is_file() and report.is_card(card)):
        raise FileExistsError(f"The model card belongs at {card}, where something else is. Move that away.")


def check_output(outputs, generator, output):
    """Returns the shape of one example."""
    if not hasattr(outputs, "shape"):
        raise ValueError(f"generator must have one output. Received: a {type(outputs).__name__} of outputs.")
    shape = tuple(outputs.shape[1:])
    if output == "uint8" and (len(shape) != 3 or networks.output_activation(generator) == "sigmoid"):
        raise ValueError(
            "output='uint8' needs a generator of images (height, width, channels) in [-1, 1]. "
            f"Received: shape {shape}, activation {networks.output_activation(generator)}."
        )
    return shape


def check_together(metrics, data):
    """Raises a ValueError if there are metrics without data, or data without metrics."""
    if (data is None) != (not metrics):
        raise ValueError(
            "metrics and data must be given together: metrics compare real data with generated data. Received: "
            f"{'no data' if data is None else 'no metrics'}. Pass both, or neither."
        )


def check_data(data, shape, generator, condition):
    """Checks real data, and returns them with the extra input of their first batch.

    A Python generator can't be rewound: in its place a new one is returned that starts with the same batch. The extra
    input, such as labels, is a NumPy array, or None.
    """
    # Arrays have no labels.
    is_array = hasattr(data, "shape")
    expected = checks.Expected(shape, networks.output_activation(generator), None if is_array else condition)
    if isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "shape") for part in data):
        raise TypeError(
            "data must be batches. Received: a pair of arrays. Make batches from them with "
            "tf.data.Dataset.from_tensor_slices((x, y)).batch(128)."
        )
    data, _ = _check_stream(data, None, lambda x, y: checks.check_real(x, y, expected))
    if expected.given_name is None:
        return data, None
    iterator = iter(data)
    first = next(iterator)
    rows = keras.ops.convert_to_numpy(condition.prepare(keras.utils.unpack_x_y_sample_weight(first)[1]))
    return itertools.chain([first], iterator) if iterator is data else data, rows


def _check_stream(x, y, check):
    """Returns the result of `keras_gan.checks.check_data` for data, or for a list of batches."""
    try:
        # In `fit` a list holds examples; here it holds batches.
        x = iter(x) if isinstance(x, (list, tuple)) else x
        checks.check_ends(x)
        return checks.check_data(x, y, None, check)
    except (TypeError, ValueError) as error:
        raise type(error)(f"data must be what fit takes as x, or a list of batches. {error}") from error


def check_pictures(data, generator, output):
    """Checks the pictures of a translation.

    Args:
        data: Sources, an array; sources and targets, a pair of arrays; or batches of one or of both.
        generator: `keras.Model` from images to images.
        output: `"float32"` or `"uint8"`.

    Returns:
        The sources to use as examples, a NumPy array; batches of all data; and a bool, True if the data have targets.

    Raises:
        ValueError: If there are no pictures, or they have the wrong shape, are not finite, or are out of range.
        TypeError: If the data are of the wrong type.
    """
    if data is None:
        raise ValueError(
            "data must be given: pictures such as those that the file is for, as an array (n, height, width, "
            "channels) in [-1, 1], or what fit takes. The file is calibrated and checked on them, because even a "
            "broken file may pass a check on random noise. Received: None."
        )
    expected = networks.image_shape(generator)

    def check(sources, targets):
        _check_images("sources", sources, expected, (-1, 1))
        if targets is not None:
            shape = check_output(generator(keras.KerasTensor((None, *sources.shape[1:]))), generator, output)
            _check_images("targets", targets, shape, checks.RANGES.get(networks.output_activation(generator)))
        return sources, targets

    pair = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    if all(part is None or hasattr(part, "shape") for part in pair):
        sources, targets = _check_stream(*pair, check)
        if targets is not None and len(targets) != len(sources):
            raise ValueError(
                f"data must give one target for each source. Received: {len(sources)} sources and {len(targets)} "
                "targets."
            )
        slices = [slice(i, i + _BATCH) for i in range(0, len(sources), _BATCH)]
        batches = [(sources[part], None if targets is None else targets[part]) for part in slices]
    else:
        batches, _ = _check_stream(data, None, check)
    head, iterator = [], iter(batches)
    for batch in iterator:
        sources, targets, _ = keras.utils.unpack_x_y_sample_weight(batch)
        head.append((sources, targets))
        if sum(len(part) for part, _ in head) >= EXAMPLES:
            break
    examples = np.concatenate([keras.ops.convert_to_numpy(part) for part, _ in head])[:EXAMPLES]
    # A Python generator can't be rewound.
    batches = itertools.chain(head, iterator) if iterator is batches else batches
    return examples, batches, head[0][1] is not None


def _check_images(name, images, shape, bounds):
    if not hasattr(images, "shape"):
        raise TypeError(f"The {name} in data must be an array or a tensor. Received: a {type(images).__name__}.")
    received = tuple(images.shape)
    if len(received) != 4 or not same_shape(received[1:], shape) or not received[0]:
        hint = " Make one picture a batch of one by x[None]." if same_shape(received, shape) else ""
        raise ValueError(
            f"Its {name} must have the shape (batch, {join('any' if n is None else n for n in shape)}). "
            f"Received: {received}.{hint}"
        )
    images = keras.ops.convert_to_numpy(images)
    if images.dtype.kind not in "iuf" and images.dtype.name != "bfloat16":
        raise TypeError(f"Its {name} must be numbers. Received: dtype {images.dtype}.")
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"Its {name} must be finite. Received: values that are NaN or infinite.")
    if bounds is not None and not (bounds[0] - 1e-3 <= low and high <= bounds[1] + 1e-3):
        hint = " Rescale with x / 127.5 - 1." if low >= 0 and 1 < high <= 255 and bounds[0] == -1 else ""
        raise ValueError(
            f"Its {name} must lie in [{bounds[0]}, {bounds[1]}]. Received: values from {low:g} to {high:g}.{hint}"
        )


def card_path(filepath):
    """Returns the path of the model card of a file."""
    return filepath.with_name(f"{filepath.name}.md")
