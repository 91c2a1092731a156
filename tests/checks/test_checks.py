"""Bad input: an error before the first step that names the expected and the received value."""

import contextlib
import types
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gan

A = keras_gan.architectures
L = keras.layers


def discriminator(*last, shape=(2,)):
    return keras.Sequential([keras.Input(shape), L.Dense(4), *last])


def generator(activation="linear", latent_dim=4):
    return keras.Sequential([keras.Input((latent_dim,)), L.Dense(2, activation=activation)])


@pytest.mark.parametrize("last", [[L.Dense(1, activation="sigmoid")], [L.Dense(1), L.Activation("sigmoid")]])
def test_a_discriminator_that_ends_in_a_sigmoid(last):
    with pytest.raises(ValueError, match=r"discriminator must end in a linear layer.*sigmoid"):
        keras_gan.GAN(generator(), discriminator(*last))
    nested = keras.Sequential([keras.Input((2,)), discriminator(L.Dense(1, activation="sigmoid"))])
    with pytest.raises(ValueError, match="sigmoid"):
        keras_gan.GAN(generator(), nested)


@pytest.mark.parametrize("last", [[L.Reshape((2, 1))], [L.Reshape((2, 1)), L.Flatten()]])
def test_an_activation_before_a_change_of_shape(last):
    model = keras.Sequential([generator("sigmoid"), *last])
    assert keras_gan.networks.output_activation(model) == "sigmoid"


def test_a_discriminator_with_another_output():
    with pytest.raises(ValueError, match=r"logits of shape \(batch, 1\), or a map .* Received: \(None, 3\)"):
        keras_gan.GAN(generator(), discriminator(L.Dense(3)))
    x = keras.Input((2,))
    for outputs in ([L.Dense(1)(x), L.Dense(1)(x)], {"logits": L.Dense(1)(x), "classes": L.Dense(3)(x)}):
        with pytest.raises(ValueError, match=r"discriminator must have one output.*of 2 outputs"):
            keras_gan.GAN(generator(), keras.Model(x, outputs))


def test_a_generator_with_another_input():
    with pytest.raises(ValueError, match=r"one input of shape \(batch, latent_dim\).*\(None, 4, 4\)"):
        keras_gan.GAN(keras.Sequential([keras.Input((4, 4)), L.Flatten(), L.Dense(2)]), discriminator(L.Dense(1)))
    z, y = keras.Input((4,)), keras.Input((1,))
    two = keras.Model([z, y], L.Dense(2)(L.Concatenate()([z, y])))
    with pytest.raises(ValueError, match=r"one input of shape \(batch, latent_dim\).*inputs \(None, 4\), \(None, 1\)"):
        keras_gan.GAN(two, discriminator(L.Dense(1)))
    with pytest.raises(ValueError, match="prior must be given"):
        keras_gan.GAN(keras.Sequential([L.Dense(2)]), discriminator(L.Dense(1)))


def test_networks_that_do_not_fit_each_other():
    with pytest.raises(ValueError, match=r"discriminator must take what the generator makes.*2\).*\(None, 3\)"):
        keras_gan.GAN(generator(), discriminator(L.Dense(1), shape=(3,)))
    with pytest.raises(TypeError, match=r"generator must be a keras.Model"):
        keras_gan.GAN(lambda z: z, discriminator(L.Dense(1)))
    with pytest.raises(TypeError, match=r"discriminator must be a keras.Model"):
        keras_gan.GAN(generator(), "discriminator")
    square = keras.Sequential([keras.Input((1,)), L.Dense(1)])
    with pytest.raises(ValueError, match="two models"):
        keras_gan.GAN(square, square)


def test_a_prior_of_another_size():
    with pytest.raises(ValueError, match=r"prior of 8, a generator that takes 4"):
        keras_gan.GAN(generator(), discriminator(L.Dense(1)), prior=keras_gan.priors.Normal(8))
    with pytest.raises(TypeError, match=r"prior must be a keras_gan.priors.Prior"):
        keras_gan.GAN(generator(), discriminator(L.Dense(1)), prior="normal")


def test_compile_arguments():
    gan = keras_gan.GAN(generator(), discriminator(L.Dense(1)), ema=None)
    with pytest.raises(ValueError, match=r"loss must be one of \[.*'minimax', 'non_saturating'.*'wgan'"):
        gan.compile(loss="wgan")
    with pytest.raises(TypeError, match="loss must be a name or an object"):
        gan.compile(loss=keras_gan.losses.Minimax)
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="two objects"):
        gan.compile(adam, adam)
    with pytest.raises(ValueError, match=r"compile\(\) must be called"):
        gan.fit(np.zeros((4, 2)))


@pytest.mark.parametrize("n", [0, -1, 2.5, True, None])
def test_sample_of_no_number(n):
    with pytest.raises(ValueError, match="n, how many to generate, must be a positive integer"):
        keras_gan.GAN(generator(), discriminator(L.Dense(1))).sample(n)


