import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_gan
from keras_gan.conditions import Codes, Labels, Vector
from keras_gan.layers import (
    ConditionalBatchNormalization,
    GroupedConv2D,
    MinibatchStandardDeviation,
    PixelNormalization,
    Residual,
    SpectralNormalization,
)

L = keras.layers


def top_singular_value(layer):
    kernel = ops.convert_to_numpy(layer.embeddings if isinstance(layer, L.Embedding) else layer.kernel)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]).astype("float64"), compute_uv=False)[0]


# === SpectralNormalization ===

KINDS = {
    "dense": (lambda: L.Dense(24, use_bias=False), (30,)),
    "conv": (lambda: L.Conv2D(24, 3, 2, padding="same", use_bias=False), (8, 8, 5)),
    "transposed": (lambda: L.Conv2DTranspose(7, 4, 2, padding="same", use_bias=False), (4, 4, 12)),
    "embedding": (lambda: L.Embedding(10, 16), ()),
}


def example_batch(kind, n=16):
    rng = np.random.default_rng(0)
    shape = KINDS[kind][1]
    return rng.integers(10, size=n) if kind == "embedding" else rng.normal(size=(n, *shape)).astype("float32")


def sigma_after(wrapper, x):
    """Returns the largest singular value of the layer's effective kernel, from its outputs."""
    plain, divided = ops.convert_to_numpy(wrapper.layer(x)), ops.convert_to_numpy(wrapper(x))
    divisor = float((plain * plain).sum() / (plain * divided).sum())
    np.testing.assert_allclose(divided * divisor, plain, rtol=1e-3, atol=1e-4)
    return top_singular_value(wrapper.layer) / divisor


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_norm_is_one_after_training_and_after_loading(kind, tmp_path):
    make, shape = KINDS[kind]
    dtype = "int32" if kind == "embedding" else "float32"
    model = keras.Sequential([keras.Input(shape, dtype=dtype), SpectralNormalization(make()), L.Flatten(), L.Dense(1)])
    x = example_batch(kind, 64)
    before = top_singular_value(model.layers[0].layer)
    model.compile(keras.optimizers.Adam(2e-2), "mse")
    model.fit(x, np.random.default_rng(1).normal(size=(64, 1)), epochs=10, batch_size=16, verbose=0)
    assert abs(top_singular_value(model.layers[0].layer) - before) > 0.05, "training should move sigma"
    assert 0.99 < sigma_after(model.layers[0], x) < 1.01

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert 0.99 < sigma_after(loaded.layers[0], x) < 1.01
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_norm_is_one_from_the_start(kind):
    wrapper = SpectralNormalization(KINDS[kind][0]())
    x = example_batch(kind)
    wrapper(x)
    assert 0.99 < sigma_after(wrapper, x) < 1.02


def test_forward_passes_keep_the_kernel_and_inference_keeps_u():
    wrapper = SpectralNormalization(L.Dense(24))
    x = example_batch("dense")
    wrapper(x)
    wrapper.layer.kernel.assign(3 * wrapper.layer.kernel + keras.random.normal((30, 24)))
    kernel, u = (ops.convert_to_numpy(v) for v in (wrapper.layer.kernel, wrapper.u))
    wrapper(x, training=False)
    np.testing.assert_array_equal(wrapper.u, u)
    for _ in range(100):
        wrapper(x, training=True)
    np.testing.assert_array_equal(wrapper.layer.kernel, kernel)
    assert np.abs(wrapper.u - u).max() > 1e-2
    np.testing.assert_allclose(ops.transpose(wrapper.u) @ wrapper.u, np.eye(16), atol=1e-5)
    assert 0.999 < sigma_after(wrapper, x) < 1.001


def test_fit_at_learning_rate_zero_keeps_the_kernel():
    model = keras.Sequential([keras.Input((30,)), SpectralNormalization(L.Dense(1))])
    kernel = ops.convert_to_numpy(model.layers[0].layer.kernel)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(example_batch("dense"), np.zeros((16, 1)), epochs=2, verbose=0)
    np.testing.assert_array_equal(model.layers[0].layer.kernel, kernel)


