import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import ndimage

from keras_gan.augmentation import AdaptiveAugmentation, Affine, Augmentation, DiffAugment


def images(n=6, height=9, width=16, channels=3, dtype="float32"):
    return np.random.default_rng(0).uniform(-1, 1, (n, height, width, channels)).astype(dtype)


def uniforms(n=6, count=7):
    return np.random.default_rng(1).random((n, count)).astype("float32")


def only(name):
    return DiffAugment(**{key: key == name for key in ("color", "translation", "cutout")})


def by_hand(image, u):
    """Computes DiffAugment as in its paper, for one example, step by step in float64."""
    x = image.astype("float64")
    height, width, _ = x.shape
    x = x + (u[0] - 0.5)
    grey = x.mean(-1, keepdims=True)
    x = (x - grey) * (2 * u[1]) + grey
    x = (x - x.mean()) * (u[2] + 0.5) + x.mean()
    moved = np.zeros_like(x)
    largest = [round(height / 8 + 1e-9), round(width / 8 + 1e-9)]
    down, right = (int(v * (2 * k + 1)) - k for v, k in zip(u[3:5], largest, strict=True))
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                moved[i, j] = x[i - down, j - right]
    lengths = [(height + 1) // 2, (width + 1) // 2]
    centers = [int(v * (s + 1 - k % 2)) for v, s, k in zip(u[5:], (height, width), lengths, strict=True)]
    for i in range(centers[0] - lengths[0] // 2, centers[0] - lengths[0] // 2 + lengths[0]):
        for j in range(centers[1] - lengths[1] // 2, centers[1] - lengths[1] // 2 + lengths[1]):
            if 0 <= i < height and 0 <= j < width:
                moved[i, j] = 0
    return moved


# === DiffAugment ===


@pytest.mark.parametrize("shape", [(9, 16, 3), (8, 8, 1), (28, 28, 1), (7, 5, 4), (1, 1, 1)])
def test_equals_the_paper_step_by_step(shape):
    x, u = images(40, *shape), uniforms(40)
    result = ops.convert_to_numpy(DiffAugment().transform(ops.convert_to_tensor(x), ops.convert_to_tensor(u)))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [by_hand(*pair) for pair in zip(x, u, strict=True)], atol=1e-5)


def test_each_part_alone():
    x = images()
    for name, columns in (("color", slice(0, 3)), ("translation", slice(3, 5)), ("cutout", slice(5, 7))):
        # Random numbers in the middle of their range change neither color nor place; there is always a cutout.
        u = np.full((6, 7), 0.5, "float32")
        u[:, columns] = uniforms()[:, columns]
        if name == "cutout":
            expected = np.stack([by_hand(*pair) for pair in zip(x, u, strict=True)])
        else:
            expected = DiffAugment(cutout=False).transform(ops.convert_to_tensor(x), ops.convert_to_tensor(u))
        result = only(name).transform(ops.convert_to_tensor(x), ops.convert_to_tensor(uniforms()))
        np.testing.assert_allclose(result, expected, atol=1e-5)
        assert np.abs(result - x).max() > 0.1


def test_saturation_is_the_identity_of_one_channel():
    x, u = ops.convert_to_tensor(images(channels=1)), uniforms()
    other = u.copy()
    other[:, 1] = 1 - u[:, 1]
    results = [ops.convert_to_numpy(only("color").transform(x, ops.convert_to_tensor(v))) for v in (u, other)]
    np.testing.assert_allclose(*results, atol=1e-6)
    x = ops.convert_to_tensor(images(channels=3))
    results = [ops.convert_to_numpy(only("color").transform(x, ops.convert_to_tensor(v))) for v in (u, other)]
    assert np.abs(results[0] - results[1]).max() > 0.1


def test_colour_has_the_ranges_of_the_paper():
    # Two gray rows of 0.25 and -0.25: their mean is the brightness, their difference the contrast.
    x = np.full((4000, 2, 1, 3), 0.25, "float32")
    x[:, 1] = -0.25
    grey = ops.convert_to_numpy(only("color")(x, seed=0))
    # Red and green of one brightness: their difference is contrast times saturation.
    x = np.tile(np.array([0.5, -0.5, 0.0], "float32"), (4000, 2, 1, 1))
    colour = ops.convert_to_numpy(only("color")(x, seed=0))
    brightness = grey.mean((1, 2, 3))
    contrast = (grey[:, 0, 0, 0] - grey[:, 1, 0, 0]) / 0.5
    saturation = (colour[:, 0, 0, 0] - colour[:, 0, 0, 1]) / contrast
    for values, low, high in ((brightness, -0.5, 0.5), (contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        margin = 0.01 * (high - low)
        assert low - 1e-5 <= values.min() < low + margin and high - margin < values.max() <= high + 1e-5
        # Standard error of the mean 0.0046 of the range.
        assert abs(values.mean() - (low + high) / 2) < 2 * margin
        assert 0.28 < values.std() / (high - low) < 0.297
    correlation = np.corrcoef([brightness, contrast, saturation])[~np.eye(3, dtype=bool)]
    assert 1e-4 < np.abs(correlation).max() < 0.08


def test_shifts_are_equally_likely_and_fill_with_zeros():
    rows, columns = np.mgrid[:16, :24] + 1.0
    x = np.tile(np.stack([rows, columns], -1), (6000, 1, 1, 1)).astype("float32")
    moved = ops.convert_to_numpy(only("translation")(x, seed=0))
    # The middle pixel never moves out: its value encodes its source.
    down, right = 9 - moved[:, 8, 12, 0], 13 - moved[:, 8, 12, 1]
    table = np.zeros((5, 7))
    np.add.at(table, (down.astype(int) + 2, right.astype(int) + 3), 1)
    assert table.sum() == 6000
    # 171 +- 13 in each of the 5 x 7 places.
    assert 120 < table.min() < 170 and 172 < table.max() < 225
    zeros = 16 * 24 - (16 - np.abs(down)) * (24 - np.abs(right))
    np.testing.assert_array_equal((moved[..., 0] == 0).sum((1, 2)), zeros)


def test_cutout_has_half_the_size_and_any_place():
    cut = ops.convert_to_numpy(only("cutout")(np.ones((6000, 8, 5, 1), "float32"), seed=0))[..., 0] == 0
    height, width = cut.any(2).sum(1), cut.any(1).sum(1)
    np.testing.assert_array_equal(cut.sum((1, 2)), height * width)
    # 4 rows with their center at 0 to 8, and 3 columns with theirs at 0 to 4.
    shares = np.bincount(height, minlength=5)[2:] / 6000
    np.testing.assert_allclose(shares, [2 / 9, 2 / 9, 5 / 9], atol=0.025)
    shares = np.bincount(width, minlength=4)[2:] / 6000
    np.testing.assert_allclose(shares, [2 / 5, 3 / 5], atol=0.025)
    # Each row counts the centers that reach it.
    np.testing.assert_allclose(cut.any(2).mean(0), np.array([3, 4, 4, 4, 4, 4, 4, 3]) / 9, atol=0.025)


def test_numbers_of_examples_and_of_calls():
    x = np.tile(images(1), (64, 1, 1, 1))
    layer, seed = DiffAugment(), keras.random.SeedGenerator(0)
    a, b, c = (ops.convert_to_numpy(layer(x, seed=s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(a, b)
    assert len(np.unique(a.reshape(64, -1), axis=0)) == 64
    d, e, f = (ops.convert_to_numpy(layer(x, seed=s)) for s in (seed, seed, None))
    for other in (c, d, e, f):
        assert np.abs(a - other).mean() > 0.05
    assert np.abs(d - e).mean() > 0.05


@pytest.mark.parametrize("make", [DiffAugment, Affine, lambda: half(AdaptiveAugmentation())])
def test_gradient_equals_finite_differences(make):
    layer = make()
    x = tf.constant(images(4, 6, 9, 3, "float64"))
    u = tf.constant(uniforms(4, layer.num_uniforms))
    weights = tf.constant(np.random.default_rng(2).normal(size=x.shape))

    def f(x):
        return tf.reduce_sum(weights * layer.transform(x, u) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    gradient = tape.gradient(y, x).numpy()
    assert gradient.dtype == np.float64
    rng = np.random.default_rng(3)
    for _ in range(5):
        direction = rng.normal(size=x.shape)
        slope = (f(x + 1e-4 * direction) - f(x - 1e-4 * direction)) / 2e-4
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-6)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.03), ("float16", 0.004), ("float64", 1e-5)])
@pytest.mark.parametrize("layer", [DiffAugment(), Affine()], ids=lambda layer: layer.name)
def test_keeps_the_dtype(layer, dtype, tolerance):
    x, u = images(height=32, width=32), ops.convert_to_tensor(uniforms())
    expected = ops.convert_to_numpy(layer.transform(ops.convert_to_tensor(x), u))
    result = layer.transform(ops.cast(x, dtype), u)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    error = np.abs(ops.convert_to_numpy(ops.cast(result, "float32")) - expected).max()
    assert error < tolerance and (error > 0 or dtype == "float64")
    called = half(AdaptiveAugmentation())(ops.cast(x, dtype), seed=0)
    assert keras.backend.standardize_dtype(called.dtype) == dtype


def test_runs_in_a_graph_on_any_batch_size():
    layer = half(AdaptiveAugmentation())

    @tf.function(input_signature=[tf.TensorSpec([None, 9, 16, 3])])
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, seed=4)
        return y, tape.gradient(y, x)

    for n in (1, 5):
        y, gradient = run(images(n))
        assert y.shape == gradient.shape == (n, 9, 16, 3)
        np.testing.assert_allclose(y, layer(images(n), seed=4), atol=1e-6)


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match=r"images must be floats .* Received: shape \(4, 2\), dtype float32"):
        DiffAugment()(np.zeros((4, 2), "float32"))
    with pytest.raises(ValueError, match=r"Received: shape .* dtype uint8"):
        DiffAugment()(np.zeros((4, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match="color, translation or cutout must be True"):
        DiffAugment(False, False, False)
    with pytest.raises(TypeError, match="augmentation must be an Augmentation"):
        AdaptiveAugmentation(keras.layers.RandomFlip())
    for target in (-1, 1, 2):
        with pytest.raises(ValueError, match="target"):
            AdaptiveAugmentation(target=target)
    with pytest.raises(ValueError, match=r"ramp_images must be a positive integer. Received: 0"):
        AdaptiveAugmentation(ramp_images=0)


# === Affine ===


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 16, 3)])
def test_affine_equals_scipy(shape):
    x, u = images(20, *shape), uniforms(20, 6)
    x = ndimage.gaussian_filter(x, (0, 1, 1, 0))
    layer = Affine(rotation=40.0, scale=0.5, shear=0.4, translation=0.1)
    result = ops.convert_to_numpy(layer.transform(ops.convert_to_tensor(x), ops.convert_to_tensor(u)))
    height, width, channels = shape
    center = (np.array([width, height]) - 1) / 2
    rows, columns = np.mgrid[:height, :width]
    p = np.stack([columns.ravel(), rows.ravel()]) - center[:, None]
    for image, v, found in zip(x, 2 * u.astype("float64") - 1, result, strict=True):
        angle = np.deg2rad(40.0) * v[0]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        source = turn @ np.array([[1, 0.4 * v[1]], [0, 1]]) @ np.diag(1.5 ** v[2:4]) @ p
        source += (center + 0.1 * v[4:] * [width, height])[:, None]
        expected = [
            ndimage.map_coordinates(image[..., c], source[::-1], order=1, mode="nearest") for c in range(channels)
        ]
        np.testing.assert_allclose(found, np.stack(expected, -1).reshape(shape), atol=1e-4)
    assert np.abs(result - x).max() > 0.1


def test_affine_keeps_to_its_extents():
    x = np.tile(images(1, 12, 12, 1), (500, 1, 1, 1))
    still = Affine(0.0, 0.0, 0.0, 0.0)
    np.testing.assert_allclose(still(x, seed=0), x, atol=1e-5)
    # A slope of one gray level per pixel: its middle encodes the shift.
    ramp = np.tile(np.arange(41, dtype="float32")[None, None, :, None], (4000, 41, 1, 1))
    shift = ops.convert_to_numpy(Affine(0.0, 0.0, 0.0, 0.1)(ramp, seed=0))[:, 20, 20, 0] - 20
    assert -4.1 - 1e-3 < shift.min() < -4.0 and 4.0 < shift.max() < 4.1 + 1e-3
    assert 2.3 < shift.std() < 2.43
    # Without a shift it stays, and its slope is the scale, as likely above 1 as below.
    scaled = ops.convert_to_numpy(Affine(0.0, 0.25, 0.0, 0.0)(ramp, seed=0))
    scale = scaled[:, 20, 21, 0] - scaled[:, 20, 20, 0]
    np.testing.assert_allclose(scaled[:, 20, 20, 0], 20, atol=1e-4)
    assert 0.8 - 1e-3 < scale.min() < 0.81 and 1.24 < scale.max() < 1.25 + 1e-3
    assert 0.47 < (scale < 1).mean() < 0.53


def test_affine_refuses_negative_extents():
    for name in ("rotation", "scale", "shear", "translation"):
        with pytest.raises(ValueError, match=f"{name} must be a finite number >= 0. Received: -0.1"):
            Affine(**{name: -0.1})


# === The adaptive probability ===


class Brightness(Augmentation):
    """Adds its random number, so that results reveal it."""

    num_uniforms = 1

    def transform(self, images, uniform):
        return images + 1 + uniform[:, :, None, None]


def half(layer):
    layer.probability.assign(0.5)
    return layer


def probability(layer):
    return float(layer.probability.value)


def test_augments_the_share_that_the_probability_says():
    x, layer = np.zeros((4000, 2, 2, 1), "float32"), AdaptiveAugmentation(Brightness())
    np.testing.assert_array_equal(layer(x, seed=0), x)
    for p, low, high in ((0.3, 0.27, 0.33), (0.9, 0.88, 0.92), (1.0, 1.0, 1.0)):
        layer.probability.assign(p)
        added = ops.convert_to_numpy(layer(x, seed=0))
        # Each example as a whole, independently.
        np.testing.assert_array_equal(added, np.broadcast_to(added[:, :1, :1], x.shape))
        chosen = added[added[:, 0, 0, 0] > 0, 0, 0, 0]
        assert low <= len(chosen) / 4000 <= high
        # Being chosen is independent of the augmentation: with one int seed for two draws the mean would be p / 2.
        assert 1.47 < chosen.mean() < 1.53


def test_probability_one_is_the_augmentation_and_zero_the_identity():
    x, u = ops.convert_to_tensor(images()), ops.convert_to_tensor(uniforms(count=8))
    layer = AdaptiveAugmentation()
    np.testing.assert_array_equal(layer.transform(x, u), x)
    layer.probability.assign(1)
    np.testing.assert_array_equal(layer.transform(x, u), DiffAugment().transform(x, u[:, 1:]))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_update_moves_at_the_stated_rate_towards_the_target(dtype):
    layer = AdaptiveAugmentation(target=0.6, ramp_images=1000)
    # 17 of 20 signs right, r = 0.7; 15 of 20, r = 0.5.
    above = np.array([[5.0]] * 17 + [[-0.1]] * 3, dtype)
    below = np.array([[0.01]] * 15 + [[-9.0]] * 5, dtype)
    for k in range(1, 6):
        layer.update(above)
        assert probability(layer) == pytest.approx(0.02 * k, rel=1e-5)
    for k in range(4, -1, -1):
        layer.update(below)
        assert probability(layer) == pytest.approx(0.02 * k, abs=1e-6)
    layer.update(below)
    assert probability(layer) == 0
    layer.probability.assign(0.99)
    layer.update(above)
    assert probability(layer) == 1


def test_update_survives_logits_that_are_no_numbers():
    layer = half(AdaptiveAugmentation(ramp_images=100))
    layer.update(np.full((10, 1), np.nan, "float32"))
    assert probability(layer) == pytest.approx(0.4)
    layer.update(np.full((10, 1), np.inf, "float32"))
    assert probability(layer) == pytest.approx(0.5)


def test_probability_settles_where_the_discriminator_meets_the_target():
    # Right about 95 % of the real images, less 30 % of those augmented: r = 0.9 - 0.6 p, which is 0.6 at p = 1/2.
    layer, rng = AdaptiveAugmentation(ramp_images=6_400), np.random.default_rng(0)
    update = tf.function(layer.update)
    path = []
    for _ in range(400):
        right = rng.random((64, 1)) < 0.95 - 0.3 * probability(layer)
        update(tf.constant(np.where(right, 1.0, -1.0), "float32"))
        path.append(probability(layer))
    assert max(path[:40]) <= 0.4 + 1e-6
    assert 0.42 < np.mean(path[100:]) < 0.58
    assert min(path[100:]) > 0.2 and max(path[100:]) < 0.8


def test_adaptive_probability_waits_for_eight_images():
    layer = AdaptiveAugmentation(ramp_images=100)
    for sign in (1, 1, 1, 1, 1, 1, -1):
        layer.update(np.full((1, 1), sign, "float32"))
        assert float(layer.probability) == 0
    # Of 8 signs 6 / 8 is above the target of 0.6, and moves as far as 8 images at once.
    layer.update(np.full((1, 1), 1, "float32"))
    assert float(layer.probability) == pytest.approx(0.08)
    layer.update(np.full((7, 1), -1, "float32"))
    assert float(layer.probability) == pytest.approx(0.08)
    # All that were collected count, once.
    layer.update(np.full((2, 1), -1, "float32"))
    assert float(layer.probability) == 0
    layer.update(np.full((8, 1), 1, "float32"))
    assert float(layer.probability) == pytest.approx(0.08)


@pytest.mark.parametrize("layer", [only("cutout"), AdaptiveAugmentation(only("cutout"), 0.4, 1000, name="ada")])
def test_options_survive_serialisation(layer):
    config = keras.saving.serialize_keras_object(layer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert keras.saving.serialize_keras_object(loaded) == config
    x = np.ones((8, 8, 8, 1), "float32")
    np.testing.assert_array_equal(layer(x, seed=0), loaded(x, seed=0))
    inner = getattr(loaded, "augmentation", loaded)
    assert (inner.color, inner.translation, inner.cutout) == (False, False, True)


def test_extents_survive_serialisation():
    layer = Affine(1.0, 0.2, 0.3, 0.4, name="affine")
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert loaded.get_config() == layer.get_config() and loaded.extents["translation"] == 0.4
    np.testing.assert_array_equal(loaded(images(), seed=0), layer(images(), seed=0))


@keras.saving.register_keras_serializable(package="test_augmentation")
class Judge(keras.Model):
    """Model that holds an augmentation as an attribute, as a GAN does."""

    def __init__(self, augmentation, **kwargs):
        super().__init__(**kwargs)
        self.augmentation = augmentation
        self.logits = keras.layers.Dense(1)

    def call(self, images):
        return self.logits(ops.reshape(self.augmentation(images, seed=0), (-1, 64)))

    def get_config(self):
        return {"augmentation": keras.saving.serialize_keras_object(self.augmentation)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["augmentation"]))


def test_the_probability_is_saved_with_its_model(tmp_path):
    x = images(4, 8, 8, 1)
    model = Judge(AdaptiveAugmentation(ramp_images=100))
    model.augmentation.update(np.ones((30, 1), "float32"))
    logits = ops.convert_to_numpy(model(x))
    assert model.augmentation.probability in model.non_trainable_variables
    assert all(v is not model.augmentation.probability for v in model.trainable_variables)
    model.save(tmp_path / "judge.keras")
    loaded = keras.saving.load_model(tmp_path / "judge.keras")
    assert probability(loaded.augmentation) == pytest.approx(0.3)
    np.testing.assert_allclose(loaded(x), logits, atol=1e-6)
    fresh = Judge(AdaptiveAugmentation(ramp_images=100))
    fresh(x)
    model.save_weights(tmp_path / "judge.weights.h5")
    fresh.load_weights(tmp_path / "judge.weights.h5")
    assert probability(fresh.augmentation) == pytest.approx(0.3)


REPLICAS = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from keras_gan.augmentation import AdaptiveAugmentation
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
with strategy.scope():
    layer = AdaptiveAugmentation(ramp_images=1000)

def values(of_replica):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(of_replica[context.replica_id_in_sync_group], tf.float32)
    )

@tf.function
def update(logits):
    strategy.run(layer.update, (logits,))

@tf.function
def augment(images):
    return strategy.run(lambda x: layer(x, seed=0), (images,))

# r is 1 and 0.5, 0.75 over both: above the target on average, not on each.
update(values([[[1]] * 4, [[1]] * 3 + [[-1]]]))
np.testing.assert_allclose([v.numpy() for v in layer.probability.value.values], 0.008, rtol=1e-5)
# 1 and 0, 0.5 over both.
update(values([[[1]] * 4, [[1], [1], [-1], [-1]]]))
np.testing.assert_allclose([v.numpy() for v in layer.probability.value.values], 0, atol=1e-7)
layer.probability.assign(1.0)
a, b = (v.numpy() for v in augment(values([np.ones((4, 8, 8, 1))] * 2)).values)
assert all(np.abs(x - y).max() > 1e-3 for x in a for y in b)
"""


def test_replicas_share_the_probability_and_no_random_numbers():
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
