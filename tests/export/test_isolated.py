"""Untrusted generator files: those that could do more than compute are refused, and crashes are isolated."""

import faulthandler
import os
import signal
import sys

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.tools import flatbuffer_utils

import keras_gan
from keras_gan import cli
from keras_gan.export import isolated, latency, runners


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with one generator in each format."""
    folder = tmp_path_factory.mktemp("exported")
    generator = keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4)
    for name in ("g.tflite", "g.onnx", "g"):
        keras_gan.export.export(generator, folder / name)
    return folder


@pytest.fixture
def crashing(exported, tmp_path):
    """A .tflite file that is a valid flatbuffer, in which an operation lacks a required input."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray((exported / "g.tflite").read_bytes()))
    for operator in model.subgraphs[0].operators:
        if len(operator.inputs) == 4:
            operator.inputs[3] = -1
    path = tmp_path / "crashing.tflite"
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return path


def test_a_crash_of_the_runtime_is_one_line(crashing, capfd):
    # It is a crash: a process that runs it ends.
    pid = os.fork()
    if not pid:
        faulthandler.disable()
        signal.alarm(20)
        runners.run(crashing)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGSEGV
    assert cli.main(["benchmark", str(crashing), "--seconds", "0.01"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "crashed its runtime (signal 11)" in err


def test_what_does_not_end_is_ended(exported, monkeypatch):
    monkeypatch.setattr(latency, "_PATIENCE", 0.1)
    with pytest.raises(ValueError, match=r"runs within 0\.12 s\. Received: .*g\.tflite, which was stopped after that"):
        keras_gan.export.benchmark(exported / "g.tflite", seconds=0.01)


def test_each_format_runs_in_a_process_of_its_own(exported):
    for name, threads in (("g.tflite", [1]), ("g.onnx", [2]), ("g", [None])):
        found = keras_gan.export.benchmark(exported / name, threads=threads if threads[0] else (1,), seconds=0.01)
        assert [latency.threads for latency in found.latencies] == threads and found.signature == "generate"
        assert found.latencies[0].runs >= 5 and found.bytes > 1000 and found.filepath == exported / name


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_bad_arguments(exported, seconds):
    with pytest.raises(ValueError, match=r"seconds must be a finite number > 0\. Received: "):
        keras_gan.export.benchmark(exported / "g.tflite", seconds=seconds)
    with pytest.raises(ValueError, match="each of threads must be a positive integer"):
        keras_gan.export.benchmark(exported / "g.tflite", threads=(0,))
    with pytest.raises(ValueError, match=r"threads must have at least one positive integer\. Received: none"):
        keras_gan.export.benchmark(exported / "g.tflite", threads=())


@pytest.mark.skipif(sys.platform != "linux", reason="Linux bounds what a process takes")
def test_memory_is_bounded():
    pid = os.fork()
    if not pid:
        try:
            isolated._bound_memory()
            np.empty(9 * 2**30, "uint8")
        except MemoryError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


# === SavedModels are programs ===


class Program(tf.Module):
    """Generator that also does something else."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="latent")])
    def generate(self, latent):
        return {"image": self.act(latent)}


def write_file(x):
    with tf.control_dependencies([tf.io.write_file("/tmp/keras_gan_was_here", "x")]):
        return tf.identity(x)


def in_a_branch(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: write_file(x), lambda: x)


def read_file(x):
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), "float32")


def python(x):
    return tf.ensure_shape(tf.numpy_function(lambda v: v, [x], tf.float32), x.shape)


def dataset(x):
    lines = tf.data.TextLineDataset("/etc/hostname")
    return x + tf.cast(lines.reduce(tf.constant(0), lambda n, _: n + 1), "float32")


def printed(x):
    tf.print("x", output_stream="file:///tmp/keras_gan_was_here")
    return tf.identity(x)


@pytest.mark.parametrize(
    ("act", "operation"),
    [
        (write_file, "WriteFile"),
        (in_a_branch, "WriteFile"),
        (read_file, "ReadFile"),
        (python, "PyFunc"),
        (dataset, "Dataset"),
        (printed, "PrintV2"),
    ],
)
def test_programs_are_refused_before_they_are_loaded(tmp_path, monkeypatch, act, operation):
    program = Program(act)
    tf.saved_model.save(program, str(tmp_path / "program"), signatures={"generate": program.generate})
    monkeypatch.setattr(tf.saved_model, "load", lambda *_: pytest.fail("It was loaded."))
    with pytest.raises(ValueError, match=f"operations that only compute. Received: .*program, with .*{operation}"):
        runners.run(tmp_path / "program")
    assert not os.path.exists("/tmp/keras_gan_was_here")


def test_what_starts_a_table_is_refused(tmp_path, monkeypatch):
    (tmp_path / "names.txt").write_text("a\nb\n")
    source = tf.lookup.TextFileInitializer(str(tmp_path / "names.txt"), tf.int64, -1, tf.string, -2)
    program = Program(tf.identity)
    program.table = tf.lookup.StaticHashTable(source, "?")
    tf.saved_model.save(program, str(tmp_path / "program"), signatures={"generate": program.generate})
    monkeypatch.setattr(tf.saved_model, "load", lambda *_: pytest.fail("It was loaded."))
    with pytest.raises(ValueError, match=r"operations that only compute\. Received: .*with .*Table"):
        runners.run(tmp_path / "program")


def test_a_program_that_only_computes_runs(tmp_path):
    program = Program(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: tf.random.normal(tf.shape(x))))
    tf.saved_model.save(program, str(tmp_path / "program"), signatures={"generate": program.generate})
    feed = {"latent": np.ones((1, 4), "float32")}
    np.testing.assert_array_equal(runners.run(tmp_path / "program").run("generate", feed), feed["latent"])


def test_a_graph_of_tensorflow_1_is_refused(exported, tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "g" / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].ClearField("object_graph_def")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ValueError, match="SavedModel of TensorFlow 2"):
        runners.run(tmp_path / "old")


# === ONNX ===


def test_weights_in_another_file_are_refused(exported, tmp_path):
    import onnx

    model = onnx.load(str(exported / "g.onnx"))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    (tmp_path / "g.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"hold all of its weights. Received: .*g\.onnx, with weights in another file"):
        runners.run(tmp_path / "g.onnx")
