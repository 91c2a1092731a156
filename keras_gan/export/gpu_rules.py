"""Rules of LiteRT's GPU delegate, for machines without a GPU.

The table lists what the delegate ran entirely and correctly on WebGPU in November 2026;
`tests/system/test_gpu_layers.py` checks it against a driver.
"""

from keras_gan.keras_private import nodes_of

LITERT = "2.3.0"
_MAX_RANK = 4
# The newest version that runs, by operation.
_VERSIONS = {
    "ABS": 1,
    "ADD": 1,
    "AVERAGE_POOL_2D": 1,
    "BATCH_MATMUL": 1,
    "CAST": 1,
    "CONCATENATION": 1,
    "CONV_2D": 6,
    "DEPTHWISE_CONV_2D": 1,
    "DEPTH_TO_SPACE": 1,
    "DIV": 1,
    "ELU": 1,
    "EXP": 1,
    "FLOOR": 1,
    "FULLY_CONNECTED": 12,
    "GATHER": 1,
    "GELU": 1,
    "GREATER": 1,
    "GREATER_EQUAL": 1,
    "HARD_SWISH": 1,
    "LEAKY_RELU": 1,
    "LESS": 1,
    "LESS_EQUAL": 1,
    "LOG": 1,
    "LOGISTIC": 1,
    "MAXIMUM": 1,
    "MAX_POOL_2D": 1,
    "MEAN": 1,
    "MINIMUM": 1,
    "MIRROR_PAD": 1,
    "MUL": 1,
    "NEG": 1,
    "PACK": 1,
    "PAD": 1,
    "PRELU": 1,
    "REDUCE_MAX": 1,
    "RELU": 1,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "REVERSE_V2": 1,
    "RSQRT": 1,
    "SELECT": 1,
    "SELECT_V2": 1,
    "SIN": 1,
    "SLICE": 1,
    "SOFTMAX": 1,
    "SPLIT": 1,
    "SQRT": 1,
    "SQUARE": 1,
    "SQUARED_DIFFERENCE": 1,
    "STRIDED_SLICE": 1,
    "SUB": 1,
    "SUM": 1,
    "TANH": 1,
    "TILE": 1,
    "TRANSPOSE": 1,
    "TRANSPOSE_CONV": 3,
    "UNPACK": 1,
}
# Operations that may also take integers, since labels are integers that index the rows of a table.
_INTEGERS = {"ADD", "CAST", "GATHER", "LESS", "RESHAPE", "SELECT"}


_INSTEAD = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "build recurrent layers with unroll=True, which takes the same weights",
    "WHILE": "build recurrent layers with unroll=True, which takes the same weights",
    "LOG_SOFTMAX": "use softmax and a logarithm",
    "CONV_3D": "use layers of two dimensions",
    "CONV_3D_TRANSPOSE": "use layers of two dimensions",
    "BATCH_MATMUL": "give attention a query and a value that differ, as MultiHeadAttention does",
    "CONCATENATION": "cut out the parts with slices, not with a split",
    "DEPTH_TO_SPACE": "use batch_sizes=(1,)",
}


def check(content):
    """Finds the operations that the delegate would leave to the CPU.

    Args:
        content: Bytes of a .tflite file.

    Returns:
        Dict of operations to reasons; empty if the file runs whole.
    """
    nodes = nodes_of(content)
    # Float16 weights pass through an operation that the delegate removes.
    weights = {node.outputs[0].name for node in nodes if _is_weight(node)}
    parts = {part.name: (node, i) for node in nodes if node.operation == "SPLIT" for i, part in enumerate(node.outputs)}
    found = {}
    for node in nodes:
        if not _is_weight(node):
            reason = _reason(node, weights, parts)
            if reason is not None:
                found.setdefault(node.operation, reason)
    return found


def instead(operations):
    """Returns a string of advice on replacements for refused operations."""
    known = dict.fromkeys(_INSTEAD[operation] for operation in operations if operation in _INSTEAD)
    text = "; ".join([*known, "leave accelerator out, and run the file on the CPU"])
    return text[0].upper() + text[1:]


def _is_weight(node):
    return node.operation == "DEQUANTIZE" and node.inputs[0].constant


def _reason(node, weights, parts):
    operation, inputs = node.operation, [tensor for tensor in node.inputs if tensor is not None]
    values = [tensor for tensor in (*inputs, *node.outputs) if not tensor.constant]
    if operation not in _VERSIONS:
        return "it is not supported"
    if node.version > _VERSIONS[operation]:
        return f"version {node.version}, at most {_VERSIONS[operation]}"
    rank = max(len(tensor.shape) for tensor in values)
    if rank > _MAX_RANK:
        return f"{rank} axes, at most {_MAX_RANK}"
    types = {tensor.type for tensor in values} - {"BOOL", "FLOAT32"}
    if types and not (operation in _INTEGERS and types == {"INT32"}):
        return f"its type is {', '.join(sorted(types)).lower()}"
    if operation == "DEPTH_TO_SPACE" and inputs[0].shape[0] > 1:
        return "its input has several images, for which the delegate writes a wrong program"
    if operation == "GATHER" and inputs[0].name in weights:
        return "its table is float16"
    if operation == "FULLY_CONNECTED" and (inputs[0].constant or inputs[0].name in weights):
        return "its input is a constant"
    if operation == "STRIDED_SLICE" and node.options.shrinkAxisMask:
        return "it removes an axis"
    if operation == "BATCH_MATMUL" and inputs[0].name == inputs[1].name:
        return "both inputs are the same tensor, on which the delegate crashes"
    if operation == "CONCATENATION":
        origins = [parts.get(tensor.name) for tensor in inputs]
        splits = {id(origin[0]) for origin in origins if origin}
        order = [origin[1] for origin in origins if origin]
        if len(splits) < len(order) and order != sorted(order):
            return "it joins parts of a SPLIT in another order, and the delegate keeps the old order"
    return None
