import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from scipy.special import softmax

import keras_gan
from keras_gan.conditions import AuxiliaryClassifier, Codes, Condition, Labels, Unconditional, Vector

A = keras_gan.architectures


def conditional_gan(condition, compiled=True, ema=None, **options):
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
    gan = keras_gan.GAN(generator, keras.Model(inputs, outputs), condition=condition, seed=0, ema=ema, **options)
    if compiled:
        gan.compile(keras.optimizers.Adam(5e-3, beta_1=0.5), keras.optimizers.Adam(5e-3, beta_1=0.5), penalties=())
    return gan


CENTERS = np.array([[2.0, 0], [-2, 0], [0, 2]], "float32")


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 4096)
    return (CENTERS[labels] + rng.normal(size=(4096, 2)) * 0.2).astype("float32"), labels


def brought(labelled, condition):
    """Makes data and their `given` for a condition: a vector is the one-hot label, as integers."""
    points, labels = labelled
    return (points, np.eye(3, dtype=int)[labels]) if condition.given_name == "given" else (points, labels)


CONDITIONS = [Unconditional(), Labels(3), AuxiliaryClassifier(3, weight=0.5), Codes([3], 1, 1.0, 0.1), Vector(3)]
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
    """A channel that flips a bit with probability e carries log 2 - H(e) nats, and the optimal Q reaches that."""
    e = 0.1
    counts = np.array([[9, 1], [1, 9]])  # of code c and observed sample x
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
    data = brought(labelled, condition)
    gan.fit(*data, batch_size=512, verbose=0, validation_data=data)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    given = np.eye(3)[np.arange(9) % 3] if condition.given_name == "given" else None
    np.testing.assert_array_equal(loaded.sample(9, seed=0, given=given), gan.sample(9, seed=0, given=given))
    assert loaded.condition == condition and loaded.condition is not condition
    loaded.fit(*data, batch_size=512, verbose=0)


@pytest.mark.parametrize(
    "condition",
    [
        Labels(3),
        *(pytest.param(other, marks=pytest.mark.long_elsewhere) for other in (AuxiliaryClassifier(3), Vector(3))),
    ],
    ids=lambda c: type(c).__name__,
)
def test_samples_follow_what_they_are_given(condition, labelled):
    gan = conditional_gan(condition)
    gan.fit(*brought(labelled, condition), batch_size=128, epochs=12, verbose=0)
    labels = [0, 1, 2] * 100
    given = labels if condition.given_name == "labels" else np.eye(3)[labels]
    samples = gan.sample(300, seed=0, given=given)
    nearest = np.linalg.norm(samples[:, None] - CENTERS, axis=-1).argmin(1)
    assert np.mean(nearest == np.tile([0, 1, 2], 100)) > 0.9
    if condition.given_name == "labels":
        np.testing.assert_array_equal(samples, gan.sample(300, seed=0))
        np.testing.assert_array_equal(samples, gan.sample(300, seed=0, labels=labels))


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
        ema=None,
    )


def test_consistency_looks_at_each_real_twice_and_differently():
    class Spy(Codes):
        def consistency_term(self, real_extra, other_extra):
            seen.append([ops.convert_to_numpy(extra["codes"]) for extra in (real_extra, other_extra)])
            return 1000.0

    seen = []
    gan = image_gan(1.0)
    gan.condition = Spy([2], consistency_weight=1.0)
    gan.compile(augmentation=keras_gan.augmentation.Affine(), run_eagerly=True, penalties=())
    x = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype("float32")
    objective, _ = gan.discriminator_objective(x)
    ((first, second),) = seen
    assert first.shape == second.shape == (4, 2)
    plain = ops.convert_to_numpy(gan.discriminator(x)["codes"])
    for a, b in ((first, second), (first, plain), (second, plain)):
        assert np.abs(a - b).max() > 1e-5
    assert 1000 < float(objective) < 1010
    # The generator and validation use no second view.
    gan.generator_objective(x)
    gan.evaluate(x, verbose=0)
    assert len(seen) == 1


