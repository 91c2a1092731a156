import keras
import numpy as np
import pytest

from keras_gan.constraints import WeightClipping


def test_weight_clipping_bounds_weights_after_each_update():
    clipping = WeightClipping(0.05)
    np.testing.assert_allclose(clipping(np.array([-3.0, -0.01, 0.02, 3.0])), [-0.05, -0.01, 0.02, 0.05], rtol=1e-6)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_constraint=clipping)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch(np.eye(3, dtype="float32"), np.array([[100.0], [-100.0], [100.0]]))
    np.testing.assert_allclose(model.layers[0].kernel, [[0.05], [-0.05], [0.05]], rtol=1e-6)
    assert abs(float(model.layers[0].bias[0])) > 0.05


def test_weight_clipping_serialises():
    layer = keras.layers.Dense(1, kernel_constraint=WeightClipping(0.05))
    again = keras.layers.Dense.from_config(layer.get_config())
    assert isinstance(again.kernel_constraint, WeightClipping)
    assert again.kernel_constraint.c == 0.05
    assert WeightClipping().c == 0.01


@pytest.mark.parametrize("c", [0.0, -0.01, float("nan"), "0.01"])
def test_bad_clipping(c):
    with pytest.raises(ValueError, match=r"c must be a finite number > 0\. Received: "):
        WeightClipping(c)
