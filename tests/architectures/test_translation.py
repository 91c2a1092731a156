import keras
import numpy as np
import pytest
from keras import ops

from keras_gan import architectures, networks
from keras_gan.layers import InstanceNormalization

A = architectures


def norms(model):
    """Returns the normalization layers of a model, including those within residual blocks."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, InstanceNormalization)]


def separable(*args, **options):
    return A.residual_generator(*args, **options, separable=True)


@pytest.mark.parametrize("shape", [(64, 64, 3), (96, 96, 1), (16, 16, 4), (12, 20, 3), (4, 4, 1)], ids=str)
@pytest.mark.parametrize("build", [A.unet_generator, A.residual_generator, separable])
def test_generators_make_images_as_large_as_their_sources(build, shape):
    generator = build(shape, target_channels=2, width=4)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
    y = ops.convert_to_numpy(generator(x))
    assert y.shape == (2, *shape[:2], 2) and np.abs(y).max() <= 1
    assert build(shape, width=4).output_shape == (None, *shape)


def test_a_unet_enlarges_its_sources():
    generator = A.unet_generator((8, 10, 1), target_channels=3, width=4, scale=2)
    assert generator.output_shape == (None, 16, 20, 3) and generator.input_shape == (None, 8, 10, 1)
    with pytest.raises(ValueError, match=r"^scale \* source_shape must have .* divisible by 4.*Received: 18 x 20"):
        A.unet_generator((9, 10, 1), width=4, scale=2)


def test_the_unet_is_that_of_the_paper():
    generator = A.unet_generator((256, 256, 3), width=64, dropout=0.5)
    down = [layer for layer in generator.layers if type(layer) is keras.layers.Conv2D]
    up = [layer for layer in generator.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert [layer.filters for layer in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [layer.filters for layer in up] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in generator.layers) == 3
    # None after the first layer, at a single pixel, or at the end.
    assert len(norms(generator)) == 6 + 7
    assert 54.0e6 < generator.count_params() < 54.6e6


@pytest.mark.parametrize(("shape", "depth", "smallest"), [((64, 48, 3), 1, (32, 24)), ((64, 48, 3), 3, (8, 6))])
def test_a_unet_of_a_depth_halves_so_many_times(shape, depth, smallest):
    generator = A.unet_generator(shape, width=4, depth=depth)
    sizes = [layer.output.shape[1:3] for layer in generator.layers if type(layer) is keras.layers.Conv2D]
    assert len(sizes) == depth and sizes[-1] == smallest and generator.output_shape == (None, *shape)
    assert sum(isinstance(layer, keras.layers.Concatenate) for layer in generator.layers) == depth - 1
    # 48 pixels can be halved four times.
    assert len(A.unet_generator(shape, width=4, depth=4).layers) == len(A.unet_generator(shape, width=4).layers)


def test_the_residual_generator_is_that_of_the_paper():
    small, large = (A.residual_generator((n, n, 3)) for n in (128, 256))
    blocks = [sum("residual" in layer.name for layer in model.layers) for model in (small, large)]
    assert blocks == [6, 9]
    # 11.4 million in the paper's code, whose transposed convolutions have kernels of 9 weights instead of 16.
    assert 11.3e6 < large.count_params() < 12.1e6


@pytest.mark.parametrize(("width", "blocks", "low", "high"), [(64, None, 0.10, 0.12), (24, 4, 0.11, 0.125)])
def test_separable_convolutions_cost_about_a_tenth(width, blocks, low, high):
    plain, light = (
        A.residual_generator((128, 128, 3), width=width, blocks=blocks, separable=each) for each in (False, True)
    )
    assert low < networks.multiply_adds(light) / networks.multiply_adds(plain) < high
    # By hand: two convolutions per block, each 3 x 3 on every channel and then from all to all.
    (block, *_) = [layer for layer in light.layers if "residual" in layer.name]
    n = 4 * width
    assert networks._count(block, (None, 32, 32, n), (None, 32, 32, n)) == 2 * 32 * 32 * (9 * n + n * n)
    assert networks.output_activation(light) == "tanh" and len(norms(light)) == len(norms(plain))
    # XNNPACK takes fifty times as long for a depthwise convolution of 7 x 7 as for one of 5 x 5.
    kernels = [layer.kernel_size for layer in light.layers if "separable" in layer.name or "depthwise" in layer.name]
    assert kernels[-1] == (5, 5) and max(kernels) == (5, 5)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("shape", [(7, 10, 3), (8, 8, 1)], ids=str)
def test_a_super_resolution_generator_begins_as_the_bilinear_one(shape, scale):
    generator = A.super_resolution_generator(shape, scale, width=4, blocks=2)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
    size = (scale * shape[0], scale * shape[1])
    enlarged = ops.convert_to_numpy(ops.image.resize(x, size, "bilinear"))
    assert generator.output_shape == (None, *size, shape[2])
    np.testing.assert_allclose(ops.convert_to_numpy(generator(x)), enlarged, atol=1e-6)
    # The residual reaches black and white, and no further.
    *_, last = [layer for layer in generator.layers if layer.weights]
    last.bias.assign([1.5] * shape[2])
    np.testing.assert_allclose(ops.convert_to_numpy(generator(x)), np.minimum(enlarged + 1.5, 1), atol=1e-6)
    assert networks.output_activation(generator) == "hard_tanh" and not norms(generator)


def test_details_are_of_the_size_of_the_source():
    small, large = (A.super_resolution_generator((16, 12, 3), scale, width=8, blocks=3) for scale in (2, 4))
    # By hand: blocks at the source's size, kernels of 4 x 4 for each doubling, and the last convolution.
    pixels, n = 16 * 12, 8
    first = pixels * (9 * 3 * n + 3 * 2 * 9 * n * n + 16 * n * n)
    assert networks.multiply_adds(small) == first + 4 * pixels * 9 * n * 3
    assert networks.multiply_adds(large) == first + 4 * pixels * 16 * n * n + 16 * pixels * 9 * n * 3


@pytest.mark.parametrize(("side", "field"), [(16, 16), (32, 16), (34, 16), (64, 34), (72, 70), (76, 34), (128, 70)])
def test_a_logit_sees_the_largest_patch_that_fits(side, field):
    discriminator = A.patch_discriminator((side, side, 3), width=2)
    # Instance normalization looks at the whole map.
    plain = A.patch_discriminator((side, side, 3), width=2, normalize=False)
    assert plain.output_shape == discriminator.output_shape
    x = np.zeros((1, side, side, 3), "float32")
    rows = plain.output_shape[1]
    middle = rows // 2
    stride = side // rows
    start = int(plain(x)[0, middle, middle, 0])
    touched = []
    for i in range(side):
        y = x.copy()
        y[0, i] = 1.0
        touched.append(float(np.abs(ops.convert_to_numpy(plain(y))[0, middle, middle, 0] - start)) > 1e-12)
    assert stride == {16: 2, 34: 4, 70: 8}[field]
    assert sum(touched) == min(field, side) or (sum(touched) < field and (touched[0] or touched[-1]))
    assert sum(touched) > field * 0.7


def test_without_normalization_a_darker_image_has_other_logits():
    x = np.random.default_rng(0).uniform(0.5, 1, (2, 16, 16, 3)).astype("float32")
    # Without biases, as at first, everything but normalization scales with the image.
    for normalize, factor in ((True, 1.0), (False, 0.5)):
        discriminator = A.patch_discriminator((16, 16, 3), width=4, normalize=normalize)
        bright, dark = (ops.convert_to_numpy(discriminator(y)) for y in (x, 0.5 * x))
        np.testing.assert_allclose(dark, factor * bright, atol=0.02 * bright.std())


def test_an_image_depends_on_no_other():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
    for model in (
        A.unet_generator((16, 16, 3), width=4),
        A.residual_generator((16, 16, 3), width=4, blocks=1),
        separable((16, 16, 3), width=4, blocks=1),
        A.super_resolution_generator((16, 16, 3), 2, width=4, blocks=1),
        A.patch_discriminator((16, 16, 3), width=4),
    ):
        for training in (False, True):
            together = ops.convert_to_numpy(model(x, training=training))
            alone = ops.convert_to_numpy(model(x[2:3], training=training))
            np.testing.assert_allclose(together[2:3], alone, atol=2e-5)
        assert np.abs(together[0] - together[1]).max() > 1e-3


def test_dropout_is_for_training():
    model = A.unet_generator((16, 16, 3), width=4, dropout=0.5)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    first, second = (ops.convert_to_numpy(model(x, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(ops.convert_to_numpy(model(x, training=True)) - first).max() > 1e-3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: A.unet_generator((30, 32, 3)), "divisible by 4"),
        (lambda: A.residual_generator((32, 30, 3)), "^source_shape must have height and width divisible by 4"),
        (lambda: A.residual_generator((32, 32, 3), separable=1), "separable must be True or False"),
        (lambda: A.super_resolution_generator((32, 32, 3), 3), "scale must be 2 or 4. Received: 3"),
        (lambda: A.super_resolution_generator((32, 32, 5), 2), "1 to 4 channels"),
        (lambda: A.super_resolution_generator((32, 32, 3), 2, blocks=0), "blocks must be a positive integer"),
        (lambda: A.unet_generator((32, 32, 5)), "1 to 4 channels"),
        (lambda: A.unet_generator((32, 32, 3), target_channels=5), "target_channels must be an integer from 1 to 4"),
        (lambda: A.unet_generator((32, 32, 3), dropout=1.0), "dropout"),
        (lambda: A.unet_generator((64, 48, 3), depth=0), "depth must be an integer from 1 to 4. Received: 0"),
        (lambda: A.unet_generator((64, 48, 3), depth=5), "depth must be an integer from 1 to 4. Received: 5"),
        (lambda: A.patch_discriminator((12, 12, 3)), r"receptive_field must be 16, 34 or 70"),
        (lambda: A.patch_discriminator((64, 64, 3), receptive_field=70), "at most the shorter side"),
        (lambda: A.patch_discriminator((34, 34, 3), receptive_field=34), "divisible by 4 for receptive_field=34"),
        (lambda: A.patch_discriminator((64, 64, 3), normalize=None), "normalize must be True or False"),
        (lambda: A.patch_discriminator((64, 64, 3), receptive_field=50), "16, 34 or 70"),
    ],
)
def test_what_can_not_be_built_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
