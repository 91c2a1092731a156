"""Training on JAX: the step as a pure function of all its state."""

import jax
import keras
from keras import ops


class Trainer:
    """Mixin for `keras.Model`: Keras's entry points for a step, and one player's update."""

    @property
    def is_chief(self):
        """Whether this process is the one of many that writes files and speaks."""
        return jax.process_index() == 0

    @property
    def is_alone(self):
        """Whether no other process trains with this one."""
        return jax.process_count() == 1

    def train_step(self, state, data):
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return _pure(self.adversarial_step, groups, state, data)

    def test_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        return _pure(self.evaluation_step, groups, state, data)

    def pass_over(self, logs, state, iterator):
        """What `train_function` is while batches go by that a backup has seen: it takes them, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs, state

    def update(self, network, optimizer, objective):
        """Moves one network's weights, and no others, down the gradient of an objective. As on TensorFlow."""
        own = network.trainable_variables
        moved = {id(v) for v in own}
        rest = [(v, v.value) for v in self.variables if id(v) not in moved]
        state = self.non_trainable_variables
        scale = optimizer.scale_loss(1.0)

        def scaled(values):
            # Keras's variables take the traced values, and what the networks update is handed out, not kept.
            with keras.StatelessScope(state_mapping=[*rest, *zip(own, values, strict=True)]):
                scalar, aux = objective()
                return scalar * scale, (aux, [v.value for v in state])

        (_, (aux, updated)), gradients = jax.value_and_grad(scaled, has_aux=True)([v.value for v in own])
        for variable, value in zip(state, updated, strict=True):
            variable.assign(value)
        # Stateless, since an optimizer that scales losses branches, and assignments can't leave a branch.
        state = [v.value for v in optimizer.variables]
        own_values, state = optimizer.stateless_apply(state, gradients, [v.value for v in own])
        for variable, value in zip([*own, *optimizer.variables], [*own_values, *state], strict=True):
            variable.assign(value)
        return aux, ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients)) / scale


def _pure(step, groups, state, data):
    mapping = [(v, x) for vs, xs in zip(groups, state, strict=True) for v, x in zip(vs, xs, strict=True)]
    with keras.StatelessScope(state_mapping=mapping):
        logs = step(data)
        return logs, tuple([v.value for v in vs] for vs in groups)


def input_gradient(function, x):
    """The gradient of `sum(function(x))` with respect to `x`, differentiable itself. As on TensorFlow."""
    return jax.grad(lambda x: ops.sum(function(x)))(ops.convert_to_tensor(x))


def local_draw(draw, n):
    """All the random numbers of a batch: arrays are global on JAX, also where many devices hold their parts."""
    return draw(n)
