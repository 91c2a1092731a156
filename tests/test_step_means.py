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


def test_sums_go_to_another_set_of_logs_by_name():
    means, other = StepMeans(["a", "b"]), StepMeans(["c", "b"])
    means.update_state({"a": 1.0, "b": 4.0}, 3)
    assert means.get_sums() == {"a": [3.0, 3.0], "b": [12.0, 3.0]}
    other.update_state({"c": 7.0}, 2)
    other.set_sums(means.get_sums())
    assert other.read() == {"c": 0.0, "b": 4.0}
    other.update_state({"c": 5.0, "b": 8.0}, 1)
    assert other.read() == {"c": 5.0, "b": 5.0}
