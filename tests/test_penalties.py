import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_gan.backend import input_gradient
from keras_gan.penalties import R1, R2, GradientPenalty, LipschitzPenalty

ALL = [R1, R2, GradientPenalty, LipschitzPenalty]
SHAPES = [(3,), (4, 5, 2)]


def data(shape, n, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype("float32")


def linear(w):
    """Returns the discriminator `w . x`, whose gradient is `w` everywhere."""
    return lambda x: ops.sum(x * w, axis=tuple(range(1, len(x.shape))))[:, None]


def quadratic(a):
    """Returns the discriminator `a / 2 ||x||^2`, whose gradient is `a x`."""
    return lambda x: a / 2 * ops.sum(ops.square(x), axis=tuple(range(1, len(x.shape))))[:, None]


def squares(x):
    """Computes `||x_i||^2`, in float64."""
    return np.sum(np.square(x.astype("float64")), axis=tuple(range(1, x.ndim)))


@pytest.mark.parametrize("n", [1, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_linear_discriminator(shape, n):
    real, fake, w = data(shape, n, 0), data(shape, n, 1), data(shape, 1, 2)
    w = 2 * w / np.sqrt(squares(w))
    for length, one_sided in [(2.0, 1.0), (0.25, 0.0)]:
        discriminator = linear(w * np.float32(length / 2))
        np.testing.assert_allclose(R1(3.0)(discriminator, real, fake), 1.5 * length**2, rtol=1e-5)
        np.testing.assert_allclose(R2(3.0)(discriminator, real, fake), 1.5 * length**2, rtol=1e-5)
        two_sided = (length - 1) ** 2
        np.testing.assert_allclose(GradientPenalty(3.0)(discriminator, real, fake), 3 * two_sided, rtol=1e-5)
        np.testing.assert_allclose(LipschitzPenalty(3.0)(discriminator, real, fake), 3 * one_sided, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_quadratic_discriminator(shape):
    real, fake = data(shape, 6, 0), data(shape, 6, 1)
    discriminator = quadratic(1.5)
    np.testing.assert_allclose(R1(3.0)(discriminator, real, fake), 1.5 * 2.25 * squares(real).mean(), rtol=1e-5)
    np.testing.assert_allclose(R2(3.0)(discriminator, real, fake), 1.5 * 2.25 * squares(fake).mean(), rtol=1e-5)
    # If reals and fakes are equal, so are points between them.
    norms = 1.5 * np.sqrt(squares(real))
    two_sided, one_sided = np.square(norms - 1).mean(), np.square(np.maximum(norms - 1, 0)).mean()
    np.testing.assert_allclose(GradientPenalty(3.0)(discriminator, real, real), 3 * two_sided, rtol=1e-5)
    np.testing.assert_allclose(LipschitzPenalty(3.0)(discriminator, real, real), 3 * one_sided, rtol=1e-5)


def test_norms_are_of_each_example_not_of_the_batch():
    # Slopes 1 and 3: by example (0 + 4) / 2; of the mean slope it would be 1, of the batch's norm 4.675.
    x = np.array([[1.0], [3.0]], "float32")
    np.testing.assert_allclose(GradientPenalty(1.0)(quadratic(1.0), x, x), 2.0, rtol=1e-5)
    np.testing.assert_allclose(R1(2.0)(quadratic(1.0), x, x), 5.0, rtol=1e-5)


def epsilons(penalty, n, seed):
    """Returns the interpolation weights of `penalty`: the discriminator's inputs for reals of 1 and fakes of 0."""
    seen = []

    def discriminator(x):
        seen.append(ops.convert_to_numpy(x))
        return linear(np.ones((1, 2, 2, 1), "float32"))(x)

    penalty(discriminator, np.ones((n, 2, 2, 1), "float32"), np.zeros((n, 2, 2, 1), "float32"), seed)
    (x,) = seen
    assert x.shape == (n, 2, 2, 1)
    return x


@pytest.mark.parametrize("penalty", [GradientPenalty(), LipschitzPenalty()])
def test_interpolates_are_uniform_and_one_per_example(penalty):
    x = epsilons(penalty, 4000, keras.random.SeedGenerator(0))
    assert np.all(x == x[:, :1, :1])
    e = np.sort(x[:, 0, 0, 0])
    assert len(np.unique(e)) > 3990
    # Kolmogorov and Smirnov's distance to the uniform distribution: below 1.63 / sqrt(n) with probability 0.99.
    assert np.abs(e - (np.arange(4000) + 0.5) / 4000).max() < 1.63 / np.sqrt(4000)


def test_interpolates_lie_between_reals_and_fakes():
    # The slope at e * 2 + (1 - e) * 1 is 1 + e, so the penalty is the mean of e^2: 1/3, with a deviation of 0.005.
    real, fake = np.full((4000, 1), 2.0, "float32"), np.ones((4000, 1), "float32")
    value = GradientPenalty(1.0)(quadratic(1.0), real, fake, keras.random.SeedGenerator(0))
    assert 1 / 3 - 0.015 < float(value) < 1 / 3 + 0.015


def test_seed():
    one, two = keras.random.SeedGenerator(7), keras.random.SeedGenerator(7)
    first, second = epsilons(GradientPenalty(), 8, one), epsilons(GradientPenalty(), 8, one)
    assert np.all(first != second)
    np.testing.assert_array_equal(first, epsilons(GradientPenalty(), 8, two))
    # The position is in the generator's state, so that a restored state continues there.
    two.state.assign(one.state)
    np.testing.assert_array_equal(epsilons(GradientPenalty(), 8, one), epsilons(GradientPenalty(), 8, two))


def test_replicas_share_no_epsilon(monkeypatch):
    whole = epsilons(GradientPenalty(), 7, keras.random.SeedGenerator(3))
    for i, part in enumerate((slice(0, 4), slice(4, 7))):
        context = types.SimpleNamespace(
            replica_id_in_sync_group=i, num_replicas_in_sync=2, all_reduce=lambda *_: tf.constant([4.0, 3.0])
        )
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda context=context: context)
        found = epsilons(GradientPenalty(), part.stop - part.start, keras.random.SeedGenerator(3))
        np.testing.assert_array_equal(found, whole[part])


@pytest.mark.parametrize(
    ("penalty", "slope"),
    [
        # The gradient by w of gamma / 2 ||w||^2, and of weight (||w|| - 1)^2.
        (R1(3.0), lambda w, norm: 3 * w),
        (R2(3.0), lambda w, norm: 3 * w),
        (GradientPenalty(3.0), lambda w, norm: 6 * (norm - 1) * w / norm),
        (LipschitzPenalty(3.0), lambda w, norm: 6 * max(norm - 1, 0) * w / norm),
    ],
)
@pytest.mark.parametrize("length", [0.5, 3.0])
def test_second_order_gradients(penalty, slope, length):
    real, fake = data((3,), 4, 0), data((3,), 4, 1)
    w = np.array([2.0, -1.0, 2.0], "float32") / 3 * np.float32(length)
    gradient = input_gradient(lambda w: penalty(linear(w), real, fake), w)
    np.testing.assert_allclose(gradient, slope(w, length), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("penalty", ALL)
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1e-3])
def test_flat_discriminator(penalty, scale):
    real, fake = data((3,), 4, 0), data((3,), 4, 1)
    direction = np.array([2.0, -1.0, 2.0], "float32") / 3
    w = direction * np.float32(scale)
    value = float(penalty(1.0)(linear(w), real, fake))
    np.testing.assert_allclose(
        value, {GradientPenalty: (1 - scale) ** 2, LipschitzPenalty: 0}.get(penalty, scale**2 / 2), rtol=1e-5, atol=0
    )
    gradient = ops.convert_to_numpy(input_gradient(lambda w: penalty(1.0)(linear(w), real, fake), w))
    if penalty is GradientPenalty and scale == 1e-3:
        np.testing.assert_allclose(gradient, -2 * (1 - scale) * direction, rtol=1e-5)
    else:
        assert np.all(np.isfinite(gradient)) and np.abs(gradient).max() <= scale


@pytest.mark.parametrize("penalty", ALL)
def test_discriminator_that_ignores_its_input(penalty):
    value = penalty(1.0)(lambda x: ops.ones((4, 1)), data((3,), 4, 0), data((3,), 4, 1))
    np.testing.assert_allclose(value, 1.0 if penalty is GradientPenalty else 0.0, atol=1e-5)


@pytest.mark.parametrize("penalty", ALL)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_low_precision_discriminator(penalty, policy):
    # ||w||^2 is 360,000, above the largest float16. The logit itself stays small.
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype=policy)])
    model.layers[0].kernel.assign(np.full((4, 1), 300.0))
    x = ops.cast(np.full((2, 4), 0.125), policy.removeprefix("mixed_"))
    value = penalty(1.0)(lambda x: model(x, training=False), x, x)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    expected = 180_000 if penalty in (R1, R2) else 599**2
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_batch_statistics_do_not_move():
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    before = [ops.convert_to_numpy(v) for v in model.variables]
    for penalty in ALL:
        penalty()(lambda x: model(x, training=False), data((3,), 4, 0), data((3,), 4, 1))
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, ops.convert_to_numpy(b))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("penalty", ALL)
def test_in_a_graph_with_unknown_batch(penalty, jit_compile):
    seed = keras.random.SeedGenerator(5)
    spec = tf.TensorSpec((None, 4, 5, 2), "float32")

    @tf.function(input_signature=[spec, spec], jit_compile=jit_compile)
    def value_and_slope(real, fake):
        def value(a):
            return penalty(3.0)(quadratic(a), real, fake, seed)

        a = ops.convert_to_tensor(0.5)
        return value(a), input_gradient(value, a)

    values = []
    for n in 6, 2:
        real = data((4, 5, 2), n, n)
        value, slope = value_and_slope(real, real)
        norms = np.sqrt(squares(real))
        expected, by_a = {
            R1: (1.5 * 0.25 * norms**2, 1.5 * norms**2),
            R2: (1.5 * 0.25 * norms**2, 1.5 * norms**2),
            GradientPenalty: (3 * (norms / 2 - 1) ** 2, 6 * (norms / 2 - 1) * norms),
            LipschitzPenalty: (
                3 * np.maximum(norms / 2 - 1, 0) ** 2,
                6 * np.maximum(norms / 2 - 1, 0) * norms,
            ),
        }[penalty]
        np.testing.assert_allclose(value, expected.mean(), rtol=1e-4)
        np.testing.assert_allclose(slope, by_a.mean(), rtol=1e-4)
        values.append(float(value_and_slope(real, -real)[0]))
        values.append(float(value_and_slope(real, -real)[0]))
    if penalty is GradientPenalty:
        # Between x and -x the place matters, and the seed advances inside the graph.
        assert len(set(values)) == 4


@pytest.mark.parametrize("penalty", ALL)
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "10", None])
def test_bad_weight(penalty, weight):
    name = "gamma" if penalty in (R1, R2) else "weight"
    with pytest.raises(ValueError, match=rf"{name} must be a finite number >= 0\. Received: "):
        penalty(weight)


@pytest.mark.parametrize("penalty", ALL)
def test_weight_of_zero(penalty):
    assert float(penalty(0)(quadratic(1.0), data((3,), 4, 0), data((3,), 4, 1))) == 0


@pytest.mark.parametrize("penalty", ALL)
def test_serialisation(penalty):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty(2.5)))
    assert type(again) is penalty
    assert vars(again) == vars(penalty(2.5))
    assert vars(penalty()) == vars(penalty(10.0))
