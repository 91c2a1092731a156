import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_gan import architectures
from keras_gan.architectures import modern
from keras_gan.conditions import AuxiliaryClassifier, Codes, Labels, Vector
from keras_gan.export import export
from keras_gan.layers import ConditionalBatchNormalization, Residual, SpectralNormalization

IMAGE_GENERATORS = ["dcgan_generator", "resnet_generator", "modern_generator"]
IMAGE_DISCRIMINATORS = ["dcgan_discriminator", "sn_dcgan_discriminator", "resnet_discriminator", "modern_discriminator"]
LATENT_DIM = 6
CLASSES = 3
LABELS, AUXILIARY = Labels(CLASSES), AuxiliaryClassifier(CLASSES)


def generator(name, shape=(8, 8, 1), **arguments):
    size = {"units": (16,)} if name.startswith("mlp") else {"width": 4}
    return getattr(architectures, name)(shape, LATENT_DIM, **size, **arguments)


def discriminator(name, shape=(8, 8, 1), **arguments):
    size = {"units": (16,), "dropout": 0.0} if name.startswith("mlp") else {"width": 4}
    return getattr(architectures, name)(shape, **size, **arguments)


def latents(n):
    return np.random.default_rng(0).normal(size=(n, LATENT_DIM)).astype("float32")


def images(n, shape=(8, 8, 1)):
    return np.random.default_rng(1).uniform(-1, 1, (n, *shape)).astype("float32")


def randomize(model):
    """Sets each weight to random values, including biases and the zeros of fix-up."""
    rng = np.random.default_rng(2)
    for v in model.trainable_variables:
        v.assign(rng.normal(scale=0.5 / math.sqrt(math.prod(v.shape[:-1])), size=v.shape))


# === Shapes ===


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (32, 32, 3), (64, 64, 1), (128, 128, 3), (28, 20, 1), (12, 40, 3)], ids=str
)
@pytest.mark.parametrize("name", IMAGE_GENERATORS)
def test_generators_give_images(name, shape):
    model = generator(name, shape)
    assert isinstance(model, keras.Sequential)
    assert model.output_shape == (None, *shape)
    assert model.outputs[0].dtype == "float32"


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (32, 32, 3), (64, 64, 1), (128, 128, 3), (28, 20, 1), (12, 40, 3)], ids=str
)
@pytest.mark.parametrize("name", IMAGE_DISCRIMINATORS)
def test_discriminators_give_one_logit(name, shape):
    model = discriminator(name, shape)
    assert isinstance(model, keras.Sequential)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 1)


@pytest.mark.parametrize("build", [*[(generator, n) for n in IMAGE_GENERATORS], (discriminator, "dcgan_discriminator")])
def test_channels_first_is_refused(build, monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    make, name = build
    with pytest.raises(ValueError, match=r"image_shape is \(height, width, channels\).*Received: 'channels_first'"):
        make(name)


@pytest.mark.parametrize("shape", [(5,), (8, 8, 1), (28, 28, 3)], ids=str)
def test_mlp_takes_vectors_and_images(shape):
    assert generator("mlp_generator", shape).output_shape == (None, *shape)
    assert discriminator("mlp_discriminator", shape)(np.zeros((2, *shape))).shape == (2, 1)


@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
def test_images_fill_the_range_and_keep_to_it(name):
    model = generator(name)
    randomize(model)
    y = ops.convert_to_numpy(model(100 * latents(64)))
    assert -1 <= y.min() < -0.9
    assert 0.9 < y.max() <= 1


def test_vectors_and_logits_are_not_bounded():
    for model, x in (
        (generator("mlp_generator", (2,)), latents(8)),
        *((discriminator(name), images(8)) for name in ["mlp_discriminator", *IMAGE_DISCRIMINATORS]),
    ):
        randomize(model)
        y = ops.convert_to_numpy(model(1000 * x))
        assert np.abs(y).max() > 2


@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
def test_each_latent_entry_reaches_each_pixel(name):
    model = generator(name, (12, 8, 1))
    randomize(model)
    base = latents(1)
    moved = np.concatenate([base, base + 0.5 * np.eye(LATENT_DIM, dtype="float32")])
    y = ops.convert_to_numpy(model(moved))
    assert (np.abs(y[1:] - y[:1]).max(axis=0) > 1e-6).all()
    assert (np.abs(y[1:] - y[:1]).max(axis=(1, 2, 3)) > 1e-4).all()


@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_each_pixel_reaches_the_logit(name):
    model = discriminator(name, (12, 8, 1))
    randomize(model)
    base = images(1, (12, 8, 1))
    moved = np.concatenate([base, base + 3 * np.eye(96, dtype="float32").reshape(96, 12, 8, 1)])
    y = ops.convert_to_numpy(model(moved))
    assert (np.abs(y[1:] - y[:1]) > 1e-7).mean() > 0.95


def test_transposed_convolutions_have_kernels_divisible_by_the_stride():
    convolutions = [
        layer
        for layer in generator("dcgan_generator", (64, 64, 3)).layers
        if isinstance(layer, keras.layers.Conv2DTranspose)
    ]
    assert len(convolutions) == 4
    for layer in convolutions:
        assert layer.strides == (2, 2)
        assert all(k % s == 0 for k, s in zip(layer.kernel_size, layer.strides, strict=True))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("dcgan_generator", 3.2e6, 3.4e6),
        ("dcgan_discriminator", 2.7e6, 2.8e6),
        ("sn_dcgan_discriminator", 2.7e6, 2.8e6),
        ("resnet_generator", 7.5e6, 8.5e6),
        ("resnet_discriminator", 9e6, 10e6),
        ("modern_generator", 6e6, 7e6),
        ("modern_discriminator", 5.5e6, 6.5e6),
    ],
)
def test_parameters_at_64_pixels_with_the_papers_width(name, low, high):
    arguments = (64,) if "generator" in name else ()
    model = getattr(architectures, name)((64, 64, 3), *arguments, width=64)
    assert low < sum(math.prod(v.shape) for v in model.trainable_variables) < high


