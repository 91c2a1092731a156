"""Errors of `export`'s arguments, before work is spent."""

import itertools
import os

import keras

from keras_gan import checks, networks
from keras_gan.export import latency, report, runners

_SUFFIXES = {".tflite": "litert", ".onnx": "onnx", "": "tf_saved_model"}
_PRECISIONS = (None, "float16", "dynamic", "int8")
_OUTPUTS = ("float32", "uint8")


def check_format(filepath, format):
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


def check_options(format, quantize, batch_sizes, sample, output, metrics, data):
    """Returns the batch sizes of the file."""
    if quantize not in _PRECISIONS:
        raise ValueError(f"quantize must be one of {', '.join(map(repr, _PRECISIONS))}. Received: {quantize!r}.")
    if output not in _OUTPUTS:
        raise ValueError(f"output must be one of {', '.join(map(repr, _OUTPUTS))}. Received: {output!r}.")
    batch_sizes = tuple(batch_sizes) if isinstance(batch_sizes, (list, tuple)) else (batch_sizes,)
    batch_sizes = tuple(checks.check_integer("batch_sizes", batch) for batch in batch_sizes or (None,))
    if len(set(batch_sizes)) < len(batch_sizes):
        raise ValueError(f"batch_sizes must differ. Received: {batch_sizes}.")
    if format != "litert":
        for name, given in (("quantize", quantize is not None), ("batch_sizes", batch_sizes != (1,))):
            if given:
                raise ValueError(f"{name} is for .tflite files. Received: {name} with format={format!r}.")
    if format == "onnx" and (sample or output != "float32"):
        raise ValueError("sample and output are for .tflite files and SavedModels. Received: one of them for ONNX.")
    if sample and quantize == "int8":
        raise ValueError(
            "sample=True needs float arithmetic for its random numbers, which quantize='int8' leaves none of. Use "
            "quantize='dynamic', or draw latents in the app."
        )
    if (data is None) != (not metrics):
        raise ValueError(
            "metrics and data go together: metrics compare real data with generated ones. "
            f"Received: {'no data' if data is None else 'no metrics'}."
        )
    return batch_sizes if format == "litert" else (None,)


def check_accelerator(accelerator, format, quantize, sample):
    """Raises a ValueError unless the accelerator can run what is asked for."""
    latency.check_accelerator(accelerator, format)
    if accelerator is None:
        return
    if quantize == "int8":
        raise ValueError(
            "accelerator='gpu' needs weights in floating point. Received: quantize='int8'. Use quantize='float16'."
        )
    if sample:
        raise ValueError(
            "accelerator='gpu' leaves no room for sample=True: GPUs lack the integer arithmetic of its random numbers, "
            "and LiteRT refuses a file that has such a function. Draw latents in the app, as the samples of export/ "
            "do; or leave accelerator out, and let the app allow the GPU and the CPU."
        )


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


def check_data(data, shape, generator, condition):
    """Returns the data, a generator, which can't be rewound, as a new one that begins with the same batch; and what the
    first batch brings beside images, a NumPy array, or None.
    """
    # An array comes without labels.
    is_array = hasattr(data, "shape")
    expected = checks.Expected(shape, networks.output_activation(generator), None if is_array else condition)
    if isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "shape") for part in data):
        raise TypeError(
            "data must be batches: make them of two arrays by "
            "tf.data.Dataset.from_tensor_slices((x, y)).batch(128). Received: a pair of arrays."
        )
    # `fit` takes a list for examples; here it holds batches.
    batches = iter(data) if isinstance(data, (list, tuple)) else data
    try:
        checks.check_ends(batches)
        data, _ = checks.check_data(batches, None, None, lambda x, y: checks.check_real(x, y, expected))
    except (TypeError, ValueError) as error:
        raise type(error)(f"data must be what fit takes as x, or a list of batches. {error}") from error
    if expected.given_name is None:
        return data, None
    iterator = iter(data)
    first = next(iterator)
    rows = keras.ops.convert_to_numpy(condition.prepare(keras.utils.unpack_x_y_sample_weight(first)[1]))
    return itertools.chain([first], iterator) if iterator is data else data, rows


def check_place(filepath, format):
    """Raises an error unless file and card can be written."""
    if not filepath.parent.is_dir():
        raise ValueError(
            f"filepath must lie in a folder that exists. Received: {filepath}. Make {filepath.parent} first."
        )
    if not os.access(filepath.parent, os.W_OK):
        raise PermissionError(13, f"filepath must lie in a folder that you may write to. Received: {filepath}")
    try:
        str(filepath).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"filepath must be valid text, which runtimes read. Received: {str(filepath)!r}.") from error
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


def card_path(filepath):
    """Returns the path of the model card beside a file."""
    return filepath.with_name(f"{filepath.name}.md")
