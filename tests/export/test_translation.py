"""Export of generators that translate images."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers as L
from keras import ops
from PIL import Image

import keras_gan
from keras_gan import cli
from keras_gan.export import convert, export_translation, gpu_driver, runners

needs_driver = pytest.mark.skipif(
    not gpu_driver.candidates(), reason="needs Vulkan; on Debian: apt-get install chromium"
)


def pictures(n, seed=0, channels=3):
    """Smooth pictures 16x12, in [-1, 1]."""
    few = np.random.default_rng(seed).uniform(-1, 1, (n, 3, 4, channels)).astype("float32")
    return ops.convert_to_numpy(ops.image.resize(few, (12, 16), "bilinear"))


SOURCES, HELD_OUT = pictures(24), pictures(5, seed=1)


def normalize(x):
    """Instance normalization, by spatial means."""
    x -= ops.mean(x, (1, 2), keepdims=True)
    return x * ops.rsqrt(ops.mean(ops.square(x), (1, 2), keepdims=True) + 1e-5)


def unet(activation="tanh", norm=normalize):
    """A small U-Net, with both ways to a larger map, that makes pictures with contrast."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 16, 3))
    convolution = {"padding": "same", "kernel_initializer": "he_normal"}
    skip = L.LeakyReLU()(L.Conv2D(16, 4, 2, **convolution)(image))
    x = L.ReLU()(norm(L.Conv2D(24, 4, 2, padding="same")(skip)))
    x = L.ReLU()(norm(L.Conv2D(16, 3, **convolution)(L.UpSampling2D()(x))))
    x = L.Conv2DTranspose(1, 4, 2, "same")(L.Concatenate()([x, skip]))
    return keras.Model(image, L.Activation(activation)(x))


@pytest.fixture(scope="module")
def network():
    return unet()


