import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from scipy.special import softmax

import keras_gan
from keras_gan.conditions import AuxiliaryClassifier, Codes, Labels, Unconditional

A = keras_gan.architectures


def conditional_gan(condition, compiled=True, **options):
    """A small GAN on points for each condition, made of plain layers."""
    latent_dim = 4 + condition.num_codes
    if condition.given_name is None:
        generator = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(16, "relu"), layers.Dense(2)])
    else:
        z, y = keras.Input((latent_dim,)), keras.Input(condition.given_shape, dtype=condition.given_dtype)
        x = layers.Concatenate()([z, condition.embed(4)(y)])
        generator = keras.Model([z, y], layers.Dense(2)(layers.Dense(16, "relu")(x)))
    x = inputs = keras.Input((2,))
    if condition.given_to_discriminator:
        y = keras.Input(condition.given_shape, dtype=condition.given_dtype)
        inputs = [inputs, y]
        x = layers.Concatenate()([x, condition.embed(4)(y)])
    x = layers.Dense(32, "leaky_relu")(x)
    outputs = layers.Dense(1)(x)
    if condition.heads:
        outputs = {"logits": outputs, **{name: layers.Dense(size)(x) for name, size in condition.heads.items()}}
    gan = keras_gan.GAN(generator, keras.Model(inputs, outputs), condition=condition, seed=0, **options)
    if compiled:
        gan.compile(keras.optimizers.Adam(5e-3, beta_1=0.5), keras.optimizers.Adam(5e-3, beta_1=0.5))
    return gan


CENTERS = np.array([[2.0, 0], [-2, 0], [0, 2]], "float32")


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 4096)
    return (CENTERS[labels] + rng.normal(size=(4096, 2)) * 0.2).astype("float32"), labels


CONDITIONS = [Unconditional(), Labels(3), AuxiliaryClassifier(3, weight=0.5), Codes([3], 1, 1.0, 0.1)]
EACH = pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: type(c).__name__)


# === Terms ===


def test_auxiliary_classifier_adds_cross_entropies():
    condition = AuxiliaryClassifier(3, weight=2.0)
    labels = np.array([0, 2])
    # Softmax of log p is p: cross-entropies -log 0.5, -log 0.25 and -log 0.1, -log 0.8.
    real = {"classes": np.log([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])}
    fake = {"classes": np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])}
    ce_real, ce_fake = -(math.log(0.5) + math.log(0.25)) / 2, -(math.log(0.1) + math.log(0.8)) / 2
    np.testing.assert_allclose(condition.discriminator_term(real, fake, labels), 2 * (ce_real + ce_fake), rtol=1e-6)
    np.testing.assert_allclose(condition.generator_term(fake, labels), 2 * ce_fake, rtol=1e-6)


def test_codes_term_is_the_bound_on_a_table():
    """A channel that turns a bit over with probability e carries log 2 - H(e) nats; the best Q finds just that."""
    e = 0.1
    counts = np.array([[9, 1], [1, 9]])  # of code c and of what the sample shows, x
    given, found = [], []
    for c in range(2):
        for x in range(2):
            posterior = np.array([1 - e, e]) if x == 0 else np.array([e, 1 - e])
            given += [np.eye(2)[c]] * counts[c, x]
            found += [np.log(posterior)] * counts[c, x]
    found, given = np.array(found, "float32"), ops.convert_to_tensor(np.array(given, "float32"))
    term = Codes(categorical=[2]).generator_term({"codes": ops.convert_to_tensor(found)}, given)
    information = math.log(2) + (e * math.log(e) + (1 - e) * math.log(1 - e))
    np.testing.assert_allclose(math.log(2) - float(term), information, atol=1e-6)
    worse = Codes(categorical=[2]).generator_term({"codes": ops.convert_to_tensor(2 * found)}, given)
    assert float(worse) > float(term) + 1e-3


