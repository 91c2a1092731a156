"""Mode coverage against counts made by hand, theory, and the same figures in NumPy."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gan
from keras_gan.metrics import ModeCoverage

CENTERS = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]]


def figures(metric):
    return {name: float(value) for name, value in metric.result().items()}


def feed(metric, *batches):
    for batch in batches:
        metric.update_state(None, np.asarray(batch, "float32"))
    return figures(metric)


def test_by_hand():
    inside = [[0.2, 0.2], [0.0, -0.29], [9.8, 0.0], [10.0, 9.71]]
    # Near the fourth mode, and near the third, which none reaches.
    outside = [[10.0, 9.69], [0.3, 10.1]]
    found = feed(ModeCoverage(CENTERS, sigma=0.1), inside + outside)
    assert found["modes"] == 3
    assert found["high_quality"] == pytest.approx(4 / 6)
    # Half, a quarter, nothing, a quarter: log 4 - (log 2) / 2 - (log 4) / 2.
    assert found["reverse_kl"] == pytest.approx(math.log(2) / 2, abs=1e-6)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_a_perfect_sampler(name):
    toy = getattr(keras_gan.datasets, name)()
    k, n = len(toy.centers), 50_000
    found = feed(ModeCoverage(toy.centers, toy.stddev), toy.sample(n, seed=0))
    assert found["modes"] == k
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=4 * math.sqrt(0.011 / n))
    # 2 n KL is chi-squared, with a variance of twice its mean.
    expected = (k - 1) / (2 * n)
    assert abs(found["reverse_kl"] - expected) < 4 * expected * math.sqrt(2 / (k - 1)) + 1e-6


def test_batches_add_up_and_match_numpy():
    toy = keras_gan.datasets.grid()
    x = np.asarray(toy.sample(3000, seed=1)) * 1.02
    distance = np.linalg.norm(x[:, None] - toy.centers, axis=-1)
    good = distance.min(1) < 3 * toy.stddev
    p = np.bincount(distance.argmin(1)[good], minlength=25) / good.sum()
    metric = ModeCoverage(toy.centers, toy.stddev)
    found = feed(metric, x[:7], x[7:2000], x[2000:])
    assert 0.5 < good.mean() < 0.95
    assert found["modes"] == np.count_nonzero(p)
    assert found["high_quality"] == pytest.approx(good.mean(), abs=1e-6)
    assert found["reverse_kl"] == pytest.approx(np.sum(p * np.log(p * 25)), abs=1e-5)
    metric.reset_state()
    assert feed(metric, x) == pytest.approx(found, abs=1e-6)


def test_nothing_found_is_the_worst_value():
    metric = ModeCoverage(CENTERS, sigma=0.1)
    assert np.isnan(list(metric.result().values())).all()
    worst = {"modes": 0, "high_quality": 0, "reverse_kl": pytest.approx(math.log(4))}
    assert feed(metric, [[5.0, 5.0]]) == worst
    assert feed(metric, [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, math.nan]]) == worst
    found = feed(metric, [[0.0, 0.0]] * 4)
    assert found == {"modes": 1, "high_quality": 0.5, "reverse_kl": pytest.approx(math.log(4))}


def test_without_sigma_every_finite_sample_counts():
    found = feed(ModeCoverage(CENTERS), [[4.0, 4.0], [1e6, 0.0], [math.nan, 0.0]])
    assert found["modes"] == 2 and found["high_quality"] == pytest.approx(2 / 3)


def test_narrow_modes_far_out():
    centers = np.array([[5000.0, 5000.0], [5000.0, 5001.0]])
    found = feed(ModeCoverage(centers, sigma=0.01), centers + np.array([[0.02, 0], [0.04, 0]]))
    assert found["modes"] == 1 and found["high_quality"] == 0.5


def test_many_modes_far_out_match_numpy():
    steps = 10_000.0 + np.arange(5)
    centers = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(25, 2)
    rng = np.random.default_rng(0)
    x = (centers[rng.integers(25, size=2500)] + rng.normal(0, 0.05, (2500, 2))).astype("float32")
    good = np.linalg.norm(x[:, None].astype("float64") - centers, axis=-1).min(1) < 0.15
    found = feed(ModeCoverage(centers, sigma=0.05), x)
    assert found["modes"] == 25 and found["high_quality"] == pytest.approx(good.mean(), abs=1e-6)
    assert 0.98 < good.mean() < 0.995


def channels(num_classes=3, n=2):
    """Makes a model that reads each channel of an image `(1, num_classes, n)` as class probabilities."""
    inputs = keras.Input((1, num_classes, n))
    read = layers.Softmax()(layers.Permute((3, 1, 2))(inputs))
    return keras.Model(inputs, layers.Flatten()(read))


def test_classes_of_channels_are_modes():
    triples = np.stack(np.unravel_index(np.arange(9), (3, 3)), axis=1)
    metric = ModeCoverage(np.eye(3)[triples].reshape(9, 6), features=channels())
    logits = np.random.default_rng(0).normal(size=(500, 1, 3, 2))
    classes = logits.argmax(2)[:, 0] @ [3, 1]
    found = feed(metric, logits)
    p = np.bincount(classes, minlength=9) / 500
    assert found == {"modes": 9, "high_quality": 1, "reverse_kl": pytest.approx(np.sum(p * np.log(p * 9)), abs=1e-9)}


def test_classes_of_a_classifier_are_modes():
    inputs = keras.Input((3,))
    outputs = {"features": layers.Dense(7)(inputs), "probabilities": layers.Softmax()(inputs)}
    found = feed(ModeCoverage(np.eye(3), features=keras.Model(inputs, outputs)), [[0, 1, 2], [0, 1, 3], [1, 0, 0]])
    # Shares of 1/3 and 2/3.
    assert found == pytest.approx({"modes": 2, "high_quality": 1, "reverse_kl": math.log(2) * 2 / 3})


def test_it_saves_with_its_features():
    metric = ModeCoverage(np.eye(6)[:4], features=channels())
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    images = np.random.default_rng(0).normal(size=(20, 1, 3, 2))
    assert feed(copy, images) == feed(metric, images)
    assert copy.sigma is None and copy.name == metric.name
    narrow = ModeCoverage(CENTERS, 0.1)
    assert ModeCoverage.from_config(narrow.get_config()).get_config() == narrow.get_config()


def test_evaluation_counts_every_sample(make_gan, points):
    metric = ModeCoverage([[0.0, 0.0], [1e9, 0.0]], sigma=1e6)
    found = make_gan(metrics=[metric]).evaluate(points[:100], batch_size=32, verbose=0, return_dict=True)
    assert found["modes"] == found["high_quality"] == 1
    assert found["reverse_kl"] == pytest.approx(math.log(2))
    assert metric._samples.value() == metric._counts.value().sum() == 100


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.function")
def test_counts_in_compiled_code():
    import tensorflow as tf

    metric = ModeCoverage(CENTERS, sigma=0.1)
    metric.update_state(None, ops.ones((1, 2)))
    for jit in (False, True):
        metric.reset_state()
        step = tf.function(lambda x: metric.update_state(None, x), jit_compile=jit)
        for _ in range(3):
            step(tf.constant([[0.0, 0.0], [10.0, 0.0], [5.0, 5.0]]))
        assert figures(metric) == pytest.approx(
            {"modes": 2, "high_quality": 2 / 3, "reverse_kl": math.log(2)}, abs=1e-6
        )


def test_half_precision_samples():
    metric = ModeCoverage(CENTERS, sigma=0.1)
    metric.update_state(None, ops.cast(CENTERS, "float16"))
    assert figures(metric) == {"modes": 4, "high_quality": 1, "reverse_kl": pytest.approx(0, abs=1e-6)}


@pytest.mark.parametrize("centers", [[1.0, 2.0], np.zeros((0, 2)), [[math.nan, 0.0]]])
def test_bad_centers(centers):
    with pytest.raises(ValueError, match=r"centers must be finite numbers of shape \(num_modes, dim\)"):
        ModeCoverage(centers, 0.1)


@pytest.mark.parametrize("sigma", [0, -1.0, math.nan, math.inf, "wide"])
def test_bad_sigma(sigma):
    with pytest.raises(ValueError, match=r"sigma must be a finite number > 0\. Received: "):
        ModeCoverage(CENTERS, sigma)


def test_data_of_another_size_are_refused_when_the_gan_compiles(make_gan):
    make_gan(metrics=[ModeCoverage(CENTERS, 0.1)])
    with pytest.raises(ValueError, match=r"centers must have 2 numbers each, .* Received: centers of 3"):
        make_gan(metrics=[ModeCoverage(np.eye(3), 0.1)])