def test_consistency_trains_and_is_saved(tmp_path):
    gan = image_gan(1.0)
    gan.compile(augmentation=keras_gan.augmentation.Affine(), penalties=())
    # Also with a smaller last batch.
    x = np.random.default_rng(0).uniform(-1, 1, (13, 8, 8, 1)).astype("float32")
    history = gan.fit(x, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(history["discriminator_loss"]).all()
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.condition.consistency_weight == 1.0
    assert loaded.augmentation.get_config()["shear"] == 0.3
    loaded.fit(x, batch_size=4, verbose=0)


def test_consistency_needs_an_augmentation():
    with pytest.raises(ValueError, match=r"augmentation must be given, such as .*Affine\(\), since .*Received: None"):
        image_gan(1.0).compile()
    image_gan(0.0).compile(penalties=())


def test_fakes_take_the_labels_of_the_batch(labelled):
    seen = []
    gan = conditional_gan(Labels(3), compiled=False)
    gan.compile(run_eagerly=True, penalties=())
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


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="exports run on TensorFlow")
def test_export_of_a_generator_that_is_given_vectors(labelled, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    gan = conditional_gan(Vector(3))
    report = gan.export(tmp_path / "g.tflite", sample=True)
    assert report.max_error <= 1e-5
    assert report.signatures["generate"] == "latent float32 (1, 4), given float32 (1, 3) -> image float32 (1, 2)"
    assert report.signatures["sample"] == "seed int32 (1), given float32 (1, 3) -> image float32 (1, 2)"
    generate = Interpreter(str(tmp_path / "g.tflite")).get_signature_runner("generate")
    latent, given = np.ones((1, 4), "float32"), np.array([[0.5, -2, 3]], "float32")
    np.testing.assert_allclose(generate(latent=latent, given=given)["image"], gan([latent, given]), atol=1e-5)
    # The rows of the data are used for metrics and checks.
    data = tf.data.Dataset.from_tensor_slices((CENTERS, 100 + np.eye(3, dtype=int))).batch(2)
    seen = []

    class Spy(Vector):
        def example_given(self, n, seed=None, rows=None):
            seen.append(rows)
            return super().example_given(n, seed, rows)

    options = {"metrics": [keras_gan.metrics.ModeCoverage(CENTERS, sigma=1.0)], "prior": gan.noise_prior}
    keras_gan.export.export(gan.generator, tmp_path / "h.tflite", data=iter(data), condition=Spy(3), **options)
    assert len(seen) > 2
    for rows in seen:
        np.testing.assert_array_equal(rows, 100 + np.eye(3, dtype="float32")[:2])


# === The networks' condition ===


def images_gan(generator_condition, discriminator_condition, ema=None, **options):
    latent_dim = 4 + (discriminator_condition or Unconditional()).num_codes
    return keras_gan.GAN(
        A.dcgan_generator((8, 8, 1), latent_dim, width=4, condition=generator_condition),
        A.dcgan_discriminator((8, 8, 1), width=4, condition=discriminator_condition),
        seed=0,
        ema=ema,
        **options,
    )


@EACH
def test_a_gan_takes_the_condition_of_its_builders(condition, tmp_path):
    gan = images_gan(condition, condition, ema=0.9)
    assert gan.condition is condition and gan.latent_dim == 4 + condition.num_codes
    assert gan.ema_generator.condition == condition
    assert images_gan(condition, condition, condition=type(condition)(**condition.get_config())).condition == condition
    gan.compile(penalties=())
    x = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")
    given = condition.example_given(6, seed=0)
    gan.fit(x, given, batch_size=3, verbose=0)
    gan.save(tmp_path / "gan.keras")
    sample_of = {"seed": 0, "given": given}
    for load in (keras.models.load_model, keras_gan.saving.load_untrusted):
        loaded = load(tmp_path / "gan.keras")
        for network in (loaded.generator, loaded.discriminator, loaded.ema_generator, loaded):
            assert network.condition == condition
        np.testing.assert_array_equal(loaded.sample(6, **sample_of), gan.sample(6, **sample_of))
    loaded.generator.save(tmp_path / "generator.keras")
    assert keras_gan.saving.load_untrusted(tmp_path / "generator.keras").condition == condition


def test_one_builder_is_enough_where_the_other_network_needs_nothing():
    assert images_gan(None, Codes([3], 1)).condition == Codes([3], 1)
    with pytest.raises(ValueError, match=r"discriminator must return a dict .*'codes': \(batch, 3\)"):
        images_gan(Codes([3]), None)


def test_conditions_that_differ_are_refused():
    with pytest.raises(
        ValueError,
        match=r"Received: generator was built with Labels\(num_classes=3\), "
        r"discriminator was built with Labels\(num_classes=4\)\. Build",
    ):
        images_gan(Labels(3), Labels(4))
    with pytest.raises(
        ValueError,
        match=r"condition=Labels\(num_classes=5\), generator was built with Labels\(num_classes=3\), discriminator "
        r"was built with Labels\(num_classes=3\)\..* Leave condition out",
    ):
        images_gan(Labels(3), Labels(3), condition=Labels(5))
    for first, second in (
        (Labels(3), AuxiliaryClassifier(3)),
        (AuxiliaryClassifier(3), AuxiliaryClassifier(3, weight=2.0)),
        (Vector(3), Vector(2)),
        (Unconditional(), Labels(3)),
    ):
        with pytest.raises(ValueError, match="condition must be the same for all"):
            images_gan(first, second)
    with pytest.raises(ValueError, match=r"discriminator must take \[data, labels\]"):
        images_gan(Labels(3), None)
    with pytest.raises(TypeError, match="condition must be a keras_gan"):
        images_gan(Labels(3), Labels(3), condition="labels")


def test_conditions_are_equal_by_class_and_settings():
    assert Labels(3) == Labels(np.int64(3)) != Labels(4) and hash(Labels(3)) == hash(Labels(3))
    assert Labels(3) != AuxiliaryClassifier(3) and Labels(3) != 3
    assert Codes([3], 1) == Codes((np.int32(3),), 1) != Codes([3], 1, consistency_weight=1.0)
    assert Vector(3) == Vector(3) != Vector(2) and Unconditional() == Unconditional()
    assert repr(AuxiliaryClassifier(3, 0.5)) == "AuxiliaryClassifier(num_classes=3, weight=0.5)"


def own_networks(generator_classes, discriminator_classes):
    """A pair made of plain layers."""
    generator = conditional_gan(Labels(generator_classes), compiled=False).generator
    return generator, conditional_gan(Labels(discriminator_classes), compiled=False).discriminator


# Without the check TensorFlow fails within the compiled step, and JAX trains all weights to NaN.
@pytest.mark.parametrize(("sizes", "name"), [((3, 4), "generator"), ((5, 4), "discriminator")])
def test_own_networks_must_know_all_classes(sizes, name):
    with pytest.raises(
        ValueError, match=rf"{name} must take labels up to 4, as Labels\(num_classes=5\) says.*Received"
    ):
        keras_gan.GAN(*own_networks(*sizes), condition=Labels(5))
    keras_gan.GAN(*own_networks(*sizes), condition=Labels(min(sizes)))
    keras_gan.GAN(*own_networks(6, 5), condition=Labels(5))


def test_own_networks_must_give_finite_values():
    """Uses NaN, JAX's result for a row that does not exist."""
    for i, name in enumerate(("generator", "discriminator")):
        networks = own_networks(5, 5)
        (embedding,) = [layer for layer in networks[i].layers if isinstance(layer, layers.Embedding)]
        table = embedding.get_weights()[0]
        table[4] = np.nan
        embedding.set_weights([table])
        with pytest.raises(ValueError, match=rf"{name} must take labels up to 4.*Received: outputs that are NaN"):
            keras_gan.GAN(*networks, condition=Labels(5))
        keras_gan.GAN(*networks, condition=Labels(4))


def test_an_error_of_an_own_network_is_told():
    class Narrow(layers.Layer):
        def call(self, labels):
            if int(labels[0]) > 2:
                raise RuntimeError("two at most")
            return ops.one_hot(labels, 3)

        def compute_output_spec(self, labels):
            return keras.KerasTensor((None, 3))

    z, y = keras.Input((4,)), keras.Input((), dtype="int32")
    generator = keras.Model([z, y], layers.Dense(2)(layers.Concatenate()([z, Narrow()(y)])))
    with pytest.raises(ValueError, match=r"generator must take labels up to 3.*Received: two at most"):
        keras_gan.GAN(generator, own_networks(4, 4)[1], condition=Labels(4))


def test_built_networks_are_not_run_in_the_constructor(monkeypatch):
    ran = []
    network = type(images_gan(Labels(3), Labels(3)).generator)
    call = network.call

    def spy(self, inputs, *args, **kwargs):
        ran.append(self)
        return call(self, inputs, *args, **kwargs)

    monkeypatch.setattr(network, "call", spy)
    gan = images_gan(Labels(3), Labels(3))
    assert ran == []
    gan.sample(1)
    assert ran == [gan.generator]


@keras.saving.register_keras_serializable(package="tests")
class Direction(Condition):
    """Minimal custom condition: a unit vector."""

    given_name, given_shape, given_dtype, given_to_discriminator = "direction", (2,), "float32", True

    def check_given(self, given, n, of):
        super().check_given(given, n, of)
        if not np.allclose(np.linalg.norm(given, axis=1), 1, atol=1e-3):
            raise ValueError("direction must have length 1.")

    def default_given(self, n):
        angles = 2 * np.pi * np.arange(n) / n
        return np.stack([np.cos(angles), np.sin(angles)], 1).astype("float32")

    def extreme_given(self):
        return self.default_given(1)


@pytest.mark.parametrize(
    ("build", "labels_by"),
    [
        (A.dcgan_generator, "projection"),
        (A.dcgan_generator, "concatenation"),
        (A.resnet_generator, "projection"),
        pytest.param(A.modern_generator, "projection", marks=pytest.mark.long),
        pytest.param(A.resnet_generator, "concatenation", marks=pytest.mark.long),
        pytest.param(A.modern_generator, "concatenation", marks=pytest.mark.long),
    ],
)
def test_a_condition_of_ones_own(build, labels_by, tmp_path):
    gan = keras_gan.GAN(
        build((8, 8, 1), 4, width=8, condition=Direction()),
        A.sn_dcgan_discriminator((8, 8, 1), width=4, condition=Direction(), labels_by=labels_by),
        seed=0,
        ema=None,
    )
    gan.compile(penalties=())
    x = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")
    with pytest.raises(ValueError, match="direction must have length 1"):
        gan.fit(x, np.ones((6, 2)), verbose=0)
    with pytest.raises(ValueError, match=r"x must give batches of \(images, direction\).*Received: no direction"):
        gan.fit(x, verbose=0)
    gan.fit(x, Direction().default_given(6), batch_size=3, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras_gan.saving.load_untrusted(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.sample(3, seed=0), gan.sample(3, seed=0))
    with pytest.raises(ValueError, match=r"no condition on labels.*Pass given=, which is for Direction\(\)"):
        gan.sample(2, labels=[0, 1])
    if keras.config.backend() == "tensorflow":
        report = gan.export(tmp_path / "g.tflite")
        assert report.signatures["generate"].startswith("latent float32 (1, 4), direction float32 (1, 2)")


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


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, ValueError, r"x must give batches of \(images, given\).*Received: no given"),
        (np.zeros((64, 2)), ValueError, r"given must have the shape \(batch, 3\). Received: shape \(64, 2\)"),
        (np.zeros(64), ValueError, r"given must have the shape \(batch, 3\). Received: shape \(64,\)"),
        (np.full((64, 3), np.nan), ValueError, "given must be finite. Received: 192 of 192 NaN or infinite"),
        (np.full((64, 3), 1e39), ValueError, "given must be finite"),
        (np.full((64, 3), "a"), TypeError, "given must be numbers. Received: dtype <U1"),
        (np.zeros((64, 3), bool), TypeError, "given must be numbers. Received: dtype bool"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_vectors_in_fit(given, error, message, stream, labelled):
    gan = conditional_gan(Vector(3))
    x = labelled[0][:64]
    if stream:
        message = message.replace("<U1", "object")
    with pytest.raises(error, match=message):
        if stream:
            data = x if given is None else (x, given)
            gan.fit(tf.data.Dataset.from_tensor_slices(data).batch(64), verbose=0)
        else:
            gan.fit(x, given, verbose=0)
    assert int(gan.optimizer.iterations) == 0


def test_vectors_in_sample():
    gan = conditional_gan(Vector(3))
    with pytest.raises(ValueError, match=r"given must say.*Vector\(n=3\): an array \(2, 3\).*sample\(n, given="):
        gan.sample(2)
    with pytest.raises(ValueError, match=r"labels must be None.*Pass given=, which is for Vector\(n=3\)"):
        gan.sample(2, labels=[0, 1])
    with pytest.raises(ValueError, match=r"given must have length 2, one entry for each of the samples\. Received: 3"):
        gan.sample(2, given=np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"given must have the shape \(batch, 3\)"):
        gan.sample(2, given=[[0, 1]] * 2)
    with pytest.raises(ValueError, match="both"):
        conditional_gan(Labels(3)).sample(2, labels=[0, 1], given=[0, 1])
    with pytest.raises(ValueError, match="given must be None: this GAN has no condition"):
        conditional_gan(Codes([3])).sample(2, given=[0, 1])
    whole, wide = gan.sample(2, seed=0, given=[[0, 1, 2]] * 2), gan.sample(2, seed=0, given=np.float64([[0, 1, 2]] * 2))
    np.testing.assert_array_equal(whole, wide)
    # More than one batch of samples.
    given = np.random.default_rng(0).normal(size=(300, 3)).astype("float32")
    latents = gan.prior.sample(300, 0)
    expected = ops.convert_to_numpy(gan([latents, given]))
    np.testing.assert_allclose(gan.sample(300, seed=0, given=given), expected, atol=1e-6)


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
    with pytest.raises(ValueError, match="more than the 4 numbers that are codes"):
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
        lambda: Labels(True),
        lambda: Vector(0),
        lambda: Vector(True),
        lambda: Vector(2.0),
        lambda: Codes([True]),
        lambda: Codes([3], continuous=True),
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
