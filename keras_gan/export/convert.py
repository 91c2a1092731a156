"""Conversion of a Keras generator to a SavedModel, .tflite or ONNX. All uses of converters are here."""

import contextlib
import errno
import logging
import os
import re
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_gan.export.tasks import OUTPUT
from keras_gan.keras_private import layers_of, parse_saved_model, separate_activations

# With fewer calibration examples, rare latents are clipped: with 128, the largest error is twice as large. With more,
# calibration takes long, since it uses slow kernels.
_CALIBRATION_EXAMPLES = 256
_LOOPS = {"For", "StatelessWhile", "While"}


def write_saved_model(generator, signatures, folder):
    """Writes a SavedModel; its first signature is also named `serving_default`."""
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(generator)
    for signature in signatures:
        specs = [tf.TensorSpec(shape, dtype, name=name) for name, (shape, dtype) in signature.inputs.items()]
        archive.add_endpoint(signature.name, signature.function, input_signature=specs)
    try:
        with quiet():
            archive.write_out(folder, verbose=False)
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder)) from error


def to_tflite(generator, signatures, quantize=None, accelerator=None):
    """Converts a generator to .tflite, with builtin operations only.

    Args:
        generator: Built `keras.Model` that the signatures call.
        signatures: List of `Signature` with a static batch size: with a dynamic batch size, no transposed convolution
            runs in a fast kernel.
        quantize: None for float32, `"float16"` or `"dynamic"` for smaller weights, `"int8"` for integer arithmetic,
            whose ranges come from examples.
        accelerator: `"gpu"` for changes that only LiteRT's GPU delegate needs. Defaults to None.

    Returns:
        Bytes.

    Raises:
        ValueError: If the generator has operations that .tflite lacks; the message names layer and operation.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(generator, signatures, folder)
        if quantize == "int8":
            _refuse_loops(generator, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[s.name for s in signatures])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8":
            converter.representative_dataset = lambda: _calibration(signatures)
        try:
            with quiet():
                content = converter.convert()
        except Exception as error:
            raise ValueError(
                f"generator must consist of operations that .tflite has. Received: {_culprits(generator, str(error))}. "
                "Replace what uses them, or export a SavedModel."
            ) from error
    # The GPU delegate accepts no activation that is fused into this operation.
    return separate_activations(content, "TRANSPOSE_CONV", 3) if accelerator == "gpu" else content


def _refuse_loops(generator, folder):
    """Raises a ValueError if a SavedModel has loops: TensorFlow's calibrator ends the process on them."""
    graph = parse_saved_model((folder / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    loops = sorted({node.op for node in nodes if node.op in _LOOPS or node.op.startswith("TensorList")})
    if not loops:
        return
    layers = [f"{layer.name!r} ({type(layer).__name__})" for layer in layers_of(generator) if _is_rolled(layer)]
    raise ValueError(
        "generator must have no loops for quantize='int8', whose calibration can't run them. Received: "
        f"{', '.join(layers) or 'the operations ' + ', '.join(loops)}. Build recurrent layers with unroll=True, which "
        "takes the same weights, or use quantize='dynamic'."
    )


def _is_rolled(layer):
    return getattr(layer, "unroll", None) is False


def write_onnx(generator, inputs, path):
    """Writes ONNX as Keras does, with named inputs and a named output.

    Raises:
        ImportError: If a package is missing; the message says what to install.
    """
    import onnx
    import tensorflow as tf

    specs = [tf.TensorSpec(shape, dtype, name=name) for name, (shape, dtype) in inputs.items()]
    with quiet():
        generator.export(str(path), format="onnx", verbose=False, input_signature=specs if len(specs) == 1 else [specs])
    model = onnx.load(str(path))
    renamed = {old.name: new for old, new in zip(model.graph.input, inputs, strict=True)}
    renamed[model.graph.output[0].name] = OUTPUT
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = renamed[value.name]
    _mend(model.graph)
    onnx.save(model, str(path))


def _mend(graph):
    """Replaces parts written by tf2onnx that ONNX does not support.

    - `Erfc`, which GELU uses, by `1 - Erf`.
    - Negative pads of a transposed convolution whose kernel is smaller than its stride. With such a kernel, TensorFlow
    only adds zeros at the end of the output, so zeros at the end of the kernel have the same effect; tf2onnx instead
    shifts the output by half of the pads.
    """
    from onnx import helper, numpy_helper

    for node in list(graph.node):
        if node.op_type == "Erfc":
            [x], [y] = node.input, node.output
            one = numpy_helper.from_array(np.float32(1), f"{y}/one")
            graph.initializer.append(one)
            at = list(graph.node).index(node)
            graph.node.remove(node)
            graph.node.insert(at, helper.make_node("Sub", [one.name, f"{y}/erf"], [y]))
            graph.node.insert(at, helper.make_node("Erf", [x], [f"{y}/erf"]))
        pads = next((a.ints for a in node.attribute if a.name == "pads"), [])
        weights = [w for w in graph.initializer if node.op_type == "ConvTranspose" and w.name == node.input[1]]
        if weights and min(pads, default=0) < 0:
            axes = len(pads) // 2
            missing = [(0, max(-low - high, 0)) for low, high in zip(pads[:axes], pads[axes:], strict=True)]
            kernel = np.pad(numpy_helper.to_array(weights[0]), [(0, 0), (0, 0), *missing])
            graph.initializer.append(numpy_helper.from_array(kernel, f"{node.output[0]}/kernel"))
            node.input[1] = f"{node.output[0]}/kernel"
            pads[:] = [max(pad, 0) for pad in pads]
            for attribute in node.attribute:
                if attribute.name == "kernel_shape":
                    attribute.ints[:] = kernel.shape[2:]


@contextlib.contextmanager
def quiet():
    """Hides the converter's progress messages, from Python and from C++."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)


def _calibration(signatures):
    for signature in signatures:
        for feed in signature.feeds(signature.draw(_CALIBRATION_EXAMPLES, seed=0)):
            yield signature.name, feed


def _culprits(generator, error):
    """Returns the operations named in a converter's error, and their layers."""
    # The classes in `rewrite` have replaced those of Keras, so their names are mapped back.
    layers = {layer.name: type(layer).__name__.removeprefix("_Fast") for layer in layers_of(generator)}
    found = []
    for path, operation in re.findall(r'"([^"@\n]+)@[^"\n]*"\][^\n]*\'tf\.(\w+)\' op is neither', error):
        place = ""
        for part in path.split("/"):
            # TensorFlow makes scope names unique with a number.
            name = part if part in layers else re.sub(r"_\d+$", "", part)
            if name in layers:
                place = f" in layer {name!r} ({layers[name]}), at {path.rpartition('/')[0]}"
        found.append(f"{operation}{place}")
    return "; ".join(dict.fromkeys(found)) or " ".join(error.split())[:500]
