"""The two optimizers of a GAN behind the one `model.optimizer` that Keras looks at."""

import keras
from keras import ops


def serialize(optimizer):
    """An optimizer as a config that loads on every backend.

    On torch, Keras makes `keras.optimizers.Adam` an object of another class, and writes that class into files: loaded
    elsewhere it fails at the first step.
    """
    return _public(keras.saving.serialize_keras_object(optimizer))


def _public(config):
    if not isinstance(config, dict):
        return config
    config = {key: _public(value) for key, value in config.items()}
    if str(config.get("module", "")).startswith("keras.src.backend."):
        config["module"] = "keras.optimizers"
    return config


class OptimizerPair:
    """What Keras and its callbacks see as `gan.optimizer`.

    A plain object on purpose: Keras saves optimizers that it finds on a model, and the two inside are saved already
    as `gan.generator_optimizer` and `gan.discriminator_optimizer`.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: `keras.optimizers.Optimizer`.
    """

    built = True

    def __init__(self, generator_optimizer, discriminator_optimizer):
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        rate = self._rate(generator_optimizer)
        self._ratio = self._rate(discriminator_optimizer) / rate if rate else 1.0

    @staticmethod
    def _rate(optimizer):
        return float(ops.convert_to_numpy(optimizer.learning_rate))

    @property
    def inner_optimizer(self):
        """The generator's: whose learning rate TensorBoard draws."""
        return self.generator_optimizer

    @property
    def variables(self):
        return [*self.discriminator_optimizer.variables, *self.generator_optimizer.variables]

    @property
    def iterations(self):
        """The generator's step counter: one for each training step."""
        return self.generator_optimizer.iterations

    @property
    def learning_rate(self):
        """The generator's rate. Setting it sets both, at the ratio that they had in `compile`."""
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.generator_optimizer.learning_rate = value
        self.discriminator_optimizer.learning_rate = float(value) * self._ratio

    def build(self, variables):
        """Nothing to do: `GAN.compile` builds each optimizer on its own network."""
