"""The moving average of a network's weights."""

import keras
from keras import ops

from keras_gan import keras_private
from keras_gan.layers import SpectralNormalization


class MovingAverage(keras.layers.Layer):
    """Exponential moving average of a network's weights, as a network.

    After step `t`, counted over all `compile` calls, `average = m * average + (1 - m) * weight` with
    `m = min(momentum, (1 + t) / (10 + t))`, so that the first weights are soon forgotten. Non-trainable weights, such
    as batch statistics, are copied.

    Args:
        network: Built `keras.Model` to begin with; it is copied.
        momentum: Float in [0, 1).
        inputs: Symbolic inputs of the network.

    Attributes:
        network: `keras.Model`, the network with averaged weights, which no optimizer updates.

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
        """Copies the weights of `network` if no step was made yet: they may have been set or loaded."""
        if int(ops.convert_to_numpy(self.steps)) == 0:
            for average, weight in zip(self.network.weights, network.weights, strict=True):
                # A copy: JAX donates the memory of each variable to the step.
                average.assign(ops.convert_to_numpy(weight))

    def update(self, network):
        """Updates the average with the weights of `network`, once after each of its steps."""
        self.steps.assign_add(1)
        t = ops.cast(self.steps, "float32")
        share = 1 - ops.minimum(self.momentum, (1 + t) / (10 + t))
        for average, weight in zip(self.network.weights, network.weights, strict=True):
            # Batch statistics are averages already.
            rate = ops.cast(share if weight.trainable else 1.0, average.dtype)
            average.assign(average + rate * (weight - average))
        for layer in keras_private.layers_of(self.network):
            # Singular vectors of an average are not averages of singular vectors.
            if isinstance(layer, SpectralNormalization):
                layer.follow()


def _copy(network, inputs):
    try:
        copy = keras.models.clone_model(network)
        copy(inputs)
        copy.set_weights(network.get_weights())
        if {id(v) for v in copy.weights} & {id(v) for v in network.weights}:
            raise ValueError("the copy has the same weights, since get_config returns layers themselves")
    # A custom network may raise anything.
    except Exception as error:
        raise ValueError(
            f"ema needs a generator that Keras can copy with its get_config. Received: {network!r}, which can't be "
            f"copied: {error}. Give it a get_config, or pass ema=None."
        ) from error
    copy.name = f"ema_{network.name}"
    if hasattr(network, "condition"):
        copy.condition = network.condition
    copy.trainable = False
    return copy
