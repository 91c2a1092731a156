"""Training on TensorFlow, with and without `tf.distribute`."""

import keras
import tensorflow as tf

from keras_gan.backend.parts import fail_together, own_part, share, without_padding
from keras_gan.backend.replicas import ReplicaLoop


class Trainer(ReplicaLoop):
    """Mixin for `keras.Model`: Keras's entry points for a step, and one player's update."""

    without_padding = staticmethod(without_padding)

    @property
    def is_chief(self):
        """Whether this process is the one of many that writes files and speaks."""
        return self.distribute_strategy.extended.should_checkpoint

    def train_step(self, data):
        return self.adversarial_step(own_part(data))

    def test_step(self, data):
        return self.evaluation_step(own_part(data))

    def update(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective, all at once.

        Args:
            players: List of `(network, optimizer)`, each optimizer built on its network's trainable variables.
            objectives: Function of no argument that returns for each player a scalar and anything else.

        Returns:
            List of what the objective returned beside the scalar, and the norm of its gradient, a scalar; under
            `tf.distribute` that of this replica's part of the batch.
        """
        # `apply` sums the gradients of the replicas.
        scales = [optimizer.scale_loss(share()) for _, optimizer in players]
        weights = [[v.value for v in network.trainable_variables] for network, _ in players]
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(weights)
            results = objectives()
            scalars = [scalar * scale for (scalar, _), scale in zip(results, scales, strict=True)]
        gradients = [tape.gradient(scalar, own) for scalar, own in zip(scalars, weights, strict=True)]
        for (network, optimizer), own in zip(players, gradients, strict=True):
            scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
            optimizer.apply(fail_together(own) if scales_loss else own, network.trainable_variables)
        norms = [tf.math.divide_no_nan(tf.linalg.global_norm(g), k) for g, k in zip(gradients, scales, strict=True)]
        return [(aux, norm) for (_, aux), norm in zip(results, norms, strict=True)]


def input_gradient(function, x):
    """The gradient of `sum(function(x))` with respect to `x`, which can itself be differentiated.

    Args:
        function: Function of one tensor that returns one, such as a discriminator in inference mode.
        x: Tensor `(batch, ...)`.

    Returns:
        Tensor shaped like `x`: where each output depends on its own example alone, the gradients example by example.
    """
    x = tf.convert_to_tensor(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
