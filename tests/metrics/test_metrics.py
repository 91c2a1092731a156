import functools
import inspect
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import prdc
import pytest
import scipy.linalg
import scipy.spatial.distance
import scipy.special
import scipy.stats
from keras import ops
from sklearn.metrics.pairwise import polynomial_kernel

from keras_gan import metrics
from keras_gan.metrics.accumulators import Sum

ALL = [
    metrics.ClassifierScore,
    metrics.DensityCoverage,
    metrics.FrechetDistance,
    metrics.JensenShannon,
    metrics.KernelDistance,
    metrics.KolmogorovSmirnov,
    metrics.PrecisionRecall,
    metrics.SlicedWasserstein,
]


def pair(n=300, size=6, m=None):
    """Two correlated sets of different mean and spread."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(size, size))
    real = rng.normal(size=(n, size)) @ mix + 3
    fake = rng.normal(size=(m or n, size)) @ (mix * 1.2) + 3.5
    return real.astype("float32"), fake.astype("float32")


def make(cls, **options):
    return cls(softmax, **options) if cls is metrics.ClassifierScore else cls(**options)


@keras.saving.register_keras_serializable(package="test")
def softmax(x):
    return ops.softmax(ops.reshape(x, (ops.shape(x)[0], -1)))


def evaluate(metric, real, fake, batch=None):
    batch = batch or len(real)
    for i in range(0, len(real), batch):
        metric.update_state(real[i : i + batch], fake[i : i + batch])
    return metric.result()


def flat(result):
    return np.array(list(result.values()) if isinstance(result, dict) else [result])


def frechet(real, fake):
    """Computes the distance as in the paper: with a matrix root of the product of the covariances."""
    real, fake = real.astype("float64"), fake.astype("float64")
    c1, c2 = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(c1 @ c2).real
    return np.square(real.mean(0) - fake.mean(0)).sum() + np.trace(c1 + c2 - 2 * root)


# === Against independent implementations ===


def test_frechet_distance_is_that_of_scipy():
    real, fake = pair()
    np.testing.assert_allclose(evaluate(metrics.FrechetDistance(), real, fake, 64), frechet(real, fake), rtol=1e-6)


def test_frechet_distance_by_hand():
    # Means 1 apart in one dimension, variances 2 and 8: 1 + 2 + 8 - 2 * sqrt(16).
    real, fake = np.array([[-1.0], [1.0]], "float32"), np.array([[-1.0], [3.0]], "float32")
    assert evaluate(metrics.FrechetDistance(), real, fake) == pytest.approx(3.0, rel=1e-6)


def test_frechet_distance_with_fewer_examples_than_dimensions():
    real, fake = pair(n=40, size=100)
    # Both singular, so the root is the sum of the singular values of the product of the centered data.
    a, b = ((x - x.mean(0)).astype("float64") for x in (real, fake))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum() / 39
    means = np.square(real.astype("float64").mean(0) - fake.astype("float64").mean(0)).sum()
    expected = means + (np.square(a).sum() + np.square(b).sum()) / 39 - 2 * cross
    np.testing.assert_allclose(evaluate(metrics.FrechetDistance(), real, fake, 7), expected, rtol=1e-4)


def test_frechet_distance_survives_a_large_mean_and_a_dead_feature():
    real, fake = (np.concatenate([x, np.zeros((len(x), 1), "float32")], axis=1) + 1000 for x in pair())
    np.testing.assert_allclose(
        evaluate(metrics.FrechetDistance(), real, fake, 32), frechet(real[:, :-1], fake[:, :-1]), rtol=1e-4
    )


def test_frechet_distance_sums_keep_the_digits_of_float64(monkeypatch):
    """As on JAX, where there is no float64: pairs of float32."""
    monkeypatch.setattr("keras_gan.metrics.accumulators.widest_float", lambda: "float32")
    real, fake = pair()
    metric = metrics.FrechetDistance()
    np.testing.assert_allclose(evaluate(metric, real, fake, 8), frechet(real, fake), rtol=1e-5)
    assert {v.dtype for v in metric.variables} == {"float32"}
    owner = keras.metrics.Mean()
    total = Sum(owner, (), "total")
    for x in [16_777_216.0, 1.0, 1.0, 1.0, -16_777_216.0]:
        total.add(x)
    assert total.value() == 3.0


def test_frechet_distance_far_out_keeps_its_digits_without_float64(monkeypatch):
    monkeypatch.setattr("keras_gan.metrics.accumulators.widest_float", lambda: "float32")
    real, fake = (x + 1000 for x in pair())
    np.testing.assert_allclose(evaluate(metrics.FrechetDistance(), real, fake), frechet(real, fake), rtol=1e-3)


def test_kernel_distance_is_the_unbiased_estimate_of_the_paper():
    real, fake = pair(n=120, m=90)
    metric = metrics.KernelDistance()
    metric.update_state(real, fake)
    found = metric.result()
    kernels = [polynomial_kernel(a, b, degree=3, coef0=1) for a, b in ((real, real), (fake, fake), (real, fake))]
    xx, yy = (k.astype("float64") - np.diag(np.diag(k)) for k in kernels[:2])
    expected = xx.sum() / (120 * 119) + yy.sum() / (90 * 89) - 2 * kernels[2].astype("float64").mean()
    np.testing.assert_allclose(found["kernel_distance"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("shift", "n"),
    [(0.0, 60), *(pytest.param(*each, marks=pytest.mark.long_elsewhere) for each in ((0.5, 60), (0.0, 16))), (0.5, 16)],
)
def test_kernel_distance_and_its_error_over_many_draws(shift, n):
    rng = np.random.default_rng(0)
    metric, found = metrics.KernelDistance(), []
    for _ in range(150):
        metric.reset_state()
        real, fake = rng.normal(size=(2, n, 3)).astype("float32")
        found.append(flat(evaluate(metric, real, fake + shift)))
    values, errors = np.array(found).T
    spread = values.std(ddof=1)
    x = rng.normal(size=(2, 400_000, 3))
    ks = [((a * b).sum(1) / 3 + 1) ** 3 for a, b in ((x[0], x[1]), (x[0] + shift, x[1] + shift), (x[0], x[1] + shift))]
    expected = ks[0].mean() + ks[1].mean() - 2 * ks[2].mean()
    assert abs(values.mean() - expected) < 4 * spread / np.sqrt(150)
    assert 0.8 < np.sqrt(np.mean(errors**2)) / spread < 1.25


def test_kernel_distance_does_not_depend_on_the_order():
    real, fake = pair(n=50)
    found = flat(evaluate(metrics.KernelDistance(), real, fake))
    np.testing.assert_allclose(flat(evaluate(metrics.KernelDistance(), real, fake[::-1])), found, rtol=1e-9)


def test_neighbors_are_those_of_prdc(capsys):
    real, fake = pair(n=300, m=300)
    three = prdc.compute_prdc(real, fake, nearest_k=3)
    five = prdc.compute_prdc(real, fake, nearest_k=5)
    found = evaluate(metrics.PrecisionRecall(), real, fake, 77)
    assert found == pytest.approx({k: float(three[k]) for k in ("precision", "recall")}, abs=1e-9)
    found = evaluate(metrics.DensityCoverage(), real, fake, 77)
    assert found == pytest.approx({k: float(five[k]) for k in ("density", "coverage")}, abs=1e-9)
    assert 0 < found["coverage"] < 1


def test_neighbors_of_unequal_numbers():
    real, fake = pair(n=300, m=200)
    expected = prdc.compute_prdc(real, fake, nearest_k=2)
    for metric in (metrics.PrecisionRecall(neighbors=2), metrics.DensityCoverage(neighbors=2)):
        metric.update_state(real, fake)
        found = metric.result()
        assert found == pytest.approx({k: float(expected[k]) for k in found}, abs=1e-9)


@pytest.mark.parametrize("cls", [metrics.PrecisionRecall, metrics.DensityCoverage])
def test_neighbors_do_not_depend_on_where_the_data_lie(cls):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1000, 0.005, (2, 400, 2)).astype("float32")
    # Exact in float32, as the difference of close numbers.
    near = evaluate(cls(), real - 1000, fake - 1000)
    assert evaluate(cls(), real, fake) == pytest.approx(near, abs=0.01)


def test_neighbors_of_equal_examples_are_in_each_others_balls():
    real = np.random.default_rng(0).normal(size=(9, 257)).astype("float32")
    real, fake = np.repeat(real, 7, axis=0), np.tile(real, (5, 1))
    for metric, expected in (
        (metrics.PrecisionRecall(neighbors=3), {"precision": 1.0, "recall": 1.0}),
        (metrics.DensityCoverage(neighbors=5), {"density": 7 / 5, "coverage": 1.0}),
    ):
        metric.update_state(real, fake)
        assert metric.result() == pytest.approx(expected)


def test_precision_and_recall_tell_fidelity_from_variety():
    rng = np.random.default_rng(0)
    modes = np.array([[0.0, 0.0], [50.0, 0.0]])
    real = (modes[rng.integers(2, size=200)] + rng.normal(size=(200, 2))).astype("float32")
    collapsed = rng.normal(size=(200, 2)).astype("float32")
    found = evaluate(metrics.PrecisionRecall(), real, collapsed)
    assert found["precision"] > 0.9 and 0.3 < found["recall"] < 0.6
    found = evaluate(metrics.PrecisionRecall(), real, real + 1000)
    assert found == {"precision": 0.0, "recall": 0.0}


def test_sliced_wasserstein_is_the_mean_over_projections_of_scipy():
    real, fake = pair(n=200, m=150, size=3)
    metric = metrics.SlicedWasserstein(projections=4)
    metric.update_state(real, fake)
    directions = np.random.default_rng(0).normal(size=(3, 4))
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.mean([scipy.stats.wasserstein_distance(real @ u, fake @ u) for u in directions.T])
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_sliced_wasserstein_of_a_line_and_of_a_shift():
    real, fake = pair(size=1)
    found = evaluate(metrics.SlicedWasserstein(projections=3), real, fake)
    np.testing.assert_allclose(found, scipy.stats.wasserstein_distance(real[:, 0], fake[:, 0]), rtol=1e-5)
    # A shift by v moves each projection by |u . v|, whose mean over the sphere in three dimensions is |v| / 2.
    real, _ = pair(size=3)
    found = evaluate(metrics.SlicedWasserstein(projections=2000), real, real + np.array([2.0, 0, 0], "float32"))
    assert found == pytest.approx(1.0, rel=0.05)


def test_kolmogorov_smirnov_is_that_of_scipy():
    real, fake = pair(n=200, m=120, size=2)
    metric = metrics.KolmogorovSmirnov()
    metric.update_state(real, fake)
    expected = np.mean([scipy.stats.ks_2samp(real[:, i], fake[:, i]).statistic for i in range(2)])
    assert metric.result() == pytest.approx(expected, abs=1e-9)


def test_jensen_shannon_is_that_of_scipy():
    real, fake = pair(size=1)
    # The largest real value belongs to the last bin.
    edges = np.linspace(real.min(), np.nextafter(real.max(), np.float32(np.inf)), 21, dtype="float64")
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    p, q = (np.histogram(x, edges)[0] for x in (real, fake))
    expected = scipy.spatial.distance.jensenshannon(p, q) ** 2
    assert evaluate(metrics.JensenShannon(bins=20), real, fake, 100) == pytest.approx(expected, rel=1e-6)
    inside = np.array([0.0, 0.25, 0.75, 1.0], "float32")
    # Halves of [0, 1]: (1/2, 1/2) against (1, 0); m = (3/4, 1/4).
    by_hand = (0.5 * math.log(2 / 3) + 0.5 * math.log(2) + math.log(4 / 3)) / 2
    assert evaluate(metrics.JensenShannon(bins=2), inside, inside / 4) == pytest.approx(by_hand, rel=1e-6)
    assert evaluate(metrics.JensenShannon(), real, real + 1e3) == pytest.approx(math.log(2))
    assert evaluate(metrics.JensenShannon(), real, real) == 0


def test_classifier_score_is_the_inception_score():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.3), 100).astype("float32")
    identity = keras.layers.Identity()
    found = evaluate(metrics.ClassifierScore(identity), p, p, 30)
    expected = np.exp(scipy.stats.entropy(p, p.mean(0)[None], axis=1).mean())
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Certain and even: the number of classes. Certain of one class only, or uncertain: 1.
    assert evaluate(metrics.ClassifierScore(identity), p, np.eye(5, dtype="float32")) == pytest.approx(5, rel=1e-5)
    one = np.eye(5, dtype="float32")[[0] * 10]
    assert evaluate(metrics.ClassifierScore(identity), p, one) == pytest.approx(1, rel=1e-5)
    assert evaluate(metrics.ClassifierScore(identity), p, np.full((10, 5), 0.2, "float32")) == pytest.approx(1)


def test_classes_that_a_classifier_finds():
    p = np.random.default_rng(0).dirichlet(np.full(4, 0.3), 600).astype("float32")
    p[:, 3] = 0
    p /= p.sum(axis=1, keepdims=True)
    asked = []

    def classifier(images):
        asked.append(len(images))
        return {"features": images[:, :1], "probabilities": images}

    found = metrics.classify(classifier, p)
    np.testing.assert_allclose(found.probabilities, p, rtol=1e-6)
    assert sum(asked) == 600 and max(asked) < 600
    labels = [int(np.argmax(row)) for row in p]
    assert found.labels.tolist() == labels
    # A class that is not found has a share, too.
    assert found.shares.tolist() == [labels.count(k) / 600 for k in range(4)] and found.shares[3] == 0
    np.testing.assert_allclose(found.confidences, [max(row) for row in p], rtol=1e-6)
    with pytest.raises(ValueError, match="classifier must return probabilities"):
        metrics.classify(classifier, 2 * p)
    with pytest.raises(ValueError, match="at least one"):
        metrics.classify(classifier, p[:0])
    with pytest.raises(TypeError, match="model or a function"):
        metrics.classify("digits", p)


# === What all metrics keep ===


@pytest.mark.parametrize("cls", ALL)
def test_batches_and_resets_make_no_difference(cls):
    real, fake = pair(n=100)
    metric = make(cls)
    assert np.isnan(flat(metric.result())).all()
    whole = flat(evaluate(metric, real, fake))
    assert np.isfinite(whole).all()
    metric.reset_state()
    assert np.isnan(flat(metric.result())).all()
    np.testing.assert_allclose(flat(evaluate(metric, real, fake, 32)), whole, rtol=1e-5)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="torch compiles nothing")
@pytest.mark.parametrize("cls", ALL)
def test_compiled_code_makes_no_difference(cls):
    real, fake = pair(n=100)
    whole = flat(evaluate(make(cls), real, fake))
    metric = make(cls)
    metric.build((6,))
    if keras.config.backend() == "jax":
        import jax

        step, state = jax.jit(metric.stateless_update_state), metric.stateless_reset_state()
        for i in range(0, 100, 30):
            state = step(state, real[i : i + 30], fake[i : i + 30])
        for variable, value in zip(metric.variables, state, strict=True):
            variable.assign(value)
    else:
        import tensorflow as tf

        step = tf.function(metric.update_state)
        for i in range(0, 100, 30):
            step(real[i : i + 30], fake[i : i + 30])
    np.testing.assert_allclose(flat(metric.result()), whole, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cls", ALL)
def test_constant_data(cls):
    ones = np.ones((20, 3), "float32")
    found = flat(evaluate(make(cls), ones, ones))
    perfect = {
        metrics.ClassifierScore: [1],
        metrics.PrecisionRecall: [1, 1],
        metrics.DensityCoverage: [4, 1],
        metrics.KernelDistance: [0, 0],
    }
    np.testing.assert_allclose(found, perfect.get(cls, [0]), atol=1e-6)
    assert np.isfinite(flat(evaluate(make(cls), pair(20, 3)[0], ones))).all()


@pytest.mark.parametrize("cls", ALL)
def test_nan_is_named(cls):
    real, fake = pair(n=20)
    fake[3, 2] = np.nan
    metric = make(cls)
    with pytest.raises(ValueError, match=r"finite.*generated|must return probabilities"):
        evaluate(metric, real, fake)


@pytest.mark.parametrize("cls", [metrics.KernelDistance, metrics.PrecisionRecall, metrics.DensityCoverage])
def test_too_few_examples_are_named(cls):
    with pytest.raises(ValueError, match=r"at least .* Received: 1"):
        evaluate(cls(), np.ones((1, 2), "float32"), np.ones((1, 2), "float32"))


def test_buffers_keep_the_first_examples():
    real, fake = pair(n=100)
    metric = metrics.KolmogorovSmirnov(max_examples=40)
    found = evaluate(metric, real, fake, 16)
    assert found == evaluate(metrics.KolmogorovSmirnov(), real[:40], fake[:40])
    assert found != evaluate(metrics.KolmogorovSmirnov(), real, fake)


@pytest.mark.parametrize("cls", ALL)
def test_configs_make_the_same_metric(cls):
    options = {metrics.ClassifierScore: {}, metrics.FrechetDistance: {"features": softmax}}
    metric = make(cls, **options.get(cls, {"features": softmax, "max_examples": 50}), name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.name == "mine" and again.features is softmax
    assert cls.from_config(metric.get_config()).get_config() == metric.get_config() == again.get_config()


def test_memory_of_streaming_metrics_does_not_grow():
    for cls in (metrics.FrechetDistance, metrics.ClassifierScore):
        metric, sizes = make(cls), []
        for _ in range(3):
            metric.update_state(*pair(n=50))
            sizes.append(sum(math.prod(v.shape) for v in metric.variables))
        assert len(set(sizes)) == 1


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="features must be"):
        metrics.FrechetDistance("inception")
    with pytest.raises(ValueError, match="max_examples must be"):
        metrics.KernelDistance(max_examples=0)
    with pytest.raises(ValueError, match=r"max_examples must be at least 2, .* kernel_distance .* Received: 1"):
        metrics.KernelDistance(max_examples=1)
    for cls in (metrics.PrecisionRecall, metrics.DensityCoverage):
        with pytest.raises(ValueError, match=r"max_examples must be at least 5.* Received: 4"):
            cls(neighbors=4, max_examples=4)
        assert cls(neighbors=4, max_examples=5).max_examples == 5
    with pytest.raises(ValueError, match="neighbors must be"):
        metrics.PrecisionRecall(neighbors=1.5)
    with pytest.raises(ValueError, match=r"takes at most 8192.*Pass a model"):
        metrics.FrechetDistance().build((64, 64, 3))
    with pytest.raises(ValueError, match=r"must return probabilities.*softmax"):
        evaluate(metrics.ClassifierScore(keras.layers.Identity()), *pair(n=9))
    metric = metrics.FrechetDistance()
    metric.build((3,))
    with pytest.raises(ValueError, match="built for data with 3"):
        metric.build((4,))
    with pytest.raises(ValueError, match=r"must take data of shape \(None, 8, 8, 1\)"):
        metrics.FrechetDistance(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])).build((8, 8, 1))


# === In a GAN ===


def tiny_classifier():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    features = keras.layers.Dense(6, activation="relu")(x)
    return keras.Model(
        inputs, {"features": features, "probabilities": keras.layers.Dense(3, activation="softmax")(features)}
    )


def test_a_gan_with_metrics_evaluates_saves_and_loads(images, make_image_gan, tmp_path):
    features = tiny_classifier()
    gan = make_image_gan()
    chosen = [metrics.FrechetDistance(features), metrics.PrecisionRecall(features), metrics.ClassifierScore(features)]
    gan.compile(metrics=[*chosen, metrics.KolmogorovSmirnov(softmax, max_examples=30)], penalties=())
    trained = [tuple(v.shape) for v in gan.trainable_variables]
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", "val_frechet_distance", save_best_only=True, mode="min"
    )
    history = gan.fit(
        images, batch_size=16, epochs=3, verbose=0, validation_data=images[:40], callbacks=[checkpoint]
    ).history
    names = ["frechet_distance", "precision", "recall", "classifier_score", "kolmogorov_smirnov"]
    for name in names:
        assert np.isfinite(history[f"val_{name}"]).all() and len(history[f"val_{name}"]) == 3
        assert name not in history
    found = gan.evaluate(images, batch_size=20, verbose=0, return_dict=True)
    best = keras.models.load_model(tmp_path / "best.keras")
    best = best.evaluate(images[:40], batch_size=16, verbose=0, return_dict=True)
    assert best["frechet_distance"] == pytest.approx(min(history["val_frechet_distance"]), rel=1e-4)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    again = loaded.evaluate(images, batch_size=20, verbose=0, return_dict=True)
    assert again == pytest.approx(found, rel=1e-5)
    # Three metrics still share one model, and no optimizer updates it.
    assert len({id(metric.features) for metric in loaded.evaluation_metrics[:3]}) == 1
    np.testing.assert_array_equal(loaded.evaluation_metrics[0].features.get_weights()[0], features.get_weights()[0])
    assert [tuple(v.shape) for v in gan.trainable_variables] == trained
    assert keras.models.load_model(tmp_path / "gan.keras", compile=False).sample(2).shape == (2, 8, 8, 1)


def test_fakes_of_the_metrics_are_the_generators(images, make_image_gan):
    gan = make_image_gan()
    gan.compile(metrics=[metrics.FrechetDistance(softmax)], penalties=())
    found = gan.evaluate(images, batch_size=48, verbose=0, return_dict=True)["frechet_distance"]
    fakes = gan.sample(2000, seed=1)
    expected = evaluate(metrics.FrechetDistance(softmax), np.tile(images, (40, 1, 1, 1)), fakes[:1920])
    assert expected / 3 < found < expected * 3


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="replicas are of TensorFlow")
def test_under_mirrored_strategy():
    script = Path(__file__).parents[1] / "scripts" / "metrics_mirrored.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["replicas"] == 2
    for name, (together, alone) in result["metrics"].items():
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6, err_msg=name)
    assert result["buffered"] == [60, 60]
    assert np.isfinite(list(result["evaluation"].values())).all()


# === Custom metrics ===


@pytest.fixture
def documented():
    """Returns the metric of the example in a base class's docstring, and another one of its kind."""

    def make(base):
        (code,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(base), re.S)
        names = {}
        exec(code, names)
        metric = names["metric"]
        assert isinstance(metric, base)
        # A new one: the example has updated its own.
        return type(metric).from_config(metric.get_config()), functools.partial(type(metric), name="another")

    return make


