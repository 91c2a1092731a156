"""Training on torch."""

import keras
import torch


class Trainer:
    """Mixin for `keras.Model`: Keras's entry points for a step, and one player's update."""

    is_chief = is_alone = True
    without_padding = staticmethod(lambda x: x)

    def train_step(self, data):
        # Keras's dropout without a seed draws from torch's global state, which no file keeps: this GAN's is kept.
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(self._training_seed.next().sum()))
            return self.adversarial_step(data)

    def test_step(self, data):
        return self.evaluation_step(data)

    def pass_over(self, logs, data):
        """What `train_function` is while batches go by that a backup has seen: it returns `logs`."""
        return logs

    def update(self, players, objectives):
        """Moves each player's weights, and no others, down the gradient of its own objective. As on TensorFlow."""
        scales = [optimizer.scale_loss(1.0) for _, optimizer in players]
        results = objectives()
        # All before any moves. The objectives share a graph, which the last may free.
        weights = [[v.value for v in network.trainable_variables] for network, _ in players]
        gradients = [
            torch.autograd.grad(scalar * scale, own, retain_graph=own is not weights[-1], materialize_grads=True)
            for (scalar, _), scale, own in zip(results, scales, weights, strict=True)
        ]
        moved = []
        with torch.no_grad():
            for (network, optimizer), (_, aux), own, scale in zip(players, results, gradients, scales, strict=True):
                optimizer.apply(list(own), network.trainable_variables)
                norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in own])) / scale
                moved.append((keras.tree.map_structure(torch.detach, aux), norm))
        return moved


def input_gradient(function, x):
    """The gradient of `sum(function(x))` with respect to `x`, differentiable itself. As on TensorFlow."""
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        y = function(x).sum()
    return torch.autograd.grad(y, x, create_graph=True)[0]


def local_draw(draw, n, per_example=True):
    """All the random numbers of a batch: on torch there is one device."""
    return draw(n)
