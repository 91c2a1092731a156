import keras
import numpy as np

from keras_gan.schedules import ConstantThenLinear


def test_the_rate_is_constant_and_then_falls_on_a_line():
    rate = ConstantThenLinear(0.4, steps=100, constant=0.6, alpha=0.25)
    found = [float(rate(step)) for step in (0, 59, 60, 80, 100, 1000)]
    np.testing.assert_allclose(found, [0.4, 0.4, 0.4, 0.25, 0.1, 0.1], rtol=1e-6)


def test_an_optimizer_follows_and_files_keep_it():
    rate = ConstantThenLinear(1.0, steps=4, constant=0.0, alpha=0.0)
    optimizer = keras.optimizers.SGD(rate)
    optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    variable = keras.Variable([0.0])
    optimizer.build([variable])
    for _ in range(5):
        optimizer.apply([keras.ops.ones(1)])
    np.testing.assert_allclose(variable.numpy(), [-(1 + 0.75 + 0.5 + 0.25 + 0)], rtol=1e-6)
