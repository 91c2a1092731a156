"""Training on JAX: the step as a pure function of all its state."""

import contextlib
import signal
import threading

import jax
import keras
import numpy as np
from jax.errors import JaxRuntimeError as OpError  # noqa: F401
from keras import ops

from keras_gan import keras_private

# Batch size of `inference`: small enough for a single example to be fast, large enough for most of the throughput.
_BLOCK = 16


class Trainer(keras_private.StateStep):
    """Mixin for `keras.Model`: Keras's entry points for a step, and the update of players."""

    without_padding = staticmethod(lambda x: x)

    @property
    def is_chief(self):
        """Bool, whether this is the one process that writes files and logs."""
        return jax.process_index() == 0

    @property
    def is_alone(self):
        """Bool: no other process trains with this one."""
        return jax.process_count() == 1

    def of_worker(self, data):
        """Lets a process read only its part of each batch, as on TensorFlow, but only under data parallelism,
        TensorFlow's only kind."""
        distribution = keras.distribution.distribution()
        divides = isinstance(distribution, keras.distribution.DataParallel) and distribution.auto_shard_dataset
        parts = keras_private.parts_of(data) if divides and not self.is_alone else None
        if parts is None:
            return data
        return keras_private.own_part(parts(jax.process_index(), jax.process_count()), data)

    def make_step(self, step):
        """Delays Ctrl-C until the current step is done: until then the weights are donated to the step, and an
        interruption would lose them."""

        def whole(state, iterator):
            try:
                with _interrupted_later() as interrupts:
                    outputs, state = step(state, iterator)
            finally:
                if interrupts:
                    self.keep_state(state)
                    raise KeyboardInterrupt
            return outputs, state

        return whole

    def train_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables, self.optimizer.variables
        groups = (*groups, self.metrics_variables)

        def step():
            # A last batch may be too small.
            if not self._fits(data):
                return self.step_means.result()
            return self._log_means(self.adversarial_step(data), data)

        return _pure(step, groups, state)

    def test_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        return _pure(lambda: self._log_means(self.evaluation_step(data), data), groups, state)

    def skip_batches(self, logs, state, iterator):
        """Replaces `train_function` while resuming: consumes batches without training, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs, state

    def _descend(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective. As on TensorFlow."""
        owns = [variables for variables, _ in players]
        # Players may share variables.
        distinct = list({id(v): v for own in owns for v in own}.values())
        state = self.non_trainable_variables
        scales = [optimizer.scale_loss(1.0) for _, optimizer in players]

        def scaled(weights):
            # Keras's variables take the traced values; updates made by the networks are returned, not assigned.
            mapping = [*((v, v.value) for v in self.variables), *zip(distinct, weights, strict=True)]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
                scalars, reports = zip(*objectives(), strict=True)
                return [s * k for s, k in zip(scalars, scales, strict=True)], (reports, [v.value for v in state])

        scalars, pull, (reports, updated) = jax.vjp(scaled, [v.value for v in distinct], has_aux=True)
        for variable, value in zip(state, updated, strict=True):
            variable.assign(value)
        norms = []
        for i, ((_, optimizer), own, scale) in enumerate(zip(players, owns, scales, strict=True)):
            # Gradient of this player's objective with respect to its weights: XLA prunes the rest.
            pulled = pull([ops.cast(i == j, s.dtype) for j, s in enumerate(scalars)])[0]
            found = {id(v): g for v, g in zip(distinct, pulled, strict=True)}
            gradients = [found[id(v)] for v in own]
            # Stateless, since an optimizer with loss scaling runs a conditional branch, and assignments inside a branch
            # have no effect outside of it.
            state = [v.value for v in optimizer.variables]
            values, state = optimizer.stateless_apply(state, gradients, [v.value for v in own])
            for variable, value in zip([*own, *optimizer.variables], [*values, *state], strict=True):
                variable.assign(value)
            norms.append(ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients)) / scale)
        return list(zip(reports, norms, strict=True))


@contextlib.contextmanager
def _interrupted_later():
    """Opens a context that stores the first Ctrl-C in a list, if Python's own handler would otherwise handle it; a
    second Ctrl-C raises KeyboardInterrupt."""
    interrupts = []

    def hear(number, frame):
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    # Python handles signals only in the main thread.
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupts
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _pure(step, groups, state):
    mapping = [(v, x) for vs, xs in zip(groups, state, strict=True) for v, x in zip(vs, xs, strict=True)]
    with keras.StatelessScope(state_mapping=mapping):
        logs = step()
        return logs, tuple([v.value for v in vs] for vs in groups)


def input_gradient(function, x):
    """Returns the gradient of `sum(function(x))` with respect to `x`, which can itself be differentiated. See the
    TensorFlow version."""
    return jax.grad(lambda x: ops.sum(function(x)))(ops.convert_to_tensor(x))


def has_gradient(compute, variables):
    """Returns True: JAX can compute the gradient of any of its operations."""
    return True


def write_rows(variable, places, rows):
    """Writes rows into a variable, as on TensorFlow. In a compiled step, to which the state is donated, this happens in
    place."""
    variable.assign(ops.scatter_update(variable.value, places[:, None], rows))


def inference(network):
    """Returns a function that runs a network in inference mode. As on TensorFlow.

    It takes the examples in blocks of one size: each new batch size would take seconds to compile.
    """

    @jax.jit
    def run(state, inputs):
        with keras.StatelessScope(state_mapping=list(zip(network.variables, state, strict=True))):
            return network(inputs, training=False)

    def call(inputs):
        n = len(keras.tree.flatten(inputs)[0])
        # Padded with copies of real examples: a network may not accept made-up ones.
        places = np.arange(-(-n // _BLOCK) * _BLOCK).reshape(-1, _BLOCK) % n
        inputs = keras.tree.map_structure(np.asarray, inputs)
        state = [v.value for v in network.variables]
        blocks = [run(state, keras.tree.map_structure(lambda x, p=p: x[p], inputs)) for p in places]
        return np.concatenate([np.asarray(block) for block in blocks])[:n]

    return call


def first_replica(batch):
    """Returns a batch unchanged: only TensorFlow has distributed datasets, whose batches have one part for each
    replica."""
    return batch


def replica():
    """Returns the index of this replica, and how many there are: arrays are global on JAX."""
    return 0, 1


def local_draw(draw, n, per_example=True):
    """Draws all random numbers of a batch: arrays are global on JAX, even when sharded over devices."""
    return draw(n)


def on_whole_batch(function, x):
    """Calls a function on a batch: arrays are global on JAX, even when sharded over devices."""
    return function(x)


def with_shape(x, shape):
    """Returns a batch unchanged: only on TensorFlow may shapes be unknown."""
    return x


def length(x):
    """Returns how many examples a batch has."""
    return x.shape[0]


def warn_of_slow_processor():
    """Does nothing: only TensorFlow turns off its fast kernels on some processors."""


def gpus():
    """Names the accelerators, a list of strings."""
    return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
