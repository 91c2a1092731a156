import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_gan import losses
from keras_gan.backend import input_gradient

NAMES = sorted(losses._BY_NAME)
SMOOTHED = [losses.Minimax, losses.NonSaturating, losses.LeastSquares]

# Mixed signs, on both sides of every kink: 0, 1, -1.
REAL = np.array([[2.0], [-1.5]], "float32")
FAKE = np.array([[0.5], [-3.0]], "float32")


def sp(x):
    """Computes softplus, the log of 1 + e^x."""
    return np.log1p(np.exp(x))


def _id(loss):
    return "-".join([type(loss).__name__, *map(str, loss.get_config().values())])


BY_HAND = {
    "minimax": (
        (sp(-2.0) + sp(1.5)) / 2 + (sp(0.5) + sp(-3.0)) / 2,
        -(sp(0.5) + sp(-3.0)) / 2,
    ),
    "non_saturating": (
        (sp(-2.0) + sp(1.5)) / 2 + (sp(0.5) + sp(-3.0)) / 2,
        (sp(-0.5) + sp(3.0)) / 2,
    ),
    # reals 1 and -2.5 off 1, fakes 0.5 and -3 off 0; for the generator -0.5 and -4 off 1
    "least_squares": ((1 + 6.25) / 4 + (0.25 + 9) / 4, (0.25 + 16) / 4),
    "hinge": ((0 + 2.5) / 2 + (1.5 + 0) / 2, 1.25),
    "wasserstein": (-0.25 - 1.25, 1.25),
    "relativistic": ((sp(-1.5) + sp(-1.5)) / 2, (sp(1.5) + sp(1.5)) / 2),
    # the reals' mean is 0.25, the fakes' -1.25
    "relativistic_average": (
        (sp(-3.25) + sp(0.25)) / 2 + (sp(0.25) + sp(-3.25)) / 2,
        (sp(-0.25) + sp(3.25)) / 2 + (sp(3.25) + sp(-0.25)) / 2,
    ),
}


def both(loss, real, fake):
    generator = loss.generator(real if loss.generator_uses_real else None, fake)
    return [loss.discriminator(real, fake), generator]


# The second is one example's map, the last two examples' maps of equal entries.
SHAPES = pytest.mark.parametrize("shape", [(2, 1), (1, 2, 1, 1), (2, 3, 2, 1)], ids=str)


def shaped(logits, shape):
    if shape[0] == 1:
        return logits.reshape(shape)
    return np.broadcast_to(logits.reshape(-1, *[1] * (len(shape) - 1)), shape)


@SHAPES
@pytest.mark.parametrize("name", NAMES)
def test_values_by_hand(name, shape):
    found = both(losses.get(name), shaped(REAL, shape), shaped(FAKE, shape))
    assert [tuple(loss.shape) for loss in found] == [(), ()]
    np.testing.assert_allclose(found, BY_HAND[name], rtol=1e-6)