# === Data ===


def image_gan():
    gan = keras_gan.GAN(A.dcgan_generator((8, 8, 1), 4, width=2), A.dcgan_discriminator((8, 8, 1), width=2), ema=None)
    gan.compile(penalties=())
    return gan


def noise(low, high, shape=(16, 8, 8, 1)):
    return np.random.default_rng(0).uniform(low, high, shape).astype("float32")


def as_array(x):
    return x


def as_dataset(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(8)


def as_labelled_dataset(x):
    return tf.data.Dataset.from_tensor_slices((x, np.zeros(len(x)))).batch(8)


def as_generator(x):
    return (x[i : i + 8] for i in range(0, len(x), 8))


FORMS = pytest.mark.parametrize("form", [as_array, as_dataset, as_labelled_dataset, as_generator])


@FORMS
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            noise(0, 255),
            r"x must lie in \[-1, 1\], the range of the generator's tanh. Received: values.*127.5 - 1",
        ),
        (noise(0, 255).astype("uint8"), r"values from 0 to 25\d. Rescale with x / 127.5 - 1"),
        (noise(-3, 3), r"values from -[23].* Rescale it, or end the generator in a linear layer"),
        (noise(-1, 1, (16, 8, 8, 3)), r"\(batch, 8, 8, 1\). Received: \((8|16), 8, 8, 3\)"),
        (noise(-1, 1, (16, 8, 8)), r"Received: \((8|16), 8, 8\). Add the channel axis with x\[..., None\]"),
        (
            np.where(noise(0, 1) < 0.01, np.nan, noise(-1, 1)),
            r"x must be finite. Received: \d+ of \d+ values NaN",
        ),
        (np.where(noise(0, 1) < 0.01, np.inf, noise(-1, 1)), r"x must be finite"),
        (noise(-1, 1)[:0], r"x must hold at least one"),
    ],
)
def test_data_that_do_not_fit(form, data, message):
    gan = image_gan()
    before = gan.get_weights()
    with pytest.raises(ValueError, match=message):
        gan.fit(form(data), verbose=0)
    assert int(gan.optimizer.iterations) == 0
    for a, b in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nan_late_in_an_array_is_found():
    data = noise(-1, 1, (500, 8, 8, 1))
    data[-1, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 32000 values NaN"):
        image_gan().fit(data, verbose=0)


def test_data_of_no_number():
    gan = image_gan()
    with pytest.raises(TypeError, match="x must hold numbers"):
        gan.fit(np.full((4, 8, 8, 1), "a"))
    with pytest.raises(TypeError, match=r"Received: a list\. Turn a list .* numpy\.stack"):
        gan.fit([noise(-1, 1)[0]])
    with pytest.raises(ValueError, match=r"x, the real data, must be given\. Received: None"):
        gan.fit()
    with pytest.raises(TypeError, match=r"images or \(images, labels\). Received: a dict"):
        gan.fit(tf.data.Dataset.from_tensor_slices({"image": noise(-1, 1)}).batch(8))


def test_the_range_is_that_of_the_last_activation():
    def fit(activation, data):
        gan = keras_gan.GAN(generator(activation), discriminator(L.Dense(1)), ema=None)
        gan.compile(penalties=())
        gan.fit(data, verbose=0)

    fit("linear", noise(0, 255, (16, 2)))
    fit("tanh", noise(0, 1, (16, 2)))
    fit("sigmoid", noise(0, 1, (16, 2)))
    with pytest.raises(ValueError, match=r"\[0, 1\], the range of the generator's sigmoid.*\(x \+ 1\) / 2"):
        fit("sigmoid", noise(-1, 1, (16, 2)))
    with pytest.raises(ValueError, match=r"sigmoid.*x / 255"):
        fit("sigmoid", noise(0, 255, (16, 2)))
    with pytest.raises(ValueError, match=r"tanh.*x / 127.5 - 1"):
        fit("tanh", noise(0, 255, (16, 2)))
    with pytest.raises(ValueError, match=r"hard_tanh.*x / 127.5 - 1"):
        fit("hard_tanh", noise(0, 255, (16, 2)))


# === What property-based tests found ===


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator_optimizer": "gan"}, r"generator_optimizer must be .* such as 'adam'. Received: 'gan'"),
        ({"discriminator_optimizer": keras.optimizers.Adam}, "discriminator_optimizer must be"),
        ({"penalties": 3}, "penalties must be a list"),
        ({"metrics": None}, "metrics must be a list"),
    ],
)
def test_what_compile_can_not_take(make_gan, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_gan(**options)


def test_metrics_that_would_log_the_same_name(make_gan):
    M = keras_gan.metrics
    for metrics, names in (
        ([M.FrechetDistance(), M.FrechetDistance()], "'frechet_distance' of FrechetDistance and of FrechetDistance"),
        ([M.PrecisionRecall(), M.PrecisionRecall(neighbors=5)], "'precision' of PrecisionRecall and of "),
        ([M.PrecisionRecall(), keras.metrics.Mean(name="recall")], "'recall' of PrecisionRecall and of Mean"),
    ):
        with pytest.raises(ValueError, match=f"Received: {names}.*name= to one of them"):
            make_gan(metrics=metrics)
    metrics = [M.FrechetDistance(), M.FrechetDistance(name="other"), M.PrecisionRecall(), M.PrecisionRecall(name="b")]
    two = make_gan(metrics=metrics)
    found = two.evaluate(np.zeros((8, 2), "float32"), verbose=0, return_dict=True)
    names = {"frechet_distance", "other", "precision", "recall", "b_precision", "b_recall"}
    assert names < set(found)
    assert names < set(two.metrics_names)


@pytest.mark.parametrize("seed", [-1, 2**40, 1.5, "x", True])
def test_seeds(make_gan, seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        make_gan(seed=seed)
    with pytest.raises(ValueError, match="seed must be an integer"):
        make_gan().sample(1, seed=seed)
    assert make_gan(seed=2**32 - 1).sample(1, seed=2**32 - 1).shape == (1, 2)


@pytest.mark.parametrize("truncation", ["x", 0, -1.0, float("nan"), float("inf"), True])
def test_truncations(make_gan, truncation):
    with pytest.raises(ValueError, match=r"truncation must be a finite number > 0\. Received: "):
        make_gan().sample(1, truncation=truncation)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "4", True])