def test_a_second_singular_value_that_overtakes_the_first_is_seen_at_once():
    wrapper = SpectralNormalization(L.Dense(20, use_bias=False))
    wrapper.build((None, 20))
    values = np.linspace(2, 1, 20)
    for order in (values, values[[1, 0, *range(2, 20)]]):
        wrapper.layer.kernel.assign(np.diag(order))
        wrapper.u.assign(np.eye(20)[:, :16])
        y = ops.convert_to_numpy(wrapper(np.eye(20), training=True))
        assert 0.9999 < np.linalg.svd(y)[1][0] < 1.0001


def test_more_iterations_converge_faster():
    errors = []
    for n in (1, 20):
        wrapper = SpectralNormalization(L.Dense(24), power_iterations=n)
        wrapper.build((None, 30))
        wrapper.layer.kernel.assign(np.random.default_rng(0).normal(size=(30, 24)))
        wrapper.u.assign(np.eye(24)[:, :16])
        wrapper(example_batch("dense"), training=True)
        errors.append(abs(sigma_after(wrapper, example_batch("dense")) - 1))
    assert errors[0] > 5e-3 > 5e-4 > errors[1]


def test_bias_and_activation_are_not_divided():
    wrapper = SpectralNormalization(
        L.Conv2D(3, 1, activation="relu", bias_initializer=keras.initializers.Constant(0.7))
    )
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 5)).astype("float32")
    y = ops.convert_to_numpy(wrapper(x))
    kernel = ops.convert_to_numpy(wrapper.layer.kernel)[0, 0]
    np.testing.assert_allclose(y, np.maximum(x @ kernel / np.linalg.svd(kernel)[1][0] + 0.7, 0), rtol=1e-3, atol=1e-4)


def test_gradient_matches_finite_differences_of_the_svd():
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    wrapper = SpectralNormalization(L.Dense(3))
    wrapper.build((None, 4))
    kernel = rng.normal(size=(4, 3))
    wrapper.layer.kernel.assign(kernel)
    for _ in range(200):
        wrapper(x, training=True)
    with tf.GradientTape() as tape:
        value = ops.sum(c.astype("float32") * wrapper(x.astype("float32"), training=True))
    received = tape.gradient(value, wrapper.layer.kernel.value).numpy()

    def f(w):
        return (c * (x @ w / np.linalg.svd(w)[1][0])).sum()

    expected, h = np.zeros_like(kernel), 1e-5
    for i in np.ndindex(*kernel.shape):
        step = np.zeros_like(kernel)
        step[i] = h
        expected[i] = (f(kernel + step) - f(kernel - step)) / (2 * h)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3)
    assert np.abs((received * kernel).sum()) < 1e-3, "a function of direction alone has no radial gradient"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_sigma_in_float32(policy):
    wrapper = SpectralNormalization(L.Dense(24, use_bias=False, dtype=policy))
    x = example_batch("dense")
    y = wrapper(x, training=True)
    compute = policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(y.dtype) == compute
    assert (wrapper.u.dtype, wrapper.layer.kernel.dtype) == ("float32", "float32")
    plain, divided = (ops.convert_to_numpy(ops.cast(f(x), "float64")) for f in (wrapper.layer, wrapper))
    sigma = top_singular_value(wrapper.layer) * (plain * divided).sum() / (plain * plain).sum()
    assert 0.99 < sigma < 1.01


def test_a_kernel_of_zeros_recovers():
    wrapper = SpectralNormalization(L.Dense(24, kernel_initializer="zeros"))
    x = example_batch("dense")
    np.testing.assert_array_equal(wrapper(x, training=True), np.zeros((16, 24)))
    wrapper.layer.kernel.assign(keras.random.normal((30, 24)))
    for _ in range(100):
        wrapper(x, training=True)
    assert 0.99 < sigma_after(wrapper, x) < 1.01