def test_relativistic_pairs_each_real_with_the_fake_in_its_place():
    loss = losses.Relativistic()
    # The differences are 1 and 3 in this order, and 4.5 and -0.5 after swapping the fakes.
    real, fake = np.array([[2.0], [1.5]], "float32"), np.array([[1.0], [-1.5]], "float32")
    np.testing.assert_allclose(loss.discriminator(real, fake), (sp(-1.0) + sp(-3.0)) / 2, rtol=1e-6)
    np.testing.assert_allclose(loss.discriminator(real, fake[::-1]), (sp(-3.5) + sp(-0.5)) / 2, rtol=1e-6)
    np.testing.assert_allclose(loss.generator(real, fake), (sp(1.0) + sp(3.0)) / 2, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_values_at_equilibrium(name):
    zeros = np.zeros((3, 1), "float32")
    expected = {
        "minimax": (np.log(4), -np.log(2)),
        "non_saturating": (np.log(4), np.log(2)),
        "least_squares": (0.5, 0.5),
        "hinge": (2, 0),
        "wasserstein": (0, 0),
        "relativistic": (np.log(2), np.log(2)),
        "relativistic_average": (np.log(4), np.log(4)),
    }[name]
    np.testing.assert_allclose(both(losses.get(name), zeros, zeros), expected, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_each_player_pulls_logits_its_way(name):
    loss = losses.get(name)
    # Between the targets of all: the least squares' 0 and 1, the hinge's -1 and 1.
    real, fake = ops.convert_to_tensor([[0.2], [0.7]]), ops.convert_to_tensor([[0.1], [0.6]])
    assert np.all(ops.convert_to_numpy(input_gradient(lambda x: loss.discriminator(x, fake), real)) < 0)
    assert np.all(ops.convert_to_numpy(input_gradient(lambda x: loss.discriminator(real, x), fake)) > 0)
    given = real if loss.generator_uses_real else None
    assert np.all(ops.convert_to_numpy(input_gradient(lambda x: loss.generator(given, x), fake)) < 0)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_match_finite_differences(name):
    loss = losses.get(name)
    given = REAL if loss.generator_uses_real else None
    for function, at in [
        (lambda x: loss.discriminator(x, FAKE), REAL),
        (lambda x: loss.discriminator(REAL, x), FAKE),
        (lambda x: loss.generator(given, x), FAKE),
    ]:
        gradient = ops.convert_to_numpy(input_gradient(function, at))
        for i in range(len(at)):
            step = np.zeros_like(at)
            step[i] = 0.01
            slope = (float(function(at + step)) - float(function(at - step))) / 0.02
            np.testing.assert_allclose(gradient[i, 0], slope, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("loss", [*map(losses.get, NAMES), *(cls(label_smoothing=0.1) for cls in SMOOTHED)], ids=_id)
def test_extreme_logits(loss, dtype):
    real = ops.cast(np.array([[1e4], [-1e4], [1e4], [-1e4]]), dtype)
    fake = ops.cast(np.array([[1e4], [1e4], [-1e4], [-1e4]]), dtype)
    a = float(real[0, 0])  # bfloat16 rounds it to 9984
    # Smoothing does not change sums of cross-entropies: +a and -a change by the same with opposite signs. A target that
    # is off by 0.1 is lost in the float32 of the squares.
    expected = {
        losses.Minimax: (a, -a / 2),
        losses.NonSaturating: (a, a / 2),
        losses.LeastSquares: ((a**2 + 1) / 2 + a**2 / 2, (a**2 + 1) / 2),
        losses.Hinge: (1 + a, 0),
        losses.Wasserstein: (0, 0),
        losses.Relativistic: ((np.log(2) + a) / 2, (np.log(2) + a) / 2),
        losses.RelativisticAverage: (a, a),
    }[type(loss)]
    values = both(loss, real, fake)
    assert [keras.backend.standardize_dtype(v.dtype) for v in values] == ["float32", "float32"]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    given = real if loss.generator_uses_real else None
    for gradient in [
        input_gradient(lambda x: loss.discriminator(x, fake), real),
        input_gradient(lambda x: loss.discriminator(real, x), fake),
        input_gradient(lambda x: loss.generator(given, x), fake),
    ]:
        assert np.all(np.isfinite(ops.convert_to_numpy(ops.cast(gradient, "float32"))))


def test_low_precision_logits_give_the_float32_loss():
    # In bfloat16 itself these sums would be off by up to 1 %.
    real, fake = ops.cast([[5.03125], [3.0]], "bfloat16"), ops.cast([[0.0078125], [-3.0]], "bfloat16")
    for name in NAMES:
        loss = losses.get(name)
        exact = both(loss, ops.cast(real, "float32"), ops.cast(fake, "float32"))
        np.testing.assert_allclose(both(loss, real, fake), exact, rtol=1e-6)


def test_smoothing_of_cross_entropy_moves_the_target_of_the_reals_alone():
    for loss in losses.Minimax(label_smoothing=0.1), losses.NonSaturating(label_smoothing=0.1):
        expected = (0.9 * sp(-2.0) + 0.1 * sp(2.0) + 0.9 * sp(1.5) + 0.1 * sp(-1.5)) / 2 + (sp(0.5) + sp(-3.0)) / 2
        np.testing.assert_allclose(loss.discriminator(REAL, FAKE), expected, rtol=1e-6)
        plain = type(loss)()
        np.testing.assert_array_equal(loss.generator(None, FAKE), plain.generator(None, FAKE))
        # D(x) = 0.9 is the discriminator's optimum.
        at = ops.convert_to_tensor([[np.log(9.0)]])
        gradient = input_gradient(lambda x, loss=loss: loss.discriminator(x, FAKE), at)
        np.testing.assert_allclose(gradient, [[0.0]], atol=1e-6)


def test_smoothing_of_least_squares_moves_the_target_of_the_reals_alone():
    loss = losses.LeastSquares(label_smoothing=0.1)
    np.testing.assert_allclose(loss.discriminator(REAL, FAKE), (1.1**2 + 2.4**2) / 4 + (0.25 + 9) / 4, rtol=1e-6)
    np.testing.assert_allclose(loss.generator(None, FAKE), BY_HAND["least_squares"][1], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan"), "0.1", None])
def test_smoothing_out_of_range(smoothing):
    for loss in SMOOTHED:
        with pytest.raises(ValueError, match=r"label_smoothing must be a number in \[0, 1\)\. Received: "):
            loss(label_smoothing=smoothing)


def test_which_losses_need_what():
    assert {n for n in NAMES if losses.get(n).generator_uses_real} == {"relativistic", "relativistic_average"}
    assert {n for n in NAMES if losses.get(n).needs_lipschitz} == {"wasserstein"}


def test_every_public_loss_is_found_by_its_name():
    public = {
        value
        for name, value in vars(losses).items()
        if isinstance(value, type) and issubclass(value, losses.AdversarialLoss) and not name.startswith("_")
    } - {losses.AdversarialLoss}
    snake = {re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower(): cls for cls in public}
    assert snake == losses._BY_NAME
    assert all(type(losses.get(name)) is cls for name, cls in snake.items())


def test_unknown_name():
    with pytest.raises(ValueError, match=r"loss must be one of \['hinge', .*\], or an object\. Received: 'hing'\."):
        losses.get("hing")


@pytest.mark.parametrize("identifier", [None, 3, losses.Hinge, lambda real, fake: 0])
def test_no_loss(identifier):
    with pytest.raises(TypeError, match="loss must be a name or an object with methods"):
        losses.get(identifier)


@pytest.mark.parametrize("name", NAMES)
def test_serialisation(name):
    loss = losses.get(name)
    if type(loss) in SMOOTHED:
        loss = type(loss)(label_smoothing=0.25)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert vars(again) == vars(loss)
