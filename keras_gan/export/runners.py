"""Runs generator files of each format, as a device or a server would."""

import re
from pathlib import Path

import numpy as np

from keras_gan.export.convert import quiet
from keras_gan.export.tasks import OUTPUT, SOURCE
from keras_gan.keras_private import find_operation, operations_of, operators_of, parse_saved_model


def run(filepath, threads=None):
    """Loads a generator file.

    Args:
        filepath: Path of a `.tflite` file, an `.onnx` file or a SavedModel's folder.
        threads: Int. Defaults to None, the runtime's default. A SavedModel uses TensorFlow's setting.

    Returns:
        An object with `inputs`, a dict of signatures to their inputs by name, shape and dtype, and
        `run(signature, feed)`, which maps a dict of arrays to the images.

    Raises:
        ValueError: If it is not such a file, has no output `image`, or needs operations that devices lack.
        ImportError: If the runtime is missing; the message says what to install.
    """
    runner = _RUNNERS[format_of(filepath)]
    try:
        with quiet():
            return runner(Path(filepath), threads)
    except (ImportError, _Refused):
        raise
    except Exception as error:
        raise ValueError(
            f"filepath must be a generator file that `export` wrote. Received: {filepath}, which can't be loaded: "
            f"{error}"
        ) from error


def format_of(filepath):
    """Returns the format of a file, a string.

    Raises:
        ValueError: If there is no such file.
    """
    filepath = Path(filepath)
    if not filepath.exists():
        raise ValueError(f"filepath must be an exported generator. Received: {filepath}, which does not exist.")
    if filepath.is_dir():
        return "tf_saved_model"
    return "onnx" if filepath.suffix == ".onnx" else "litert"


def import_runtime(format):
    """Imports the runtime of a format, a module.

    Raises:
        ImportError: If it is missing; the message says what to install.
    """
    try:
        if format == "tf_saved_model":
            import tensorflow as runtime
        elif format == "litert":
            from ai_edge_litert import interpreter as runtime
        else:
            import onnx  # noqa: F401
            import onnxruntime as runtime
            import tf2onnx  # noqa: F401
    except ImportError as error:
        extra, package = ("export", "ai-edge-litert") if format == "litert" else ("onnx", "tf2onnx and onnxruntime")
        raise ImportError(
            f"The file is checked by running it, which needs {package}. Run: pip install 'keras-gan[{extra}]'"
        ) from error
    return runtime


class _Refused(ValueError):
    """Error for a file that could be loaded but must not be."""


class TFLite:
    """A `.tflite` file on LiteRT, with XNNPACK."""

    def __init__(self, filepath, threads=None):
        runtime = import_runtime("litert")
        _check_operations(filepath)
        self._interpreter = runtime.Interpreter(model_path=str(filepath), num_threads=threads)
        # XNNPACK logs its creation here; `run` hides it.
        self._interpreter.allocate_tensors()
        names = self._interpreter.get_signature_list()
        if not names:
            raise _Refused(f"file must have a signature. Received: {filepath}, which has none.")
        self._functions = {name: self._interpreter.get_signature_runner(name) for name in names}
        self.inputs = {}
        for name, function in self._functions.items():
            _check_outputs(name, list(function.get_output_details()))
            details = function.get_input_details()
            self.inputs[name] = {
                key: (tuple(int(n) for n in d["shape_signature"]), np.dtype(d["dtype"]).name)
                for key, d in details.items()
            }
            if any(-1 in shape for shape, _ in self.inputs[name].values()):
                raise _Refused(
                    "filepath must be a .tflite file with a fixed batch size: without one, it runs slowly or not at "
                    f"all on phones. Received: the signature {name!r} with inputs {self.inputs[name]}. Convert it "
                    "with a fixed batch size."
                )

    def run(self, signature, feed):
        return self._functions[signature](**feed)[OUTPUT]

    def not_delegated(self):
        """Returns the operations of the first signature that XNNPACK leaves to slower kernels, by name."""
        operations = operations_of(self._interpreter)
        delegates = [op for op in operations if op["op_name"] == "DELEGATE"]
        # The interpreter's list still contains the original operations. Operations between the inputs and outputs of a
        # delegate are run by the delegate.
        makers = {tensor: op for op in operations if op["op_name"] != "DELEGATE" for tensor in op["outputs"]}
        delegated = set()
        for delegate in delegates:
            given, wanted = set(delegate["inputs"]), list(delegate["outputs"])
            while wanted:
                tensor = wanted.pop()
                op = makers.get(tensor)
                if op is not None and tensor not in given and op["index"] not in delegated:
                    delegated.add(op["index"])
                    wanted.extend(op["inputs"])
        return [op["op_name"] for op in operations if op not in delegates and op["index"] not in delegated]


