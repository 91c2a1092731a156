"""Base classes of models with one or several pairs of generator and discriminator."""

import keras
import numpy as np

from keras_gan import backend, checks, defaults, health, networks
from keras_gan.checks.values import is_auto
from keras_gan.game import Game
from keras_gan.model import AdversarialModel
from keras_gan.moving_average import MovingAverage
from keras_gan.optimizers import adversarial_optimizer, scales_loss


class Match(AdversarialModel):
    """Base class of models that train generators against discriminators, with averages of the generators' weights if
    `ema` is set.

    There are two players, `"discriminator"` and `"generator"`, whatever the number of their networks, and a game for
    each discriminator. A subclass defines the networks; its `compile` calls `compile_players`. Evaluations,
    `predict` and exports use the averages.

    Args:
        ema: Float in [0, 1), the momentum of the averages; None for no averages; `"auto"` for the default, or none
            if a generator can't be copied.
        seed: As for `AdversarialModel`.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If `ema` is out of range.
    """

    def __init__(self, ema=None, seed=None, **kwargs):
        if ema is not None and not is_auto(ema):
            ema = checks.check_number("ema, the momentum of the average,", ema, 0, 1, open_high=True)
        super().__init__(seed, **kwargs)
        self.ema = ema
        # Cached, since the backend may compile them.
        self._inference = {}

    def averages(self):
        """Returns pairs of a generator and the `MovingAverage` that follows it, a list; without `ema` it is empty."""
        raise NotImplementedError

    def averaged(self, generator):
        """Returns the network with the average of a generator's weights, or, without `ema`, the generator itself."""
        return next((average.network for network, average in self.averages() if network is generator), generator)

    def best(self, generator):
        """Returns the network that samples and exports use for a generator: that of `averaged`. Call it only outside of
        steps."""
        self._begin_averages()
        return self.averaged(generator)

    def make_average(self, generator, inputs):
        """Makes the `MovingAverage` of a generator with these symbolic inputs, or None without `ema`.

        Replaces `ema="auto"` by its value.
        """
        if not is_auto(self.ema):
            return None if self.ema is None else MovingAverage(generator, self.ema, inputs)
        try:
            average = MovingAverage(generator, defaults.EMA, inputs)
        except ValueError:  # It can't be copied.
            average = None
        self.ema = average and average.momentum
        return average

    def update_averages(self):
        """Moves the averages, if there are any, after a step of the generators."""
        for network, average in self.averages():
            average.update(network)

    def _begin_averages(self):
        """Copies the generators to the averages before the first step: weights may have been set or loaded."""
        for network, average in self.averages():
            average.begin_at(network)

    def compile_players(self, generator_optimizer, discriminator_optimizer, **options):
        """Configures training, in `compile`, once there are games.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer`, its name, or None for Adam as in the DCGAN paper.
            discriminator_optimizer: Likewise, for the discriminator.
            **options: Those of `AdversarialModel.compile`.
        """
        optimizers = {
            "discriminator": adversarial_optimizer("discriminator_optimizer", discriminator_optimizer),
            "generator": adversarial_optimizer("generator_optimizer", generator_optimizer),
        }
        AdversarialModel.compile(self, optimizers, **options)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Generates from inputs of the generator, as `keras.Model.predict` does."""
        self._begin_averages()
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def infer(self, generator, inputs, batch_size):
        """Runs a network in inference mode, in batches; its function is compiled once.

        Args:
            generator: `keras.Model`.
            inputs: Array or tensor `(n, ...)`, or a structure of these.
            batch_size: Int > 0.

        Returns:
            NumPy array `(n, ...)`.
        """
        # The function references its network, so that its id is not reused.
        if id(generator) not in self._inference:
            self._inference[id(generator)] = backend.inference(generator)
        run = self._inference[id(generator)]
        n = len(keras.tree.flatten(inputs)[0])
        parts = [slice(i, i + batch_size) for i in range(0, n, batch_size)]
        return np.concatenate([run(keras.tree.map_structure(lambda x, part=part: x[part], inputs)) for part in parts])

    def reset_metrics(self):
        # Called before each evaluation; within its steps it would be too late.
        self._begin_averages()
        super().reset_metrics()

    def get_config(self):
        return {**super().get_config(), "ema": self.ema}

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        optimizers = config.pop("optimizers")
        return {**{f"{name}_optimizer": optimizer for name, optimizer in optimizers.items()}, **config}


class Duel(Match):
    """Base class of models that train one generator against one discriminator.

    A subclass writes the step and defines the inputs of both networks; its `compile` calls `compile_game`.

    Args:
        generator: `keras.Model`.
        discriminator: `keras.Model`.
        inputs: Symbolic inputs of the generator.
        ema: As for `Match`.
        seed: As for `AdversarialModel`.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If `ema` is out of range, or the generator can't be copied.

    Attributes:
        discriminator_steps: Int, how often the discriminator is updated in a step.
    """

    discriminator_steps = 1

    def __init__(self, generator, discriminator, inputs, ema=None, seed=None, **kwargs):
        super().__init__(ema, seed, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.data_range = checks.RANGES.get(networks.output_activation(generator))
        self._average = self.make_average(generator, inputs)

    def averages(self):
        return [] if self._average is None else [(self.generator, self._average)]

    @property
    def ema_generator(self):
        """`keras.Model`, the generator with averaged weights; None without `ema`."""
        return None if self._average is None else self._average.network

    @property
    def best_generator(self):
        """`keras.Model`, the generator that `predict` and exports use: the averaged one if there is an `ema`."""
        return self.best(self.generator)

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
        return [*self.game.hidden_logs(), *health.update_names(scales_loss(self.generator_optimizer))]

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
            generator_optimizer: As for `compile_players`.
            discriminator_optimizer: Likewise, for the discriminator.
            loss: As for `Game`.
            penalties: As for `Game`.
            generator_penalties: As for `Game`.
            augmentation: As for `Game`.
            simultaneous: Bool, whether both players are updated simultaneously.
            **options: Those of `AdversarialModel.compile`.
        """
        # Made before the attribute is set, so that an error keeps the old one.
        game = Game(self, self.discriminator, self.data_shape, loss, penalties, generator_penalties, augmentation)
        self.game = game
        self.loss = game.loss
        self.simultaneous = simultaneous
        self.compile_players(generator_optimizer, discriminator_optimizer, **options)

    def culprit(self, broken):
        return self.game.culprit(broken, self.discriminator_steps * self.steps_per_execution)

    def call(self, inputs, training=False):
        return (self.generator if training else self.averaged(self.generator))(inputs, training=training)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
        }

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        return {**config, **self.game.get_compile_config(), "simultaneous": self.simultaneous}