def test_a_network_that_diverged_gives_nan_and_no_error():
    wrapper = SpectralNormalization(L.Dense(24))
    wrapper.build((None, 30))
    wrapper.layer.kernel.assign(np.full((30, 24), np.nan))
    assert np.isnan(wrapper(example_batch("dense"), training=True)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectralNormalization(L.ReLU()), "layer must be a Dense, Conv2D, .*Received: <ReLU"),
        (lambda: SpectralNormalization(3), "layer must be .*Received: 3"),
        (lambda: SpectralNormalization(L.Dense(1), power_iterations=0), "power_iterations must be .*Received: 0"),
        (lambda: MinibatchStandardDeviation(group_size=1), "group_size must be .*Received: 1"),
        (lambda: MinibatchStandardDeviation(group_size=2.0), "group_size must be .*Received: 2.0"),
    ],
)
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# === MinibatchStandardDeviation ===


def test_minibatch_standard_deviation_by_hand():
    # Groups of 2 in a batch of 4: examples 0 and 2, 1 and 3.
    x = np.array([[1, 0], [5, 5], [3, 4], [5, 6]], "float32")
    y = ops.convert_to_numpy(MinibatchStandardDeviation(group_size=2)(x))
    np.testing.assert_array_equal(y[:, :2], x)
    np.testing.assert_allclose(y[:, 2], [1.5, 0.25, 1.5, 0.25], atol=1e-4)


def test_minibatch_standard_deviation_of_images_and_of_any_batch_size():
    model = keras.Sequential([keras.Input((3, 2, 5)), MinibatchStandardDeviation(group_size=4)])
    assert model.output_shape == (None, 3, 2, 6)
    x = np.random.default_rng(0).normal(size=(7, 3, 2, 5)).astype("float32")
    for n in (1, 3, 4, 7):
        y = model.predict_on_batch(x[:n])
        expected = x[:n].std(axis=0).mean()
        np.testing.assert_array_equal(y[..., :5], x[:n])
        np.testing.assert_allclose(y[..., 5], np.full((n, 3, 2), expected), rtol=1e-4, atol=2e-4)
    y = model.predict(np.concatenate([x, x]), batch_size=9, verbose=0)[:9]
    groups = [x[np.arange(g, 9, 2) % 7].std(axis=0).mean() for g in range(2)]
    np.testing.assert_allclose(y[:, 0, 0, 5], np.array(groups)[np.arange(9) % 2], rtol=1e-4)