@keras.saving.register_keras_serializable(package="test")
class Translator(keras_gan.AdversarialModel):
    """Minimal model that translates images."""

    def __init__(self, generator, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.data_shape = generator.output_shape[1:]

    @property
    def best_generator(self):
        return self.generator

    def players(self):
        return {"generator": self.generator}

    def log_names(self):
        return ["error"]

    def adversarial_step(self, data):
        (report,) = self.update(["generator"], lambda: [(self._error(data, training=True), {})])
        return {"error": report["loss"]}

    def evaluation_step(self, data):
        return {"error": self._error(data, training=False)}

    def _error(self, data, training):
        return ops.mean(ops.abs(self.generator(data[0], training=training) - data[1]))

    def get_config(self):
        return {**super().get_config(), "generator": keras.saving.serialize_keras_object(self.generator)}

    def export(self, filepath, **options):
        return export_translation(self, filepath, **options)


@keras.saving.register_keras_serializable(package="test")
class Distance(keras.metrics.Metric):
    """Distance of pictures from their own targets, and their number."""

    def __init__(self, name="distance", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, real, fake):
        self.total.assign_add(ops.sum(ops.mean(ops.abs(fake - real), (1, 2, 3))))
        self.count.assign_add(len(fake))

    def result(self):
        return {"distance": float(self.total / self.count), "count": float(self.count)}


def run(path, images, name="translate"):
    """Runs LiteRT on pictures, one at a time."""
    translate = Interpreter(model_path=str(path)).get_signature_runner(name)
    return np.concatenate([translate(image=x[None])["image"] for x in images])


def psnr(found, wanted):
    return 10 * np.log10(4 / np.square(found - wanted).mean())


# === Written files ===


def test_tflite_gives_the_generators_images(network, tmp_path):
    report = export_translation(network, tmp_path / "relief.tflite", SOURCES, batch_sizes=(1, 3))
    assert sorted(os.listdir(tmp_path)) == ["relief.tflite", "relief.tflite.md"]
    interpreter = Interpreter(model_path=str(tmp_path / "relief.tflite"))
    assert interpreter.get_signature_list() == {
        name: {"inputs": ["image"], "outputs": ["image"]} for name in ("translate", "translate_3")
    }
    wanted = ops.convert_to_numpy(network(HELD_OUT))
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(run(tmp_path / "relief.tflite", HELD_OUT), wanted, atol=1e-5)
    three = interpreter.get_signature_runner("translate_3")(image=HELD_OUT[:3])["image"]
    np.testing.assert_allclose(three, wanted[:3], atol=1e-5)
    assert 0 <= report.mean_error <= report.max_error <= 1e-5 and report.psnr > 100
    assert report.signatures["translate"] == "image float32 (1, 12, 16, 3) -> image float32 (1, 12, 16, 1)"
    assert report.metrics == {} and report.gpu.whole and report.output_range == (-1, 1)
    assert report.card["training"] == "not stated"
    assert "tags: [gan, image-to-image]" in (tmp_path / "relief.tflite.md").read_text()
    assert "largest error" in str(report) and "PSNR" in str(report) and "gpu" in str(report)


@pytest.mark.parametrize(
    ("quantize", "error", "decibels"), [("float16", 0.02, 60), ("dynamic", 0.5, 25), ("int8", 0.5, 25)]
)
def test_precisions(network, tmp_path, quantize, error, decibels):
    plain = export_translation(network, tmp_path / "plain.tflite", SOURCES)
    report = export_translation(network, tmp_path / "relief.tflite", SOURCES, quantize=quantize)
    wanted = ops.convert_to_numpy(network(HELD_OUT))
    found = run(tmp_path / "relief.tflite", HELD_OUT)
    assert 0 < np.abs(found - wanted).max() < error and psnr(found, wanted) > decibels
    assert 0 < report.max_error < error and decibels < report.psnr < 100
    assert report.bytes < plain.bytes


def test_int8_is_calibrated_on_the_pictures(tmp_path):
    # A network that amplifies small numbers: its range is that of the calibration data.
    image = keras.Input((12, 16, 3))
    generator = keras.Model(
        image, L.Conv2D(1, 3, padding="same", kernel_initializer=keras.initializers.Constant(9))(image)
    )
    small = SOURCES * 0.01
    export_translation(generator, tmp_path / "small.tflite", small, quantize="int8")
    wanted = ops.convert_to_numpy(generator(HELD_OUT * 0.01))
    found = run(tmp_path / "small.tflite", HELD_OUT * 0.01)
    # A scale for pictures in [-1, 1], as noise would have, has steps of two.
    assert np.abs(found - wanted).max() < 0.1 * np.ptp(wanted)


def test_bytes(network, tmp_path):
    report = export_translation(network, tmp_path / "relief.tflite", SOURCES, output="uint8")
    assert report.signatures["translate"] == "image uint8 (1, 12, 16, 3) -> image uint8 (1, 12, 16, 1)"
    levels = np.rint(HELD_OUT * 127.5 + 127.5).astype("uint8")
    found = run(tmp_path / "relief.tflite", levels)
    wanted = ops.convert_to_numpy(network(levels / np.float32(127.5) - 1)) * 127.5 + 127.5
    assert found.dtype == np.uint8 and np.ptp(found) > 100
    assert np.abs(found - wanted).max() < 0.51 and report.max_error < 0.01


def test_saved_model(network, tmp_path):
    report = export_translation(network, tmp_path / "relief", SOURCES)
    translate = tf.saved_model.load(str(tmp_path / "relief")).signatures["translate"]
    np.testing.assert_allclose(translate(image=tf.constant(HELD_OUT))["image"], network(HELD_OUT), atol=1e-5)
    assert report.signatures["translate"].startswith("image float32 (any, 12, 16, 3)")


def test_onnx(network, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    export_translation(network, tmp_path / "relief.onnx", SOURCES)
    session = onnxruntime.InferenceSession(str(tmp_path / "relief.onnx"))
    assert [i.name for i in session.get_inputs()] == ["source"]
    (images,) = session.run(["image"], {"source": HELD_OUT})
    np.testing.assert_allclose(images, network(HELD_OUT), atol=1e-5)
    assert list(runners.run(tmp_path / "relief.onnx").inputs) == ["translate"]


def test_a_network_that_takes_any_size_gets_that_of_the_pictures(tmp_path):
    image = keras.Input((None, None, 3))
    x = L.Conv2DTranspose(8, 4, 2, "same", activation="relu", kernel_initializer="he_normal")(image)
    generator = keras.Model(image, L.Conv2D(3, 3, padding="same", activation="sigmoid")(x))
    report = export_translation(generator, tmp_path / "larger.tflite", SOURCES)
    assert report.signatures["translate"] == "image float32 (1, 12, 16, 3) -> image float32 (1, 24, 32, 3)"
    assert report.output_range == (0, 1)
    np.testing.assert_allclose(run(tmp_path / "larger.tflite", HELD_OUT), generator(HELD_OUT), atol=1e-5)


@needs_driver
@pytest.mark.parametrize(("quantize", "error"), [(None, 1e-3), ("float16", 0.02)])
def test_the_gpu_runs_it_whole(network, tmp_path, quantize, error):
    report = export_translation(network, tmp_path / "relief.tflite", SOURCES, quantize=quantize, accelerator="gpu")
    assert report.gpu.whole and report.gpu.driver and report.gpu.max_error < error and report.gpu.overflows == {}
    assert "whole" in str(report)


@pytest.mark.parametrize(("scale", "quantize", "error"), [(2, None, 1e-5), (4, "dynamic", 0.1)])
def test_a_model_that_enlarges(tmp_path, scale, quantize, error):
    keras.utils.set_random_seed(0)
    generator = keras_gan.architectures.super_resolution_generator((12, 16, 3), scale, width=8, blocks=1)
    discriminator = keras_gan.architectures.patch_discriminator((12 * scale, 16 * scale, 6), width=4)
    model = keras_gan.Pix2Pix(generator, discriminator, seed=0)
    # Some pixels are clipped to black and white.
    *_, last = [layer for layer in generator.layers if layer.weights]
    last.kernel.assign(0.5 * np.random.default_rng(0).standard_normal(last.kernel.shape))
    wanted = model.predict(HELD_OUT, verbose=0)
    assert 0.01 < (np.abs(wanted) == 1).mean() < 0.9
    report = model.export(tmp_path / "larger.tflite", data=SOURCES, quantize=quantize, accelerator="gpu")
    assert report.gpu.whole and report.output_range == (-1, 1) and 0 < report.max_error < error
    np.testing.assert_allclose(run(tmp_path / "larger.tflite", HELD_OUT), wanted, atol=error)


# === Models, and data with targets ===


def test_a_model_knows_its_metrics_and_its_training(tmp_path):
    model = Translator(unet())
    model.compile(optimizers={"generator": keras.optimizers.SGD(1e-3)}, metrics=[Distance()])
    targets = pictures(24, seed=2, channels=1)
    model.fit(SOURCES, targets, batch_size=12, epochs=1, verbose=0)
    report = model.export(tmp_path / "relief.tflite", data=(SOURCES, targets), quantize="dynamic")
    before, after = report.metrics["distance"]
    wanted = np.abs(ops.convert_to_numpy(model.generator(SOURCES)) - targets).mean()
    assert before == pytest.approx(wanted, abs=1e-5) and 0 < abs(after - before) < 0.05
    assert report.metrics["count"] == (24, 24)
    assert report.card["training"].startswith("2 steps")
    assert model.export(tmp_path / "relief.tflite", data=SOURCES).metrics == {}


@pytest.mark.parametrize("kind", ["arrays", "batches", "dataset", "generator"])
def test_each_kind_of_data_is_gone_through_once(network, tmp_path, kind):
    sources, targets = pictures(110), pictures(110, seed=2, channels=1)
    # One is far from its target, and the last one, too: missing or mismatched examples show.
    targets[109] = 1
    batches = [(sources[i : i + 10], targets[i : i + 10]) for i in range(0, 110, 10)]
    data = {
        "arrays": lambda: (sources, targets),
        "batches": lambda: batches,
        "dataset": lambda: tf.data.Dataset.from_tensor_slices((sources, targets)).shuffle(110, seed=0).batch(10),
        "generator": lambda: (batch for batch in batches),
    }[kind]()
    report = export_translation(network, tmp_path / "relief.tflite", data, metrics=[Distance()])
    wanted = np.abs(ops.convert_to_numpy(network(sources)) - targets).mean()
    assert report.metrics["count"] == (110, 110)
    assert report.metrics["distance"] == pytest.approx((wanted, wanted), abs=1e-5)


# === Errors ===


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, ValueError, "data must be given.*a broken file may pass a check on random noise.*Received: None"),
        (SOURCES[0], ValueError, r"sources must have the shape \(batch, 12, 16, 3\).*x\[None\]"),
        (
            SOURCES[..., :1],
            ValueError,
            r"sources must have the shape \(batch, 12, 16, 3\). Received: \(24, 12, 16, 1\)",
        ),
        (SOURCES[:0], ValueError, r"Received: \(0, 12, 16, 3\)"),
        (np.full((2, 12, 16, 3), 200, "uint8"), ValueError, r"sources must lie in \[-1, 1\].*200.*x / 127.5 - 1"),
        (SOURCES * np.nan, ValueError, "sources must be finite"),
        (np.full((2, 12, 16, 3), "a"), TypeError, "sources must be numbers"),
        (
            (SOURCES, SOURCES),
            ValueError,
            r"targets must have the shape \(batch, 12, 16, 1\). Received: \(24, 12, 16, 3\)",
        ),
        ((SOURCES, SOURCES[:3, ..., :1]), ValueError, "one target for each source. Received: 24 sources and 3 targets"),
        ((SOURCES, SOURCES[..., :1] * 9), ValueError, r"targets must lie in \[-1, 1\]"),
        ([], ValueError, "at least one batch"),
        ({"x": SOURCES}, TypeError, "Received: a dict"),
        (tf.data.Dataset.from_tensors(SOURCES).repeat(), ValueError, "x must end"),
    ],
)
def test_bad_data(network, tmp_path, monkeypatch, data, error, message):
    monkeypatch.setattr(convert, "to_tflite", None)
    with pytest.raises(error, match=message):
        export_translation(network, tmp_path / "relief.tflite", data)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metrics": [Distance()]}, ValueError, "metrics need targets.*Received: sources alone"),
        ({"metrics": ["fid"], "data": (SOURCES, SOURCES[..., :1])}, TypeError, "metrics must be.*'fid'"),
        ({"quantize": "int4"}, ValueError, "quantize must be one of"),
        ({"output": "png"}, ValueError, "output must be one of"),
        ({"card": "MIT"}, TypeError, "card must be a dict"),
        ({"accelerator": "gpu", "quantize": "int8"}, ValueError, "Use quantize='float16'"),
        ({"model": "relief.keras"}, TypeError, r"model must be a keras.Model"),
        ({"model": keras.Sequential([keras.Input((4,)), L.Dense(2)])}, ValueError, r"one image.*\(None, 4\)"),
        (
            {"model": keras.Sequential([keras.Input((12, 16, 3)), L.Flatten()])},
            ValueError,
            r"must make images.*outputs of \(576,\)",
        ),
        ({"model": unet("sigmoid"), "output": "uint8"}, ValueError, "output='uint8' needs a generator of images"),
    ],
)
def test_bad_arguments(network, tmp_path, options, error, message):
    arguments = {"model": network, "data": SOURCES, **options}
    with pytest.raises(error, match=message):
        export_translation(filepath=tmp_path / "relief.tflite", **arguments)
    assert os.listdir(tmp_path) == []


