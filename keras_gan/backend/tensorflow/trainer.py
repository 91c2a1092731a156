"""The step of training on TensorFlow."""

import functools
import logging
import os

import tensorflow as tf

from keras_gan import keras_private
from keras_gan.backend.tensorflow.loop import ReplicaLoop
from keras_gan.backend.tensorflow.replica import fail_together, global_norm, own_part, replica, share, without_padding
from keras_gan.optimizers import scales_loss


class Trainer(ReplicaLoop):
    """Mixin for `keras.Model`: Keras's entry points for a step, and the update of players."""

    without_padding = staticmethod(without_padding)

    def train_step(self, data):
        data = own_part(data)
        fits = self._fits(data)
        # Parts of replicas differ in size, and all replicas must run the step.
        if fits is True or replica()[1] > 1:
            return self._log_means(self.adversarial_step(data), data)
        # A last batch may be too small.
        return tf.cond(fits, lambda: self._log_means(self.adversarial_step(data), data), self.step_means.result)

    def test_step(self, data):
        data = own_part(data)
        return self._log_means(self.evaluation_step(data), data)

    def _descend(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective, all at once.

        Args:
            players: List of `(variables, optimizer)`, each optimizer built on the variables.
            objectives: Function of no argument that returns for each player a scalar and a report: nested tensors.

        Returns:
            List of each player's report and the norm of its gradient, a scalar; under `tf.distribute` that of this
            replica's part of the batch.
        """
        # `apply` sums the gradients of the replicas.
        scales = [optimizer.scale_loss(share()) for _, optimizer in players]
        weights = [[v.value for v in variables] for variables, _ in players]
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(weights)
            results = objectives()
            scalars = [s * tf.cast(scale, s.dtype) for (s, _), scale in zip(results, scales, strict=True)]
        gradients = [tape.gradient(scalar, own) for scalar, own in zip(scalars, weights, strict=True)]
        for (variables, optimizer), own in zip(players, gradients, strict=True):
            optimizer.apply(fail_together(own) if scales_loss(optimizer) else own, variables)
        norms = [
            tf.math.divide_no_nan(global_norm(g), tf.cast(k, "float32")) for g, k in zip(gradients, scales, strict=True)
        ]
        return [(report, norm) for (_, report), norm in zip(results, norms, strict=True)]


@functools.cache
def warn_of_slow_processor():
    """Warns once where TensorFlow computes without oneDNN, as it does by default on x86 without AVX-512."""
    chosen = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0"
    if keras_private.lacks_onednn() and not chosen and not tf.config.list_physical_devices("GPU"):
        logging.getLogger("keras_gan").warning(
            "TensorFlow computes without oneDNN on this processor: a step takes 1.3 to 1.9 times as long with "
            "convolutions, and dilated transposed ones fail. Before anything imports TensorFlow or Keras, write: "
            'import os; os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"'
        )


def write_rows(variable, places, rows):
    """Writes rows into a variable, in place: an assignment would copy all of it.

    Args:
        variable: `keras.Variable` `(n, ...)`, this replica's own under `tf.distribute`.
        places: Tensor of integers `(m,)`, the indices of the rows.
        rows: Tensor `(m, ...)`, their new values.
    """
    tf.raw_ops.ResourceScatterNdUpdate(ref=variable.value.handle, indices=places[:, None], updates=rows)


def inference(network):
    """Returns a function that runs a network in inference mode, compiled once for batches of any size.

    Args:
        network: Built `keras.Model`. It runs with the weights that it has at each call.

    Returns:
        Function of the network's inputs that returns a NumPy array.
    """
    # Not a lambda: TensorFlow counts traces per code object. Since all networks would share the lambda's code, it would
    # warn of retracing.
    run = tf.function(functools.partial(network, training=False), reduce_retracing=True)

    def call(inputs):
        return run(tf.nest.map_structure(tf.convert_to_tensor, inputs)).numpy()

    return call


def input_gradient(function, x):
    """Returns the gradient of `sum(function(x))` with respect to `x`, which can itself be differentiated.

    Args:
        function: Function of one tensor that returns one, such as a discriminator in inference mode.
        x: Tensor `(batch, ...)`.

    Returns:
        Tensor shaped like `x`. If each output depends only on its own example, it holds the gradient of each example's
        output.
    """
    x = tf.convert_to_tensor(x)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def has_gradient(compute, variables):
    """Checks if the gradient of a scalar with respect to weights can be computed, by trying.

    Args:
        compute: Function of no argument that returns a scalar tensor.
        variables: List of `keras.Variable` that it depends on.
    """
    try:
        with tf.GradientTape() as tape:
            scalar = compute()
        # Watched variables, which are on this device: under `tf.distribute` a `keras.Variable` has no gradient outside
        # of a step.
        tape.gradient(scalar, tape.watched_variables())
    # A custom network may raise anything.
    except Exception:
        return False
    return True


def gpus():
    """Names the accelerators, a list of strings."""
    found = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(device).get("device_name", device.name) for device in found]
