import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_gan
from keras_gan import metrics


@keras.saving.register_keras_serializable()
def corner(x):
    """The first four pixels of an image, so that mirrored images have other features."""
    return ops.reshape(x[:, :1, :4], (-1, 4))


def pictures(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 8, 8, 1)).astype("float32")


TRAIN, HELD_OUT, OTHER = pictures(300, 0), pictures(200, 1), pictures(400, 2)


def share(fake, training_set=TRAIN, real=HELD_OUT):
    metric = metrics.Memorization(corner, training_set)
    metric.update_state(real, fake.astype("float32"))
    return metric.result()


def test_by_hand():
    flat = lambda images: images.reshape(len(images), 64)  # noqa: E731
    both = np.concatenate([TRAIN, TRAIN[:, :, ::-1]])
    real, fake = (
        np.linalg.norm(flat(x)[:, None, :4] - flat(both)[None, :, :4], axis=2).min(1) for x in (HELD_OUT, OTHER)
    )
    assert share(OTHER) == pytest.approx(np.mean(fake <= np.quantile(real, 0.05)), abs=0.003)


@pytest.mark.parametrize("change", ["none", "mirrored", "noise"])
def test_copies_are_counted(change):
    copies = TRAIN[:200]
    if change == "mirrored":
        copies = copies[:, :, ::-1]
    if change == "noise":
        copies = copies + np.random.default_rng(0).normal(0, 0.01, copies.shape)
    assert 0.98 <= share(copies) <= 1
    # Half of the fakes.
    assert 0.45 < share(np.concatenate([copies, OTHER[:200]])) < 0.6


def test_honest_ones_are_as_near_as_held_out_ones():
    found = [share(pictures(400, seed)) for seed in range(3, 11)]
    assert 0.03 < np.mean(found) < 0.08


@pytest.mark.parametrize("labels", [False, True])
def test_a_training_set_is_an_array_or_what_load_gives(labels):
    dataset = tf.data.Dataset.from_tensor_slices((TRAIN, np.zeros(300, "int32")) if labels else TRAIN)
    assert share(OTHER, dataset.shuffle(300).batch(70)) == pytest.approx(share(OTHER), abs=1e-9)


def test_it_is_saved_with_the_gan_without_the_training_set(make_image_gan, images, tmp_path):
    gan = make_image_gan()
    gan.compile(metrics=[metrics.Memorization(corner, images)], penalties=())
    # A generator's images are far from any of these; its own are copies.
    fakes = ops.convert_to_numpy(gan.sample(40, seed=0))
    expected = gan.evaluate(images, verbose=0, return_dict=True)["memorization"]
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.evaluate(images, verbose=0, return_dict=True)["memorization"] == expected
    (metric,) = loaded.evaluation_metrics
    metric.reset_state()
    metric.update_state(HELD_OUT, images)
    assert metric.result() == 1
    metric.reset_state()
    metric.update_state(HELD_OUT, fakes)
    assert metric.result() < 0.9
    new = metrics.Memorization.from_config(metric.get_config())
    new.update_state(HELD_OUT, OTHER[:200])
    with pytest.raises(ValueError, match="needs a training_set, an argument of its constructor"):
        new.result()


def test_it_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"training_set must have images in \[-1, 1\]"):
        metrics.Memorization(corner, TRAIN + 1)
    with pytest.raises(ValueError, match="training_set must give images"):
        metrics.Memorization(corner, TRAIN[0])
    with pytest.raises(TypeError, match="features must be"):
        metrics.Memorization("corner", TRAIN)


# === nearest ===


def test_nearest_finds_what_was_copied():
    samples = np.concatenate([TRAIN[[7, 299]], TRAIN[[42]][:, :, ::-1], OTHER[:1]])
    batches = [TRAIN[i : i + 60] for i in range(0, 300, 60)]
    for training_set in (TRAIN, batches, tf.data.Dataset.from_tensor_slices(TRAIN).batch(70)):
        found = metrics.nearest(corner, samples, training_set, n=2)
        assert found.indices[:3, 0].tolist() == [7, 299, 42]
        assert found.distances[:3, 0].max() < 1e-5 and (found.distances[:, 1] > 0.01).all()
        np.testing.assert_array_equal(found.images, TRAIN[found.indices])
    both = np.stack([TRAIN[:, 0, :4, 0], TRAIN[:, 0, :-5:-1, 0]])
    expected = np.sort(np.linalg.norm(both - OTHER[0, 0, :4, 0], axis=2).min(0))[:2]
    np.testing.assert_allclose(found.distances[3], expected, rtol=1e-5)


def test_nearest_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"n must be at most the number of training images, 300\. Received: 301"):
        metrics.nearest(corner, OTHER[:2], TRAIN, n=301)
    with pytest.raises(ValueError, match=r"samples must be images .* in \[-1, 1\]"):
        metrics.nearest(corner, OTHER[:2] * 2, TRAIN)
    with pytest.raises(ValueError, match="samples must be images"):
        metrics.nearest(corner, OTHER[0], TRAIN)


# === On digits, with features without labels ===


@pytest.mark.long
def test_copies_of_digits_are_found_and_honest_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    train, test = (
        np.concatenate(list(keras_gan.datasets.load("digits", 1000, split, seed=0))) for split in ("train", "test")
    )
    features = metrics.features.self_supervised(train, steps=200)
    metric = metrics.Memorization(features, train)
    noise = np.random.default_rng(0).normal(0, 0.05, (500, 28, 28, 1)).astype("float32")
    for fake, low, high in (
        (train[:500], 1, 1),
        (train[:500, :, ::-1], 1, 1),
        (np.clip(train[:500] + noise, -1, 1), 0.9, 1),
        (test[500:], 0.0, 0.12),
    ):
        metric.reset_state()
        metric.update_state(test[:500], fake)
        assert low <= metric.result() <= high
