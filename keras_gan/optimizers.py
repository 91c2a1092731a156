"""The optimizers of a model's players: behind one `model.optimizer`, and in files."""

import keras
from keras import ops

from keras_gan import keras_private


def scales_loss(optimizer):
    """Tells if an optimizer scales the loss, as training in float16 needs."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def get_optimizer(argument, identifier):
    """Returns the optimizer that an object, a config or a name stands for; errors name the argument."""
    try:
        optimizer = keras.optimizers.get(identifier)
    except (TypeError, ValueError):
        optimizer = None
    if optimizer is None:
        raise ValueError(
            f"{argument} must be a keras.optimizers.Optimizer or a name such as 'adam'. Received: {identifier!r}."
        )
    return optimizer


def serialize(optimizer):
    """Returns an optimizer's config, such that it loads on every backend.

    On torch, Keras makes `keras.optimizers.Adam` an object of another class, and writes that class into files: loaded
    elsewhere it fails at the first step.
    """
    return _public(keras.saving.serialize_keras_object(optimizer))


def _public(config):
    if not isinstance(config, dict):
        return config
    config = {key: _public(value) for key, value in config.items()}
    if str(config.get("module", "")).startswith(keras_private.BACKEND_MODULES):
        config["module"] = "keras.optimizers"
    return config


class OptimizerGroup:
    """The optimizers of all players, as Keras and its callbacks see them in `model.optimizer`.

    The last player leads: its optimizer counts the model's steps and says the learning rate.

    A plain object on purpose: Keras saves optimizers that it finds on a model, and those inside are saved already, as
    `model.generator_optimizer` and so on.

    Args:
        optimizers: Dict, name of a player to `keras.optimizers.Optimizer`.
    """

    built = True

    def __init__(self, optimizers):
        self.by_player = dict(optimizers)
        lead = _rate(self.inner_optimizer)
        self._ratios = {name: _rate(o) / lead if lead else 1.0 for name, o in self.by_player.items()}

    @property
    def inner_optimizer(self):
        """The leading player's, whose learning rate TensorBoard draws."""
        return list(self.by_player.values())[-1]

    @property
    def variables(self):
        return [v for optimizer in self.by_player.values() for v in optimizer.variables]

    @property
    def iterations(self):
        """The leading player's step counter: one for each training step."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        """The leading player's rate. Setting it sets all, at the ratios that they had in `compile`."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        for name, optimizer in self.by_player.items():
            optimizer.learning_rate = float(value) * self._ratios[name]

    def build(self, variables):
        """Does nothing: `compile` builds each optimizer on the variables of its own player."""


def _rate(optimizer):
    return float(ops.convert_to_numpy(optimizer.learning_rate))
