import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gan
from keras_gan.metrics import features

pytestmark = pytest.mark.usefixtures("cache")


def labelled(n=96, shift=0, shuffle=False, batch=32):
    """Images that are bright above or below the middle, which is their label."""
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 2).astype("int32")
    images = rng.uniform(-1, 0, (n, 8, 8, 1)).astype("float32")
    images[labels == 0, :4] += 0.7
    images[labels == 1, 4:] += 0.7
    images[0, 0, 0, 0] += shift
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return (dataset.shuffle(n) if shuffle else dataset).batch(batch)


def images_of(dataset):
    return np.concatenate([x for x, _ in dataset])


# === classifier ===


def test_classifier_learns_and_gives_features_and_probabilities(cache):
    model = features.classifier(labelled())
    found = model.predict(images_of(labelled()), verbose=0)
    assert found["features"].shape == (96, 64) and found["features"].min() >= 0
    np.testing.assert_allclose(found["probabilities"].sum(1), 1, atol=1e-5)
    assert np.mean(found["probabilities"].argmax(1) == np.arange(96) % 2) > 0.95
    assert [p.suffix for p in cache.iterdir()] == [".keras"]


def test_classifier_is_trained_once_for_the_same_data_in_any_order(cache, monkeypatch):
    first = features.classifier(labelled(), epochs=2)
    monkeypatch.setattr(
        sys.modules["keras_gan.metrics.features.classifier"], "_train", lambda *args: pytest.fail("trained again")
    )
    second = features.classifier(labelled(shuffle=True, batch=7), epochs=2)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    monkeypatch.undo()


def test_a_broken_file_of_the_cache_is_made_anew(cache):
    first = features.classifier(labelled(), epochs=1)
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="can't be read and is made anew"):
        second = features.classifier(labelled(), epochs=1)
    np.testing.assert_allclose(first.get_weights()[0], second.get_weights()[0], atol=1e-6)
    assert features.classifier(labelled(), epochs=1) is not None


def test_classifier_is_another_for_other_data_or_epochs(cache):
    for dataset, epochs in ((labelled(), 1), (labelled(), 2), (labelled(shift=0.5), 1), (labelled(n=94), 1)):
        features.classifier(dataset, epochs)
    assert len(list(cache.iterdir())) == 4


def test_classifier_is_reproducible_and_leaves_random_state_alone(cache):
    def draws():
        return [random.random(), np.random.random(), float(tf.random.normal(())), float(keras.random.normal(()))]

    keras.utils.set_random_seed(3)
    expected = draws()
    models = []
    for seed in (3, 4):
        for path in cache.iterdir() if cache.exists() else ():
            path.unlink()
        keras.utils.set_random_seed(seed)
        models.append(features.classifier(labelled(shuffle=seed == 4, batch=20), epochs=2))
        if seed == 3:
            assert draws() == expected
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_classifier_works_where_nothing_can_be_kept(cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="not kept"):
        features.classifier(labelled(), epochs=1)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (tf.data.Dataset.from_tensor_slices(np.zeros((4, 8, 8, 1), "float32")).batch(2), r"must give \(images, labels"),
        (tf.data.Dataset.from_tensors((np.zeros((4, 3)), np.zeros(4, "int32"))), "Received: images of shape"),
        (tf.data.Dataset.from_tensors((np.zeros((4, 8, 8, 1)), np.zeros((4, 2)))), "integer labels"),
        (tf.data.Dataset.from_tensors((-np.ones((4, 8, 8, 1)), np.zeros(4, "int32"))), "two classes"),
        (labelled().take(0), "empty"),
        (labelled().map(lambda x, y: ((x + 1) / 2, y)), r"images in \[-1, 1\].*values from \d.*x \* 2 - 1"),
        (labelled().map(lambda x, y: (x * 127.5 + 127.5, y)), r"images in \[-1, 1\].*Received: values from 0"),
        (labelled().repeat(), "finite"),
        ([1, 2], "must give"),
    ],
)
def test_classifier_names_what_is_wrong_with_data(dataset, message):
    with pytest.raises(ValueError, match=message):
        features.classifier(dataset)


def test_a_gan_carries_the_classifier_in_its_file(check_file_brings):
    model = features.classifier(labelled(), epochs=2)
    check_file_brings(keras_gan.metrics.FrechetDistance(model), keras_gan.metrics.ClassifierScore(model))


