import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import ops

import keras_gan
from keras_gan.export import convert, runners, tasks, verify
from keras_gan.export import metadata as metadata_room

A = keras_gan.architectures
LATENT = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")


def generator_layers(gan):
    """Returns the layers of batch normalization."""
    networks = [gan.generator, gan.ema_generator]
    layers = [layer for network in networks if network is not None for layer in network.layers]
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def make(labelled=False, ema=None, **options):
    """Makes a small GAN on 8x8x1 images whose generator has contrast and its own batch statistics."""
    keras.utils.set_random_seed(0)
    condition = keras_gan.conditions.Labels(3) if labelled else None
    gan = keras_gan.GAN(
        # Wide enough for the converter, which does not quantize fewer than 1,024 weights.
        A.dcgan_generator((8, 8, 1), latent_dim=4, width=16, condition=condition),
        A.dcgan_discriminator((8, 8, 1), width=4, condition=condition),
        seed=0,
        ema=ema,
        **options,
    )
    for layer in generator_layers(gan):
        # The bounds below assume that statistics move slowly in these few steps.
        layer.momentum = 0.99
    gan.compile(penalties=())
    images = np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype("float32")
    gan.fit(images, np.arange(48) % 3 if labelled else None, batch_size=16, epochs=2, verbose=0)
    for weights in (gan.generator, *([gan.ema_generator] if gan.ema else [])):
        kernel = weights.weights[-2]
        kernel.assign(kernel * 8)
    return gan


@pytest.fixture(scope="module")
def trained():
    return make()


@pytest.fixture(scope="module")
def labelled():
    return make(labelled=True, ema=0.5)


@pytest.fixture(scope="module")
def full(labelled, tmp_path_factory):
    """The path and the report of a file with everything: labels, EMA, three batch sizes, seeds, int8 weights."""
    path = tmp_path_factory.mktemp("full") / "g.tflite"
    card = {"data": "48 squares of noise | more", "license": "CC0-1.0"}
    return path, labelled.export(path, quantize="dynamic", batch_sizes=(1, 2, 5), sample=True, card=card)


def signature(path, name="generate"):
    return Interpreter(model_path=str(path)).get_signature_runner(name)


def metadata(path):
    """Returns the dict in the file's metadata."""
    model = schema.Model.GetRootAsModel(Path(path).read_bytes(), 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (index,) = (m.Buffer() for m in entries if m.Name() == b"keras_gan.json")
    return json.loads(model.Buffers(index).DataAsNumpy().tobytes())


# === Written files ===


def test_tflite_gives_the_generators_images(trained, tmp_path):
    report = trained.export(tmp_path / "g.tflite")
    assert sorted(os.listdir(tmp_path)) == ["g.tflite", "g.tflite.md"]
    interpreter = Interpreter(model_path=str(tmp_path / "g.tflite"))
    assert interpreter.get_signature_list() == {"generate": {"inputs": ["latent"], "outputs": ["image"]}}
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 4]
    assert interpreter.get_output_details()[0]["dtype"] == np.float32
    generate = interpreter.get_signature_runner("generate")
    for z in LATENT:
        image = generate(latent=z[None])["image"]
        np.testing.assert_allclose(image, trained(z[None]), atol=1e-5)
        assert np.ptp(image) > 0.1
    assert report.format == "litert" and report.bytes == (tmp_path / "g.tflite").stat().st_size
    assert report.parameters == trained.generator.count_params()
    assert 0 <= report.mean_error <= report.max_error <= 1e-5 and report.psnr > 100
    assert report.not_delegated == []
    assert [x.threads for x in report.latencies] == [1, 2]
    assert all(0 < x.minimum <= x.median < 1000 for x in report.latencies)


def test_saved_model_runs_without_keras_gan(trained, tmp_path):
    report = trained.export(tmp_path / "saved", sample=True)
    np.save(tmp_path / "latent.npy", LATENT)
    script = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load("saved")
latent = tf.constant(np.load("latent.npy"))
for name in ("generate", "serving_default"):
    np.save(name + ".npy", model.signatures[name](latent=latent)["image"])
assert model.signatures["sample"](seed=tf.constant([1, 2]))["image"].shape == (2, 8, 8, 1)
assert not any(m.startswith("keras_gan") for m in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for name in ("generate", "serving_default"):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), trained(LATENT), atol=1e-6)
    assert report.format == "tf_saved_model" and report.max_error <= 1e-5 and report.bytes > 1000
    assert json.loads((tmp_path / "saved/assets.extra/keras_gan.json").read_text())["card"] == report.card
    assert keras_gan.export.benchmark(tmp_path / "saved", seconds=0.01).latencies[0].threads is None


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Activation("gelu"),
        *(
            keras.layers.Conv2DTranspose(3, kernel, strides, padding, bias_initializer="ones")
            for kernel, strides, padding in [(1, 2, "same"), (1, 3, "same"), (2, 3, "valid"), ((1, 3), (4, 2), "same")]
        ),
    ],
)
def test_onnx_of_what_its_converter_gets_wrong(layer, tmp_path):
    pytest.importorskip("onnxruntime")
    generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32), keras.layers.Reshape((2, 2, 8)), layer])
    assert keras_gan.export.export(generator, tmp_path / "g.onnx").max_error <= 1e-5