class Noise(L.Layer):
    """Dropout that is also active in inference."""

    def call(self, x):
        return ops.nn.relu(x + keras.random.normal(ops.shape(x)))


class ByTheBatch(L.Layer):
    """Normalization by batch statistics without a `training` argument."""

    def call(self, x):
        return x - ops.mean(x, (0, 1, 2))


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        (lambda x: L.BatchNormalization()(x, training=True), r"batch normalization with training=True \('batch_"),
        (lambda x: Noise()(x), r"changes by \d\.\d+ in a batch with others\. Call"),
        (lambda x: ByTheBatch()(x), r"changes by \d\.\d+ in a batch with others\. Call"),
    ],
    ids=["batch normalization", "noise", "a layer of the user's own"],
)
@pytest.mark.parametrize("n", [1, 24])
def test_what_depends_on_the_batch_is_refused(norm, message, n, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_translation(unet(norm=norm), tmp_path / "relief.tflite", SOURCES[:n])
    assert os.listdir(tmp_path) == []


def test_batch_normalization_by_moving_averages_is_taken(tmp_path):
    generator = unet(norm=lambda x: L.BatchNormalization()(x))
    for layer in generator.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.3))
    report = export_translation(generator, tmp_path / "relief.tflite", SOURCES)
    assert report.max_error <= 1e-5 and report.not_delegated == []