def test_minibatch_standard_deviation_has_a_gradient_where_all_examples_agree():
    x = tf.ones((4, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(MinibatchStandardDeviation()(x))
    assert np.isfinite(tape.gradient(y, x)).all()


# === PixelNormalization ===


def test_pixel_normalization_gives_unit_mean_square():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype("float32") * 7
    y = ops.convert_to_numpy(PixelNormalization()(x))
    np.testing.assert_allclose(y, x / np.sqrt((x**2).mean(-1, keepdims=True)), rtol=1e-5)
    half = ops.convert_to_numpy(PixelNormalization(dtype="float16")(np.full((1, 4), 6e4, "float16")))
    np.testing.assert_allclose(half, np.ones((1, 4)), rtol=1e-3)
    assert not np.isnan(PixelNormalization()(np.zeros((1, 4)))).any()


# === GroupedConv2D ===


# === ConditionalBatchNormalization ===

CONDITIONS = pytest.mark.parametrize("condition", [Labels(3), Vector(2)], ids=repr)


def conditional_normalization(condition, **options):
    """Makes the layer, its inputs, and scale and offset of each example, which are not the initial ones."""
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(6, 4, 5, 7)).astype("float32")
    given = condition.example_given(6, seed=1)
    layer = ConditionalBatchNormalization(condition, **options)
    layer([x, given])
    tables = [rng.normal(size=v.shape).astype("float32") for v in (layer.scale.weights[0], layer.offset.weights[0])]
    layer.scale.set_weights(tables[:1])
    layer.offset.set_weights(tables[1:])
    return layer, [x, given], [table[given] if given.ndim == 1 else given @ table for table in tables]


@CONDITIONS
def test_conditional_batch_normalization_is_the_formula(condition):
    layer, (x, given), (scale, offset) = conditional_normalization(condition, momentum=0.5, epsilon=1e-2)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    scale, offset = 1 + scale[:, None, None], offset[:, None, None]
    y = scale * (x - mean) / np.sqrt(variance + 1e-2) + offset
    np.testing.assert_allclose(layer([x, given], training=True), y, rtol=1e-4, atol=1e-4)
    # Inference takes moving averages: halfway from 0 and 1 to those of the batch.
    y = scale * (x - mean / 2) / np.sqrt((1 + variance) / 2 + 1e-2) + offset
    np.testing.assert_allclose(layer([x, given], training=False), y, rtol=1e-4, atol=1e-4)


@CONDITIONS
def test_conditional_batch_normalization_starts_as_batch_normalization(condition):
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(6, 7)).astype("float32")
    layer, plain = ConditionalBatchNormalization(condition), L.BatchNormalization()
    given = condition.example_given(6, seed=1)
    np.testing.assert_allclose(layer([x, given], training=True), plain(x, training=True), atol=1e-5)
    rows = {"labels": 3, "given": 2}[condition.given_name]
    assert [tuple(v.shape) for v in layer.trainable_weights] == [(rows, 7)] * 2


@CONDITIONS
def test_conditional_batch_normalization_is_saved(condition, tmp_path):
    x, given = keras.Input((4, 5, 7)), keras.Input(condition.given_shape, dtype=condition.given_dtype)
    layer, inputs, _ = conditional_normalization(condition, momentum=0.5, epsilon=1e-2)
    model = keras.Model([x, given], layer([x, given]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.layers[-1].get_config() == layer.get_config()
    assert (loaded.layers[-1].momentum, loaded.layers[-1].epsilon) == (0.5, 1e-2)
    np.testing.assert_array_equal(keras.models.clone_model(model)(inputs).shape, (6, 4, 5, 7))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@CONDITIONS
def test_conditional_batch_normalization_scales_in_float32(condition, policy):
    layer, inputs, _ = conditional_normalization(condition)
    half = ConditionalBatchNormalization(condition, dtype=policy)
    y = half(inputs)
    assert y.dtype == policy.removeprefix("mixed_")
    half.set_weights(layer.get_weights())
    assert {v.dtype for v in half.weights} == {"float32"}
    # The scales 1 + 1e-3 and 1 are one in bfloat16; a thousandth of 2 ** 10 is not.
    for scale in (layer, half):
        scale.scale.set_weights([np.full_like(scale.scale.weights[0], 1e-3)])
        scale.offset.set_weights([np.zeros_like(scale.offset.weights[0])])
    x = np.full((1, 1, 1, 7), 1024.0, "float32")
    given = np.ones((1, *condition.given_shape), condition.given_dtype)
    np.testing.assert_allclose(
        ops.cast(half([x, given]), "float32"), ops.cast(ops.cast(layer([x, given]), y.dtype), "float32"), rtol=1e-6
    )


def test_a_residual_block_passes_on_what_is_given():
    condition = Labels(3)
    rng = np.random.default_rng(0)
    x, given = rng.normal(size=(4, 2, 2, 3)).astype("float32"), np.array([0, 2, 1, 0])
    normalization = ConditionalBatchNormalization(condition)
    block = Residual([normalization, L.ReLU(), L.Conv2D(5, 1)], shortcut=[L.Conv2D(5, 1)])
    assert block.takes_given and not Residual([L.ReLU()]).takes_given
    assert block([x, given]).shape == (4, 2, 2, 5)
    normalization.offset.set_weights([rng.normal(size=(3, 3))])
    expected = block.residual[2](ops.relu(normalization([x, given]))) + block.shortcut[0](x)
    np.testing.assert_allclose(block([x, given]), expected, atol=1e-6)
    assert np.abs(block([x, given]) - block([x, (given + 1) % 3])).max() > 1e-2


@pytest.mark.parametrize(
    ("condition", "error"), [("labels", TypeError), (Labels, TypeError), (None, TypeError), (Codes([2]), ValueError)]
)
def test_conditional_batch_normalization_needs_a_condition(condition, error):
    with pytest.raises(error, match="condition must be"):
        ConditionalBatchNormalization(condition)


# === Others ===


def test_grouped_convolution_equals_keras():
    ours, theirs = (kind(8, 3, padding="same", groups=4) for kind in (GroupedConv2D, L.Conv2D))
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 12)).astype("float32")
    ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    assert ours.kernel.shape == (3, 3, 3, 8)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