def test_codes_term_of_each_kind_with_its_weight():
    condition = Codes(categorical=[2, 3], continuous=2, categorical_weight=0.5, continuous_weight=3.0)
    given = ops.convert_to_tensor([[1, 0, 0, 0, 1, 0.5, -1.0]], "float32")
    found = {"codes": ops.convert_to_tensor([[0, 0, 0, 0, 0, 0.0, 1.0]], "float32")}
    expected = 0.5 * (math.log(2) + math.log(3)) + 3.0 * (0.25 + 4.0) / 2
    np.testing.assert_allclose(condition.generator_term(found, given), expected, rtol=1e-6)
    np.testing.assert_allclose(condition.discriminator_term({}, found, given), expected, rtol=1e-6)


def test_consistency_is_nt_xent_of_the_distributions():
    rng = np.random.default_rng(0)
    condition = Codes([3, 2], 1, consistency_weight=0.5)
    a, b = ({"codes": rng.normal(size=(4, 6)).astype("float32")} for _ in range(2))
    expected = 0.0
    for part in (slice(0, 3), slice(3, 5)):
        q = np.concatenate([softmax(view["codes"][:, part].astype("float64"), axis=1) for view in (a, b)])
        for i in range(8):
            cos = [q[i] @ q[j] / np.linalg.norm(q[i]) / np.linalg.norm(q[j]) / 0.2 for j in range(8)]
            expected -= 0.5 / 8 * (cos[(i + 4) % 8] - np.log(sum(np.exp(cos[j]) for j in range(8) if j != i)))
    np.testing.assert_allclose(condition.consistency_term(a, b), expected, rtol=1e-5)
    # In half precision too.
    halves = [{"codes": ops.cast(view["codes"], "float16")} for view in (a, b)]
    np.testing.assert_allclose(condition.consistency_term(*halves), expected, rtol=2e-3)


def test_consistency_is_least_where_views_agree_and_codes_are_spread():
    term = Codes([4], consistency_weight=1.0).consistency_term
    eye = 20 * np.eye(4, dtype="float32")
    best = float(term({"codes": eye}, {"codes": eye}))
    # One other view at cos 1, six at cos 0.
    np.testing.assert_allclose(best, math.log(1 + 6 * math.exp(-5)), rtol=1e-4)
    for first, second in ((eye, eye[::-1]), (eye[[0, 0, 0, 0]],) * 2, (eye[[0, 0, 1, 1]],) * 2, (0 * eye,) * 2):
        assert float(term({"codes": first}, {"codes": second})) > best + 0.5


def test_codes_end_the_latent():
    gan = conditional_gan(Codes([3], 2))
    assert gan.prior.latent_dim == 4 + 5
    latents = ops.convert_to_numpy(gan.prior.sample(3000, seed=0))
    categorical, continuous = latents[:, 4:7], latents[:, 7:]
    np.testing.assert_array_equal(np.sort(categorical, axis=1), np.tile([0, 0, 1], (3000, 1)))
    assert 900 < categorical.sum(0).min() <= categorical.sum(0).max() < 1100
    assert continuous.min() >= -1 and continuous.max() <= 1 and 0.54 < continuous.std() < 0.61
    np.testing.assert_array_equal(gan.condition.given(latents, None), latents[:, 4:])


# === In a GAN ===


@EACH
def test_a_condition_trains_evaluates_saves_and_samples_the_same(condition, labelled, tmp_path):
    gan = conditional_gan(condition, ema=0.9)
    gan.fit(*labelled, batch_size=512, verbose=0, validation_data=labelled)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.sample(9, seed=0), gan.sample(9, seed=0))
    assert loaded.condition.get_config() == condition.get_config()
    loaded.fit(*labelled, batch_size=512, verbose=0)