def test_onnx(labelled, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    report = labelled.export(tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "g.onnx"))
    assert [i.name for i in session.get_inputs()] == ["latent", "labels"]
    assert [o.name for o in session.get_outputs()] == ["image"]
    labels = np.array([2, 0, 1], "int32")
    (images,) = session.run(None, {"latent": LATENT, "labels": labels})
    np.testing.assert_allclose(images, labelled([LATENT, labels]), atol=1e-5)
    assert report.format == "onnx" and report.max_error <= 1e-5
    card = session.get_modelmeta().custom_metadata_map["keras_gan.json"]
    assert json.loads(card)["card"] == report.card


@pytest.mark.parametrize(("quantize", "error", "share"), [("float16", 5e-3, 0.7), ("int8", 0.2, 0.7)])
def test_precisions(trained, tmp_path, quantize, error, share):
    plain = trained.export(tmp_path / "plain.tflite")
    report = trained.export(tmp_path / "g.tflite", quantize=quantize)
    runner = signature(tmp_path / "g.tflite")
    assert runner.get_input_details()["latent"]["dtype"] == np.float32
    difference = np.concatenate([runner(latent=z[None])["image"] - trained(z[None]) for z in LATENT])
    assert 0 < np.abs(difference).max() < error and 0 < report.max_error < error
    assert report.mean_error < report.max_error / 3 and 30 < report.psnr < 100
    assert report.bytes < share * plain.bytes and report.not_delegated == []


def test_int8_computes_in_integers(trained, tmp_path):
    trained.export(tmp_path / "g.tflite", quantize="int8")
    interpreter = Interpreter(model_path=str(tmp_path / "g.tflite"))
    convolutions = [op for op in interpreter._get_ops_details() if op["op_name"] == "CONV_2D"]
    dtypes = {t["index"]: t["dtype"] for t in interpreter.get_tensor_details()}
    assert convolutions and all(dtypes[op["outputs"][0]] == np.int8 for op in convolutions)


def test_batch_sizes_share_their_weights(labelled, full):
    path, _ = full
    interpreter = Interpreter(model_path=str(path))
    names = {f"{kind}{n}" for kind in ("generate", "sample") for n in ("", "_2", "_5")}
    assert set(interpreter.get_signature_list()) == names
    latent = np.random.default_rng(2).normal(size=(5, 4)).astype("float32")
    labels = np.array([0, 1, 2, 1, 0], "int32")
    images = interpreter.get_signature_runner("generate_5")(latent=latent, labels=labels)["image"]
    np.testing.assert_allclose(images, labelled([latent, labels]), atol=0.1)
    one = interpreter.get_signature_runner("generate")(latent=latent[:1], labels=labels[:1])["image"]
    np.testing.assert_allclose(one[0], images[0], atol=1e-5)
    model = schema.Model.GetRootAsModel(path.read_bytes(), 0)
    buffers = [model.Buffers(i).DataLength() for i in range(model.BuffersLength())]
    # The kernel of 4 x 4 x 32 x 16 numbers, as int8, once.
    assert sorted(n for n in buffers if n > 4000) == [8192]


def test_labels_and_the_average_of_weights(labelled, full):
    path, report = full
    generate = signature(path)
    for z, label in zip(LATENT, (0, 1, 2), strict=True):
        image = generate(latent=z[None], labels=np.array([label], "int32"))["image"]
        wanted = labelled.ema_generator([z[None], np.array([label])])
        np.testing.assert_allclose(image, wanted, atol=0.1)
        assert np.abs(image - labelled.generator([z[None], np.array([label])])).max() > 1e-3
    assert report.not_delegated and set(report.not_delegated) <= {"LESS", "ADD", "SELECT", "GATHER"}


def test_an_image_from_a_seed(labelled, full):
    path, _ = full
    sample = signature(path, "sample_5")
    seeds, labels = np.array([7, 8, -1, 7, 2**31 - 1], "int32"), np.array([1, 1, 1, 1, 2], "int32")
    images = sample(seed=seeds, labels=labels)["image"]
    from keras_gan.export.seed import uniform

    latent = labelled.prior.from_uniform(uniform(seeds, labelled.prior.num_uniforms))
    np.testing.assert_allclose(images, labelled([latent, labels]), atol=0.1)
    np.testing.assert_array_equal(images[0], images[3])
    assert np.abs(images[0] - images[1]).max() > 0.01 and np.abs(images[0] - images[2]).max() > 0.01


@pytest.mark.parametrize(
    "prior",
    [
        keras_gan.priors.Uniform(4),
        keras_gan.priors.Mixture(keras_gan.priors.circle(5, 4), 0.2),
        keras_gan.priors.Concatenated([keras_gan.priors.Normal(1), keras_gan.priors.Categorical(3)]),
    ],
    ids=lambda prior: type(prior).__name__,
)
def test_seeds_for_other_priors(prior, tmp_path):
    generator = A.mlp_generator((3,), 4, units=(8,))
    report = keras_gan.export.export(generator, tmp_path / "g.tflite", prior=prior, sample=True)
    assert report.max_error <= 1e-5 and set(report.signatures) == {"generate", "sample"}