# === Residual ===


def test_residual_is_the_sum_of_its_paths():
    block = Residual([L.Dense(4), L.ReLU()], [L.Dense(4)])
    x = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    y = ops.convert_to_numpy(block(x))
    a, a_bias, b, b_bias = block.get_weights()
    np.testing.assert_allclose(y, np.maximum(x @ a + a_bias, 0) + x @ b + b_bias, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(Residual([L.ReLU()])(x), np.maximum(x, 0) + x)


def test_residual_tells_its_layers_whether_it_trains():
    block = Residual([L.Dropout(0.5)])
    x = np.ones((1, 1000), "float32")
    np.testing.assert_array_equal(block(x), 2 * x)
    assert set(np.unique(block(x, training=True))) == {1.0, 3.0}


def test_layers_are_saved(tmp_path):
    assert keras_gan.layers.Residual is Residual
    model = keras.Sequential(
        [
            keras.Input((4, 4, 8)),
            Residual(
                [SpectralNormalization(L.Conv2D(8, 3, padding="same"), power_iterations=2), L.BatchNormalization()]
            ),
            GroupedConv2D(8, 3, groups=2),
            PixelNormalization(),
            MinibatchStandardDeviation(group_size=3),
        ]
    )
    x = np.random.default_rng(0).normal(size=(6, 4, 4, 8)).astype("float32")
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].residual[0].power_iterations == 2
    assert loaded.layers[-1].group_size == 3
    assert len(loaded.weights) == len(model.weights) == 2 + 2 + 4 + 2
    np.testing.assert_array_equal(loaded(x), model(x))


# === Instance normalization ===


def test_instance_normalization_normalizes_each_channel_of_each_image():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 6, 5, 2)) * [2.0, 0.1] + [50.0, -1.0]).astype("float32")
    layer = keras_gan.layers.InstanceNormalization(epsilon=1e-5)
    y = ops.convert_to_numpy(layer(x))
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-3)
    layer.gamma.assign([2.0, 3.0])
    layer.beta.assign([0.5, -0.5])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected * [2, 3] + [0.5, -0.5], atol=3e-3)


def test_instance_normalization_in_half_precision_takes_means_in_float32():
    x = np.random.default_rng(0).normal(300.0, 100.0, (2, 64, 64, 1)).astype("float16")
    y = ops.convert_to_numpy(ops.cast(keras_gan.layers.InstanceNormalization(dtype="mixed_float16")(x), "float32"))
    assert np.isfinite(y).all() and abs(y.mean()) < 0.01 and y.std() == pytest.approx(1, abs=0.01)


def test_instance_normalization_refuses_a_single_pixel_and_no_images():
    for shape in [(1, 1, 3), (8,)]:
        with pytest.raises(ValueError, match="more than one pixel"):
            keras_gan.layers.InstanceNormalization()(np.zeros((2, *shape), "float32"))
    with pytest.raises(ValueError, match="epsilon"):
        keras_gan.layers.InstanceNormalization(epsilon=0)
