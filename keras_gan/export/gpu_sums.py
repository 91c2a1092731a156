"""Finds the sums of a .tflite file that would overflow on a GPU that adds in half precision, as phones do."""

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from keras_gan.keras_private import nodes_of

MAX_FLOAT16 = 65504


def overflowing(filepath, signature, examples):
    """Bounds the intermediate sums of a GPU, for any order of addition.

    A bound is a sum of absolute values: of the products of weights and activations, or of the terms of a mean. The
    absolute values of single activations are bounds, too.

    Args:
        filepath: Path of a .tflite file.
        signature: String, the function to check: the file's first.
        examples: List of feeds.

    Returns:
        Dict of layers to their largest bounds, for bounds beyond the range of float16 only.
    """
    nodes = [node for node in nodes_of(filepath.read_bytes()) if node.outputs[0].graph == 0]
    interpreter = Interpreter(
        str(filepath),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    run = interpreter.get_signature_runner(signature)

    def magnitude(tensor):
        """Returns the absolute values of a tensor; integers, which are axes, are unchanged."""
        values = interpreter.get_tensor(tensor.index)
        if values.dtype == np.int32:
            return values
        scaling = details[tensor.index]["quantization_parameters"]
        if values.dtype == np.int8 and len(scaling["scales"]):
            shape = [1] * values.ndim
            shape[scaling["quantized_dimension"]] = -1
            return np.abs(values.astype("float32") * scaling["scales"].reshape(shape))
        return np.abs(values.astype("float32"))

    found = {}
    for feed in examples:
        run(**feed)
        for node in nodes:
            if node.outputs[0].type != "FLOAT32":
                continue
            bound = float(magnitude(node.outputs[0]).max())
            if node.operation in _SUMS:
                bound = max(bound, float(np.max(_SUMS[node.operation](node, magnitude))))
            if not bound <= MAX_FLOAT16:
                layer = _layer(node)
                found[layer] = max(found.get(layer, 0.0), bound)
    return found


def _layer(node):
    """Returns the path of the layer that an operation belongs to. When the converter fuses operations, it joins their
    names; the first path is used."""
    path = node.outputs[0].name.split("/", 2)[2].split(";")[0].rpartition("/")[0]
    return path or node.operation


def _bias(node, magnitude):
    return magnitude(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else 0


def _padding(node):
    return ("SAME", "VALID")[node.options.padding]


def _strides(node):
    return [1, node.options.strideH, node.options.strideW, 1]


def _convolution(node, magnitude):
    x, kernel = map(magnitude, node.inputs[:2])
    dilations = [node.options.dilationHFactor, node.options.dilationWFactor]
    kernel = kernel.transpose(1, 2, 3, 0)
    return tf.nn.conv2d(x, kernel, _strides(node), _padding(node), dilations=dilations) + _bias(node, magnitude)


def _depthwise(node, magnitude):
    x, kernel = map(magnitude, node.inputs[:2])
    kernel = kernel.reshape(*kernel.shape[1:3], x.shape[-1], -1)
    return tf.nn.depthwise_conv2d(x, kernel, _strides(node), _padding(node)) + _bias(node, magnitude)


def _transposed(node, magnitude):
    kernel, x = magnitude(node.inputs[1]), magnitude(node.inputs[2])
    return tf.nn.conv2d_transpose(
        x, kernel.transpose(1, 2, 0, 3), node.outputs[0].shape, _strides(node), _padding(node)
    )


def _connected(node, magnitude):
    x, kernel = map(magnitude, node.inputs[:2])
    return x.reshape(-1, kernel.shape[1]) @ kernel.T + _bias(node, magnitude)


def _product(node, magnitude):
    a, b = map(magnitude, node.inputs)
    a = a.swapaxes(-1, -2) if node.options.adjX else a
    return a @ (b.swapaxes(-1, -2) if node.options.adjY else b)


def _reduced(node, magnitude):
    x, axes = magnitude(node.inputs[0]), np.atleast_1d(magnitude(node.inputs[1]))
    return x.sum(axis=tuple(axes))


_SUMS = {
    "BATCH_MATMUL": _product,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _connected,
    "MEAN": _reduced,
    "SUM": _reduced,
    "TRANSPOSE_CONV": _transposed,
}
