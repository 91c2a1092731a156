import itertools
import types

import keras
import pytest
import tensorflow as tf

import keras_gan
from keras_gan import pace


def test_epochs_that_fit():
    p = pace.Pace(start=10.0, step=0.5, epoch_end=5.0)
    assert [p.epochs_within(s, steps_per_epoch=10) for s in (50, 59.9, 60, 360)] == [4, 4, 5, 35]
    assert [p.epochs_within(s, steps_per_epoch=10) for s in (-5, 0, 15)] == [1, 1, 1]


def test_steps_that_fit():
    p = pace.Pace(start=10.0, step=0.5, epoch_end=5.0)
    assert [p.steps_within(s, epochs=4) for s in (30, 30.4, 130, 0)] == [1, 1, 200, 1]
    assert p.seconds(200, 4) == 130.0


class Count(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps, self.epochs = 0, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


@pytest.mark.parametrize("batches", [1, 4])
def test_measure_times_steps_and_what_ends_an_epoch(batches, points, make_gan, monkeypatch):
    # A clock that advances a second at each reading, which is after each step and at both ends of `fit`.
    monkeypatch.setattr(pace, "time", types.SimpleNamespace(monotonic=itertools.count(0.0).__next__))
    count = Count()
    data = tf.data.Dataset.from_tensor_slices(points[: 16 * batches]).batch(16)
    found = pace.measure(make_gan(), data, points[:16], callbacks=[count], seconds=7)
    assert found == pace.Pace(start=3.0, step=1.0, epoch_end=1.0)
    assert count.steps == 2 + 7 and count.epochs == 2


def test_measure_leaves_out_what_slow_steps_take(points, make_gan, monkeypatch):
    times = iter([0.0, 60.0, 61.0, 62.0, *(100.0, 101.0, 103.0, 113.0, 115.0, 120.0)])
    monkeypatch.setattr(pace, "time", types.SimpleNamespace(monotonic=times.__next__))
    data = tf.data.Dataset.from_tensor_slices(points).batch(16)
    # The very first step compiles; an outlier of ten seconds does not count.
    assert pace.measure(make_gan(), data, seconds=1) == pace.Pace(start=62.0, step=2.0, epoch_end=5.0)


def test_measure_counts_slow_steps(points, make_gan, monkeypatch):
    # Each fourth step takes 3 seconds, the others 1: the mean of 239 without the 5 slowest is 1.47.
    lengths = itertools.chain([0.0, 1.0, 0.01, 0.0, 0.0, 0.0], itertools.cycle([1.0, 1.0, 1.0, 3.0]))
    monkeypatch.setattr(pace, "time", types.SimpleNamespace(monotonic=itertools.accumulate(lengths).__next__))
    found = pace.measure(make_gan(), tf.data.Dataset.from_tensor_slices(points).batch(16), seconds=2.4)
    assert found.step == pytest.approx(1.47, abs=0.01)


def test_bad_seconds(points, make_gan):
    with pytest.raises(ValueError, match="seconds must be a finite number > 0"):
        keras_gan.pace.measure(make_gan(), tf.data.Dataset.from_tensors(points), seconds=0)