@pytest.mark.parametrize("base", [metrics.FeatureMetric, metrics.BufferedMetric], ids=lambda base: base.__name__)
def test_a_metric_of_the_users_own(base, documented, images, make_image_gan, tmp_path):
    metric, make = documented(base)
    middle = {metrics.FeatureMetric: np.mean, metrics.BufferedMetric: np.median}[base]
    real, fake = pair()

    def expected(real, fake):
        return np.linalg.norm(middle(real, axis=0) - middle(fake, axis=0))

    assert math.isnan(metric.result())
    assert evaluate(metric, real, fake, 64) == pytest.approx(expected(real, fake), rel=1e-5)
    metric.reset_state()
    assert math.isnan(metric.result())
    assert evaluate(metric, fake, fake) == pytest.approx(0, abs=1e-6)
    of_features = evaluate(make(features=softmax), real, fake)
    softmaxes = [scipy.special.softmax(x, axis=1) for x in (real, fake)]
    assert of_features == pytest.approx(expected(*softmaxes), rel=1e-4)
    with pytest.raises(ValueError, match=r"another needs finite features.*real"):
        evaluate(make(), np.full((4, 2), np.nan), np.ones((4, 2)))
    # In a GAN: in compiled code, by its name, after saving and loading.
    gan = make_image_gan()
    gan.compile(metrics=[make()], penalties=())
    found = gan.evaluate(images, verbose=0, return_dict=True)["another"]
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert 0 < found == loaded.evaluate(images, verbose=0, return_dict=True)["another"]


