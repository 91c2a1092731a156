"""Generator files on LiteRT's GPU delegate, or checked against its rules if no driver is found."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import ops

import keras_gan
from keras_gan import cli
from keras_gan.export import gpu_driver, latency, runners

A = keras_gan.architectures
C = keras_gan.conditions
P = keras_gan.priors


needs_driver = pytest.mark.skipif(
    not gpu_driver.candidates(), reason="needs Vulkan; on Debian: apt-get install chromium"
)


def with_contrast(generator, stddev=0.3):
    """Sets weights that make a generator's images differ from latent to latent; None keeps its kernels."""
    rng = np.random.default_rng(0)
    for weight in generator.weights:
        if stddev is None and len(weight.shape) > 1:
            continue
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.2, weight.shape))
        elif "seed" not in weight.path:
            weight.assign(rng.normal("gamma" in weight.path, stddev or 0.1, weight.shape))
    return generator


BUILDERS = {
    "dcgan": A.dcgan_generator,
    "resnet": A.resnet_generator,
    "modern": A.modern_generator,
    "mlp": A.mlp_generator,
}


def dcgan(condition=None):
    return with_contrast(A.dcgan_generator((16, 16, 1), latent_dim=8, width=8, condition=condition))


def network(*layers, shape=(4, 4, 8)):
    return with_contrast(keras.Sequential([keras.Input((6,)), L.Dense(int(np.prod(shape))), L.Reshape(shape), *layers]))


