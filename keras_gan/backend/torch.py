"""Training on torch."""

import keras
import torch

OpError = RuntimeError


class Trainer:
    """Mixin for `keras.Model`: Keras's entry points for a step, and the update of players."""

    is_chief = is_alone = True
    without_padding = of_worker = staticmethod(lambda x: x)

    def train_step(self, data):
        # A last batch may be too small.
        if not self._fits(data):
            return self.step_means.result()
        data = _tensors(data)
        # Unseeded Keras dropout draws from torch's global state, which no file keeps: seed it from this model's state.
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self.training_seed.next().sum()))
            return self._log_means(self.adversarial_step(data), data)

    def test_step(self, data):
        data = _tensors(data)
        return self._log_means(self.evaluation_step(data), data)

    def skip_batches(self, logs, data):
        """Replaces `train_function` while resuming: returns `logs` without training."""
        return logs

    def _descend(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective. As on TensorFlow."""
        scales = [optimizer.scale_loss(1.0) for _, optimizer in players]
        results = objectives()
        # All gradients before any update. The objectives share a graph, which the last one may free.
        weights = [[v.value for v in variables] for variables, _ in players]
        gradients = [
            torch.autograd.grad(scalar * scale, own, retain_graph=own is not weights[-1], materialize_grads=True)
            for (scalar, _), scale, own in zip(results, scales, weights, strict=True)
        ]
        moved = []
        with torch.no_grad():
            for (variables, optimizer), (_, report), own, scale in zip(
                players, results, gradients, scales, strict=True
            ):
                optimizer.apply(list(own), variables)
                norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in own])) / scale
                moved.append((keras.tree.map_structure(_detached, report), norm))
        return moved


def _detached(value):
    return keras.ops.convert_to_tensor(value).detach()


def _tensors(data):
    """Converts a batch to tensors, as `fit` passes them; `train_on_batch` passes arrays."""
    return keras.tree.map_structure(lambda x: x if x is None else keras.ops.convert_to_tensor(x), data)


def input_gradient(function, x):
    """Returns the gradient of `sum(function(x))` with respect to `x`, which can itself be differentiated. See the
    TensorFlow version."""
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        y = function(x).sum()
    return torch.autograd.grad(y, x, create_graph=True)[0]


def has_gradient(compute, variables):
    """Checks if the gradient of a scalar with respect to weights can be computed, by trying. As on TensorFlow."""
    try:
        torch.autograd.grad(compute(), [v.value for v in variables], allow_unused=True)
    # A custom network may raise anything.
    except Exception:
        return False
    return True


def write_rows(variable, places, rows):
    """Writes rows into a variable, in place. As on TensorFlow."""
    with torch.no_grad():
        variable.value[places.long()] = rows


def inference(network):
    """Returns a function that runs a network in inference mode, without a graph. As on TensorFlow."""

    @torch.no_grad()
    def call(inputs):
        return keras.ops.convert_to_numpy(network(inputs, training=False))

    return call


def first_replica(batch):
    """Returns a batch unchanged: only TensorFlow has distributed datasets, whose batches have one part for each
    replica."""
    return batch


def replica():
    """Returns the index of this replica, and how many there are: on torch there is one device."""
    return 0, 1


def local_draw(draw, n, per_example=True):
    """Draws all the random numbers of a batch: on torch there is one device."""
    return draw(n)


def on_whole_batch(function, x):
    """Calls a function on a batch: on torch there is one device."""
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
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