def twins(shape):
    """Two GANs of the same pictures: one in [-1, 1], and one that ends in a sigmoid, in [0, 1]."""
    size = int(np.prod(shape))
    kernel = np.random.default_rng(0).normal(size=(4, size)).astype("float32")
    for activation, scale in (("tanh", 1), ("sigmoid", 2)):
        dense = keras.layers.Dense(size, activation)
        generator = keras.Sequential([keras.Input((4,)), dense, keras.layers.Reshape(shape)])
        dense.set_weights([kernel * scale, np.zeros(size)])
        yield keras_gan.GAN(generator, keras_gan.architectures.dcgan_discriminator(shape, width=4), ema=None)


def test_features_see_the_pictures_of_a_sigmoid_as_those_of_a_tanh(tmp_path):
    model = features.classifier(labelled(), epochs=2)
    images = images_of(labelled())
    found = []
    for gan, data in zip(twins((8, 8, 1)), (images, (images + 1) / 2), strict=True):
        metrics = [keras_gan.metrics.FrechetDistance(model), keras_gan.metrics.ClassifierScore(model)]
        gan.compile(metrics=[*metrics, keras_gan.metrics.FrechetDistance(name="pixels")], penalties=())
        found.append(gan.evaluate(data, verbose=0, return_dict=True))
        report = gan.export(tmp_path / f"{len(found)}.tflite", data=data)
        found[-1].update({f"file_{name}": after for name, (_, after) in report.metrics.items()})
    signed, unsigned = found
    for name in ("frechet_distance", "classifier_score", "file_frechet_distance", "file_classifier_score"):
        assert unsigned[name] == pytest.approx(signed[name], rel=2e-3)
    # Raw data are compared unchanged.
    assert unsigned["pixels"] == pytest.approx(signed["pixels"] / 4, rel=1e-3)


def test_features_without_a_range_see_data_as_they_are():
    gan = list(twins((8, 8, 1)))[1]
    gan.compile(metrics=[keras_gan.metrics.FrechetDistance(lambda x: keras.ops.mean(x, axis=(1, 2)))], penalties=())
    metric = keras_gan.metrics.FrechetDistance()
    brightness = images_of(labelled()).mean(axis=(1, 2)) / 2 + 0.5
    fakes = keras.ops.convert_to_numpy(gan.sample(96, seed=0)).mean(axis=(1, 2))
    metric.update_state(brightness, fakes)
    found = gan.evaluate((images_of(labelled()) + 1) / 2, verbose=0, return_dict=True)["frechet_distance"]
    assert found == pytest.approx(metric.result(), rel=0.3)


# === inception_v3 ===


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of InceptionV3's weights, untrained."""
    path = tmp_path_factory.mktemp("inception") / "random.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.InceptionV3(weights=None).save_weights(path)
    return path


def test_inception_resizes_repeats_channels_and_serializes(weights):
    inception = features.inception_v3(weights)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 28, 28, 1)).astype("float32")
    found = {k: keras.ops.convert_to_numpy(v) for k, v in inception(images).items()}
    assert found["features"].shape == (2, 2048) and found["probabilities"].shape == (2, 1000)
    np.testing.assert_allclose(found["probabilities"].sum(1), 1, atol=1e-4)
    colour = inception(np.repeat(images, 3, axis=-1))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(colour["features"]), found["features"], rtol=1e-4, atol=1e-5)
    metric = keras_gan.metrics.FrechetDistance(inception)
    config = keras.saving.serialize_keras_object(metric)
    assert len(str(config)) < 1000
    again = keras.saving.deserialize_keras_object(config)
    again = keras.ops.convert_to_numpy(again.features(images)["features"])
    np.testing.assert_allclose(again, found["features"], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        inception(np.zeros((2, 8, 8, 2), "float32"))


@pytest.mark.parametrize("policy", [pytest.param("mixed_bfloat16", marks=pytest.mark.long), "float16"])
def test_inception_computes_in_float32_whatever_the_policy(weights, policy):
    before = keras.config.dtype_policy()
    images = np.random.default_rng(0).uniform(-1, 1, (2, 28, 28, 1)).astype("float32")
    expected = features.inception_v3(weights)(images)["features"]
    keras.config.set_dtype_policy(policy)
    try:
        found = features.inception_v3(weights)(images)["features"]
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found, expected)), rtol=1e-4, atol=1e-5)


def test_inception_without_a_network_says_what_to_do(monkeypatch):
    def refuse(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", refuse)
    with pytest.raises(OSError, match=r"inception_v3_weights_tf_dim_ordering_tf_kernels\.h5 and put it into .*models"):
        features.inception_v3()
