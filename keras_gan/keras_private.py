"""All private names of Keras, TensorFlow and LiteRT that the package uses.

Mixins override methods: each calls a public method of ours. Functions read or set private attributes. `NAMES` lists the
names: `tests/system/test_architecture.py` reports those that are gone in a new release, and keeps all of them out of
other files.
"""

import contextlib
import copy
import dataclasses
import inspect
import sys
from importlib import import_module
from pathlib import Path

import keras

# === Methods of `keras.Model` ===


class FinalLogs:
    """Mixin that precedes `keras.Model`: `final_logs(logs)` makes an epoch's logs from those of its last step."""

    def _get_metrics_result_or_logs(self, logs):
        return self.final_logs(logs)


class StepLoop:
    """Mixin that precedes `keras.Model` on TensorFlow: `make_step_loop(step)` makes the loop over batches.

    `super().make_step_loop` is Keras's own loop. Keras does not build the model from a batch: it is considered built.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras would unpack a batch here to build unbuilt parts.
        pass

    def _make_function(self, step_function):
        return self.make_step_loop(step_function)

    def make_step_loop(self, step_function):
        return super()._make_function(step_function)


class StateStep:
    """Mixin that precedes `keras.Model` on JAX: `make_step(step)` changes the step of training, or of another loop.

    A step takes a state and an iterator of batches, and returns its outputs and the next state.
    """

    def _make_function(self, step_function, concatenate_outputs=False):
        return self.make_step(super()._make_function(step_function, concatenate_outputs))

    def keep_state(self, state):
        """Assigns the state of a step to the variables, from which Keras takes it at the start of an epoch."""
        groups = ["trainable_variables", "non_trainable_variables"]
        groups += [[], ["metrics_variables"], ["optimizer_variables", "metrics_variables"]][len(state) - 2]
        self._jax_state, self._jax_state_synced = dict(zip(groups, state, strict=True)), False
        self.jax_state_sync()


# A keyword argument of `evaluate` that `fit` passes.
IN_FIT = "_use_cached_eval_dataset"


def start_at(model, epoch):
    """Sets the first epoch of `fit`; None for its own `initial_epoch`."""
    model._initial_epoch = epoch


# === Layers, data and saving ===


def layers_of(model):
    """Lists a model and all of its layers, nested ones included."""
    return list(model._flatten_layers())


def inputs_of(dataset):
    """Lists the input datasets of a `tf.data.Dataset`; a distributed dataset has one.

    Args:
        dataset: A dataset, or anything else, which has none.

    Returns:
        List of `tf.data.Dataset`.
    """
    # Not imported here, since that takes seconds: without TensorFlow there are no datasets.
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return []
    if isinstance(dataset, tf.distribute.DistributedDataset):
        return [dataset._original_dataset]
    return list(dataset._inputs()) if isinstance(dataset, tf.data.Dataset) else []


# The attribute of a dataset with the function that `parts_of` returns.
_PARTS = "_keras_gan_parts"


def with_parts(dataset, parts):
    """Attaches a reader of parts of each batch to a `tf.data.Dataset`, for `parts_of`, and returns the dataset."""
    setattr(dataset, _PARTS, parts)
    return dataset


def parts_of(dataset):
    """Finds the reader of parts of each batch, through `take`, `skip`, `repeat`, `prefetch` and options.

    Args:
        dataset: `tf.data.Dataset`, or anything else.

    Returns:
        Function `(worker, workers, devices=1)` that returns a `tf.data.Dataset` of what this worker's devices need: for
        each batch `devices` parts of it, one after the other. None if there is no reader, or a transformation may need
        whole batches.
    """
    parts, inputs = getattr(dataset, _PARTS, None), inputs_of(dataset)
    if parts is not None or len(inputs) != 1:
        return parts
    parts, again = parts_of(inputs[0]), _again(dataset, inputs[0])
    if parts is None or again is None:
        return None
    return lambda worker, workers, devices=1: again(parts(worker, workers, devices), devices)


def own_part(dataset, whole):
    """Makes data for `fit` that Keras reads without distributing them again: each worker already has a dataset of its
    own part.

    Args:
        dataset: `tf.data.Dataset` of this worker's parts, or one that a strategy has distributed.
        whole: `tf.data.Dataset` of whole batches, which has as many of them as there are steps.
    """
    from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter

    class OwnPart(TFDatasetAdapter):
        num_batches = TFDatasetAdapter(whole).num_batches

    return OwnPart(dataset)


def _again(dataset, source):
    """Finds a function that applies a dataset's transformation to another source; None if the transformation may need
    whole batches.

    The function takes the other source, and how many of its elements replace one element of the original source.
    """
    import tensorflow as tf

    one, length, whole = tf.data.Dataset.range(1), int(dataset.cardinality()), int(source.cardinality())
    if type(dataset) is type(one.prefetch(1)):
        return lambda other, n: other.prefetch(2 * n)
    if type(dataset) is type(one.with_options(tf.data.Options())):
        return lambda other, n: other.with_options(dataset.options())
    if type(dataset) is type(one.take(1)) and length >= 0:
        return lambda other, n: other.take(n * length)
    if type(dataset) is type(one.skip(1)) and whole >= 0:
        return lambda other, n: other.skip(n * (whole - length))
    if type(dataset) is type(one.repeat(1)) and whole > 0:
        # For infinite repetition, `length` and the argument of `repeat` are both -1.
        return lambda other, n: other.repeat(length // whole)
    return None


def forget(model, part):
    """Untracks a part of a model: a layer or a metric that is about to be replaced."""
    model._tracker.untrack(part)


def schedule_of(optimizer):
    """Returns an optimizer's learning rate schedule; None if its rate is a number."""
    rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def set_schedule(optimizer, schedule):
    """Replaces an optimizer's learning rate schedule."""
    getattr(optimizer, "inner_optimizer", optimizer)._learning_rate = schedule