# === Precision ===


@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
@pytest.mark.parametrize("condition", [None, LABELS, Vector(2)], ids=repr)
def test_generators_end_in_float32_under_mixed_precision(name, condition, mixed_precision):
    model = generator(name, condition=condition)
    y = model(latents(2) if condition is None else [latents(2), condition.example_given(2, seed=0)])
    assert y.dtype == "float32"
    assert any(layer.compute_dtype == "bfloat16" for layer in model._flatten_layers())
    assert all(v.dtype == "float32" for v in model.trainable_variables)


@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_discriminators_end_in_float32_under_mixed_precision(name, mixed_precision):
    assert discriminator(name)(images(2)).dtype == "float32"
    for condition in (AUXILIARY, Codes([2])):
        outputs = discriminator(name, condition=condition)(images(2))
        assert {y.dtype for y in outputs.values()} == {ops.zeros(()).dtype}
    for labels_by in ("projection", "concatenation"):
        for condition in (LABELS, Vector(2)):
            model = discriminator(name, condition=condition, labels_by=labels_by)
            assert model([images(2), condition.example_given(2, seed=0)]).dtype == "float32"


@pytest.fixture
def mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


# === Conditions ===


@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
def test_conditional_generators_obey_labels(name):
    model = generator(name, condition=LABELS)
    assert [x.name for x in model.inputs] == ["latent", "labels"]
    assert [tuple(x.shape) for x in model.inputs] == [(None, LATENT_DIM), (None,)]
    assert model.inputs[1].dtype == "int32"
    randomize(model)
    z = np.repeat(latents(1), 3, axis=0)
    y = ops.convert_to_numpy(model([z, np.array([0, 1, 0])]))
    assert y.shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(y[0], y[2])
    assert np.abs(y[0] - y[1]).max() > 1e-3


@pytest.mark.parametrize("labels_by", ["projection", "concatenation"])
@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_conditional_discriminators_see_labels(name, labels_by):
    model = discriminator(name, condition=LABELS, labels_by=labels_by)
    assert [x.name for x in model.inputs] == ["image", "labels"]
    randomize(model)
    x = np.repeat(images(1), 3, axis=0)
    y = ops.convert_to_numpy(model([x, np.array([0, 1, 0])]))
    assert y.shape == (3, 1)
    np.testing.assert_allclose(y[0], y[2], rtol=1e-5)
    assert abs(y[0] - y[1]) > 1e-4