def test_batch_sizes(make_gan, points, batch_size):
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        make_gan().fit(points, batch_size=batch_size, verbose=0)


def test_the_activation_that_values_come_from():
    x = keras.Input((4,))
    bounded = L.Dense(4, activation="sigmoid")(x)
    ends = {
        "sigmoid": L.Reshape((2, 2))(L.Flatten()(bounded)),
        "tanh": keras.Sequential([L.Dense(4, activation="tanh"), L.Reshape((2, 2))])(x),
        "linear": L.Dense(2)(bounded),
        None: L.Reshape((2, 2))(bounded * 2 - 1),
    }
    for activation, output in ends.items():
        assert keras_gan.networks.output_activation(keras.Model(x, output)) == activation


def test_batches_that_devices_can_not_share(monkeypatch, make_gan, points):
    mesh = types.SimpleNamespace(shape=(2, 3), axis_names=["model", "batch"])
    distribution = types.SimpleNamespace(device_mesh=mesh, batch_dim_name="batch", auto_shard_dataset=True)
    monkeypatch.setattr(keras.distribution, "distribution", lambda: distribution)
    gan = make_gan()
    for data, options, size in (
        (points[:66], {"batch_size": 32}, 32),
        (points[:64], {"batch_size": 30}, 4),
        (tf.data.Dataset.from_tensor_slices(points).batch(16), {}, 16),
    ):
        with pytest.raises(ValueError, match=f"3 devices can share equally.*Received: a batch of {size}[.]"):
            gan.fit(data, verbose=0, **options)
    distribution.auto_shard_dataset = False
    gan.fit(points[:64], batch_size=32, verbose=0)
    distribution.auto_shard_dataset = True
    gan._check = mock.Mock(wraps=gan._check)
    with contextlib.suppress(ValueError):
        gan.fit(points[:60], batch_size=30, validation_data=(points[:36],), verbose=0)
    assert [call.args[2] for call in gan._check.call_args_list] == [30, 30]


def test_labels_that_are_not_used_may_be_anything(make_gan, points):
    names = ["a"] * len(points)
    gan = make_gan()
    gan.fit(points, names, batch_size=128, verbose=0)
    gan.fit(iter([(points, np.array(names))]), steps_per_epoch=1, verbose=0)
    assert len(gan.evaluate(points, names, verbose=0)) == 4
    with pytest.raises(ValueError, match="y must be None where x is a stream"):
        gan.fit(iter([points]), names, verbose=0)


def test_classes_in_place_of_objects(make_image_gan):
    K = keras_gan
    gan = make_image_gan()
    networks = gan.generator, gan.discriminator
    for action, name in (
        (lambda: K.GAN(*networks, prior=K.priors.Normal), "prior"),
        (lambda: K.GAN(*networks, condition=K.conditions.Labels), "condition"),
        (lambda: gan.compile(augmentation=K.augmentation.Affine), "augmentation"),
        (lambda: gan.compile(loss=K.losses.Hinge), "loss"),
        (lambda: gan.compile(penalties=[K.penalties.R1]), "penalties"),
        (lambda: gan.compile(metrics=[K.metrics.FrechetDistance]), "metrics"),
    ):
        with pytest.raises(TypeError, match=rf"^{name} must be .*Received: .*class"):
            action()