@pytest.mark.parametrize("condition", [Labels(3), AuxiliaryClassifier(3)], ids=lambda c: type(c).__name__)
def test_samples_follow_their_labels(condition, labelled):
    gan = conditional_gan(condition)
    gan.fit(*labelled, batch_size=128, epochs=12, verbose=0)
    samples = gan.sample(300, seed=0, labels=[0, 1, 2] * 100)
    nearest = np.linalg.norm(samples[:, None] - CENTERS, axis=-1).argmin(1)
    assert np.mean(nearest == np.tile([0, 1, 2], 100)) > 0.9
    np.testing.assert_array_equal(samples, gan.sample(300, seed=0))


def test_codes_are_found_again(labelled):
    gan = conditional_gan(Codes([3]))
    gan.fit(labelled[0], batch_size=128, epochs=8, verbose=0)
    latents = gan.prior.sample(500, seed=1)
    found = gan.discriminator(gan(latents))["codes"]
    agreement = np.mean(ops.convert_to_numpy(found).argmax(1) == ops.convert_to_numpy(latents)[:, 4:].argmax(1))
    assert agreement > 0.8


def image_gan(consistency_weight):
    condition = Codes([2], consistency_weight=consistency_weight)
    return keras_gan.GAN(
        A.dcgan_generator((8, 8, 1), latent_dim=4 + 2, width=4),
        A.dcgan_discriminator((8, 8, 1), width=8, condition=condition),
        seed=0,
    )


def test_consistency_looks_at_each_real_twice_and_differently():
    class Spy(Codes):
        def consistency_term(self, real_extra, other_extra):
            seen.append([ops.convert_to_numpy(extra["codes"]) for extra in (real_extra, other_extra)])
            return 1000.0

    seen = []
    gan = image_gan(1.0)
    gan.condition = Spy([2], consistency_weight=1.0)
    gan.compile(augmentation=keras_gan.augmentation.Affine(), run_eagerly=True)
    x = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype("float32")
    objective, _ = gan.discriminator_objective(x)
    ((first, second),) = seen
    assert first.shape == second.shape == (4, 2)
    plain = ops.convert_to_numpy(gan.discriminator(x)["codes"])
    for a, b in ((first, second), (first, plain), (second, plain)):
        assert np.abs(a - b).max() > 1e-5
    assert 1000 < float(objective) < 1010
    # The generator and validation take no second look.
    gan.generator_objective(x)
    gan.evaluate(x, verbose=0)
    assert len(seen) == 1


def test_consistency_trains_and_is_saved(tmp_path):
    gan = image_gan(1.0)
    gan.compile(augmentation=keras_gan.augmentation.Affine())
    # Of an unequal last batch, too.
    x = np.random.default_rng(0).uniform(-1, 1, (13, 8, 8, 1)).astype("float32")
    history = gan.fit(x, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(history["discriminator_loss"]).all()
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.condition.consistency_weight == 1.0
    assert loaded.augmentation.get_config()["shear"] == 0.3
    loaded.fit(x, batch_size=4, verbose=0)


def test_consistency_needs_an_augmentation():
    with pytest.raises(ValueError, match=r"augmentation must make two views.*Affine\(\). Received: None"):
        image_gan(1.0).compile()
    image_gan(0.0).compile()


def test_fakes_take_the_labels_of_the_batch(labelled):
    seen = []
    gan = conditional_gan(Labels(3), compiled=False)
    gan.compile(run_eagerly=True)
    inner = gan.discriminator.call

    def spy(inputs, *args, **kwargs):
        seen.append(ops.convert_to_numpy(inputs[1]))
        return inner(inputs, *args, **kwargs)

    gan.discriminator.call = spy
    labels = np.array([2, 2, 0, 1])
    gan.fit(labelled[0][:4], labels, batch_size=4, shuffle=False, verbose=0)
    assert len(seen) == 3
    for each in seen:
        np.testing.assert_array_equal(each, labels)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="exports run on TensorFlow")
