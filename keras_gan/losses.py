"""Adversarial losses: one small class per published objective, on logits."""

import keras
from keras import ops


class AdversarialLoss:
    """Base class: what each player minimises, given the discriminator's logits.

    A subclass implements `discriminator` and `generator`. Both are means over the batch, in float32.

    Attributes:
        generator_uses_real: Bool, whether `generator` looks at the real logits. False saves the discriminator's pass
            over the real batch in the generator's update; the argument is None then.
    """

    generator_uses_real = True

    def discriminator(self, real_logits, fake_logits):
        """The discriminator's loss.

        Args:
            real_logits: Tensor `(batch, 1)`, the discriminator's output on data.
            fake_logits: Tensor `(batch, 1)`, its output on generated data.

        Returns:
            Scalar tensor: the term of the reals plus the term of the fakes.
        """
        raise NotImplementedError

    def generator(self, fake_logits, real_logits):
        """The generator's loss.

        Args:
            fake_logits: Tensor `(batch, 1)`, the discriminator's output on generated data.
            real_logits: Tensor `(batch, 1)`, its output on data, or None without `generator_uses_real`.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _mean_softplus(logits):
    return ops.mean(ops.softplus(ops.cast(logits, "float32")))


@keras.saving.register_keras_serializable(package="keras_gan")
class Minimax(AdversarialLoss):
    """The original game: both players share one value function.

    With `D = sigmoid(logits)`,

    - discriminator: `-mean(log D(x)) - mean(log(1 - D(G(z))))`
    - generator: `mean(log(1 - D(G(z))))`, a negative number

    The generator's gradient vanishes while the discriminator wins; see `NonSaturating`.

    Reference:
        [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), equation 1
    """

    generator_uses_real = False

    def discriminator(self, real_logits, fake_logits):
        return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)

    def generator(self, fake_logits, real_logits):
        return -_mean_softplus(fake_logits)


@keras.saving.register_keras_serializable(package="keras_gan")
class NonSaturating(Minimax):
    """The usual choice: the generator maximises `log D(G(z))`, so that it learns also while it loses.

    With `D = sigmoid(logits)`,

    - discriminator: `-mean(log D(x)) - mean(log(1 - D(G(z))))`
    - generator: `-mean(log D(G(z)))`

    Reference:
        [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), section 3
    """

    def generator(self, fake_logits, real_logits):
        return _mean_softplus(-fake_logits)


_BY_NAME = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
}


def get(identifier):
    """Returns the loss that a name or an object stands for.

    Args:
        identifier: One of the names above, or any object with methods `discriminator(real_logits, fake_logits)` and
            `generator(fake_logits, real_logits)`.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If the object lacks one of the two methods.
    """
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise ValueError(f"loss must be one of {sorted(_BY_NAME)}, or an object. Received: {identifier!r}.")
        return _BY_NAME[identifier]()
    methods = (getattr(identifier, name, None) for name in ("discriminator", "generator"))
    if isinstance(identifier, type) or not all(map(callable, methods)):
        raise TypeError(
            "loss must be a name or an object with methods discriminator(real_logits, fake_logits) and "
            f"generator(fake_logits, real_logits), such as keras_gan.losses.NonSaturating(). Received: {identifier!r}."
        )
    return identifier