def variables_of(optimizer):
    """Lists the variables that an optimizer updates; empty if it is not built."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "_trainable_variables", []))


# In files Keras uses this module for a backend's own classes.
BACKEND_MODULES = "keras.src.backend."


def remember_what_saving_skips():
    """Makes Keras cache which attributes of an optimizer it leaves out of files.

    Keras 3.15 intends to, but stores the answer under one name and looks it up under another (`get_attr_skipset` in its
    `saving_lib.py`). So it makes an optimizer each time it saves one. On TensorFlow, this takes 70 kB that are never
    freed. On JAX, it makes an array on all processes, for which a process that saves alone waits forever.
    `tests/test_gan.py` fails once Keras fixes this.
    """
    # Without these names saving works as in Keras.
    with contextlib.suppress(ImportError, AttributeError):
        from keras.src.backend.common import global_state
        from keras.src.saving import saving_lib

        if global_state.get_global_attribute("saving_attr_skiplist_Optimizer") is None:
            skipped = saving_lib.get_attr_skipset("Optimizer")
            global_state.set_global_attribute("saving_attr_skiplist_Optimizer", skipped)


# === TensorFlow and LiteRT ===


def lacks_onednn():
    """Checks if TensorFlow runs on an x86 processor without oneDNN, which is decided at its import."""
    import tensorflow.python.util._pywrap_util_port as port

    return port.IsX86Available() and not port.IsMklEnabled()


def parse_saved_model(content):
    """Parses the bytes of `saved_model.pb` into its protocol buffer, `SavedModel`."""
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString(content)


def find_operation(name):
    """Finds the definition of a TensorFlow operation by its name, an `OpDef`; None if there is none."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)


def operators_of(content):
    """Finds the operators of a .tflite file.

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


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Tensor of a .tflite file: `index` in function number `graph`, `constant` if its values are in the file."""

    graph: int
    index: int
    name: str
    type: str
    shape: tuple
    constant: bool


@dataclasses.dataclass(frozen=True)
class Node:
    """Operation of a .tflite file: missing inputs are None, `options` is the schema's object."""

    operation: str
    version: int
    inputs: list
    outputs: list
    options: object