def test_hooks_must_be_there():
    one, other = metrics.FeatureMetric(), metrics.BufferedMetric()
    for hook in (one.create_variables, one.accumulate, one.compute, other.compare):
        with pytest.raises(NotImplementedError):
            hook(*inspect.signature(hook).parameters)
        # None of Keras's.
        assert not hasattr(keras.metrics.Metric, hook.__name__)


# === Shared features ===


def test_metrics_on_one_features_object_share_what_it_extracts(images, make_image_gan):
    calls = []

    @keras.saving.register_keras_serializable(package="test_shared")
    def features(x):
        calls.append(x)
        return ops.reshape(x, (-1, 64))[:, :3] * 2

    def chosen():
        kinds = metrics.FrechetDistance, metrics.PrecisionRecall, metrics.KernelDistance
        return [kind(features) for kind in kinds]

    gan, alone = make_image_gan(), chosen()
    gan.compile(metrics=chosen(), run_eagerly=True, penalties=())
    fake = gan.predict(gan.prior.sample(48, 1), verbose=0)
    gan.evaluation_metrics[0].reset_state()
    calls.clear()
    gan.update_metrics(images, fake)
    assert len(calls) == 2
    assert {id(x) for x in calls} == {id(images), id(fake)}
    for shared, own in zip(gan.evaluation_metrics, alone, strict=True):
        own.update_state(images, fake)
        assert shared.result() == own.result()
    # Nothing is cached: features of another batch are extracted again.
    gan.update_metrics(images, fake)
    assert len(calls) == 2 + 6 + 3 + 2