def test_bytes(trained, tmp_path):
    report = trained.export(tmp_path / "g.tflite", output="uint8")
    generate = signature(tmp_path / "g.tflite")
    for z in LATENT:
        image = generate(latent=z[None])["image"]
        assert image.dtype == np.uint8 and np.ptp(image.astype(int)) > 20
        wanted = keras_gan.images.to_uint8(trained(z[None])).astype(int)
        assert np.abs(image.astype(int) - wanted).max() <= 1
    assert report.max_error <= 1 / 127.5 + 1e-5 and report.card["range"] == "bytes, 0 to 255"


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (A.mlp_generator, {"units": (8,)}),
        (A.resnet_generator, {"width": 4}),
        (A.modern_generator, {"width": 16}),
        (A.dcgan_generator, {"width": 4}),
    ],
    ids=["mlp", "resnet", "modern", "dcgan"],
)
def test_architectures_run_in_one_piece(build, options, tmp_path):
    generator = build((28, 20, 3), 5, **options)
    report = keras_gan.export.export(generator, tmp_path / "g.tflite", quantize="dynamic")
    assert report.not_delegated == [] and report.psnr > 30


@pytest.mark.parametrize(
    "policy", ["float32", *(pytest.param(f"mixed_{kind}", marks=pytest.mark.long) for kind in ("float16", "bfloat16"))]
)
@pytest.mark.parametrize(
    "condition",
    [keras_gan.conditions.Labels(3), pytest.param(keras_gan.conditions.Vector(4), marks=pytest.mark.long)],
    ids=repr,
)
def test_conditional_batch_normalization(condition, policy, tmp_path):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        generator = A.resnet_generator((8, 8, 3), 5, width=16, condition=condition)
    finally:
        keras.config.set_dtype_policy(before)
    rng = np.random.default_rng(0)
    for v in generator.trainable_variables:
        v.assign(rng.normal(scale=0.5 / np.sqrt(np.prod(v.shape[:-1])), size=v.shape))
    for quantize, error in ((None, 1e-5), ("float16", 0.02), ("dynamic", 0.1)):
        if quantize != "float16" or policy == "float32":
            report = keras_gan.export.export(generator, tmp_path / "g.tflite", quantize=quantize, sample=True)
            assert report.max_error <= error and report.psnr > 30
    name, dtype = ("labels", "int32 (1)") if condition.given_name == "labels" else ("given", "float32 (1, 4)")
    assert report.signatures["generate"] == f"latent float32 (1, 5), {name} {dtype} -> image float32 (1, 8, 8, 3)"
    # Only the lookup of labels is left to slower kernels.
    assert set(report.not_delegated) <= {"LESS", "ADD", "SELECT", "GATHER"}
    generate = signature(tmp_path / "g.tflite")
    given = condition.example_given(3, seed=0)
    latent = np.repeat(rng.normal(size=(1, 5)).astype("float32"), 3, axis=0)
    images = np.concatenate([generate(latent=latent[i : i + 1], **{name: given[i : i + 1]})["image"] for i in range(3)])
    np.testing.assert_allclose(images, ops.cast(generator([latent, given]), "float32"), atol=0.1)
    assert np.abs(images[0] - images[1]).max() > 0.1


def test_mixed_precision(tmp_path):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        generator = A.dcgan_generator((8, 8, 1), 4, width=4, condition=keras_gan.conditions.Labels(3))
    finally:
        keras.config.set_dtype_policy(policy)
    report = keras_gan.export.export(generator, tmp_path / "g.tflite")
    assert report.max_error <= 1e-5


def test_codes_are_part_of_the_latent(tmp_path):
    codes = keras_gan.conditions.Codes(categorical=[3], continuous=1)
    generator = A.mlp_generator((2,), 8, units=(8,))
    report = keras_gan.export.export(generator, tmp_path / "g.tflite", condition=codes, sample=True)
    assert report.signatures["generate"].startswith("latent float32 (1, 8) -> image float32 (1, 2)")


