"""The optimizers of a model's players: behind one `model.optimizer`, and in files."""

import types

import keras
import numpy as np
from keras import ops

from keras_gan import keras_private
from keras_gan.checks.values import is_auto


def scales_loss(optimizer):
    """Checks if an optimizer scales the loss, as float16 training requires."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def get_optimizer(argument, identifier):
    """Returns the optimizer for an object, a config or a name; errors name the argument."""
    try:
        optimizer = keras.optimizers.get(identifier)
    except (TypeError, ValueError):
        optimizer = None
    if optimizer is None:
        raise ValueError(
            f"{argument} must be a keras.optimizers.Optimizer or a name such as 'adam'. Received: {identifier!r}."
        )
    return optimizer


def adversarial_optimizer(argument, identifier, learning_rate=2e-4, beta_1=0.5):
    """Returns an optimizer as `get_optimizer` does. For None and `"auto"`, it returns Adam, by default with the
    settings of the DCGAN paper."""
    if identifier is None or is_auto(identifier):
        return keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    return get_optimizer(argument, identifier)


def serialize(optimizer):
    """Returns an optimizer's config, which loads on every backend.

    On torch, `keras.optimizers.Adam` creates an object of a torch-only class, and Keras writes the name of that class
    into files. If such a file is loaded on another backend, the optimizer fails at the first step.
    """
    return _public(keras.saving.serialize_keras_object(optimizer))


def _public(config):
    if not isinstance(config, dict):
        return config
    config = {key: _public(value) for key, value in config.items()}
    if str(config.get("module", "")).startswith(keras_private.BACKEND_MODULES):
        config["module"] = "keras.optimizers"
    return config


@keras.saving.register_keras_serializable(package="keras_gan")
class EveryFew(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate schedule over the model's steps, for an optimizer with several updates per step.

    Args:
        schedule: `keras.optimizers.schedules.LearningRateSchedule` of the model's steps.
        updates: Int > 0, the number of updates per step.
    """

    def __init__(self, schedule, updates):
        self.schedule = schedule
        self.updates = updates

    def __call__(self, step):
        return self.schedule(step // self.updates)

    def get_config(self):
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "updates": self.updates}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])})


def count_steps(optimizer, updates):
    """Makes an optimizer's schedule, if any, count the model's steps, each of `updates` updates."""
    schedule = keras_private.schedule_of(optimizer)
    if isinstance(schedule, EveryFew):
        schedule = schedule.schedule
    if schedule is not None:
        keras_private.set_schedule(optimizer, schedule if updates == 1 else EveryFew(schedule, updates))


class OptimizerGroup:
    """Optimizers of all players, as Keras and its callbacks see them in `model.optimizer`.

    The last player leads: its optimizer counts the model's steps and has the learning rate. Setting that rate sets
    all, at the ratios that they had in `compile`.

    Not an optimizer: Keras saves optimizers that it finds on a model, and those inside are saved already, as
    `model.generator_optimizer` and so on.

    Args:
        by_player: Dict, name of a player to `keras.optimizers.Optimizer`.

    Attributes:
        rates: Dict, name of a player to the learning rate, a float, that it had in `compile`.
    """

    built = True

    def __init__(self, by_player):
        self.by_player = dict(by_player)
        # The precision of float32.
        self.rates = {name: float(f"{ops.convert_to_numpy(o.learning_rate):.7g}") for name, o in by_player.items()}

    @property
    def lead(self):
        """The leading player's optimizer."""
        return list(self.by_player.values())[-1]

    @property
    def inner_optimizer(self):
        """All optimizers: `TensorBoard` draws their rates by name, and `SwapEMAWeights` swaps the weights of all."""
        return types.SimpleNamespace(optimizers=[_Named(name, o) for name, o in self.by_player.items()])

    @property
    def variables(self):
        return [v for optimizer in self.by_player.values() for v in optimizer.variables]

    @property
    def iterations(self):
        """The leading player's step counter: one for each training step."""
        return self.lead.iterations

    @property
    def learning_rate(self):
        """The leading player's rate, which can be set or, as a variable, assigned to."""
        return _Rate(self)

    @learning_rate.setter
    def learning_rate(self, value):
        lead = list(self.rates)[-1]
        if self.rates[lead] == 0 and any(self.rates.values()):
            raise ValueError(
                f"learning_rate can't be set for all: the rates of compile, {self.rates}, have no ratio to that of "
                f"{lead}. Compile with rates other than 0, or set the rate of each optimizer."
            )
        for name, optimizer in self.by_player.items():
            ratio = self.rates[name] / self.rates[lead] if self.rates[lead] else 1.0
            optimizer.learning_rate = float(value) * ratio

    def build(self, variables):
        """Does nothing: `compile` builds each optimizer on the variables of its own player."""


class _Named:
    """Optimizer under its player's name."""

    def __init__(self, name, optimizer):
        self.name = name
        self._optimizer = optimizer

    def __getattr__(self, name):
        return getattr(self._optimizer, name)


class _Rate:
    """Learning rate of the leading player, whose `assign` sets those of all players."""

    def __init__(self, group):
        self._group = group

    def assign(self, value):
        self._group.learning_rate = float(ops.convert_to_numpy(value))

    def __array__(self, dtype=None, copy=None):
        return np.asarray(ops.convert_to_numpy(self._group.lead.learning_rate), dtype)

    def __float__(self):
        return float(self.__array__())

    def __getattr__(self, name):
        return getattr(self._group.lead.learning_rate, name)
