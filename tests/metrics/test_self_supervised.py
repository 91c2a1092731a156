import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gan
from keras_gan.metrics import features
from keras_gan.metrics.reading import read

module = sys.modules["keras_gan.metrics.features.self_supervised"]


def pictures(n=96, size=12, channels=1, shift=0, shuffle=False, batch=32):
    images = np.random.default_rng(0).uniform(-1, 1, (n, size, size, channels)).astype("float32")
    images[0, 0, 0, 0] += shift
    dataset = tf.data.Dataset.from_tensor_slices(images)
    return (dataset.shuffle(n) if shuffle else dataset).batch(batch)


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def draws():
    return [random.random(), np.random.random(), float(tf.random.normal(())), float(keras.random.normal(()))]


def test_it_is_trained_once_for_the_same_data_in_any_order(cache, monkeypatch):
    keras.utils.set_random_seed(3)
    expected = draws()
    keras.utils.set_random_seed(3)
    first = features.self_supervised(pictures(), steps=2)
    assert draws() == expected
    (path,) = cache.iterdir()
    assert path.name.startswith("self_supervised-") and path.suffix == ".keras"
    path.rename(path.with_suffix(".kept"))
    again = features.self_supervised(pictures(shuffle=True, batch=20), steps=2)
    np.testing.assert_allclose(weights(again), weights(first), atol=1e-6)
    monkeypatch.setattr(module, "_train", lambda *args: pytest.fail("trained again"))
    labelled = pictures().map(lambda x: (x, tf.zeros(len(x), "int32")))
    np.testing.assert_array_equal(weights(features.self_supervised(labelled, steps=2)), weights(again))


@pytest.fixture
def untrained(cache, monkeypatch):
    """Disables training; returns a list of its arguments."""
    calls = []
    monkeypatch.setattr(module, "_train", lambda *args: calls.append(args) or module._build(args[1])[0])
    return calls


def test_it_is_another_for_other_data_or_steps(untrained, cache):
    for _ in range(2):
        for dataset, steps in ((pictures(), 1), (pictures(), 2), (pictures(shift=-0.5), 1), (pictures(n=95), 1)):
            features.self_supervised(dataset, steps)
    assert len(list(cache.iterdir())) == 4
    assert [(len(images), steps) for images, _, steps in untrained] == [(96, 1), (96, 2), (96, 1), (95, 1)]


@pytest.mark.parametrize(("size", "channels"), [(16, 4), (70, 2), (256, 3)])
def test_it_takes_images_of_many_shapes(size, channels, untrained):
    model = features.self_supervised(pictures(16, size, channels), steps=1)
    found = model.predict(np.concatenate(list(pictures(16, size, channels))), verbose=0)
    assert found.keys() == {"features"} and found["features"].shape == (16, 128)
    assert found["features"].dtype == "float32" and found["features"].std(0).max() > 1e-3
    # Its input is at most 32 pixels a side.
    assert max(untrained[0][0].shape[1:3]) <= 32
    assert model.data_range == (-1, 1)


def test_of_many_images_it_keeps_those_of_the_smallest_hashes():
    images = np.concatenate(list(pictures(n=100, size=8)))
    everything, _, _, shape = read("dataset", images)
    stored = []
    kept, _, digest, _ = read("dataset", images[::-1], limit=10, store=lambda x: stored.append(len(x)) or x)
    np.testing.assert_array_equal(kept, everything[:10])
    assert shape == (8, 8, 1) and digest == read("dataset", kept)[2]
    batches = [images[i : i + 5] for i in range(0, 100, 5)]
    stored.clear()
    kept, *_ = read("dataset", batches, limit=10, store=lambda x: stored.append(len(x)) or x)
    np.testing.assert_array_equal(kept, everything[:10])
    # Later ones are not even stored, unless they are among the smallest so far.
    assert 20 <= sum(stored) < 70