class ONNX:
    """An ONNX file on ONNX Runtime."""

    def __init__(self, filepath, threads=None):
        runtime = import_runtime("onnx")
        _check_external_data(filepath)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        self._session = runtime.InferenceSession(str(filepath), options, providers=["CPUExecutionProvider"])
        inputs = {i.name: (_static(i.shape), _ONNX_DTYPES.get(i.type, i.type)) for i in self._session.get_inputs()}
        # The format has a single, unnamed function.
        name = "translate" if list(inputs) == [SOURCE] else "generate"
        _check_outputs(name, [output.name for output in self._session.get_outputs()])
        self.inputs = {name: inputs}

    def run(self, signature, feed):
        return self._session.run([OUTPUT], feed)[0]


class SavedModel:
    """A SavedModel in TensorFlow."""

    def __init__(self, folder, threads=None):
        self._tensorflow = import_runtime("tf_saved_model")
        check_folder(folder)
        _check_graph(folder)
        # The module must live as long as its signatures.
        self._module = self._tensorflow.saved_model.load(str(folder))
        functions = dict(self._module.signatures)
        # If there are several signatures, the first one is also stored under this name.
        self._functions = {k: f for k, f in functions.items() if k != "serving_default" or len(functions) == 1}
        if not functions:
            raise _Refused(f"file must have a signature. Received: {folder}, which has none.")
        for name, function in self._functions.items():
            _check_outputs(name, list(function.structured_outputs))
        self.inputs = {
            name: {
                key: (_static(spec.shape), spec.dtype.name)
                for key, spec in function.structured_input_signature[1].items()
            }
            for name, function in self._functions.items()
        }

    def run(self, signature, feed):
        feed = {name: self._tensorflow.constant(value) for name, value in feed.items()}
        return self._functions[signature](**feed)[OUTPUT].numpy()


_RUNNERS = {"litert": TFLite, "onnx": ONNX, "tf_saved_model": SavedModel}
_ONNX_DTYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}


# TensorFlow marks operations that read or write anything as stateful, except those that match `_READING`. Of the
# stateful operations, networks need only those in `_STATEFUL`.
_STATEFUL = {
    "Assert",
    "AssignVariableOp",
    "Case",
    "If",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "ReadVariableOp",
    "StatefulPartitionedCall",
    "TruncatedNormal",
    "VarHandleOp",
    "VarIsInitializedOp",
    "While",
}
_READING = re.compile("Dataset|Debug|File|ImmutableConst|PyFunc|Reader")


def _static(shape):
    return tuple(n if isinstance(n, int) else None for n in shape)


def _check_outputs(signature, names):
    if names != [OUTPUT]:
        raise _Refused(
            f"file must have one output, {OUTPUT!r}, in the signature {signature!r}. "
            f"Received: {', '.join(map(repr, names))}."
        )


def check_folder(folder):
    """Raises a ValueError if TensorFlow would treat a SavedModel's path as a pattern."""
    if set("*?[") & set(str(Path(folder).absolute())):
        raise ValueError(
            f"A SavedModel's path must have no *, ? or [, which TensorFlow takes for a pattern. Received: {folder}."
        )


def _check_operations(filepath):
    """Refuses operations that the interpreter runs here but not on phones."""
    content = Path(filepath).read_bytes()
    if content[4:8] != b"TFL3":
        raise _Refused(f"file must be a .tflite file. Received: {filepath}, which is not one.")
    builtin, foreign = operators_of(content)
    variable = "VAR_HANDLE" in builtin
    if variable:
        foreign.add("VAR_HANDLE")
    if foreign:
        hint = " Its weights are missing from the file." if variable else ""
        raise _Refused(f"file must have builtin operations only. Received: {', '.join(sorted(foreign))}.{hint}")


def _check_external_data(filepath):
    """Refuses an ONNX file with tensors in other files, which may be any files."""
    import onnx

    def messages(message):
        yield message
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE:
                for child in value if field.is_repeated else [value]:
                    yield from messages(child)

    for message in messages(onnx.load(str(filepath), load_external_data=False)):
        if isinstance(message, onnx.TensorProto) and message.data_location == onnx.TensorProto.EXTERNAL:
            raise _Refused(f"file must hold all of its weights. Received: {filepath}, with weights in another file.")


def _check_graph(folder):
    """Refuses a SavedModel that could do more than compute: TensorFlow runs any operation in it."""
    saved = parse_saved_model((Path(folder) / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        # Without an object graph, TensorFlow would run the graph's initializer.
        if not graph.HasField("object_graph_def"):
            raise _Refused(f"file must be a SavedModel of TensorFlow 2. Received: {folder}, which is not one.")
        functions = {function.signature.name: function for function in graph.graph_def.library.function}
        # Functions that can be called from outside, and those that they call. Others, such as the one that saves the
        # variables, are not run.
        todo, seen = [*graph.object_graph_def.concrete_functions], set()
        while todo:
            name = todo.pop()
            if name in seen or name not in functions:
                continue
            seen.add(name)
            for node in functions[name].node_def:
                definition = find_operation(node.op)
                if definition is None:
                    todo.append(node.op)
                elif _READING.search(node.op) or (definition.is_stateful and node.op not in _STATEFUL):
                    raise _Refused(f"file must have operations that only compute. Received: {folder}, with {node.op}.")
                for value in node.attr.values():
                    todo += [value.func.name, *(function.name for function in value.list.func)]