def nodes_of(content):
    """Lists the operations of a .tflite file, those of all its functions one after the other.

    Args:
        content: Bytes of the file.

    Returns:
        List of `Node`. Tensor names start with the function's number, since functions may share them.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    operations, types = (
        {number: name for name, number in vars(kind).items()} for kind in (schema.BuiltinOperator, schema.TensorType)
    )
    nodes = []
    for number, graph in enumerate(model.subgraphs):
        tensors = [
            Tensor(
                number,
                i,
                f"{number}/{i}/{tensor.name.decode()}",
                types[tensor.type],
                () if tensor.shape is None else tuple(map(int, tensor.shape)),
                model.buffers[tensor.buffer].data is not None,
            )
            for i, tensor in enumerate(graph.tensors)
        ]
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            inputs, outputs = (
                [tensors[i] if i >= 0 else None for i in of] for of in (operator.inputs, operator.outputs)
            )
            nodes.append(Node(operations[code.builtinCode], code.version, inputs, outputs, operator.builtinOptions))
    return nodes


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


def separate_activations(content, operation, version):
    """Splits fused activations of an operation of a .tflite file into separate operations.

    Args:
        content: Bytes of the file.
        operation: String, such as `"TRANSPOSE_CONV"`.
        version: Int, the operation's version without an activation.

    Returns:
        Bytes of the new file.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    kinds = {number: name for name, number in vars(schema.ActivationFunctionType).items()}
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            code = model.operatorCodes[operator.opcodeIndex]
            if code.builtinCode != getattr(schema.BuiltinOperator, operation):
                continue
            code.version = min(code.version, version)
            kind = kinds[operator.builtinOptions.fusedActivationFunction]
            if kind == "NONE":
                continue
            operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
            before = copy.copy(graph.tensors[operator.outputs[0]])
            before.name += b"/linear"
            added, activation = schema.OperatorCodeT(), schema.OperatorT()
            added.builtinCode = added.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
            added.version = 1
            activation.opcodeIndex = len(model.operatorCodes)
            activation.inputs, activation.outputs = [len(graph.tensors)], list(operator.outputs)
            operator.outputs = [len(graph.tensors)]
            model.operatorCodes.append(added)
            graph.tensors.append(before)
            graph.operators.insert(graph.operators.index(operator) + 1, activation)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operations_of(interpreter):
    """Lists the operations of a LiteRT interpreter, including delegated ones.

    Args:
        interpreter: `ai_edge_litert.interpreter.Interpreter`.

    Returns:
        List of dicts with `index`, `op_name`, and the numbers of the tensors in `inputs` and `outputs`.
    """
    return interpreter._get_ops_details()


# === The names ===


def _jax_trainer():
    # As text: importing it needs JAX.
    return (Path(keras.__file__).parent / "src" / "backend" / "jax" / "trainer.py").read_text(encoding="utf-8")


def _distributed():
    tf = import_module("tensorflow")
    return tf.distribute.MirroredStrategy(["CPU:0"]).experimental_distribute_dataset(tf.data.Dataset.range(1))


# Each name, and a function that fails if the name is gone.
NAMES = {
    # Methods of `keras.Model`.
    "_get_metrics_result_or_logs": lambda: keras.Model._get_metrics_result_or_logs,
    "_initial_epoch": lambda: keras.Sequential()._initial_epoch,
    **(
        {
            "_maybe_symbolic_build": lambda: keras.Model._maybe_symbolic_build,
            "_make_function": lambda: keras.Model._make_function,
        }
        if keras.config.backend() == "tensorflow"
        else {}
    ),
    "_jax_state": lambda: _jax_trainer().index("self._jax_state = {"),
    "_jax_state_synced": lambda: _jax_trainer().index("self._jax_state_synced = False"),
    "_use_cached_eval_dataset": lambda: inspect.getsource(keras.Model.evaluate).index(IN_FIT),
    # Layers and data.
    "_flatten_layers": lambda: keras.Layer._flatten_layers,
    "_inputs": lambda: import_module("tensorflow").data.Dataset._inputs,
    "_original_dataset": lambda: _distributed()._original_dataset,
    "_tracker": lambda: keras.Layer()._tracker.untrack,
    "_learning_rate": lambda: keras.optimizers.SGD()._learning_rate,
    "_trainable_variables": lambda: keras.optimizers.SGD()._trainable_variables,
    # TensorFlow and LiteRT.
    "_pywrap_util_port": lambda: import_module("tensorflow.python.util._pywrap_util_port").IsMklEnabled(),
    "saved_model_pb2": lambda: import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel,
    "op_def_registry": lambda: import_module("tensorflow.python.framework.op_def_registry").get,
    "schema_py_generated": lambda: import_module("ai_edge_litert.schema_py_generated").BuiltinOperator.VAR_HANDLE,
    "flatbuffer_utils": lambda: import_module("ai_edge_litert.tools.flatbuffer_utils").convert_bytearray_to_object,
    "_get_ops_details": lambda: import_module("ai_edge_litert.interpreter").Interpreter._get_ops_details,
}