@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_projection_is_the_formula(name):
    model = discriminator(name, condition=LABELS)
    randomize(model)
    x, labels = images(5), np.array([0, 2, 1, 1, 0])
    logits = ops.convert_to_numpy(model([x, labels]))

    linear, embedding = (find(model, kind) for kind in (keras.layers.Dense, keras.layers.Embedding))
    phi = ops.convert_to_numpy(keras.Model(model.inputs, linear.input)([x, labels]))
    weights, bias = unwrap(linear).get_weights()
    (embeddings,) = unwrap(embedding).get_weights()
    if "sn_" in name or "resnet" in name:
        weights, embeddings = (w / sigma(layer) for w, layer in ((weights, linear), (embeddings, embedding)))
    expected = phi @ weights + bias + (embeddings[labels] * phi).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert phi.shape[1] == embeddings.shape[1]


@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_projection_of_a_vector_is_the_formula(name):
    model = discriminator(name, condition=Vector(2))
    randomize(model)
    x, given = images(5), np.random.default_rng(3).normal(size=(5, 2)).astype("float32")
    logits = ops.convert_to_numpy(model([x, given]))
    embedding, linear = [layer for layer in model.layers if isinstance(unwrap(layer), keras.layers.Dense)][-2:]
    if unwrap(embedding).units == 1:
        embedding, linear = linear, embedding
    phi = ops.convert_to_numpy(keras.Model(model.inputs, linear.input)([x, given]))
    weights, bias = unwrap(linear).get_weights()
    (matrix,) = unwrap(embedding).get_weights()
    assert matrix.shape == (2, phi.shape[1]) and embedding.input.name == "given"
    if "sn_" in name or "resnet" in name:
        weights, matrix = (w / sigma(layer) for w, layer in ((weights, linear), (matrix, embedding)))
    expected = phi @ weights + bias + ((given @ matrix) * phi).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def unwrap(layer):
    return layer.layer if isinstance(layer, SpectralNormalization) else layer


def find(model, kind):
    """Returns the last layer of a kind."""
    return [layer for layer in model.layers if isinstance(unwrap(layer), kind)][-1]


def sigma(wrapper):
    """Returns the divisor of the wrapper outside of training: the length of the kernel times its vector."""
    matrix = unwrap(wrapper).get_weights()[0]
    return np.linalg.norm(matrix.reshape(-1, matrix.shape[-1]) @ ops.convert_to_numpy(wrapper.v))


