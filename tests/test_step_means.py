import keras
import numpy as np

from keras_gan.step_means import StepMeans


def test_means_are_weighted_and_of_each_log_alone():
    means = StepMeans(["a", "b", "c"])
    mean = keras.metrics.Mean()
    for value, n in ((1.0, 16), (4.0, 2)):
        mean.update_state(value, sample_weight=n)
        # The second time b is missing, and c is the mean of a vector.
        logs = {"a": value, "b": np.nan, "c": np.array([0.0, 2 * value])}
        means.update_state(logs if n == 16 else {name: logs[name] for name in "ca"}, n)
    found = {name: float(value) for name, value in means.result().items()}
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_allclose([found["a"], found["c"]], [(16 + 8) / 18] * 2, rtol=1e-6)
    np.testing.assert_allclose(found["a"], mean.result(), rtol=1e-6)
    assert np.isnan(found["b"])
    np.testing.assert_equal(means.read(), found)
    means.reset_state()
    means.update_state({"b": 3.0}, 5)
    assert [float(value) for value in means.result().values()] == [0.0, 3.0, 0.0]
    assert means.read() == {"a": 0.0, "b": 3.0, "c": 0.0}