def linear(mean, stddev):
    """Makes a generator of numbers with these means and standard deviations, whose last layer is linear."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(64, "relu") for _ in range(2)]
    generator = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(len(mean))])
    latents = np.random.default_rng(0).normal(size=(1000, 4))
    x = ops.convert_to_numpy(generator(latents))
    gain = stddev / x.std(0)
    generator.layers[-1].set_weights([generator.layers[-1].get_weights()[0] * gain, mean - x.mean(0) * gain])
    return generator


@pytest.mark.parametrize(
    ("quantize", "smallest", "largest"), [(None, 0, 1e-3), ("dynamic", 0.01, 2), ("int8", 0.1, 10)]
)
def test_errors_have_the_units_of_the_outputs(tmp_path, quantize, smallest, largest):
    generator = linear([190.0], 7.0)
    report = keras_gan.export.export(generator, tmp_path / "g.tflite", quantize=quantize)
    generate = signature(tmp_path / "g.tflite")
    latents = np.random.default_rng(1).normal(size=(200, 1, 4)).astype("float32")
    wanted = np.array([ops.convert_to_numpy(generator(z)) for z in latents])
    errors = np.abs([generate(latent=z)["image"] for z in latents] - wanted)
    assert smallest <= report.max_error < largest
    assert errors.mean() < report.max_error < errors.max() * 4
    assert errors.mean() / 3 <= report.mean_error <= errors.mean() * 3
    low, high = report.output_range
    assert 140 < low < 186 < 194 < high < 250
    for text in (str(report), (tmp_path / "g.tflite.md").read_text()):
        assert f"for outputs in [{low:.6g}, {high:.6g}]" in text and "[-1, 1]" not in text


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_outputs_that_never_vary(tmp_path, quantize):
    report = keras_gan.export.export(linear([5.0, 0.0], 0.0), tmp_path / "g.tflite", quantize=quantize)
    assert report.max_error <= 5e-6 and 25 < report.psnr <= 200
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("scale", "shift", "bounds", "unit", "rounding"),
    [
        (1.0, 0.0, (-1, 1), 1.0, 0.0),
        (0.1, 0.0, (-1, 1), 1.0, 0.0),
        (0.5, 0.5, (0, 1), 0.5, 0.0),
        (100.0, 0.0, None, 100.0, 0.0),
        (1e-3, 0.0, None, 1e-3, 0.0),
        (0.3, [0.0, 1000.0], None, 0.3, 5e-6 * 1000.3),
    ],
    ids=["tanh", "grey tanh", "sigmoid", "large", "small", "far from zero"],
)
@pytest.mark.parametrize(
    ("quantize", "allowed"),
    # PSNR 25 dB: the mean squared difference is 10 ** -2.5 of the squared range, which is two units.
    [(None, 1e-5), ("float16", 0.02), ("dynamic", 2 * 10**-1.25), ("int8", 2 * 10**-1.25)],
)
def test_how_large_an_error_may_be(scale, shift, bounds, unit, rounding, quantize, allowed):
    wanted = tasks.Signature(
        "generate",
        {"latent": ((None, 2), "float64")},
        lambda x: {"image": x * scale + shift},
        lambda n, seed: {"latent": np.linspace([-1, -1], [1, 1], n)},
    )
    allowed = allowed * unit if quantize in ("dynamic", "int8") else max(allowed * unit, rounding)

    def check(error):
        def run(name, feed):
            return wanted(feed) + error

        return verify.check(SimpleNamespace(inputs={"generate": wanted.inputs}, run=run), [wanted], quantize, bounds)

    errors = check(0.98 * allowed)
    assert errors.max_error == pytest.approx(0.98 * allowed, rel=1e-3) == errors.mean_error
    assert errors.psnr == pytest.approx(20 * np.log10(2 * unit / (0.98 * allowed)), abs=1e-3)
    low, high = bounds or (-scale + np.min(shift), scale + np.max(shift))
    assert errors.output_range == pytest.approx((low, high))
    with pytest.raises(ValueError, match=r"for outputs in \["):
        check(1.02 * allowed)


def test_format_by_name(trained, tmp_path):
    assert trained.export(tmp_path / "a.saved", format="tf_saved_model").filepath.is_dir()


# === Reports ===


def test_the_report(full, tmp_path):
    path, report = full
    text = str(report)
    assert "checked" in text and "dynamic" in text and f"{report.psnr:.1f} dB" in text
    assert all(len(line) <= 80 for line in text.splitlines()[1:])
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved == json.loads(json.dumps(report.to_dict())) and saved["filepath"] == str(path)
    report.save(tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text() == Path(f"{path}.md").read_text()
    with pytest.raises(ValueError, match=r"path must end in .md or .json"):
        report.save(tmp_path / "report.txt")


def test_the_card(full):
    path, report = full
    card = report.card
    assert card["data"] == "48 squares of noise | more" and card["license"] == "CC0-1.0"
    assert card["training"].startswith("6 steps, NonSaturating") and "0.5" in card["training"]
    assert card["range"] == "[-1, 1]" and card["metrics"] == "not measured"
    inside = metadata(path)
    assert inside["card"] == card and inside["quantize"] == "dynamic" and 0 < inside["max_error"] < 0.5
    assert inside["classes"] == 3 and inside["prior"]["class_name"] == "Normal"
    assert inside["functions"]["sample_5"] == "seed int32 (5), labels int32 (5) -> image float32 (5, 8, 8, 1)"
    text = Path(f"{path}.md").read_text()
    assert text.startswith('---\nlicense: "CC0-1.0"\nlibrary_name: keras_gan\n') and "noise \\| more" in text


def test_what_nobody_knows_is_not_stated(tmp_path):
    report = keras_gan.export.export(A.mlp_generator((2,), 3, units=(8,)), tmp_path / "g.tflite")
    assert report.card["data"] == report.card["training"] == report.card["license"] == "not stated"
    assert report.card["range"] == "not bounded" and "license:" not in (tmp_path / "g.tflite.md").read_text()


def test_an_older_export_is_replaced_and_nothing_else(trained, tmp_path):
    trained.export(tmp_path / "g.tflite")
    before = (tmp_path / "g.tflite.md").read_text()
    trained.export(tmp_path / "g.tflite", card={"license": "MIT"})
    assert (tmp_path / "g.tflite.md").read_text() != before
    (tmp_path / "h.tflite.md").write_text("my notes")
    with pytest.raises(FileExistsError, match=r"model card belongs at .*h\.tflite\.md"):
        trained.export(tmp_path / "h.tflite")
    assert (tmp_path / "h.tflite.md").read_text() == "my notes" and not (tmp_path / "h.tflite").exists()


@keras.saving.register_keras_serializable(package="test")
class Brightness(keras.metrics.Metric):
    """Difference of the mean values of reals and fakes, and their number."""

    def __init__(self, name="brightness", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, real, fake):
        self.total.assign_add(ops.sum(ops.mean(fake, (1, 2, 3)) - ops.mean(real, (1, 2, 3))))
        self.count.assign_add(len(fake))

    def result(self):
        return {"brightness": float(self.total / self.count), "count": float(self.count)}


def test_metrics_before_and_after(labelled, tmp_path, monkeypatch):
    real = np.full((70, 8, 8, 1), -0.25, "float32")
    batches = [(real[:50], np.zeros(50, int)), (real[50:], np.ones(20, int))]
    monkeypatch.setattr(labelled, "evaluation_metrics", [Brightness()])
    report = labelled.export(tmp_path / "g.tflite", quantize="dynamic", data=batches)
    before, after = report.metrics["brightness"]
    assert report.metrics["count"] == (70, 70)
    assert 0 < abs(before - after) < 0.02
    assert report.card["metrics"].startswith(f"brightness {after:.4g}")
    assert "of the Keras generator" in str(report)
    # The labels of the data are those of the images.
    latents = [ops.convert_to_numpy(labelled.prior.sample(n, i)) for i, n in enumerate((50, 20))]
    images = [labelled([z, y]) for z, (_, y) in zip(latents, batches, strict=True)]
    assert before == pytest.approx(float(np.concatenate(images).mean() + 0.25), abs=1e-5)


@pytest.mark.parametrize("kind", ["shuffled", "generator"])
def test_metrics_see_the_same_data_twice(labelled, tmp_path, kind):
    import tensorflow as tf

    x = np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype("float32")
    y = np.repeat([0, 1, 2], [40, 4, 4])
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=0).batch(16)
    if kind == "generator":
        data = (batch for batch in list(data))
    metric = Brightness()
    metric.update_state(np.zeros((3, 8, 8, 1)), np.ones((3, 8, 8, 1)))
    report = labelled.export(tmp_path / "g.tflite", metrics=[metric], data=data)
    assert report.metrics["count"] == (48, 48)
    before, after = report.metrics["brightness"]
    assert after == pytest.approx(before, abs=1e-6) and before != 0
    # The user's metric is unchanged.
    assert metric.result() == {"brightness": 1.0, "count": 3.0}


def test_exporting_is_quiet(trained, tmp_path, capfd):
    trained.export(tmp_path / "g.tflite", quantize="dynamic")
    trained.export(tmp_path / "saved")
    assert capfd.readouterr() == ("", "")


# === Errors ===


def nothing_left(folder):
    return not os.listdir(folder)


def test_a_file_that_is_wrong_is_not_left(trained, tmp_path, monkeypatch):
    (tmp_path / "g.tflite").write_bytes(b"the one before")
    to_tflite = convert.to_tflite
    other = make()

    def spoiled(generator, signatures, *options):
        generator.set_weights([w + 1e-3 for w in generator.get_weights()])
        return to_tflite(generator, signatures, *options)

    monkeypatch.setattr(convert, "to_tflite", spoiled)
    with pytest.raises(ValueError, match=r"was not written. The file differs from the generator by .* 1e-05 is all"):
        other.export(tmp_path / "g.tflite")
    assert os.listdir(tmp_path) == ["g.tflite"]
    assert (tmp_path / "g.tflite").read_bytes() == b"the one before"


@pytest.mark.parametrize("scale", [1, 1e-3])
def test_a_precision_that_costs_too_much_is_refused(tmp_path, scale):
    # Differences of large numbers, which integers of 8 bits can't hold.
    first, second = keras.layers.Dense(64), keras.layers.Dense(2)
    generator = keras.Sequential([keras.Input((4,)), first, second])
    kernel = np.random.default_rng(0).normal(size=(4, 32))
    first.set_weights([np.concatenate([kernel * 300, kernel * 300 + 1], 1), np.zeros(64)])
    half = np.random.default_rng(1).normal(size=(32, 2)) / 32 * scale
    second.set_weights([np.concatenate([-half, half]), np.zeros(2)])
    with pytest.raises(ValueError, match=r"quantize='int8' is too coarse.*PSNR .* dB.*Use quantize='dynamic'"):
        keras_gan.export.export(generator, tmp_path / "g.tflite", quantize="int8")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("mean", [[1000.0], [0.0, 1000.0]])
def test_errors_as_large_as_what_samples_differ_by_are_refused(tmp_path, mean):
    with pytest.raises(ValueError, match=r"'int8' is too coarse.* for outputs in \[.*, 100\d.*Use quantize='dynamic'"):
        keras_gan.export.export(linear(mean, 0.3), tmp_path / "g.tflite", quantize="int8")
    assert nothing_left(tmp_path)


def test_what_writing_the_metadata_breaks_is_refused(trained, tmp_path, monkeypatch):
    trained.export(tmp_path / "other.tflite", quantize="dynamic")
    other = (tmp_path / "other.tflite").read_bytes()
    monkeypatch.setattr(metadata_room, "write", lambda filepath, format, facts: filepath.write_bytes(other))
    with pytest.raises(ValueError, match=r"g\.tflite was not written. The file differs from the generator by"):
        trained.export(tmp_path / "g.tflite")
    assert sorted(os.listdir(tmp_path)) == ["other.tflite", "other.tflite.md"]


def test_nan_in_the_weights_is_refused(tmp_path):
    gan = make()
    gan.generator.set_weights([w * np.nan for w in gan.generator.get_weights()])
    for name in ("g.tflite", "saved"):
        with pytest.raises(ValueError, match="NaN or infinite"):
            gan.export(tmp_path / name)
    assert nothing_left(tmp_path)


def test_another_signature_is_refused(trained, tmp_path, monkeypatch):
    to_tflite = convert.to_tflite

    def renamed(generator, signatures, *options):
        return to_tflite(generator, [dataclasses.replace(s, name="paint") for s in signatures], *options)

    monkeypatch.setattr(convert, "to_tflite", renamed)
    with pytest.raises(ValueError, match=r"must have the signatures .*'generate'.*Received: .*'paint'"):
        trained.export(tmp_path / "g.tflite")
    assert nothing_left(tmp_path)


def test_a_dynamic_batch_is_refused(trained, tmp_path):
    (dynamic,) = tasks.Generation(trained.prior, trained.condition).signatures(trained.generator)
    (tmp_path / "g.tflite").write_bytes(convert.to_tflite(trained.generator, [dynamic]))
    with pytest.raises(ValueError, match=r"filepath must be a .tflite file with a fixed batch size.*'generate'.*-1"):
        runners.run(tmp_path / "g.tflite")


def test_weights_that_were_left_out_are_refused(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = tf.Variable([1.0, 2.0, 3.0, 4.0])

        @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="latent")])
        def generate(self, latent):
            self.weight.assign_add([1.0, 1.0, 1.0, 1.0])
            return {"image": latent * self.weight}

    module = Module()
    with convert.quiet():
        tf.saved_model.save(module, str(tmp_path / "saved"), {"generate": module.generate})
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"), signature_keys=["generate"])
        (tmp_path / "g.tflite").write_bytes(converter.convert())
    with pytest.raises(ValueError, match=r"builtin operations only. Received: VAR_HANDLE. Its weights are missing"):
        runners.run(tmp_path / "g.tflite")


class Erfinv(keras.layers.Layer):
    def call(self, x):
        return ops.erfinv(ops.tanh(x) * 0.5)


class Noise(keras.layers.Layer):
    def call(self, x):
        import tensorflow as tf

        return x + tf.random.stateless_normal(x.shape, [1, 2])


def test_flex_is_refused(tmp_path):
    import tensorflow as tf

    generator = keras.Sequential([keras.Input((4,), batch_size=1), Noise()])
    (wanted,) = tasks.Generation(keras_gan.priors.Normal(4), keras_gan.conditions.Unconditional()).signatures(
        generator, (1,)
    )
    with convert.quiet():
        convert.write_saved_model(generator, [wanted], tmp_path / "saved")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"), signature_keys=["generate"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        (tmp_path / "g.tflite").write_bytes(converter.convert())
    with pytest.raises(ValueError, match=r"builtin operations only. Received: FlexStateless"):
        runners.run(tmp_path / "g.tflite")


class PythonOnly(keras.layers.Layer):
    """Layer with a custom operation: Python inside the graph."""

    def call(self, x):
        import tensorflow as tf

        y = tf.py_function(lambda a: a, [x], tf.float32)
        y.set_shape(x.shape)
        return y


@pytest.mark.parametrize(("layer", "operation"), [(Erfinv, "Erfinv"), (PythonOnly, "EagerPyFunc")])
def test_a_layer_that_cannot_be_converted_is_named_with_its_place(layer, operation, tmp_path):
    block = keras.Sequential([layer(name="mine")], name="block")
    generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), block, keras.layers.Dense(2)])
    with pytest.raises(
        ValueError, match=rf"Received: {operation} in layer 'mine' \({layer.__name__}\), at .*block.*mine"
    ):
        keras_gan.export.export(generator, tmp_path / "g.tflite")
    assert nothing_left(tmp_path)


def test_models_that_are_no_generators(trained, tmp_path):
    path = tmp_path / "g.tflite"
    with pytest.raises(ValueError, match="generator must take one input of shape"):
        keras_gan.export.export(trained.discriminator, path)
    with pytest.raises(ValueError, match="prior must be given"):
        keras_gan.export.export(keras.Sequential([keras.layers.Dense(2)]), path)
    with pytest.raises(TypeError, match=r"generator must be a keras.Model"):
        keras_gan.export.export("generator.keras", path)
    latent = keras.Input((4,))
    two = keras.Model(latent, [keras.layers.Dense(1)(latent), keras.layers.Dense(2)(latent)])
    with pytest.raises(ValueError, match=r"generator must have one output. Received: a list"):
        keras_gan.export.export(two, path)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("g.tflite", {"quantize": "int4"}, "quantize must be one of None, 'float16', 'dynamic', 'int8'.*'int4'"),
        ("g.tflite", {"output": "png"}, "output must be one of 'float32', 'uint8'"),
        ("g.tflite", {"batch_sizes": (1, 0)}, "each of batch_sizes must be a positive integer. Received: 0"),
        ("g.tflite", {"batch_sizes": ()}, "batch_sizes must have at least one positive integer"),
        ("g.tflite", {"batch_sizes": (2, 2)}, "batch_sizes must differ"),
        ("g.tflite", {"sample": True, "quantize": "int8"}, "sample=True needs float arithmetic"),
        ("g.tflite", {"metrics": [Brightness()]}, "metrics and data must be given together.*no data"),
        ("g.tflite", {"data": np.zeros((2, 8, 8, 1))}, "metrics and data must be given together.*no metrics"),
        (
            "saved",
            {"quantize": "dynamic"},
            "quantize must be left out with format='tf_saved_model': only .tflite files ",
        ),
        (
            "g.onnx",
            {"batch_sizes": (4,)},
            "batch_sizes must be left out with format='onnx': only .tflite files support",
        ),
        (
            "g.onnx",
            {"sample": True},
            "sample must be left out.*only .tflite files and SavedModels support it. Received: sample=True",
        ),
        ("g.onnx", {"output": "uint8"}, "output must be left out with format='onnx'.*Received: output='uint8'"),
        ("g.pb", {}, r"must end in .tflite or .onnx, or have no suffix.*g\.pb"),
        ("g", {"format": "h5"}, "format must be one of"),
        ("g", {"format": "litert"}, r"must end in .tflite for format='litert'"),
        ("missing/g.tflite", {}, "folder that exists"),
    ],
)
def test_bad_options(trained, tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        trained.export(tmp_path / name, **options)
    assert nothing_left(tmp_path)


class Incomplete(Brightness):
    def __init__(self, threshold):
        super().__init__()


IMAGES = np.full((4, 8, 8, 1), -1, "float32")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metrics": Brightness(), "data": IMAGES}, TypeError, "metrics must be a list of objects"),
        ({"metrics": ["fid"], "data": IMAGES}, TypeError, "metrics must be keras.metrics.Metric objects.*'fid'"),
        ({"metrics": [Incomplete(1)], "data": IMAGES}, TypeError, r"metrics must be such that from_config.*Incomplete"),
        ({"data": IMAGES[..., 0]}, ValueError, r"^data must be .*\(batch, 8, 8, 1\).*x\[..., None\]"),
        ({"data": np.full((4, 8, 8, 1), 200, "uint8")}, ValueError, r"lie in \[-1, 1\].*x / 127.5 - 1"),
        ({"data": IMAGES * np.nan}, ValueError, "must be finite"),
        ({"data": [IMAGES]}, ValueError, r"must give batches of \(images, labels\)"),
        ({"data": [(IMAGES, np.arange(4))]}, ValueError, r"labels must lie in \[0, 3\)"),
        ({"data": []}, ValueError, "at least one batch"),
        ({"data": {"x": IMAGES}}, TypeError, "Received: a dict"),
    ],
)
def test_bad_metrics_and_data_are_found_before_the_conversion(labelled, tmp_path, monkeypatch, options, error, message):
    monkeypatch.setattr(convert, "to_tflite", None)
    with pytest.raises(error, match=message):
        labelled.export(tmp_path / "g.tflite", **{"metrics": [Brightness()], **options})
    assert nothing_left(tmp_path)


def test_errors_are_the_same_each_time(trained, tmp_path):
    reports = [trained.export(tmp_path / f"{name}.tflite", quantize="int8") for name in "ab"]
    for report in reports:
        inside = metadata(report.filepath)
        assert (inside["max_error"], inside["mean_error"]) == (report.max_error, report.mean_error)
    assert reports[0].max_error == reports[1].max_error > 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"data": tf.data.Dataset.from_tensors(IMAGES).repeat()}, ValueError, "x must end.*Leave out repeat"),
        ({"data": (IMAGES, np.arange(4))}, TypeError, "pair of arrays"),
        ({"card": "MIT"}, TypeError, "card must be a dict.*'MIT'"),
        ({"prior": keras_gan.priors.Normal(4)}, ValueError, "prior must be left out"),
    ],
)
def test_what_a_gan_does_not_export(options, error, message, trained, tmp_path):
    with pytest.raises(error, match=message):
        trained.export(tmp_path / "g.tflite", **{"metrics": [Brightness()] if "data" in options else [], **options})
    assert nothing_left(tmp_path)


def test_of_a_link_what_it_leads_to_is_written(trained, tmp_path):
    (tmp_path / "store").mkdir()
    link = tmp_path / "link.tflite"
    link.symlink_to(tmp_path / "store" / "real.tflite")
    trained.export(link)
    assert link.is_symlink() and metadata(tmp_path / "store" / "real.tflite")
    assert (tmp_path / "link.tflite.md").is_file()
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == ["real.tflite"]


@pytest.mark.parametrize(
    ("name", "message"),
    [(".tflite", "a name before its suffix"), ("g[1]", r"no \*, \? or \["), ("\udcff.tflite", "must be valid text")],
)
def test_names_that_runtimes_do_not_take(name, message, trained, tmp_path):
    with pytest.raises(ValueError, match=message):
        trained.export(tmp_path / name)
    assert nothing_left(tmp_path)


def test_what_a_killed_export_left_is_removed(trained, tmp_path):
    left = tmp_path / ".part.g.tflite.export"
    left.mkdir()
    (left / "g.tflite").write_bytes(b"half")
    trained.export(tmp_path / "g.tflite")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.tflite", "g.tflite.md"]


def test_other_outputs_are_named_in_every_format(tmp_path):
    generator = A.mlp_generator((2,), 4, units=(8,))
    generator.export(tmp_path / "saved", verbose=False)
    generator.export(tmp_path / "g.onnx", format="onnx", verbose=False)
    for name in ("saved", "g.onnx"):
        with pytest.raises(ValueError, match="must have one output, 'image', in the signature"):
            runners.run(tmp_path / name)


def test_bytes_of_what_is_no_image(tmp_path):
    with pytest.raises(ValueError, match="output='uint8' needs a generator of images"):
        keras_gan.export.export(A.mlp_generator((2,), 4, units=(8,)), tmp_path / "g.tflite", output="uint8")


def test_bad_places(trained, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="a new or an empty folder"):
        trained.export(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(ValueError, match="which is a folder"):
        trained.export(tmp_path / "folder.tflite")
    # Root can write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="folder that you may write to"):
        trained.export(tmp_path / "g.tflite")


def test_a_full_disk(trained, tmp_path, monkeypatch):
    def full(self, content):
        with open(self, "wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"g\.tflite was not written: No space left on device"):
        trained.export(tmp_path / "g.tflite")
    assert nothing_left(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root to mount a tiny disk")
def test_a_disk_that_is_really_full(trained, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        for name in ("g.tflite", "saved"):
            with pytest.raises(OSError, match=rf"{name} was not written: .*[Nn]o space left on device"):
                trained.export(disk / name)
            assert nothing_left(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("g.tflite", "ai_edge_litert.interpreter", "export"),
        ("g.onnx", "onnxruntime", "onnx"),
        ("g.onnx", "tf2onnx", "onnx"),
    ],
)
def test_without_the_runtime_the_error_says_what_to_install(trained, tmp_path, monkeypatch, name, module, extra):
    if "." in module:
        monkeypatch.delattr(sys.modules["ai_edge_litert"], "interpreter")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'keras-gan\[{extra}\]'"):
        trained.export(tmp_path / name)
    assert nothing_left(tmp_path)


def test_another_backend_is_told_the_way(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        ValueError, match=r"tensorflow backend. Received: 'jax'.*KERAS_BACKEND=tensorflow keras-gan export"
    ):
        trained.export(tmp_path / "g.tflite")


def test_files_that_are_no_generators(tmp_path):
    with pytest.raises(ValueError, match="which does not exist"):
        keras_gan.export.benchmark(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("no flatbuffer at all")
    with pytest.raises(ValueError, match=r"must be a .tflite file. Received: .*text\.tflite"):
        keras_gan.export.benchmark(tmp_path / "text.tflite")
    (tmp_path / "broken.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(40))
    with pytest.raises(ValueError, match=r"broken\.tflite"):
        keras_gan.export.benchmark(tmp_path / "broken.tflite")


def test_benchmark(full):
    path, report = full
    found = keras_gan.export.benchmark(path, threads=(1,), seconds=0.02)
    assert found.signature == "generate" and found.batch == 1 and found.bytes == report.bytes
    assert found.not_delegated == report.not_delegated and len(found.latencies) == 1
    assert found.latencies[0].runs >= 5 and (found.memory is None or 0 <= found.memory < 1e9)
    assert "1 thread" in str(found) and json.dumps(found.to_dict())


# === Loops ===


def recurrent(layer):
    layers = [keras.layers.RepeatVector(5), layer, keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *layers])


class Looping(keras.layers.Layer):
    def call(self, x):
        return ops.fori_loop(0, ops.shape(x)[1], lambda i, y: y * 0.9 + x, x)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_int8_refuses_recurrent_layers_that_are_not_unrolled(kind, tmp_path):
    layer = getattr(keras.layers, kind)
    with pytest.raises(ValueError, match=rf"loops.*\({kind}\)\. .*unroll=True"):
        keras_gan.export.export(recurrent(layer(3, return_sequences=True)), tmp_path / "r.tflite", quantize="int8")
    assert list(tmp_path.iterdir()) == []
    rolled = recurrent(layer(3, return_sequences=True, unroll=True))
    report = keras_gan.export.export(rolled, tmp_path / "r.tflite", quantize="int8")
    assert report.psnr > 25


def test_int8_refuses_any_loop(tmp_path):
    for layer in (
        keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True)),
        keras.layers.RNN(keras.layers.LSTMCell(3), return_sequences=True),
        keras.layers.ConvLSTM1D(2, 3, padding="same", return_sequences=True),
        Looping(),
    ):
        around = [keras.layers.Reshape((5, 4, 1))] if isinstance(layer, keras.layers.ConvLSTM1D) else []
        layers = [keras.layers.RepeatVector(5), *around, layer, keras.layers.Flatten(), keras.layers.Dense(2)]
        generator = keras.Sequential([keras.Input((4,)), *layers])
        with pytest.raises(ValueError, match="loops for quantize='int8'"):
            keras_gan.export.export(generator, tmp_path / "r.tflite", quantize="int8")
        assert list(tmp_path.iterdir()) == []