def test_mixed_precision_is_rebuilt_before_it_is_judged(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = unet()
    finally:
        keras.config.set_dtype_policy("float32")
    report = export_translation(generator, tmp_path / "relief.tflite", SOURCES)
    assert report.max_error <= 1e-5


def test_a_file_that_is_wrong_is_not_left(network, tmp_path, monkeypatch):
    to_tflite = convert.to_tflite

    def spoiled(generator, signatures, *options):
        generator.set_weights([w + 1e-3 for w in generator.get_weights()])
        return to_tflite(generator, signatures, *options)

    monkeypatch.setattr(convert, "to_tflite", spoiled)
    with pytest.raises(ValueError, match=r"was not written. The file differs from the generator by"):
        export_translation(network, tmp_path / "relief.tflite", SOURCES)
    assert os.listdir(tmp_path) == []


# === The command line ===


def command(capfd, *argv):
    """Returns the exit code of a command, its output, and its errors."""
    code = cli.main([str(a) for a in argv])
    return code, *capfd.readouterr()


@pytest.fixture
def folder(tmp_path):
    """A folder of photos of another size than the network's."""
    (tmp_path / "photos").mkdir()
    for i, photo in enumerate(pictures(5)):
        image = Image.fromarray(np.rint(photo * 127.5 + 127.5).astype("uint8"))
        image.resize((40, 30)).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("alone", [False, True])
def test_export(network, tmp_path, capfd, folder, alone):
    (network if alone else Translator(network)).save(tmp_path / "model.keras")
    out = tmp_path / "relief.tflite"
    code, text, errors = command(capfd, "export", tmp_path / "model.keras", out, "--data", folder, "--json")
    assert code == 0, errors
    signatures = json.loads(text)["signatures"]
    assert signatures == {"translate": "image float32 (1, 12, 16, 3) -> image float32 (1, 12, 16, 1)"}
    np.testing.assert_allclose(run(out, HELD_OUT), network(HELD_OUT), atol=1e-5)


def test_benchmark(network, tmp_path, capfd):
    export_translation(network, tmp_path / "relief.tflite", SOURCES)
    code, text, _ = command(capfd, "benchmark", tmp_path / "relief.tflite", "--seconds", "0.01", "--threads", "1")
    assert code == 0 and "translate, one image a run" in text


def test_a_large_folder_is_not_read_whole(network, tmp_path, capfd, folder, monkeypatch):
    network.save(tmp_path / "model.keras")
    for i in range(100):
        os.link(folder / "0.png", folder / f"same{i}.png")
    seen, load = [], cli.export.load_images
    monkeypatch.setattr(cli.export, "load_images", lambda *a, **o: seen.append(o["split"]) or load(*a, **o))
    assert command(capfd, "export", tmp_path / "model.keras", tmp_path / "r.tflite", "--data", folder)[0] == 0
    assert seen == ["train[-96:]"]


def test_errors_of_the_command(network, make_image_gan, tmp_path, capfd, folder):
    network.save(tmp_path / "model.keras")
    make_image_gan().save(tmp_path / "gan.keras")
    (tmp_path / "empty").mkdir()
    (folder / "bad.png").write_text("no picture")
    for model, options, message in (
        ("model", [], "--data FOLDER must be given for a model that translates images"),
        ("model", ["--data", folder, "--sample"], "--sample is for a generator that takes latents"),
        ("model", ["--data", tmp_path / "empty"], "empty"),
        ("model", ["--data", folder], "--skip-bad-images"),
        ("gan", ["--data", folder], "--data is for a model that translates images"),
    ):
        code, text, errors = command(capfd, "export", tmp_path / f"{model}.keras", tmp_path / "r.tflite", *options)
        assert code == 1 and text == "" and message in errors and errors.count("\n") == 1, errors
        assert not (tmp_path / "r.tflite").exists()
    options = ["--data", folder, "--skip-bad-images"]
    assert command(capfd, "export", tmp_path / "model.keras", tmp_path / "r.tflite", *options)[0] == 0
