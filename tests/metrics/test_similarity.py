import keras
import numpy as np
import pytest

import keras_gan
from keras_gan.metrics import PSNR, SSIM

METRICS = [PSNR, SSIM]


def images(*shape, seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(-1, 1, (shape[0], shape[1] // 4, shape[2] // 4, shape[3])).repeat(4, 1).repeat(4, 2)
    return smooth.astype("float32"), np.clip(smooth + rng.normal(0, 0.2, shape), -1, 1).astype("float32")


def measured(metric, real, fake):
    metric.update_state(real, fake)
    return metric.result()


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="compares with TensorFlow's own")
@pytest.mark.parametrize("shape", [(5, 32, 24, 3), (3, 16, 16, 1)])
def test_they_are_those_of_tensorflow(shape):
    import tensorflow as tf

    real, fake = images(*shape)
    bytes_ = [np.float32(127.5) * x + 127.5 for x in (real, fake)]
    assert measured(PSNR(), real, fake) == pytest.approx(float(tf.reduce_mean(tf.image.psnr(*bytes_, 255))), rel=1e-4)
    assert measured(SSIM(), real, fake) == pytest.approx(float(tf.reduce_mean(tf.image.ssim(*bytes_, 255))), abs=1e-4)


def test_known_values():
    zeros = np.zeros((2, 8, 8, 3), "float32")
    # An error of 0.1 of the range: 20 dB.
    assert measured(PSNR(), zeros, zeros + 0.2) == pytest.approx(20, rel=1e-5)
    assert measured(PSNR(), zeros, zeros) == pytest.approx(100, rel=1e-5)
    real, fake = images(4, 16, 16, 3)
    assert measured(SSIM(), real, real) == pytest.approx(1, abs=1e-5)
    assert measured(SSIM(), real, -real) < 0 < measured(SSIM(), real, fake) < 0.999
    # A smaller image than the window.
    assert measured(SSIM(), real[:, :4, :8], real[:, :4, :8]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_a_mean_over_images_whatever_the_batches(metric):
    real, fake = images(7, 16, 16, 1)
    fake[3:] = real[3:]
    whole, parts = metric(), metric()
    expected = measured(whole, real, fake)
    for part in (slice(0, 5), slice(5, 7)):
        parts.update_state(real[part], fake[part])
    assert parts.result() == pytest.approx(expected, rel=1e-5)
    singles = [measured(metric(), real[i : i + 1], fake[i : i + 1]) for i in range(7)]
    assert expected == pytest.approx(np.mean(singles), rel=1e-5)
    parts.reset_state()
    assert np.isnan(parts.result())


@pytest.mark.parametrize("metric", METRICS)
def test_files_and_monitors_know_them(metric):
    found = metric.from_config(metric().get_config())
    assert found.name == metric.__name__.lower() == found.result_names[0] and found.directions == ("max",)
    assert metric("closeness").result_names == ("closeness",)


def test_a_sigmoid_is_measured_in_its_own_range(make_sigmoid_gan):
    from keras_gan.metrics import base

    real, fake = images(4, 16, 16, 3)
    expected = measured(PSNR(), real, fake)
    metric = keras_gan.metrics.PSNR()
    base.update([metric], (real + 1) / 2, (fake + 1) / 2, (0, 1))
    assert metric.result() == pytest.approx(expected, rel=1e-4)
