import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import ops

import keras_gan
from keras_gan.export import convert, verify

A = keras_gan.architectures


@pytest.fixture
def trained(make_image_gan, images):
    gan = make_image_gan()
    gan.fit(images, batch_size=16, epochs=3, verbose=0)
    return gan


LATENT = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")


def test_tflite_gives_the_generators_images(trained, tmp_path):
    report = trained.export(tmp_path / "g.tflite")
    assert os.listdir(tmp_path) == ["g.tflite"]
    interpreter = Interpreter(model_path=str(tmp_path / "g.tflite"))
    assert interpreter.get_signature_list() == {"generate": {"inputs": ["latent"], "outputs": ["image"]}}
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 4]
    assert interpreter.get_output_details()[0]["dtype"] == np.float32
    generate = interpreter.get_signature_runner("generate")
    for z in LATENT:
        image = generate(latent=z[None])["image"]
        np.testing.assert_allclose(image, trained(z[None]), atol=1e-5)
        assert np.ptp(image) > 1e-3
    assert report.format == "litert" and report.bytes == (tmp_path / "g.tflite").stat().st_size
    assert report.parameters == trained.generator.count_params()
    assert 0 <= report.mean_error <= report.max_error <= 1e-5
    assert json.loads(json.dumps(report.to_dict()))["filepath"] == str(tmp_path / "g.tflite")
    assert "g.tflite" in str(report) and "checked" in str(report)


def test_saved_model_runs_without_keras_gan(trained, tmp_path):
    report = trained.export(tmp_path / "saved")
    np.save(tmp_path / "latent.npy", LATENT)
    script = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load("saved")
latent = tf.constant(np.load("latent.npy"))
for name in ("generate", "serving_default"):
    np.save(name + ".npy", model.signatures[name](latent=latent)["image"])
assert not any(m.startswith("keras_gan") for m in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for name in ("generate", "serving_default"):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), trained(LATENT), atol=1e-6)
    assert report.format == "tf_saved_model" and report.max_error <= 1e-5 and report.bytes > 1000


def test_format_by_name(trained, tmp_path):
    assert trained.export(tmp_path / "a.tflite", format="litert").format == "litert"
    assert trained.export(tmp_path / "a.saved", format="tf_saved_model").filepath.is_dir()


@pytest.mark.parametrize(
    "generator",
    [
        A.mlp_generator((2,), 3, units=(8,)),
        A.mlp_generator((8, 8, 1), 3, units=(8,)),
        A.dcgan_generator((28, 20, 3), 5, width=4),
    ],
    ids=["mlp vectors", "mlp images", "dcgan"],
)
def test_a_bare_generator(generator, tmp_path):
    report = keras_gan.export.export(generator, tmp_path / "g.tflite")
    assert report.max_error <= 1e-5


def test_large_outputs_are_compared_in_proportion(tmp_path):
    heights = keras.Sequential([keras.Input((4,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(1)])
    heights.layers[-1].set_weights([heights.layers[-1].get_weights()[0] * 4e3, np.array([19e4])])
    report = keras_gan.export.export(heights, tmp_path / "g.tflite")
    assert report.max_error <= 1e-5 * 3e5


def test_a_file_that_is_wrong_is_not_left(trained, tmp_path, monkeypatch):
    (tmp_path / "g.tflite").write_bytes(b"the one before")
    to_tflite = convert.to_tflite

    def spoiled(generator, inputs):
        content = to_tflite(generator, inputs)
        weights = [w + 1e-3 for w in generator.get_weights()]
        generator.set_weights(weights)
        return content

    monkeypatch.setattr(convert, "to_tflite", spoiled)
    with pytest.raises(ValueError, match=r"was not written. The file differs from the generator by .* 1e-05 is all"):
        trained.export(tmp_path / "g.tflite")
    assert os.listdir(tmp_path) == ["g.tflite"]
    assert (tmp_path / "g.tflite").read_bytes() == b"the one before"


def test_nan_in_the_weights_is_refused(trained, tmp_path):
    trained.generator.set_weights([w * np.nan for w in trained.generator.get_weights()])
    for name in ("g.tflite", "saved"):
        with pytest.raises(ValueError, match="NaN or infinite"):
            trained.export(tmp_path / name)
    assert not os.listdir(tmp_path)


def test_another_signature_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "OUTPUT", "picture")
    inputs = convert.signature(4, labels=False, batch=1)
    content = convert.to_tflite(trained.generator, inputs)
    monkeypatch.undo()
    (tmp_path / "g.tflite").write_bytes(content)
    with pytest.raises(ValueError, match=r"must have the signature .*'image'.*Received: .*'picture'"):
        verify.tflite_runner(tmp_path / "g.tflite", inputs)


def test_an_operation_that_devices_lack_is_named(tmp_path):
    class Erfinv(keras.layers.Layer):
        def call(self, x):
            return ops.erfinv(ops.tanh(x) * 0.5)

    with pytest.raises(ValueError, match=r"operations that .tflite has. Received: .*Erfinv"):
        keras_gan.export.export(keras.Sequential([keras.Input((4,)), Erfinv()]), tmp_path / "g.tflite")
    assert not os.listdir(tmp_path)


def test_bad_paths(trained, tmp_path):
    with pytest.raises(ValueError, match="folder that exists"):
        trained.export(tmp_path / "missing" / "g.tflite")
    with pytest.raises(ValueError, match=r"must end in .tflite, or have no suffix.*g\.pb"):
        trained.export(tmp_path / "g.pb")
    with pytest.raises(ValueError, match="format must be"):
        trained.export(tmp_path / "g", format="h5")
    with pytest.raises(ValueError, match=r"must end in .tflite for format='litert'"):
        trained.export(tmp_path / "g", format="litert")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="a new or an empty folder"):
        trained.export(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(ValueError, match="which is a folder"):
        trained.export(tmp_path / "folder.tflite")


def test_without_the_runtime_the_error_says_what_to_install(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-gan\[export\]'"):
        trained.export(tmp_path / "g.tflite")
    assert not os.listdir(tmp_path)
    trained.export(tmp_path / "saved")


def test_exporting_is_quiet(trained, tmp_path, capfd):
    trained.export(tmp_path / "g.tflite")
    trained.export(tmp_path / "saved")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
