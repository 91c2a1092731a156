"""Trained discriminators against the optimal one, which is known for a fixed generator, in one dimension."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gan import losses

STEPS = 1500
REAL_MEAN, REAL_STDDEV = 0.0, 1.0
FAKE_MEAN, FAKE_STDDEV = 1.0, 0.7


def density(x, mean, stddev):
    return np.exp(-(((x - mean) / stddev) ** 2) / 2) / (stddev * np.sqrt(2 * np.pi))


def quantiles(n, mean, stddev):
    """Returns points that divide the mass of a normal distribution equally: a mean over them is a quadrature."""
    x = np.linspace(-8, 8, 200_001)
    mass = np.cumsum(density(x, 0, 1)) * (x[1] - x[0])
    return (mean + stddev * np.interp((np.arange(n) + 0.5) / n, mass, x)).astype("float32")[:, None]


def jensen_shannon():
    x = np.linspace(-9, 9, 200_001)
    p, q = density(x, REAL_MEAN, REAL_STDDEV), density(x, FAKE_MEAN, FAKE_STDDEV)
    m = (p + q) / 2
    halves = p * np.log((p + 1e-300) / (m + 1e-300)) + q * np.log((q + 1e-300) / (m + 1e-300))
    return np.sum(halves) / 2 * (x[1] - x[0])


def trained(loss):
    """A converged discriminator, and its loss."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input((1,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(1)])
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, STEPS))
    optimizer.build(model.trainable_variables)
    real, fake = quantiles(2048, REAL_MEAN, REAL_STDDEV), quantiles(2048, FAKE_MEAN, FAKE_STDDEV)

    def objective():
        return loss.discriminator(model(real), model(fake))

    @tf.function
    def train():
        for _ in tf.range(STEPS):
            with tf.GradientTape() as tape:
                value = objective()
            optimizer.apply(tape.gradient(value, model.trainable_variables))

    train()
    return model, float(objective())


def error(outputs, smoothing=0.0):
    """Returns the largest error of `outputs(x)` against the optimal probability, over 97 % of reals and fakes."""
    x = np.linspace(-2, 2.4, 200)[:, None]
    p, q = density(x, REAL_MEAN, REAL_STDDEV), density(x, FAKE_MEAN, FAKE_STDDEV)
    return np.abs(np.asarray(outputs(x)) - (1 - smoothing) * p / (p + q)).max()


@pytest.mark.parametrize("loss", [losses.Minimax(), losses.NonSaturating()])
def test_discriminator_finds_the_ratio_of_densities_and_its_loss_the_divergence(loss):
    model, value = trained(loss)
    assert error(lambda x: keras.ops.sigmoid(model(x))) < 0.02
    # Of 0.1608 nats. A discriminator of finite size falls short; to overshoot, it would have to beat the optimum.
    assert abs(np.log(2) - value / 2 - jensen_shannon()) < 5e-4


def test_smoothing_scales_the_probability():
    model, _ = trained(losses.NonSaturating(label_smoothing=0.2))
    assert error(lambda x: keras.ops.sigmoid(model(x)), smoothing=0.2) < 0.02


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_least_squares_finds_the_probability_without_a_sigmoid(smoothing):
    model, _ = trained(losses.LeastSquares(label_smoothing=smoothing))
    assert error(model, smoothing) < 0.02
