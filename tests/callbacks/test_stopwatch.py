"""The stopwatch of training, on a clock that stands still unless something is done."""

import types

import keras
import pytest

from keras_gan import callbacks
from keras_gan.callbacks import stopwatch


class Work(keras.callbacks.Callback):
    """A clock: 2 seconds for a step, 100 for the first step of a process, 1000 for an evaluation."""

    now = 5.0

    def on_train_begin(self, logs=None):
        self.is_first = True

    def on_train_batch_begin(self, batch, logs=None):
        Work.now += 100 if self.is_first else 2
        self.is_first = False

    def on_test_batch_begin(self, batch, logs=None):
        Work.now += 1000


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(stopwatch, "time", types.SimpleNamespace(monotonic=lambda: Work.now))


def test_steps_count_after_the_first_and_evaluations_do_not(points, make_gan):
    watch = callbacks.Stopwatch()
    gan = make_gan()
    for _ in range(2):
        gan.fit(points, batch_size=64, epochs=3, validation_data=points[:64], verbose=0, callbacks=[Work(), watch])
        assert watch.seconds == 2 * (3 * 4 - 1)


@pytest.mark.parametrize(("limit", "steps"), [(1.5, 2), (2, 2), (5, 4), (9, 6), (21, 12), (23, 12)])
def test_training_ends_at_the_limit(limit, steps, points, make_gan):
    gan, watch = make_gan(), callbacks.Stopwatch(limit)
    gan.fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[Work(), watch])
    assert int(gan.optimizer.iterations) == steps and watch.seconds == 2 * (steps - 1)


def test_the_rate_falls_over_the_second_half(points, make_gan):
    gan, rates = make_gan(), []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(float(gan.optimizer.learning_rate))
    )
    watch = callbacks.Stopwatch(8, learning_rate=0.4)
    gan.fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[Work(), watch, look])
    # After 0, 2, 4 and 6 of 8 seconds; the last step changes nothing.
    assert rates == pytest.approx([0.4, 0.4, 0.4, 0.2, 0.2])


def test_a_run_that_goes_on_counts_on(points, make_gan, tmp_path):
    def fit(epochs):
        # The clock of another machine.
        Work.now = -1e6 * epochs
        backup = callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
        watch = callbacks.Stopwatch(limit=1000)
        make_gan().fit(points, batch_size=64, epochs=epochs, verbose=0, callbacks=[Work(), watch, backup])
        return watch.seconds

    assert fit(1) == 2 * 3
    # Its first step compiles again.
    assert fit(3) == 2 * 3 + 2 * 7


def test_processes_that_train_together_need_no_limit():
    model = types.SimpleNamespace(is_alone=False, stop_training=False)
    watch = callbacks.Stopwatch(limit=3)
    watch.set_model(model)
    with pytest.raises(ValueError, match="limit must be None where several processes train together"):
        watch.on_train_begin()
    callbacks.Stopwatch().on_train_begin()


def test_a_rate_needs_a_limit():
    with pytest.raises(ValueError, match=r"learning_rate must be None without a limit\. Received: 0\.1"):
        callbacks.Stopwatch(learning_rate=0.1)