def test_concatenation_adds_one_hot_maps():
    model = discriminator("dcgan_discriminator", condition=LABELS, labels_by="concatenation")
    maps = next(layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    x, labels = images(2), np.array([2, 0])
    y = ops.convert_to_numpy(keras.Model(model.inputs, maps.output)([x, labels]))
    np.testing.assert_array_equal(y[..., :1], x)
    np.testing.assert_array_equal(y[..., 1:], np.broadcast_to(np.eye(3)[labels][:, None, None], (2, 8, 8, 3)))


@pytest.mark.parametrize("shape", [(5,), (8, 8, 1)], ids=str)
def test_concatenation_joins_a_one_hot_vector_to_flat_data(shape):
    model = discriminator("mlp_discriminator", shape, condition=LABELS, labels_by="concatenation")
    joined = next(layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    x, labels = images(2, shape), np.array([2, 0])
    y = keras.Model(model.inputs, joined.output)([x, labels])
    np.testing.assert_array_equal(y, np.concatenate([x.reshape(2, -1), np.eye(3)[labels]], axis=1))


@pytest.mark.parametrize("shape", [(5,), (8, 8, 1)], ids=str)
def test_concatenation_joins_a_vector_at_each_position(shape):
    for name in ["mlp_discriminator"] if len(shape) == 1 else IMAGE_DISCRIMINATORS:
        model = discriminator(name, shape, condition=Vector(2), labels_by="concatenation")
        joined = next(layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
        x, given = images(2, shape), np.array([[0.5, -1], [2, 3]], "float32")
        y = ops.convert_to_numpy(keras.Model(model.inputs, joined.output)([x, given]))
        np.testing.assert_array_equal(y[..., :-2], x)
        np.testing.assert_array_equal(y[..., -2:] - given.reshape(2, *[1] * (len(shape) - 1), 2), 0 * y[..., -2:])


@pytest.mark.parametrize("condition", [LABELS, Vector(40)], ids=repr)
@pytest.mark.parametrize("name", ["mlp_generator", "dcgan_generator", "modern_generator"])
def test_what_is_given_joins_the_latent_more_softly(name, condition):
    model = generator(name, condition=condition)
    joined = next(layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    embedded = keras.Model(model.inputs, joined.output)
    y = ops.convert_to_numpy(embedded([latents(300), condition.example_given(300, seed=0)]))
    assert y.shape == (300, 2 * LATENT_DIM)
    np.testing.assert_array_equal(y[:, :LATENT_DIM], latents(300))
    # For a table only the 18 entries are random.
    assert 0.1 < y[:, LATENT_DIM:].std() < 0.3


def test_the_resnet_generator_takes_conditions_in_its_normalization():
    for condition in (LABELS, Vector(2), AUXILIARY):
        model = generator("resnet_generator", (12, 8, 1), condition=condition)
        found = [layer for layer in model._flatten_layers() if isinstance(layer, ConditionalBatchNormalization)]
        # Two per block, two blocks, and the last.
        assert len(found) == 5 and all(layer.condition == condition for layer in found)
        assert not any(isinstance(layer, keras.layers.Concatenate) for layer in model.layers)
        assert not any(layer.synchronized for layer in found)
    for condition in (None, Codes([2])):
        model = generator("resnet_generator", (12, 8, 1), condition=condition)
        found = [type(layer) for layer in model._flatten_layers()]
        assert found.count(keras.layers.BatchNormalization) == 5 and ConditionalBatchNormalization not in found
    model = generator("resnet_generator", condition=LABELS, synchronized=True)
    found = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(found) >= 5 and all(layer.synchronized for layer in found)


@pytest.mark.parametrize("condition", [LABELS, AUXILIARY, Codes([2], 1), Vector(2)], ids=repr)
@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
def test_networks_remember_their_condition(name, condition):
    for model in (generator(name, condition=condition), discriminator("dcgan_discriminator", condition=condition)):
        assert model.condition == condition
        again = model.from_config(model.get_config())
        assert type(again) is type(model) and again.condition == condition
        assert [x.name for x in again.inputs] == [x.name for x in model.inputs]
    assert type(generator(name)) is keras.Sequential


@pytest.mark.parametrize("condition", ["labels", 3, Labels], ids=repr)
@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS, "mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_a_condition_is_a_condition(name, condition):
    build = generator if "generator" in name else discriminator
    with pytest.raises(TypeError, match=r"condition must be a keras_gan.conditions.Condition.*Received"):
        build(name, condition=condition)


@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_heads_beside_the_logits(name):
    model = discriminator(name, condition=AUXILIARY)
    assert {key: tuple(y.shape) for key, y in model(images(2)).items()} == {"logits": (2, 1), "classes": (2, CLASSES)}
    model = discriminator(name, condition=Codes([3], 1))
    assert {key: tuple(y.shape) for key, y in model(images(2)).items()} == {"logits": (2, 1), "codes": (2, 4)}
    # The paper's hidden layer of 128 between the shared features and the codes.
    assert 128 in {layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)}


def test_spectral_architectures_normalise_all_that_the_logits_depend_on():
    for name in ("sn_dcgan_discriminator", "resnet_discriminator"):
        model = discriminator(name, condition=LABELS)
        layers = list(model._flatten_layers())
        wrapped = {id(layer.layer) for layer in layers if isinstance(layer, SpectralNormalization)}
        kinds = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.Embedding)
        assert all(id(layer) in wrapped for layer in layers if isinstance(layer, kinds))
        assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)


# === Saving ===

VARIANTS = {
    "plain": {},
    "projection": {"condition": LABELS},
    "concatenation": {"condition": LABELS, "labels_by": "concatenation"},
    "auxiliary": {"condition": AUXILIARY},
    "codes": {"condition": Codes([2])},
    "vector": {"condition": Vector(2)},
    "vector concatenated": {"condition": Vector(2), "labels_by": "concatenation"},
}


def assert_saved(model, inputs, path):
    before = model(inputs)
    model.save(path)
    loaded = keras.saving.load_model(path)
    after = loaded(inputs)
    before, after = ((y.items() if isinstance(y, dict) else [("", y)]) for y in (before, after))
    for (key, a), (loaded_key, b) in zip(sorted(before), sorted(after), strict=True):
        assert key == loaded_key
        np.testing.assert_array_equal(a, b)
    return loaded


@pytest.mark.parametrize("name", ["mlp_generator", *IMAGE_GENERATORS])
def test_generators_are_saved(name, tmp_path):
    assert_saved(generator(name), latents(3), tmp_path / "model.keras")
    for condition in (LABELS, Vector(2)):
        model = generator(name, condition=condition)
        loaded = assert_saved(model, [latents(3), condition.example_given(3, seed=0)], tmp_path / "conditional.keras")
        assert loaded.condition == condition


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["mlp_discriminator", *IMAGE_DISCRIMINATORS])
def test_discriminators_are_saved(name, variant, tmp_path):
    model = discriminator(name, **VARIANTS[variant])
    randomize(model)
    inputs = [images(3), model.condition.example_given(3, seed=0)] if len(model.inputs) == 2 else images(3)
    loaded = assert_saved(model, inputs, tmp_path / "model.keras")
    assert getattr(loaded, "condition", None) == VARIANTS[variant].get("condition")


