"""Speed of training on this machine, and how much of it fits into a given time."""

import dataclasses
import itertools
import math
import statistics
import time

import keras

from keras_gan.checks.values import check_number

__all__ = ["Pace", "measure"]


def __dir__():
    return __all__


@dataclasses.dataclass(frozen=True)
class Pace:
    """Seconds of the parts of training.

    Attributes:
        start: Float, the first two steps and the first end of an epoch (evaluation and callbacks), which include
            compilation.
        step: Float, a step.
        epoch_end: Float, the end of an epoch: evaluation and callbacks.

    Example:

    ```python
    pace = keras_gan.pace.Pace(start=10.0, step=0.5, epoch_end=2.0)
    pace.seconds(steps=100, epochs=2)  # 64.0
    pace.epochs_within(120, steps_per_epoch=100)  # 2
    pace.steps_within(60, epochs=2)  # 92
    ```
    """

    start: float
    step: float
    epoch_end: float

    def epochs_within(self, seconds, steps_per_epoch):
        """Computes how many whole epochs fit into a time.

        Args:
            seconds: Float, the time.
            steps_per_epoch: Int > 0.

        Returns:
            Int, at least 1.
        """
        return max(1, math.floor((seconds - self.start) / (steps_per_epoch * self.step + self.epoch_end)))

    def steps_within(self, seconds, epochs):
        """Computes how many steps in a number of epochs fit into a time.

        Args:
            seconds: Float, the time.
            epochs: Int >= 0, the number of epochs.

        Returns:
            Int, at least 1, the steps of all epochs together.
        """
        return max(1, math.floor((seconds - self.start - epochs * self.epoch_end) / self.step))

    def seconds(self, steps, epochs):
        """Computes the time for a number of steps in a number of epochs.

        Args:
            steps: Int, the steps of all epochs together.
            epochs: Int.

        Returns:
            Float, in seconds.
        """
        return self.start + steps * self.step + epochs * self.epoch_end


def measure(gan, data, validation_data=None, callbacks=(), seconds=5.0):
    """Times training by running some of it: a few steps, and the end of an epoch.

    Args:
        gan: Compiled `keras_gan.AdversarialModel`. This function trains it, so pass a separate model.
        data: `tf.data.Dataset` to train on.
        validation_data: As in `fit`. Defaults to None.
        callbacks: List of `keras.callbacks.Callback` as in training, but writing to a separate folder. Defaults to
            none.
        seconds: Float > 0, about how long to time steps, after the first two; at least 3 and at most 499 steps are
            timed. Defaults to `5.0`.

    Returns:
        `Pace`.

    Raises:
        ValueError: If `seconds` is out of range, or `fit` can't train on the data.

    Example:

    ```python
    def build(epochs):
        gan = keras_gan.GAN(
            keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64, units=(128,)),
            keras_gan.architectures.mlp_discriminator((28, 28, 1), units=(128,)),
        )
        rate = keras.optimizers.schedules.CosineDecay(2e-4, epochs * len(train))
        gan.compile(keras.optimizers.Adam(rate, beta_1=0.5), keras.optimizers.Adam(rate, beta_1=0.5))
        return gan


    train = keras_gan.datasets.load("digits", batch_size=64)
    pace = keras_gan.pace.measure(build(1), train)
    epochs = pace.epochs_within(6 * 60, len(train))
    build(epochs).fit(train, epochs=epochs)
    ```
    """
    seconds = check_number("seconds", seconds, 0, open_low=True)

    def fit(steps):
        times = [time.monotonic()]
        end = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.monotonic()))
        gan.fit(data.repeat().take(steps), validation_data=validation_data, verbose=0, callbacks=[end, *callbacks])
        return [*times, time.monotonic()]

    begin, first, second, end = fit(2)
    _, *steps, done = fit(max(4, min(500, math.ceil(seconds / max(second - first, 1e-3)))))
    times = sorted(b - a for a, b in itertools.pairwise(steps))
    # Takes the mean, since slow steps count, too: the median is about 5 % lower. The slowest 2 % are left out, since
    # they may include compilation.
    step = statistics.fmean(times[: -math.ceil(len(times) / 50)] or times)
    return Pace(end - begin, step, done - steps[-1])
