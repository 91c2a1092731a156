"""Adversarial losses: one small class per published objective, on logits."""

import math

import keras
from keras import ops

from keras_gan.checks.values import check_number

__all__ = [
    "AdversarialLoss",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Relativistic",
    "RelativisticAverage",
    "Wasserstein",
    "get",
]


def __dir__():
    return __all__


class AdversarialLoss:
    """Base class of adversarial losses: what each player minimizes, given the discriminator's logits.

    A subclass implements `discriminator` and `generator`. Logits are `(batch, 1)`, or a map `(batch, ..., 1)`, such as
    a patch discriminator's `(batch, height, width, 1)`. Losses are means over all examples and all entries of the logit
    maps. They are computed in float32, whatever the dtype of the logits.

    Attributes:
        generator_uses_real: Bool, whether `generator` uses the real logits. If False, the generator's update leaves out
            the discriminator's pass over the real batch, and the argument is None.
        needs_lipschitz: Bool, whether the loss is meaningful only for a Lipschitz discriminator, whose gradients are
            bounded by a gradient penalty, weight clipping or spectral normalization.
        boundary: Float, the logit at which the discriminator is undecided; the threshold of `real_accuracy`,
            `fake_accuracy` and `keras_gan.augmentation.AdaptiveAugmentation`. None for a loss in which a single logit
            has no meaning, such as one that depends only on differences of logits: adding a number to all logits then
            changes nothing.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class PearsonLeastSquares(keras_gan.losses.AdversarialLoss):
        # LSGAN with the targets 1 for reals and -1 for fakes, and 0 for the generator.

        generator_uses_real = False

        def discriminator(self, real_logits, fake_logits):
            real, fake = keras.ops.square(real_logits - 1), keras.ops.square(fake_logits + 1)
            return (keras.ops.mean(real) + keras.ops.mean(fake)) / 2

        def generator(self, real_logits, fake_logits):
            return keras.ops.mean(keras.ops.square(fake_logits)) / 2


    loss = PearsonLeastSquares()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 1.0
    float(loss.generator(None, fake_logits))  # 1.0
    # In a GAN: gan.compile(loss=loss)
    ```
    """

    generator_uses_real = True
    needs_lipschitz = False
    boundary = 0.0

    def discriminator(self, real_logits, fake_logits):
        """Computes the discriminator's loss.

        Args:
            real_logits: Tensor `(batch, ..., 1)`, the discriminator's output on data.
            fake_logits: Tensor `(batch, ..., 1)`, its output on generated data.

        Returns:
            Scalar tensor: the sum of a term for reals and a term for fakes, or, for paired losses, one term over the
            pairs.
        """
        raise NotImplementedError

    def generator(self, real_logits, fake_logits):
        """Computes the generator's loss.

        Args:
            real_logits: Tensor `(batch, ..., 1)`, the discriminator's output on data, or None without
                `generator_uses_real`.
            fake_logits: Tensor `(batch, ..., 1)`, its output on generated data.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def accuracies(self, real_logits, fake_logits):
        """Computes `real_accuracy` and `fake_accuracy` of the logs.

        Args:
            real_logits: Tensor `(batch, ..., 1)`.
            fake_logits: Tensor `(batch, ..., 1)`.

        Returns:
            Two scalar tensors: the share of real logits above `boundary`, and the share of fake logits below it. None
            if `boundary` is None.
        """
        if self.boundary is None:
            return None
        return _share(real_logits > self.boundary), _share(fake_logits < self.boundary)

    def get_config(self):
        return {}

    def score(self, logits):
        """Returns the D(x) that is logged: the discriminator's output, unless a loss interprets it differently.

        Args:
            logits: Tensor `(batch, ..., 1)`.

        Returns:
            Tensor `(batch, ..., 1)`.
        """
        return logits

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class _Smoothable(AdversarialLoss):
    """Loss with a target for reals, which can be smoothed, and one for fakes."""

    generator_uses_real = False

    def __init__(self, label_smoothing=0.0):
        self.label_smoothing = check_number("label_smoothing", label_smoothing, 0, 1, open_high=True)

    def get_config(self):
        return {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="keras_gan")
class Minimax(_Smoothable):
    """The original game: both players share one value function.

    With `D = sigmoid(logits)` and `s = label_smoothing`,

    - discriminator: `-mean((1 - s) log D(x) + s log(1 - D(x))) - mean(log(1 - D(G(z))))`
    - generator: `mean(log(1 - D(G(z))))`, a negative number

    The generator's gradient vanishes while the discriminator wins; see `NonSaturating`.

    Args:
        label_smoothing: Float in [0, 1). The target of the reals is 1 minus this; that of the fakes stays 0. Defaults
            to `0.0`.

    Raises:
        ValueError: If `label_smoothing` is out of range.

    Example:

    ```python
    loss = keras_gan.losses.Minimax()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 0.8201
    float(loss.generator(None, fake_logits))  # -0.4100
    ```

    Reference:
        - [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), equation 1
        - [Salimans et al., 2016](https://arxiv.org/abs/1606.03498), section 3.4: one-sided label smoothing
    """

    def discriminator(self, real_logits, fake_logits):
        s = self.label_smoothing
        real = (1 - s) * _mean_softplus(-_float32(real_logits)) + s * _mean_softplus(_float32(real_logits))
        return real + _mean_softplus(_float32(fake_logits))

    def generator(self, real_logits, fake_logits):
        return -_mean_softplus(_float32(fake_logits))

    def score(self, logits):
        """Returns the probability of being real that the discriminator assigns to each example.

        Args:
            logits: Tensor `(batch, ..., 1)`.

        Returns:
            Tensor `(batch, ..., 1)` in [0, 1].
        """
        return ops.sigmoid(logits)

    def implied_jensen_shannon(self, discriminator_loss):
        """Returns the divergence implied by the discriminator's loss without smoothing: `log 2 - loss / 2`, in nats.

        It is a lower bound on the Jensen-Shannon divergence between the data and the generator's distribution, and
        equals it for the optimal discriminator. It lies between 0 and log 2 if the discriminator is better than a
        guess.

        Args:
            discriminator_loss: Float or scalar tensor, from `discriminator`.

        Returns:
            Float or scalar tensor.
        """
        return math.log(2) - discriminator_loss / 2


@keras.saving.register_keras_serializable(package="keras_gan")
class NonSaturating(Minimax):
    """Non-saturating loss, the usual choice: the generator maximizes `log D(G(z))`, so that it also learns while it
    loses.

    With `D = sigmoid(logits)` and `s = label_smoothing`,

    - discriminator: `-mean((1 - s) log D(x) + s log(1 - D(x))) - mean(log(1 - D(G(z))))`
    - generator: `-mean(log D(G(z)))`

    Args:
        label_smoothing: Float in [0, 1). The target of the reals is 1 minus this; that of the fakes stays 0. Defaults
            to `0.0`.

    Raises:
        ValueError: If `label_smoothing` is out of range.

    Example:

    ```python
    loss = keras_gan.losses.NonSaturating()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 0.8201
    float(loss.generator(None, fake_logits))  # 1.4100
    ```

    Reference:
        - [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), section 3
        - [Salimans et al., 2016](https://arxiv.org/abs/1606.03498), section 3.4: one-sided label smoothing
    """

    def generator(self, real_logits, fake_logits):
        return _mean_softplus(-_float32(fake_logits))


@keras.saving.register_keras_serializable(package="keras_gan")
class LeastSquares(_Smoothable):
    """LSGAN: regression of the raw output to 1 on reals and to 0 on fakes.

    With `D = logits`, no sigmoid, and `s = label_smoothing`,

    - discriminator: `mean((D(x) - (1 - s))^2) / 2 + mean(D(G(z))^2) / 2`
    - generator: `mean((D(G(z)) - 1)^2) / 2`

    Args:
        label_smoothing: Float in [0, 1). The target of the reals is 1 minus this; that of the fakes stays 0. Defaults
            to `0.0`.

    Raises:
        ValueError: If `label_smoothing` is out of range.

    Example:

    ```python
    loss = keras_gan.losses.LeastSquares()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 1.5
    float(loss.generator(None, fake_logits))  # 2.5
    ```

    Reference:
        - [Mao et al., 2016](https://arxiv.org/abs/1611.04076), with a = 0, b = c = 1
        - [Salimans et al., 2016](https://arxiv.org/abs/1606.03498), section 3.4: one-sided label smoothing
    """

    boundary = 0.5

    def discriminator(self, real_logits, fake_logits):
        real = ops.mean(ops.square(_float32(real_logits) - (1 - self.label_smoothing)))
        return (real + ops.mean(ops.square(_float32(fake_logits)))) / 2

    def generator(self, real_logits, fake_logits):
        return ops.mean(ops.square(_float32(fake_logits) - 1)) / 2


@keras.saving.register_keras_serializable(package="keras_gan")
class Hinge(AdversarialLoss):
    """The margin loss of SNGAN and BigGAN: examples beyond the margin no longer move the discriminator.

    With `D = logits`,

    - discriminator: `mean(max(0, 1 - D(x))) + mean(max(0, 1 + D(G(z))))`
    - generator: `-mean(D(G(z)))`

    Example:

    ```python
    loss = keras_gan.losses.Hinge()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 1.0
    float(loss.generator(None, fake_logits))  # 1.0
    ```

    Reference:
        - [Lim & Ye, 2017](https://arxiv.org/abs/1705.02894)
        - [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """

    generator_uses_real = False

    def discriminator(self, real_logits, fake_logits):
        real, fake = _float32(real_logits), _float32(fake_logits)
        return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))

    def generator(self, real_logits, fake_logits):
        return -ops.mean(_float32(fake_logits))


@keras.saving.register_keras_serializable(package="keras_gan")
class Wasserstein(AdversarialLoss):
    """WGAN loss: the discriminator estimates the earth mover's distance between reals and fakes.

    The estimate is the negative of the discriminator's loss, and is valid if the discriminator is 1-Lipschitz.

    With `D = logits`,

    - discriminator: `-mean(D(x)) + mean(D(G(z)))`, which has no bound from below
    - generator: `-mean(D(G(z)))`

    Use it with `keras_gan.penalties.GradientPenalty` or `LipschitzPenalty`, or `keras_gan.constraints.WeightClipping`.
    Adding a number to all logits changes nothing, so that there is no boundary, and no accuracy in the logs.

    Example:

    ```python
    loss = keras_gan.losses.Wasserstein()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # -2.0
    float(loss.generator(None, fake_logits))  # 1.0
    ```

    Reference:
        [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875)
    """

    generator_uses_real = False
    needs_lipschitz = True
    boundary = None

    def discriminator(self, real_logits, fake_logits):
        return ops.mean(_float32(fake_logits)) - ops.mean(_float32(real_logits))

    def generator(self, real_logits, fake_logits):
        return -ops.mean(_float32(fake_logits))


@keras.saving.register_keras_serializable(package="keras_gan")
class Relativistic(AdversarialLoss):
    """RpGAN, the loss of R3GAN: the real example of a pair should look more real than the fake one.

    With `C = logits`, and each real paired with the fake at the same index of the batch, in maps also at the same
    position,

    - discriminator: `-mean(log sigmoid(C(x) - C(G(z))))`, which is log 2 at equilibrium
    - generator: `-mean(log sigmoid(C(G(z)) - C(x)))`

    Real and fake batches must have the same size. Both accuracies in the logs are the share of pairs in the right
    order, `C(x) > C(G(z))`, with ties counted half.

    Example:

    ```python
    loss = keras_gan.losses.Relativistic()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 0.1269
    float(loss.generator(real_logits, fake_logits))  # 2.1269
    ```

    Reference:
        - [Jolicoeur-Martineau, 2018](https://arxiv.org/abs/1807.00734)
        - [Huang et al., 2024](https://arxiv.org/abs/2501.05441): R3GAN
    """

    boundary = None

    def accuracies(self, real_logits, fake_logits):
        right = _above(real_logits, fake_logits)
        return right, right

    def discriminator(self, real_logits, fake_logits):
        return _mean_softplus(_float32(fake_logits) - _float32(real_logits))

    def generator(self, real_logits, fake_logits):
        # The same loss with real and fake swapped.
        return self.discriminator(fake_logits, real_logits)


@keras.saving.register_keras_serializable(package="keras_gan")
class RelativisticAverage(Relativistic):
    """RaGAN: reals should be more real than the average fake, and fakes less real than the average real.

    With `C = logits`,

    - discriminator: `-mean(log sigmoid(C(x) - mean(C(G(z))))) - mean(log sigmoid(mean(C(x)) - C(G(z))))`
    - generator: `-mean(log sigmoid(C(G(z)) - mean(C(x)))) - mean(log sigmoid(mean(C(G(z))) - C(x)))`

    The accuracies in the logs are the shares of `C(x) > mean(C(G(z)))` and `C(G(z)) < mean(C(x))`, ties counted half.

    The inner means are over this replica's batch and, for maps, over all positions. They are inside a nonlinearity, so
    results depend on the number of replicas: training on two replicas is like training on two batches of half the size.

    Example:

    ```python
    loss = keras_gan.losses.RelativisticAverage()
    real_logits, fake_logits = np.array([[2.0], [0.0]]), np.array([[0.0], [-2.0]])
    float(loss.discriminator(real_logits, fake_logits))  # 0.3618
    float(loss.generator(real_logits, fake_logits))  # 4.3618
    ```

    Reference:
        [Jolicoeur-Martineau, 2018](https://arxiv.org/abs/1807.00734)
    """

    def discriminator(self, real_logits, fake_logits):
        real, fake = _float32(real_logits), _float32(fake_logits)
        return _mean_softplus(ops.mean(fake) - real) + _mean_softplus(fake - ops.mean(real))

    def accuracies(self, real_logits, fake_logits):
        real, fake = _float32(real_logits), _float32(fake_logits)
        return _above(real, ops.mean(fake)), _above(ops.mean(real), fake)


def _float32(logits):
    return ops.cast(logits, "float32")


def _share(right):
    return ops.mean(ops.cast(right, "float32"))


def _above(a, b):
    """Computes the share of `a > b`, with ties counted half."""
    return (_share(a > b) + _share(a >= b)) / 2


def _mean_softplus(x):
    # -log sigmoid(-x), without the overflow.
    return ops.mean(ops.softplus(x))


def accuracies(loss, real_logits, fake_logits):
    """Computes the accuracies that are logged, for any loss.

    Args:
        loss: Result of `get`. One without `accuracies` uses its `boundary`, or 0, as the threshold.
        real_logits: Tensor `(batch, ..., 1)`.
        fake_logits: Tensor `(batch, ..., 1)`.

    Returns:
        Dict of the scalar tensors `real_accuracy` and `fake_accuracy`; empty for a loss without them.
    """
    if not hasattr(loss, "accuracies"):
        found = AdversarialLoss()
        found.boundary = boundary(loss)
        loss = found
    found = loss.accuracies(real_logits, fake_logits)
    return {} if found is None else dict(zip(("real_accuracy", "fake_accuracy"), found, strict=True))


def boundary(loss):
    """Returns the logit at which the discriminator is undecided, or None; 0 for a loss that does not define it."""
    return getattr(loss, "boundary", 0.0)


_BY_NAME = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
    "relativistic_average": RelativisticAverage,
}


def get(identifier):
    """Returns the loss for a name or an object.

    Args:
        identifier: `"minimax"`, `"non_saturating"`, `"least_squares"`, `"hinge"`, `"wasserstein"`, `"relativistic"`,
            `"relativistic_average"`, or any object with methods `discriminator(real_logits, fake_logits)` and
            `generator(real_logits, fake_logits)`.

    Returns:
        A new loss of that name, with its defaults; an object is returned as it is.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If the object lacks one of the two methods.

    Example:

    ```python
    loss = keras_gan.losses.get("hinge")
    float(loss.discriminator(np.array([[2.0]]), np.array([[0.0]])))  # 1.0
    keras_gan.losses.get(loss) is loss  # True
    ```
    """
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise ValueError(f"loss must be one of {sorted(_BY_NAME)}, or an object. Received: {identifier!r}.")
        return _BY_NAME[identifier]()
    methods = (getattr(identifier, name, None) for name in ("discriminator", "generator"))
    if isinstance(identifier, type) or not all(map(callable, methods)):
        raise TypeError(
            "loss must be a name or an object with methods discriminator(real_logits, fake_logits) and "
            f"generator(real_logits, fake_logits), such as keras_gan.losses.NonSaturating(). Received: {identifier!r}."
        )
    return identifier