@pytest.mark.parametrize(
    ("dataset", "steps", "message"),
    [
        (pictures(), 0, "steps must be"),
        (pictures(n=15), 1, "at least 16 images of at least 8x8 pixels. Received: 15 of 12x12"),
        (pictures(size=7), 1, "Received: 96 of 7x7"),
        (pictures().take(0), 1, "empty"),
        (pictures().map(lambda x: (x + 1) / 2), 1, r"images in \[-1, 1\].*lambda x: x"),
        (pictures().map(lambda x: x * 127.5), 1, r"images in \[-1, 1\]"),
        (pictures().repeat(), 1, "finite"),
        (pictures().map(lambda x: x[0]), 1, "Received: images of shape"),
        (pictures().map(lambda x: {"image": x}), 1, "must give images. Received: a dict"),
        ([np.full((8, 8, 8, 1), -1.0), np.full((8, 9, 9, 1), -1.0)], 1, "one shape"),
    ],
)
def test_it_names_what_is_wrong(dataset, steps, message):
    with pytest.raises(ValueError, match=message):
        features.self_supervised(dataset, steps)


def test_steps_within_follow_the_time():
    few, many = (features.steps_within(seconds, (16, 16, 1)) for seconds in (0.001, 60.0))
    assert few == 1 and 100 < many < 60_000
    for shape in (None, (16, 16), (16, 16, "wide")):
        with pytest.raises(ValueError, match="shape must be"):
            features.steps_within(1.0, shape)


def test_metrics_of_probabilities_say_that_there_are_none(untrained):
    model = features.self_supervised(pictures(), steps=1)
    message = r"features of classifier_score must return 'probabilities', as .*classifier.* which returns 'features'"
    with pytest.raises(ValueError, match=message):
        keras_gan.metrics.ClassifierScore(model).build((12, 12, 1))


def test_a_gan_carries_it_in_its_file(check_file_brings, images, untrained):
    model = features.self_supervised(tf.data.Dataset.from_tensors(images), steps=1)
    check_file_brings(keras_gan.metrics.FrechetDistance(model), keras_gan.metrics.KernelDistance(model))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Features of digits, and the images of both splits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("digits")))
        train, test = (
            np.concatenate(list(keras_gan.datasets.load("digits", 1000, split, seed=0))) for split in ("train", "test")
        )
        yield features.self_supervised(train, steps=60), train, test


def distances(model, real, fake):
    metrics = [keras_gan.metrics.FrechetDistance(model), keras_gan.metrics.KernelDistance(model)]
    for metric in metrics:
        metric.update_state(real, fake.astype("float32"))
    return metrics[0].result(), metrics[1].result()["kernel_distance"]


def test_real_digits_are_far_nearer_to_real_ones_than_spoiled_ones(digits):
    model, train, test = digits
    real = train[:1000]
    rng = np.random.default_rng(0)
    frechet, kernel = distances(model, real, test)
    blurred = sum(np.roll(np.roll(test, i, 1), j, 2) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    spoiled = {
        "noise": rng.uniform(-1, 1, test.shape),
        "blur": blurred,
        "collapsed": np.repeat(test[:10], 100, axis=0),
        "upside down": test[:, ::-1],
    }
    assert abs(kernel) < 0.02 and 0 < frechet < 3
    for name, fake in spoiled.items():
        far, far_kernel = distances(model, real, fake)
        assert far > 4 * frechet and far_kernel > 0.02 + 4 * abs(kernel), (name, far, frechet, far_kernel, kernel)


def test_it_learns_to_find_the_other_view_of_images_that_it_has_not_seen(digits):
    _, train, test = digits
    trainee = module._build((28, 28, 1), steps=60)[1]

    def loss():
        # In batches of 64, where a guess costs log(127) = 4.84.
        parts = [test[i : i + 64] for i in range(0, 640, 64)]
        return np.mean([trainee.evaluate(part, np.zeros(64), batch_size=64, verbose=0) for part in parts])

    before = loss()
    step = module._steps(module._reduced_bytes(train), trainee)
    for _ in range(60):
        step()
    assert 4.75 < before < 5.2 and 3 < loss() < 4.7
