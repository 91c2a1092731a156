import math

import keras
import numpy as np
import pytest
from keras import layers as L

import keras_gan
from keras_gan import conditions, networks
from keras_gan.export import rewrite
from keras_gan.layers import Residual, SpectralNormalization

LATENT = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
INPUTS = networks.symbolic_inputs(conditions.Unconditional(), 6)


def network(*layers, shape=(3, 4, 5)):
    """Makes a generator with these layers after a dense one, with random weights only."""
    model = keras.Sequential([keras.Input((6,)), L.Dense(math.prod(shape)), L.Reshape(shape), *layers])
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "seed" not in weight.path:
            low = 0.5 if "variance" in weight.path else -0.7
            weight.assign(rng.uniform(low, 1.2, weight.shape))
    return model


def rewritten(model):
    """Returns the fast copy, which must be another model with the same outputs."""
    fast = rewrite.rebuild(model, INPUTS)
    assert fast is not model
    wanted = keras.ops.convert_to_numpy(model(LATENT, training=False))
    np.testing.assert_allclose(fast(LATENT, training=False), wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.ptp(wanted) > 1e-2
    return fast


def operations(model):
    """Counts each TensorFlow operation in the model's graph."""
    import tensorflow as tf

    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, 6))).graph
    types = [op.type for op in graph.get_operations()]
    return {name: types.count(name) for name in set(types)}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "stride"), [(4, 2), (2, 2), (3, 2), (5, 2), ((4, 6), 2), (6, 3), (5, 3), (3, 1), (4, 1), (4, 4)]
)
def test_a_transposed_convolution_as_depth_to_space(kernel, stride, padding):
    fast = rewritten(network(L.Conv2DTranspose(7, kernel, stride, padding)))
    assert "Conv2DBackpropInput" not in operations(fast) and operations(fast)["Conv2D"] == 1
    assert operations(fast).get("DepthToSpace", 0) == (stride > 1)


@pytest.mark.parametrize(
    "layer",
    [
        L.Conv2DTranspose(7, 1, 2, "same"),  # Three quarters of the multiplications would be with zeros.
        L.Conv2DTranspose(7, 4, (2, 1), "same"),
        L.Conv2DTranspose(7, 3, 1, "same", dilation_rate=2),
        L.Conv2DTranspose(7, 4, 2, "same", output_padding=1),
    ],
    ids=["1x1", "rectangular stride", "dilation", "output padding"],
)
def test_other_transposed_convolutions_stay(layer):
    assert operations(rewritten(network(layer)))["Conv2DBackpropInput"] == 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}])
def test_batch_norm_and_relu_move_before_the_depth_to_space(bias, options):
    fast = rewritten(
        network(
            L.Conv2DTranspose(8, 4, 2, "same", use_bias=bias),
            L.BatchNormalization(**options),
            L.ReLU(),
            L.Conv2DTranspose(3, 4, 2, "same", activation="tanh"),
        )
    )
    import tensorflow as tf

    graph = tf.function(lambda x: fast(x)).get_concrete_function(tf.TensorSpec((1, 6))).graph
    (relu,) = (op for op in graph.get_operations() if op.type == "Relu")
    assert relu.inputs[0].shape[-1] == 4 * 8


def test_an_activation_over_channels_stays_behind():
    rewritten(network(L.Conv2DTranspose(4, 4, 2, "same", activation="softmax")))


def test_nearest_upsampling():
    fast = rewritten(network(L.UpSampling2D(), L.Conv2D(4, 3), L.UpSampling2D(3)))
    assert operations(fast)["DepthToSpace"] == 2
    bilinear = rewritten(network(L.UpSampling2D(interpolation="bilinear")))
    assert operations(bilinear)["ResizeBilinear"] == 1
    assert operations(rewritten(network(L.UpSampling2D((3, 1)))))["ResizeNearestNeighbor"] == 1


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resizing_of_what_devices_have(interpolation):
    for layers in ([L.UpSampling2D((2, 3), interpolation=interpolation)], [L.Resizing(7, 2, interpolation)]):
        found = operations(rewritten(network(*layers)))
        assert "ResizeBicubic" not in found and "ScaleAndTranslate" not in found