def test_export_of_a_conditional_generator(labelled, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    gan = conditional_gan(Labels(3))
    assert gan.export(tmp_path / "g.tflite").max_error <= 1e-5
    generate = Interpreter(str(tmp_path / "g.tflite")).get_signature_runner("generate")
    latent = np.ones((1, 4), "float32")
    for label in range(3):
        labels = np.array([label], "int32")
        np.testing.assert_allclose(generate(latent=latent, labels=labels)["image"], gan([latent, labels]), atol=1e-5)
    assert gan.export(tmp_path / "saved").max_error <= 1e-5
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["generate"]
    images = served(latent=tf.ones((3, 4)), labels=tf.range(3))["image"]
    np.testing.assert_allclose(images, gan([np.ones((3, 4)), np.arange(3)]), atol=1e-6)


# === Bad input ===


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, ValueError, "condition on labels. Received: no labels"),
        (np.full(64, 3), ValueError, r"\[0, 3\). Received: labels from 3 to 3"),
        (np.full(64, -1), ValueError, r"labels from -1 to -1"),
        (np.zeros((64, 3), int), ValueError, r"class numbers of shape \(batch,\).*argmax"),
        (np.zeros(64), TypeError, "labels must be integers. Received: dtype float64"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_labels_in_fit(labels, error, message, stream, labelled):
    gan = conditional_gan(Labels(3))
    x = labelled[0][:64]
    with pytest.raises(error, match=message):
        if stream:
            data = x if labels is None else (x, labels)
            gan.fit(tf.data.Dataset.from_tensor_slices(data).batch(64), verbose=0)
        else:
            gan.fit(x, labels, verbose=0)
    assert int(gan.optimizer.iterations) == 0


def test_column_labels_are_taken(labelled):
    conditional_gan(Labels(3)).fit(labelled[0], labelled[1][:, None], batch_size=1024, verbose=0)


def test_bad_labels_in_sample():
    gan = conditional_gan(Labels(3))
    bad = {ValueError: ([0, 3], [0], [[1, 0], [0, 1]]), TypeError: ([0.5, 1.0],)}
    for error, labels in [(error, labels) for error, each in bad.items() for labels in each]:
        with pytest.raises(error, match="labels must"):
            gan.sample(2, labels=labels)
    with pytest.raises(ValueError, match="no condition on labels"):
        conditional_gan(Unconditional()).sample(2, labels=[0, 1])


def test_networks_that_lack_what_the_condition_needs():
    plain = A.mlp_generator((2,), 4, units=(8,)), A.mlp_discriminator((2,), units=(8,))
    with pytest.raises(ValueError, match=r"generator must take two inputs.*labels"):
        keras_gan.GAN(*plain, condition=Labels(3))
    with pytest.raises(
        ValueError, match=r"discriminator must return a dict \{'logits': \(batch, 1\), 'codes': \(batch, 3"
    ):
        keras_gan.GAN(*plain, condition=Codes([3]))
    with pytest.raises(ValueError, match="more than the 4 codes"):
        keras_gan.GAN(*plain, condition=Codes([4]))
    labelled = conditional_gan(Labels(3))
    with pytest.raises(ValueError, match=r"discriminator must take \[data, labels\]"):
        keras_gan.GAN(labelled.generator, plain[1], condition=Labels(3))
    with pytest.raises(TypeError, match="condition must be"):
        keras_gan.GAN(*plain, condition="labels")
    with pytest.raises(ValueError, match="pack must be 1 with a condition"):
        keras_gan.GAN(labelled.generator, labelled.discriminator, condition=Labels(3), pack=2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Labels(1),
        lambda: Labels(2.0),
        lambda: AuxiliaryClassifier(3, weight=-1),
        lambda: Codes(),
        lambda: Codes([1]),
        lambda: Codes([3], continuous=-1),
        lambda: Codes([3], categorical_weight=-0.1),
        lambda: Codes([], 1, continuous_weight=-0.1),
        lambda: Codes([3], consistency_weight=-0.1),
        lambda: Codes([], 1, consistency_weight=0.1),
    ],
)
def test_bad_arguments(make):
    with pytest.raises(ValueError, match="must"):
        make()