# === The modern network ===


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 20, 3)], ids=str)
def test_each_modern_block_starts_as_the_identity(shape):
    for model in (generator("modern_generator", shape), discriminator("modern_discriminator", shape)):
        blocks = [layer for layer in model.layers if isinstance(layer, Residual)]
        assert len(blocks) == 2 * 3 if shape[0] == 28 else 2 * 2
        for block in blocks:
            x = np.random.default_rng(0).normal(size=(2, 6, 6, block.input.shape[-1])).astype("float32")
            np.testing.assert_array_equal(block(x), x)
            randomize(block)
            assert np.abs(block(x) - x).max() > 1e-2


def test_fix_up_scales_the_other_convolutions():
    depth = 8
    first, grouped, last = (modern._block(256, depth).residual[i] for i in (0, 2, 4))
    first.build((None, 4, 4, 256))
    grouped.build((None, 4, 4, 512))
    last.build((None, 4, 4, 512))
    assert grouped.kernel.shape == (3, 3, 16, 512)
    he = math.sqrt(2 / (1 + 0.2**2))
    for layer, fan_in in ((first, 256), (grouped, 9 * 16)):
        expected = he / math.sqrt(fan_in) * depth**-0.25
        assert 0.97 * expected < float(ops.std(layer.kernel)) < 1.03 * expected
    np.testing.assert_array_equal(last.kernel, np.zeros((1, 1, 512, 256)))


@pytest.mark.parametrize("width", [1, 12, 20, 28])
def test_modern_takes_any_width(width):
    model = architectures.modern_discriminator((8, 8, 1), width=width)
    assert model(images(2)).shape == (2, 1)


# === Export ===


@pytest.mark.parametrize("name", ["resnet_generator", "modern_generator"])
def test_generators_become_tflite_files(name, tmp_path):
    pytest.importorskip("ai_edge_litert")
    model = generator(name)
    randomize(model)
    report = export(model, tmp_path / "generator.tflite")
    assert report.max_error < 1e-5


# === Errors ===


@pytest.mark.parametrize("name", ["mlp", "dcgan", "resnet", "modern"])
def test_numpy_integers_are_integers(name):
    size = {"units": np.array([4])} if name == "mlp" else {"width": np.int32(4)}
    shape, condition = np.array([8, 8, 1]), Labels(np.int64(3))
    model = getattr(architectures, f"{name}_generator")(shape, np.int64(6), **size, condition=condition)
    assert model.output_shape == (None, 8, 8, 1) and model.input_shape[0] == (None, 6) and model.condition == LABELS
    model = getattr(architectures, f"{name}_discriminator")(shape, **size, condition=condition)
    assert model([images(2), np.array([0, 2])]).shape == (2, 1)
    with pytest.raises(ValueError, match="_shape must be"):
        getattr(architectures, f"{name}_generator")((8, 8, True), 6)


@pytest.mark.parametrize("name", IMAGE_DISCRIMINATORS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"condition": LABELS, "labels_by": "film"},
            "labels_by must be 'projection' or 'concatenation'. Received: 'film'",
        ),
        ({"width": 0}, "width must be a positive integer. Received: 0"),
        ({"image_shape": (30, 28, 1)}, "image_shape must have height and width divisible by 4.*Received: 30 x 28"),
        ({"image_shape": (28, 28)}, r"image_shape must be \(height, width, channels\).*Received: \(28, 28\)"),
    ],
)
def test_discriminator_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(architectures, name)(**{"image_shape": (8, 8, 1), **arguments})


@pytest.mark.parametrize("name", IMAGE_GENERATORS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim must be a positive integer. Received: 0"),
        ({"width": True}, "width must be a positive integer. Received: True"),
        ({"image_shape": (28, 27, 1)}, "image_shape must have height and width divisible by 4.*Received: 28 x 27"),
    ],
)
def test_generator_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(architectures, name)(**{"image_shape": (8, 8, 1), "latent_dim": 4, **arguments})