def test_several_images_are_laid_out_as_one():
    import tensorflow as tf

    fast = rewritten(network(L.UpSampling2D(), L.Conv2DTranspose(3, 4, 2, "same")))
    graph = tf.function(lambda x: fast(x)).get_concrete_function(tf.TensorSpec((5, 6)))
    layouts = [op.outputs[0].shape for op in graph.graph.get_operations() if op.type == "DepthToSpace"]
    assert [shape[0] for shape in layouts] == [1, 1]
    np.testing.assert_allclose(graph(LATENT), fast(LATENT), atol=1e-5 * np.abs(fast(LATENT)).max())


@pytest.mark.parametrize("groups", [1, 5, -1])
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}])
def test_group_normalization_without_a_fifth_axis(groups, options):
    fast = rewritten(network(L.GroupNormalization(groups, **options)))
    import tensorflow as tf

    graph = tf.function(lambda x: fast(x)).get_concrete_function(tf.TensorSpec((1, 6))).graph
    assert max(t.shape.rank or 0 for op in graph.get_operations() for t in op.outputs) == 4
    rewritten(network(L.GroupNormalization(3, axis=1)))


def test_layers_inside_of_layers():
    block = Residual(
        [L.BatchNormalization(), L.ReLU(), L.UpSampling2D(), L.Conv2DTranspose(5, 4, 1, "same")],
        shortcut=[SpectralNormalization(L.Conv2DTranspose(5, 4, 2, "same"))],
    )
    fast = rewritten(network(block, keras.Sequential([L.Conv2DTranspose(3, 4, 2, "same")])))
    assert "Conv2DBackpropInput" not in operations(fast)


def test_groups_are_one_convolution():
    generator = keras_gan.architectures.modern_generator((8, 8, 3), 6, width=16)
    generator.set_weights([np.random.default_rng(0).normal(0, 0.2, w.shape) for w in generator.get_weights()])
    assert "ConcatV2" not in operations(rewritten(generator))


def test_a_layer_that_was_never_registered():
    class Doubled(L.Layer):
        def call(self, inputs):
            return 2 * inputs

    fast = rewritten(network(L.Conv2DTranspose(3, 4, 2, "same"), Doubled()))
    assert "Conv2DBackpropInput" not in operations(fast)


def test_a_shared_layer_stays_shared():
    latent = keras.Input((6,))
    shared = L.Dense(6)
    model = keras.Model(latent, shared(shared(latent)))
    fast = rewritten(model)
    assert len(fast.weights) == 2


def test_mixed_precision_becomes_float32():
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        mixed = keras_gan.architectures.dcgan_generator((8, 8, 1), 6, width=4)
    finally:
        keras.config.set_dtype_policy(policy)
    for fast in (True, False):
        copy = rewrite.rebuild(mixed, INPUTS, fast=fast)
        assert {layer.compute_dtype for layer in copy._flatten_layers()} == {"float32"}
        error = np.abs(copy(LATENT) - keras.ops.cast(mixed(LATENT), "float32"))
        assert 0 < error.max() < 1e-2
        for a, b in zip(copy.get_weights(), mixed.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


class Subclassed(keras.Model):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(width)

    def call(self, inputs):
        return self.dense(inputs)


def test_a_model_without_configuration():
    model = Subclassed(3)
    model(LATENT)
    assert rewrite.rebuild(model, INPUTS) is model
    mixed = Subclassed(3, dtype="mixed_float16")
    mixed(LATENT)
    mixed.dense.dtype_policy = "mixed_float16"
    with pytest.raises(ValueError, match=r"generator must be in float32.*get_config.*computes in float16"):
        rewrite.rebuild(mixed, INPUTS)