class Apply(L.Layer):
    """Function as a layer without a configuration."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.fixture
def without_driver(monkeypatch, tmp_path):
    monkeypatch.setenv("VK_DRIVER_FILES", str(tmp_path / "none.json"))


def export(generator, tmp_path, **options):
    return keras_gan.export.export(generator, tmp_path / "g.tflite", **options)


# === Rules ===


def test_every_report_says_what_the_gpu_would_run(tmp_path):
    report = export(dcgan(), tmp_path)
    assert report.gpu.whole and report.gpu.driver is None and report.gpu.stays == {}
    # The width of a column depends on the measured milliseconds.
    assert "gpu whole checked against the rules of LiteRT 2.3.0, not run" in " ".join(str(report).split())
    assert "| gpu | whole |" in (tmp_path / "g.tflite.md").read_text()
    assert json.loads(json.dumps(report.to_dict()))["gpu"]["whole"] is True
    assert keras_gan.export.export(dcgan(), tmp_path / "saved").gpu is None


def test_operations_that_would_stay_are_named(tmp_path):
    report = export(network(L.Activation("log_softmax")), tmp_path)
    assert not report.gpu.whole and report.gpu.stays == {"LOG_SOFTMAX": "it is not supported"}
    assert "LOG_SOFTMAX (it is not supported) would stay on the CPU" in " ".join(str(report).split())


def _gram(x):
    return ops.matmul(x, ops.transpose(x, (0, 1, 3, 2)))


def _to_space(x):
    return tf.nn.depth_to_space(x, 2)


def _swap(x):
    return ops.concatenate(ops.split(x, 2, -1)[::-1], -1)


REFUSED = {
    "log_softmax": (lambda: network(L.Activation("log_softmax")), {}, "LOG_SOFTMAX"),
    "a tensor and itself": (lambda: network(Apply(_gram)), {}, "BATCH_MATMUL"),
    "parts in another order": (lambda: network(Apply(_swap)), {}, "CONCATENATION"),
    "a loop": (lambda: network(L.LSTM(4), shape=(4, 8)), {}, "WHILE"),
    "several images": (lambda: network(Apply(_to_space)), {"batch_sizes": (2,)}, "DEPTH_TO_SPACE"),
}


@pytest.mark.parametrize(("make", "options", "operation"), REFUSED.values(), ids=REFUSED)
def test_without_a_driver_the_rules_refuse(make, options, operation, tmp_path, without_driver):
    with pytest.raises(ValueError, match=rf"refuses the file \(by its rules\): .*{operation}: .*eave accelerator out"):
        export(make(), tmp_path, accelerator="gpu", **options)
    assert list(tmp_path.iterdir()) == []


def test_without_a_driver_a_whole_file_is_written(tmp_path, without_driver):
    report = export(dcgan(), tmp_path, accelerator="gpu")
    assert report.gpu.whole and report.gpu.driver is None and "not run" in str(report)
    with pytest.raises(ValueError, match=r"needs a Vulkan driver, and none starts here.*apt-get install chromium"):
        latency.measure(tmp_path / "g.tflite", accelerator="gpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accelerator": "npu"}, "accelerator must be None or 'gpu'. Received: 'npu'"),
        ({"accelerator": "gpu", "format": "tf_saved_model"}, "is for .tflite files"),
        ({"accelerator": "gpu", "quantize": "int8"}, "Use quantize='float16'"),
        ({"accelerator": "gpu", "sample": True}, "Draw latents in the app"),
    ],
)
def test_arguments(options, message, tmp_path):
    name = "g" if "format" in options else "g.tflite"
    with pytest.raises(ValueError, match=message):
        keras_gan.export.export(dcgan(), tmp_path / name, **options)


# === Driver ===


@needs_driver
@pytest.mark.parametrize(("quantize", "error"), [(None, 1e-4), ("dynamic", 0.1)])
def test_a_file_is_run_on_the_gpu(quantize, error, tmp_path):
    report = export(dcgan(), tmp_path, quantize=quantize, accelerator="gpu")
    assert report.gpu.whole and 0 <= report.gpu.max_error < error
    assert report.gpu.driver and f"run on {report.gpu.driver}, differs from the CPU by" in " ".join(str(report).split())


@needs_driver
@pytest.mark.parametrize(
    "make",
    [dcgan, lambda condition: with_contrast(A.resnet_generator((16, 16, 1), 8, width=4, condition=condition), 0.15)],
    ids=["concatenated", "normalized"],
)
def test_labels_in_float16(make, tmp_path):
    generator = make(C.Labels(11))
    report = export(generator, tmp_path, quantize="float16", accelerator="gpu")
    assert report.gpu.whole and report.gpu.driver and report.gpu.max_error < 1e-4
    # The report's examples contain all classes except the last ones.
    latent, labels = np.ones((11, 8), "float32"), np.arange(11, dtype="int32")
    run = runners.run(tmp_path / "g.tflite").run
    images = [run("generate", {"latent": latent[:1], "labels": labels[i : i + 1]})[0] for i in range(11)]
    np.testing.assert_allclose(images, generator([latent, labels]), atol=0.02)
    assert np.ptp(images, axis=0).max() > 0.1
    assert not export(generator, tmp_path, quantize="float16").gpu.whole


def test_more_classes_than_half_precision_counts(tmp_path, without_driver):
    with pytest.raises(ValueError, match="GATHER: its table is float16"):
        export(dcgan(C.Labels(2049)), tmp_path, quantize="float16", accelerator="gpu")


@needs_driver
@pytest.mark.parametrize(("make", "options", "operation"), REFUSED.values(), ids=REFUSED)
def test_what_the_rules_refuse_the_driver_refuses(make, options, operation, tmp_path):
    # It crashes the delegate, gives wrong numbers or zeros, or is named in its log.
    with pytest.raises(ValueError, match=rf"failed its check on the GPU.*({operation}|differs)") as caught:
        export(make(), tmp_path, accelerator="gpu", **options)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []
    if operation == "WHILE":
        assert "Build recurrent layers with unroll=True" in str(caught.value)


# The others run with --long.
EVERY_DAY = {("dcgan", 16, True, "float16"), ("mlp", 16, True, None), ("modern", 16, False, None)}


@needs_driver
@pytest.mark.parametrize(
    ("name", "size", "labelled", "quantize"),
    [
        pytest.param(*case, marks=[] if case in EVERY_DAY else pytest.mark.long)
        for case in itertools.product(BUILDERS, (16, 32, 64, 128), (False, True), (None, "float16"))
    ],
)
def test_every_builder_runs_whole(name, size, labelled, quantize, tmp_path):
    error = 1e-3 if quantize is None else 0.02
    options = {"width": 16} if size == 128 and name != "mlp" else {}
    condition = C.Labels(10) if labelled else None
    generator = BUILDERS[name]((size, size, 3), latent_dim=64, condition=condition, **options)
    with_contrast(generator, None)
    if name == "dcgan" and size == 128:
        # So many untrained layers make nearly gray images.
        last = [weight for weight in generator.trainable_weights if len(weight.shape) > 1][-1]
        last.assign(4 * last)
    report = export(generator, tmp_path, quantize=quantize, accelerator="gpu")
    assert report.gpu.whole and report.gpu.driver and report.gpu.max_error < error and report.max_error < error
    # With an additional sample(seed) the file is right on both, or refused only on the GPU.
    export(generator, tmp_path, quantize=quantize, sample=True)
    seeds = [
        {"seed": np.array([s], "int32"), **({"labels": np.array([s % 10], "int32")} if labelled else {})}
        for s in range(16)
    ]
    assert not gpu_driver.run(tmp_path / "g.tflite", {"sample": seeds}).outputs
    both = gpu_driver.run(tmp_path / "g.tflite", {"sample": seeds}, with_cpu=True)
    run = runners.run(tmp_path / "g.tflite").run
    wanted = np.stack([run("sample", feed) for feed in seeds])
    np.testing.assert_allclose(both.outputs["sample"], wanted, atol=error)
    assert np.ptp(wanted, axis=0).max() > 0.05


# === Custom layers ===


@needs_driver
@pytest.mark.parametrize(
    "layers",
    [
        [L.GroupNormalization(2), L.GroupNormalization(-1, scale=False), L.GroupNormalization(1, center=False)],
        [L.Conv2DTranspose(6, 4, (2, 1), "same", activation="relu"), L.Conv2DTranspose(3, 1, 2), L.ReLU(6.0)],
        [L.UpSampling2D((2, 1)), L.UpSampling2D((1, 2), interpolation="bicubic"), L.Resizing(11, 7, "bicubic")],
    ],
    ids=["groups", "fused", "resized"],
)
def test_layers_of_users_run(layers, tmp_path):
    report = export(network(*layers), tmp_path, accelerator="gpu", batch_sizes=(1, 3))
    assert report.gpu.whole and report.gpu.max_error < 1e-4 and report.max_error < 1e-5


@needs_driver
def test_benchmark_on_the_gpu(tmp_path, capsys):
    export(dcgan(), tmp_path)
    path = str(tmp_path / "g.tflite")
    assert cli.main(["benchmark", path, "--accelerator", "gpu", "--seconds", "0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["driver"] and found["latencies"][0]["runs"] >= 5 and 0 < found["latencies"][0]["median"] < 1000


def test_benchmark_takes_tflite_files_alone(tmp_path):
    keras_gan.export.export(dcgan(), tmp_path / "saved")
    with pytest.raises(ValueError, match=r"accelerator='gpu' is for \.tflite files"):
        keras_gan.export.benchmark(tmp_path / "saved", accelerator="gpu")


# === Half precision ===


def test_sums_beyond_half_precision_are_named(tmp_path, without_driver):
    # Products of 50 and 50, half of them negative: the sum is small, but intermediate sums are not.
    for name, count, beyond in (("safe", 24, False), ("wide", 64, True)):
        latent = keras.Input((4,))
        halves = [L.Dense(count // 2, name=f"{name}_{sign}")(latent) for sign in ("plus", "minus")]
        x = L.Concatenate()(halves)
        x = L.Dense(4, activation="relu", name=name)(L.ReLU()(x))
        generator = keras.Model(latent, L.Activation("tanh")(L.Rescaling(1e-5)(x)))
        for layer in generator.layers[1:3]:
            layer.kernel.assign(np.full((4, count // 2), 1e-3))
            layer.bias.assign(np.full(count // 2, 50.0))
        signs = np.repeat([50.0, -50.0], count // 2)[:, None]
        generator.get_layer(name).kernel.assign(np.tile(signs, (1, 4)))
        report = export(generator, tmp_path, accelerator="gpu")
        assert (name in " ".join(report.gpu.overflows)) == beyond and len(report.gpu.overflows) == beyond
        assert ("half precision" in str(report)) == beyond
        if beyond:
            (bound,) = report.gpu.overflows.values()
            assert 64 * 2500 * 0.99 < bound < 64 * 2500 * 1.01


# === From a seed ===


@keras.saving.register_keras_serializable(package="tests")
class OfTwoAxes(P.Prior):
    """Custom prior that only takes `(n, num_uniforms)`."""

    def from_uniform(self, uniform, truncation=None):
        return ops.stack([uniform[:, i] + uniform[:, i - 1] for i in range(self.latent_dim)], axis=1)


PRIORS = {
    "normal": P.Normal(8),
    "mixture": P.Mixture(P.circle(5, 8, radius=2.0)),
    "concatenated": P.Concatenated([P.Normal(3), P.Categorical(4), P.Uniform(1)]),
    "own": OfTwoAxes(8),
}


@needs_driver
@pytest.mark.parametrize(
    "prior",
    [pytest.param(prior, marks=[pytest.mark.long] * (name == "mixture"), id=name) for name, prior in PRIORS.items()],
)
def test_a_seed_is_right_on_gpu_and_cpu_and_refused_on_the_gpu_alone(prior, tmp_path):
    export(dcgan(), tmp_path, sample=True, prior=prior)
    path = tmp_path / "g.tflite"
    feeds = [{"seed": np.array([seed], "int32")} for seed in (*range(-8, 7), 2**31 - 1)]
    alone = gpu_driver.run(path, {"sample": feeds})
    assert alone.refused and alone.failure and not alone.outputs
    both = gpu_driver.run(path, {"sample": feeds}, with_cpu=True)
    assert both.failure is None
    run = runners.run(path).run
    np.testing.assert_allclose(both.outputs["sample"], [run("sample", feed) for feed in feeds], atol=1e-3)
    assert len(np.unique(both.outputs["sample"].round(3), axis=0)) == 16
