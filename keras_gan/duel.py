"""A generator against a discriminator: what all models have that are such a pair."""

import keras

from keras_gan import checks, defaults, networks
from keras_gan.checks.values import is_auto
from keras_gan.game import Game
from keras_gan.model import AdversarialModel
from keras_gan.moving_average import MovingAverage
from keras_gan.optimizers import adversarial_optimizer


class Duel(AdversarialModel):
    """Base class of a generator against a discriminator, with an average of the generator's weights if there is `ema`.

    A subclass writes the step and says what both networks take; its `compile` calls `compile_game`. Evaluations,
    `predict` and exports use the average.

    Args:
        generator: `keras.Model`.
        discriminator: `keras.Model`.
        inputs: Symbolic inputs of the generator.
        ema: Float in [0, 1), the momentum of the average; None for no average; `"auto"` for the default, where the
            generator can be copied.
        seed: As for `AdversarialModel`.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If `ema` is out of range, or the generator can't be copied.

    Attributes:
        discriminator_steps: Int, how often the discriminator is updated in a step.
    """

    discriminator_steps = 1

    def __init__(self, generator, discriminator, inputs, ema=None, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        average = _average(generator, ema, inputs)
        self.generator = generator
        self.discriminator = discriminator
        self.data_range = checks.RANGES.get(networks.output_activation(generator))
        self.ema = average and average.momentum
        self._average = average

    @property
    def ema_generator(self):
        """`keras.Model`, the generator with averaged weights; None without `ema`."""
        return None if self._average is None else self._average.network

    @property
    def best_generator(self):
        """`keras.Model`, the generator that `predict` and exports use: the averaged one if there is an `ema`."""
        if self._average is None:
            return self.generator
        self._begin_average()
        return self._average.network

    @property
    def penalties(self):
        """List of the penalties of the discriminator."""
        return list(self.game.penalties.penalties)

    @property
    def generator_penalties(self):
        """List of the penalties of the generator."""
        return list(self.game.generator_penalties.penalties)

    @property
    def augmentation(self):
        """`keras_gan.augmentation.Augmentation`, or None."""
        return self.game.augmentation

    def players(self):
        return {"discriminator": self.discriminator, "generator": self.generator}

    def log_names(self):
        return [*self.game.log_names(), *self.hidden_logs]

    @property
    def hidden_logs(self):
        return self.game.hidden_logs(self.generator_optimizer)

    def compile_game(
        self,
        generator_optimizer,
        discriminator_optimizer,
        loss,
        penalties,
        generator_penalties,
        augmentation,
        simultaneous,
        **options,
    ):
        """Configures training, in `compile`.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer`, its name, or None for Adam as in the DCGAN paper.
            discriminator_optimizer: Likewise, for the discriminator.
            loss: As for `Game`.
            penalties: As for `Game`.
            generator_penalties: As for `Game`.
            augmentation: As for `Game`.
            simultaneous: Bool, whether both players are updated at once.
            **options: Those of `AdversarialModel.compile`.
        """
        # Made before the attribute is set, so that an error leaves the old one.
        game = Game(self, self.discriminator, self.data_shape, loss, penalties, generator_penalties, augmentation)
        self.game = game
        self.loss = game.loss
        self.simultaneous = simultaneous
        optimizers = {
            "discriminator": adversarial_optimizer("discriminator_optimizer", discriminator_optimizer),
            "generator": adversarial_optimizer("generator_optimizer", generator_optimizer),
        }
        AdversarialModel.compile(self, optimizers, **options)

    def update_average(self):
        """Moves the average, if there is one, after a step of the generator."""
        if self._average is not None:
            self._average.update(self.generator)

    def culprit(self, broken):
        return self.game.culprit(broken, self.discriminator_steps * self.steps_per_execution)

    def call(self, inputs, training=False):
        averaged = self._average is not None and not training
        return (self._average.network if averaged else self.generator)(inputs, training=training)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Generates from what the generator takes, as `keras.Model.predict` does."""
        self._begin_average()
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def reset_metrics(self):
        # Called before each evaluation, in whose steps it would be too late.
        self._begin_average()
        super().reset_metrics()

    def _begin_average(self):
        """Lets the average follow the generator until the first step: weights may have been set or loaded."""
        if self._average is not None:
            self._average.begin_at(self.generator)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "ema": self.ema,
        }

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        optimizers = config.pop("optimizers")
        return {
            **{f"{name}_optimizer": optimizer for name, optimizer in optimizers.items()},
            **self.game.get_compile_config(),
            "simultaneous": self.simultaneous,
            **config,
        }


def _average(generator, ema, inputs):
    """Returns a `MovingAverage` of a generator, or None for no average."""
    if ema is None:
        return None
    if not is_auto(ema):
        ema = checks.check_number("ema, the momentum of the average,", ema, 0, 1, open_high=True)
        return MovingAverage(generator, ema, inputs)
    try:
        return MovingAverage(generator, defaults.EMA, inputs)
    except ValueError:  # It can't be copied.
        return None
