"""A stopwatch for training."""

import time

import keras

from keras_gan.checks import check_number


class Stopwatch(keras.callbacks.Callback):
    """Stopwatch of training, which can also end it at a limit. Time counts from the end of the first step; evaluations
    are not counted.

    The first step is left out because it compiles. To compare models at equal time, time the first of them and limit
    the others. A run that resumes from a `BackupAndRestore` goes on counting.

    Args:
        limit: Float > 0, the seconds after which training ends, also within an epoch. Defaults to None, no limit.
        learning_rate: Float > 0, the initial learning rate. It falls linearly to 0 over the second half of the time
            limit. (A schedule by steps is impossible, since the number of steps is not known in advance.) Defaults to
            None, the rate of `compile`.

    Attributes:
        seconds: Float, how long training has taken so far.

    Raises:
        ValueError: If a number is out of range, or there is a `learning_rate` and no limit; when training begins, if
            there is a limit and several processes train together: they would end at different steps.

    Example:

    ```python
    def build(units):
        gan = keras_gan.GAN(
            keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=units),
            keras_gan.architectures.mlp_discriminator((2,), units=units),
        )
        gan.compile()
        return gan


    points = np.random.default_rng(0).normal(size=(1024, 2))
    watch = keras_gan.callbacks.Stopwatch()
    build((64,)).fit(points, batch_size=64, epochs=20, callbacks=[watch])
    equally_long = keras_gan.callbacks.Stopwatch(limit=watch.seconds)
    build((256, 256)).fit(points, batch_size=64, epochs=10_000, callbacks=[equally_long])
    ```
    """

    def __init__(self, limit=None, learning_rate=None):
        super().__init__()
        self.limit = None if limit is None else check_number("limit", limit, 0, open_low=True)
        self.learning_rate = learning_rate
        if learning_rate is not None:
            self.learning_rate = check_number("learning_rate", learning_rate, 0, open_low=True)
            if limit is None:
                raise ValueError(f"learning_rate must be None without a limit. Received: {learning_rate}.")
        self.seconds = 0.0
        self._moment = None

    def on_train_begin(self, logs=None):
        # Models of other libraries have no `is_alone`, and train in one process here.
        if self.limit is not None and not getattr(self.model, "is_alone", True):
            raise ValueError(
                "limit must be None where several processes train together, which would end at different steps. "
                f"Received: {self.limit}. Let keras_gan.pace say how many epochs fit into the time."
            )
        self.seconds, self._moment = 0.0, None

    def on_train_batch_end(self, batch, logs=None):
        self._count()
        if self.limit is None:
            return
        left = self.limit - self.seconds
        if self.learning_rate is not None and left > 0:
            self.model.optimizer.learning_rate = self.learning_rate * min(1.0, 2 * left / self.limit)
        self.model.stop_training |= left <= 0

    def on_test_begin(self, logs=None):
        self._count()

    def on_test_end(self, logs=None):
        self._moment = time.monotonic()

    def on_train_end(self, logs=None):
        self._count()

    def _count(self):
        """Adds the seconds since it was last called, if that was in this training."""
        now = time.monotonic()
        if self._moment is not None:
            self.seconds += now - self._moment
        self._moment = now