def test_buffers_write_rows_in_place():
    x, y = pair(96)
    metric = metrics.PrecisionRecall(max_examples=70)
    metric.build((6,))
    update = metric.update_state
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        update = tf.function(update)
        operations = {
            op.type for op in update.get_concrete_function(*map(ops.convert_to_tensor, (x, y))).graph.get_operations()
        }
        assert "ResourceScatterNdUpdate" in operations and "TensorScatterUpdate" not in operations
    for i in range(0, 96, 32):
        update(*map(ops.convert_to_tensor, (x[i : i + 32], y[i : i + 32])))
    np.testing.assert_array_equal(metric._real.value(), x[:70])
    np.testing.assert_array_equal(metric._fake.value(), y[:70])
    metric.reset_state()
    update(*map(ops.convert_to_tensor, (y[:32], x[:32])))
    np.testing.assert_array_equal(metric._real.value(), y[:32])


@keras.saving.register_keras_serializable(package="tests")
class Median(metrics.BufferedMetric):
    values = ("median",)

    def compare(self, real, fake):
        return [np.abs(np.median(real) - np.median(fake))]


def test_a_buffered_metric_of_ones_own_keeps_its_numbers():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Median(fewest=20, max_examples=50))
    )
    assert (again.fewest, again.max_examples) == (20, 50)
