"""The game of a generator and a discriminator: adversarial loss, penalties and augmentation."""

import weakref

import keras
from keras import ops

from keras_gan import checks, health, losses
from keras_gan.penalties import PenaltyGroup, penalty_name


class Game(keras.layers.Layer):
    """Game of a generator against a discriminator, made by a model's `compile`.

    It sees the discriminator as a function `judge(data, training)` that returns logits and a dict of other outputs. In
    a training step, `judge` augments the data, even for penalties, which pass `training=False`.

    Args:
        model: `AdversarialModel` that plays it.
        discriminator: `keras.Model`.
        shape: Tuple, the shape of one example that the discriminator judges.
        loss: Name or object from `keras_gan.losses`.
        penalties: List of penalties of the discriminator.
        generator_penalties: List of penalties of the generator.
        augmentation: `keras_gan.augmentation.Augmentation`, or None.

    Attributes:
        loss: Object from `keras_gan.losses`.
        penalties: `PenaltyGroup` of the discriminator's penalties.
        generator_penalties: `PenaltyGroup` of the generator's penalties.
        augmentation: `keras_gan.augmentation.Augmentation`, or None.

    Raises:
        ValueError: If the loss is unknown, or a part does not fit another or is part of another model.
        TypeError: If a penalty or the augmentation is of the wrong type.
    """

    def __init__(self, model, discriminator, shape, loss, penalties, generator_penalties, augmentation):
        super().__init__(name="game")
        self.loss = losses.get(loss)
        checks.check_training(penalties, generator_penalties, augmentation, shape)
        checks.check_adaptive(augmentation, losses.boundary(self.loss), self.loss)
        checks.warn_without_lipschitz_control(self.loss, penalties, discriminator)
        parts = [*penalties, *generator_penalties, augmentation]
        checks.check_owner(parts, model)
        self.penalties = PenaltyGroup(penalties)
        self.generator_penalties = PenaltyGroup(generator_penalties)
        # Again: penalties have a state now.
        checks.check_owner(parts, model)
        self.augmentation = augmentation
        self._model = weakref.ref(model)
        self.built = True

    def augment(self, data):
        """Augments data as the discriminator sees them in training; arrays of a list share one draw."""
        return data if self.augmentation is None else self.augmentation(data, seed=self._model().training_seed)

    def discriminator_objective(self, discriminator, judge, real, fake, penalized=None):
        """Computes the discriminator's objective.

        Args:
            discriminator: `keras.Model`, for the losses of its layers.
            judge: Function `(data, training)`.
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of the generator's outputs.
            penalized: Pair of such tensors that penalties see. Defaults to None, `real` and `fake`.

        Returns:
            The objective, a scalar tensor; and a dict of the adversarial `loss` alone, `real_logits`, `fake_logits`,
            `real_heads` and `fake_heads` (the discriminator's other outputs), the `fake` data before any augmentation,
            and a dict of the `penalties`.
        """
        real_logits, real_heads = judge(real, training=True)
        added = _added(discriminator)
        fake_logits, fake_heads = judge(fake, training=True)
        # Each call clears the layer losses of the last one.
        added = (added + _added(discriminator)) / 2
        loss = self.loss.discriminator(real_logits, fake_logits)
        real_data, fake_data = penalized or (real, fake)
        # Penalties judge each picture alone, in inference mode.
        penalties = self._measure(
            self.penalties, lambda data: judge(data, training=False)[0], real_data, ops.stop_gradient(fake_data)
        )
        report = {
            "loss": loss,
            "real_logits": real_logits,
            "fake_logits": fake_logits,
            "real_heads": real_heads,
            "fake_heads": fake_heads,
            "fake": fake,
            "penalties": penalties,
        }
        return loss + added + sum(penalties.values()), report

    def generator_objective(self, generator, judge, real, fake, arguments, judged=None):
        """Computes the generator's objective, through the fixed discriminator.

        Args:
            generator: `keras.Model`, for the losses of its layers.
            judge: Function `(data, training)`.
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of the generator's outputs, through which gradients flow.
            arguments: Tuple of the arguments of its penalties before `fake`.
            judged: Dict of `real_logits`, `fake_logits` and `fake_heads`, if the discriminator has already judged the
                batch. Defaults to None.

        Returns:
            The objective, a scalar tensor; and a dict of the adversarial `loss` alone, `fake_heads`, and a dict of the
            `penalties`.
        """
        if judged is None:
            fake_logits, fake_heads = judge(fake, training=True)
            uses_real = getattr(self.loss, "generator_uses_real", True)
            real_logits = judge(real, training=True)[0] if uses_real else None
            judged = {"real_logits": real_logits, "fake_logits": fake_logits, "fake_heads": fake_heads}
        loss = self.loss.generator(judged["real_logits"], judged["fake_logits"])
        added = _added(generator)
        penalties = self._measure(self.generator_penalties, *arguments, fake)
        report = {"loss": loss, "fake_heads": judged["fake_heads"], "penalties": penalties}
        return loss + added + sum(penalties.values()), report

    def _measure(self, penalties, *arguments):
        model = self._model()
        return penalties.measure(arguments, model.training_seed, model.variables)

    def learn(self, real_logits):
        """Updates the augmentation from a step's logits `(images, ..., 1)`, outside any gradient."""
        if self.augmentation is not None:
            self.augmentation.update(real_logits - (losses.boundary(self.loss) or 0.0))

    def log_names(self):
        """Lists the names of `results`."""
        accuracies = losses.accuracies(self.loss, ops.zeros((1, 1)), ops.zeros((1, 1)))
        return ["discriminator_loss", "generator_loss", *accuracies]

    def hidden_logs(self):
        """Lists the names of `health.measure_game`'s results."""
        # Penalties of one player with the same name are summed.
        groups = self.penalties.penalties, self.generator_penalties.penalties
        penalties = [name for group in groups for name in dict.fromkeys(map(penalty_name, group))]
        return health.names(self.loss, penalties)

    def results(self, d, g):
        """Returns the logs of steps and evaluations from both players' reports, a dict."""
        return {
            "discriminator_loss": d["loss"],
            "generator_loss": g["loss"],
            **losses.accuracies(self.loss, d["real_logits"], d["fake_logits"]),
        }

    def evaluate(self, real_logits, fake_logits):
        """Returns the logs of an evaluation from the logits of a batch, a dict."""
        d = {
            "loss": self.loss.discriminator(real_logits, fake_logits),
            "real_logits": real_logits,
            "fake_logits": fake_logits,
        }
        return self.results(d, {"loss": self.loss.generator(real_logits, fake_logits)})

    def culprit(self, broken, updates):
        """Names the part of a step that made the first value that is not finite; as `health.culprit`."""
        return health.culprit(broken, self.penalties.penalties, self.generator_penalties.penalties, updates)

    def get_compile_config(self):
        """Returns the arguments of `compile` that it was made from, a dict that files keep."""
        serialize = keras.saving.serialize_keras_object
        return {
            "loss": serialize(self.loss),
            "penalties": [serialize(penalty) for penalty in self.penalties.penalties],
            "generator_penalties": [serialize(penalty) for penalty in self.generator_penalties.penalties],
            "augmentation": serialize(self.augmentation),
        }


def another(part):
    """Returns a copy of a penalty or an augmentation with its own state; functions are unchanged."""
    return type(part).from_config(part.get_config()) if hasattr(part, "get_config") else part


def get_reconstruction(argument, identifier):
    """Returns the Keras loss for an object or a name; errors name the argument."""
    try:
        found = keras.losses.get(identifier)
    except ValueError:
        found = None
    if not callable(found) or isinstance(found, type):
        raise TypeError(
            f"{argument} must be a keras.losses.Loss, a function of (target, output) or a name such as 'mae'. "
            f"Received: {identifier!r}."
        )
    return found


def reconstruct(loss, target, output):
    """Computes a Keras loss of outputs and their targets, a scalar tensor."""
    # Skips the reduction of a `keras.losses.Loss`, which would divide by the number of replicas.
    compute = getattr(loss, "call", loss)
    return ops.mean(compute(ops.cast(target, "float32"), ops.cast(output, "float32")))


def _added(network):
    """Sums the losses of a network's layers in its last call, such as regularizers."""
    return sum(ops.cast(loss, "float32") for loss in network.losses)
