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

    without_padding = staticmethod(lambda x: x)
    is_alone = property(lambda self: jax.process_count() == 1, doc="Whether no other process trains with this one.")

    def train_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables, self.optimizer.variables
        return _pure(self.adversarial_step, (*groups, self.metrics_variables), state, data)

    def test_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        return _pure(self.evaluation_step, groups, state, data)

    def pass_over(self, logs, state, iterator):
        """What `train_function` is while batches go by that a backup has seen: it takes them, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs, state

    def update(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective. As on TensorFlow."""
        owns = [network.trainable_variables for network, _ in players]
        state = self.non_trainable_variables
        scales = [optimizer.scale_loss(1.0) for _, optimizer in players]

        def scaled(weights):
            # Keras's variables take the traced values, and what the networks update is handed out, not kept.
            given = [pair for own, values in zip(owns, weights, strict=True) for pair in zip(own, values, strict=True)]
            mapping = [*((v, v.value) for v in self.variables), *given]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
                scalars, auxes = zip(*objectives(), strict=True)
                return [s * k for s, k in zip(scalars, scales, strict=True)], (auxes, [v.value for v in state])

        scalars, pull, (auxes, updated) = jax.vjp(scaled, [[v.value for v in own] for own in owns], has_aux=True)
        for variable, value in zip(state, updated, strict=True):
            variable.assign(value)
        norms = []
        for i, ((_, optimizer), own, scale) in enumerate(zip(players, owns, scales, strict=True)):
            # Of this player's objective, with respect to its weights: XLA leaves out what is not asked for.
            gradients = pull([ops.cast(i == j, s.dtype) for j, s in enumerate(scalars)])[0][i]
            # Stateless, since an optimizer that scales losses branches, and assignments can't leave a branch.
            state = [v.value for v in optimizer.variables]
            values, state = optimizer.stateless_apply(state, gradients, [v.value for v in own])
            for variable, value in zip([*own, *optimizer.variables], [*values, *state], strict=True):
                variable.assign(value)
            norms.append(ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients)) / scale)
        return list(zip(auxes, norms, strict=True))


def _pure(step, groups, state, data):
    mapping = [(v, x) for vs, xs in zip(groups, state, strict=True) for v, x in zip(vs, xs, strict=True)]
    with keras.StatelessScope(state_mapping=mapping):
        logs = step(data)
        return logs, tuple([v.value for v in vs] for vs in groups)


def input_gradient(function, x):
    """The gradient of `sum(function(x))` with respect to `x`, differentiable itself. As on TensorFlow."""
    return jax.grad(lambda x: ops.sum(function(x)))(ops.convert_to_tensor(x))


def local_draw(draw, n, per_example=True):
    """All the random numbers of a batch: arrays are global on JAX, also where many devices hold their parts."""
    return draw(n)
