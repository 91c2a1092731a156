"""All that the package uses of Keras, TensorFlow and LiteRT beside their public names: the one file that breaks when
they move. `tests/test_architecture.py` says which name is gone, and keeps these names out of all other files."""

from importlib import import_module

import keras

# === Layers and data ===


def layers_of(model):
    """Lists a model and all of its layers, those of layers included."""
    return list(model._flatten_layers())


def inputs_of(dataset):
    """Lists the datasets that a `tf.data.Dataset` is made from; what a strategy has distributed is made from one.

    Args:
        dataset: A dataset, or anything else, which is made from none.

    Returns:
        List of `tf.data.Dataset`.
    """
    import tensorflow as tf

    if isinstance(dataset, tf.distribute.DistributedDataset):
        return [dataset._original_dataset]
    return list(dataset._inputs()) if isinstance(dataset, tf.data.Dataset) else []


# === TensorFlow and LiteRT ===


def parse_saved_model(content):
    """Parses the bytes of `saved_model.pb` into its protocol buffer, `SavedModel`."""
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString(content)


def find_operation(name):
    """Finds the definition of a TensorFlow operation by its name, an `OpDef`; None if there is none."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)


def operators_of(content):
    """Finds the operators that a .tflite file needs.

    Args:
        content: Bytes of the file.

    Returns:
        Two sets of names: of builtin operators, and of custom ones.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    numbers = {code.BuiltinCode() for code in codes}
    builtin = {name for name, number in vars(schema.BuiltinOperator).items() if number in numbers}
    return builtin, {code.CustomCode().decode() for code in codes if code.CustomCode()}


def add_metadata(content, name, data):
    """Adds an entry to the metadata of a .tflite file.

    Args:
        content: Bytes of the file.
        name: String, the entry's name.
        data: Bytes.

    Returns:
        Bytes of the new file.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(data)
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operations_of(interpreter):
    """Lists the operations of a LiteRT interpreter, those that a delegate has taken over included.

    Args:
        interpreter: `ai_edge_litert.interpreter.Interpreter`.

    Returns:
        List of dicts with `index`, `op_name`, and the numbers of the tensors in `inputs` and `outputs`.
    """
    return interpreter._get_ops_details()


# === The names ===


def _distributed():
    tf = import_module("tensorflow")
    return tf.distribute.MirroredStrategy(["CPU:0"]).experimental_distribute_dataset(tf.data.Dataset.range(1))


# Each name, and a function that fails where the name is gone.
NAMES = {
    # Layers and data.
    "_flatten_layers": lambda: keras.Layer._flatten_layers,
    "_inputs": lambda: import_module("tensorflow").data.Dataset._inputs,
    "_original_dataset": lambda: _distributed()._original_dataset,
    # TensorFlow and LiteRT.
    "saved_model_pb2": lambda: import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel,
    "op_def_registry": lambda: import_module("tensorflow.python.framework.op_def_registry").get,
    "schema_py_generated": lambda: import_module("ai_edge_litert.schema_py_generated").BuiltinOperator.VAR_HANDLE,
    "flatbuffer_utils": lambda: import_module("ai_edge_litert.tools.flatbuffer_utils").convert_bytearray_to_object,
    "_get_ops_details": lambda: import_module("ai_edge_litert.interpreter").Interpreter._get_ops_details,
}
