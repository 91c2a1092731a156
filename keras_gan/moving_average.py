"""A network whose weights follow those of another, and models that use it."""

import keras
from keras import ops

from keras_gan import keras_private
from keras_gan.checks.values import check_number
from keras_gan.layers import SpectralNormalization


class MovingAverage(keras.layers.Layer):
    """The exponential moving average of a network's weights, as a network of its own.

    After step `t`, counted over all `compile` calls, `average = m * average + (1 - m) * weight` with
    `m = min(momentum, (1 + t) / (10 + t))`, so that the first weights are soon forgotten. What is not trainable, such
    as statistics of batches, is copied.

    Args:
        network: Built `keras.Model` to begin with; it is copied.
        momentum: Float in [0, 1).
        inputs: Symbolic inputs of the network.

    Attributes:
        network: `keras.Model`, the network with averaged weights, which no optimizer moves.

    Raises:
        ValueError: If the network can't be copied, since it has no `get_config`.

    Reference:
        [Yazici et al., 2018](https://arxiv.org/abs/1806.04498)
    """

    def __init__(self, network, momentum, inputs):
        super().__init__(name=f"ema_of_{network.name}")
        self.momentum = momentum
        self.network = _copy(network, inputs)
        # Optimizers count from 0 after each `compile`.
        self.steps = self.add_weight(
            (), "zeros", "int32", trainable=False, aggregation="only_first_replica", name="steps"
        )
        self.built = True

    def begin_at(self, network):
        """Copies the weights of `network` before the first step, in which they may have been set or loaded."""
        if int(ops.convert_to_numpy(self.steps)) == 0:
            for average, weight in zip(self.network.weights, network.weights, strict=True):
                # A copy: JAX gives the memory of each variable away once a step.
                average.assign(ops.convert_to_numpy(weight))

    def update(self, network):
        """Moves the average towards the weights of `network`, once after each of its steps."""
        self.steps.assign_add(1)
        t = ops.cast(self.steps, "float32")
        share = 1 - ops.minimum(self.momentum, (1 + t) / (10 + t))
        for average, weight in zip(self.network.weights, network.weights, strict=True):
            # Statistics of batches are averages already.
            rate = ops.cast(share if weight.trainable else 1.0, average.dtype)
            average.assign(average + rate * (weight - average))
        for layer in keras_private.layers_of(self.network):
            # The singular vectors of an average are not the average of singular vectors.
            if isinstance(layer, SpectralNormalization):
                layer.follow()


class Averaged:
    """Mixin for an `AdversarialModel` with a `generator`, before it: uses averaged weights where there is an `ema`."""

    def average(self, ema, inputs):
        """Sets up the average, in the constructor.

        Args:
            ema: Float in [0, 1), the momentum, or None for no average.
            inputs: Symbolic inputs of the generator.

        Raises:
            ValueError: If `ema` is out of range, or the generator can't be copied.
        """
        if ema is not None:
            ema = check_number("ema, the momentum of the average,", ema, 0, 1, open_high=True)
        self.ema = ema
        self._average = None if ema is None else MovingAverage(self.generator, ema, inputs)

    @property
    def ema_generator(self):
        """`keras.Model`, the generator with averaged weights; None without `ema`."""
        return None if self._average is None else self._average.network

    @property
    def best_generator(self):
        """`keras.Model`, the generator that samples and exports use: the averaged one if there is an `ema`."""
        if self._average is None:
            return self.generator
        self._begin_average()
        return self._average.network

    def update_average(self):
        """Moves the average, if there is one, after a step of the generator."""
        if self._average is not None:
            self._average.update(self.generator)

    def call(self, inputs, training=False):
        averaged = self._average is not None and not training
        return (self._average.network if averaged else self.generator)(inputs, training=training)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Generates from what the generator takes, as `keras.Model.predict` does."""
        self._begin_average()
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def reset_metrics(self):
        # Called before each evaluation, in whose steps it would be too late.
        self._begin_average()
        super().reset_metrics()

    def _begin_average(self):
        """Lets the average follow the generator until the first step: weights may have been set or loaded."""
        if self._average is not None:
            self._average.begin_at(self.generator)


def _copy(network, inputs):
    try:
        copy = keras.models.clone_model(network)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            "ema needs a generator that can be copied, which Keras does by its get_config. "
            f"Received: {network!r}, which fails: {error}"
        ) from error
    copy.name = f"ema_{network.name}"
    if hasattr(network, "condition"):
        copy.condition = network.condition
    copy(inputs)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy
