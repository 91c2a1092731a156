"""Penalties: one small class per published term that is added to a player's objective."""

import re

import keras
from keras import ops

from keras_gan import backend
from keras_gan.checks.values import check_integer, check_number

__all__ = ["R1", "R2", "GeneratorPenalty", "GradientPenalty", "LeCam", "LipschitzPenalty", "ModeSeeking", "Penalty"]


def __dir__():
    return __all__


class Penalty:
    """Base class of penalties: weighted terms that are added to the discriminator's objective.

    A subclass implements `__call__`, which gets unaugmented data, and the discriminator as a function that augments,
    packs and judges them. Gradients are thus those with respect to unaugmented data, as in the papers. The
    discriminator judges each example by itself: it runs in inference mode, so that batch statistics neither couple its
    examples nor change.

    If a patch discriminator returns a map of logits, `D(x)` is the mean over its entries in all penalties of this
    module: their weights mean the same for a map of any size. (CycleGAN's and StarGAN's code differentiates the sum
    over a map instead: for a map of n entries, that gradient is n times as large.)

    State that lasts over steps is made in `build` and listed in `variables`: files keep it.

    Attributes:
        interval: Int > 0. The penalty is computed only every `interval` updates of its player, multiplied by
            `interval`, which keeps its mean: lazy regularization,
            [Karras et al., 2019](https://arxiv.org/abs/1912.04958), appendix B.
        variables: List of `keras.Variable` that are not trainable. Empty by default.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Drift(keras_gan.penalties.Penalty):
        # Keeps the logits of reals near 0.

        def __init__(self, weight=0.001):
            self.weight = weight

        def __call__(self, discriminator, real, fake, seed=None):
            return self.weight * keras.ops.mean(keras.ops.square(discriminator(real)))

        def get_config(self):
            return {"weight": self.weight}


    real = np.array([[1.0], [3.0]])
    float(Drift(0.5)(lambda x: x, real, None))  # 2.5
    # In a GAN, whose logs then have drift: gan.compile(penalties=[Drift()])
    ```
    """

    interval = 1
    variables = ()

    def build(self):
        """Makes the variables. `GAN.compile` calls it once, in the scope of the training strategy."""

    def __call__(self, discriminator, real, fake, seed=None):
        """Computes the penalty, in float32.

        Args:
            discriminator: Callable, data `(batch, ...)` to logits `(batch, ..., 1)`.
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of generated data, shaped like `real`.
            seed: `keras.random.SeedGenerator`, int, or None, for penalties that draw random numbers.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class GeneratorPenalty(Penalty):
    """Base class of penalties: weighted terms that are added to the generator's objective.

    A subclass implements `__call__`.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Brightness(keras_gan.penalties.GeneratorPenalty):
        # Keeps the mean of generated data near 0.

        def __call__(self, generator, latents, given, fake, seed=None):
            return keras.ops.square(keras.ops.mean(fake))


    fake = np.full((4, 8, 8, 1), 0.5)
    float(Brightness()(None, None, None, fake))  # 0.25
    # In a GAN, whose logs then have brightness: gan.compile(generator_penalties=[Brightness()])
    ```
    """

    def __call__(self, generator, latents, given, fake, seed=None):
        """Computes the penalty, in float32.

        Args:
            generator: Callable, `(latents, given)` to data, in training mode.
            latents: Tensor `(batch, latent_dim)` that the fakes were made from.
            given: Tensor `(batch, ...)` of the condition's input, such as labels; None without one.
            fake: Tensor of generated data `(batch, ...)`, through which gradients flow.
            seed: `keras.random.SeedGenerator`, int, or None, for penalties that draw random numbers.

        Returns:
            Scalar tensor.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="keras_gan")
class R1(Penalty):
    """Zero-centered gradient penalty on reals.

    `penalty = gamma / 2 * mean_i(||grad_x D(x_i)||^2)`, with `D = logits`

    Args:
        gamma: Float >= 0, weight of the penalty. Defaults to `10.0`.
        interval: Int > 0: the penalty is computed only every `interval` updates, and then multiplied by `interval`.
            Defaults to `1`.

    Raises:
        ValueError: If `gamma` is negative or not a finite number, or `interval` not a positive integer.

    Example:

    ```python
    def discriminator(x):
        return x**2 / 2  # its slope is x


    real, fake = np.array([[3.0], [4.0]]), np.array([[1.0], [0.0]])
    penalty = keras_gan.penalties.R1(gamma=2.0)
    float(penalty(discriminator, real, fake))  # 12.5
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(8,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(8,)),
    )
    gan.compile(penalties=[penalty])
    ```

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406)
    """

    def __init__(self, gamma=10.0, interval=1):
        self.gamma = check_number("gamma", gamma, 0)
        self.interval = check_integer("interval", interval)

    def __call__(self, discriminator, real, fake, seed=None):
        return self.gamma / 2 * ops.mean(_squared_gradient_norm(discriminator, real))

    def get_config(self):
        return {"gamma": self.gamma, "interval": self.interval}


@keras.saving.register_keras_serializable(package="keras_gan")
class R2(R1):
    """Zero-centered gradient penalty on fakes.

    `penalty = gamma / 2 * mean_i(||grad_x D(G(z_i))||^2)`, with `D = logits`

    Args:
        gamma: Float >= 0, weight of the penalty. Defaults to `10.0`.
        interval: Int > 0: the penalty is computed only every `interval` updates, and then multiplied by `interval`.
            Defaults to `1`.

    Raises:
        ValueError: If `gamma` is negative or not a finite number, or `interval` not a positive integer.

    Example:

    ```python
    def discriminator(x):
        return x**2 / 2  # its slope is x


    real, fake = np.array([[3.0], [4.0]]), np.array([[1.0], [0.0]])
    penalties = [keras_gan.penalties.R1(gamma=2.0), keras_gan.penalties.R2(gamma=2.0)]
    [float(penalty(discriminator, real, fake)) for penalty in penalties]  # [12.5, 0.5]
    # In a GAN: gan.compile(penalties=penalties)
    ```

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406)
    """

    def __call__(self, discriminator, real, fake, seed=None):
        return super().__call__(discriminator, fake, real, seed)


@keras.saving.register_keras_serializable(package="keras_gan")
class GradientPenalty(Penalty):
    """WGAN-GP: gradient penalty that keeps the gradient norm near 1 on lines between reals and fakes.

    `penalty = weight * mean_i((||grad_x D(u_i)|| - 1)^2)`, with `D = logits`, `u_i = e_i x_i + (1 - e_i) G(z_i)` and
    one `e_i` for each example, uniform in [0, 1).

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `10.0`.
        interval: Int > 0: the penalty is computed only every `interval` updates, and then multiplied by `interval`.
            Defaults to `1`.

    Raises:
        ValueError: If `weight` is negative or not a finite number, or `interval` not a positive integer.

    Example:

    ```python
    def discriminator(x):
        return 3 * x[:, :1] + 4 * x[:, 1:]  # its slope is 5


    real, fake = np.zeros((8, 2)), np.ones((8, 2))
    penalty = keras_gan.penalties.GradientPenalty()
    float(penalty(discriminator, real, fake))  # 160.0
    # In a GAN: gan.compile(loss="wasserstein", penalties=[penalty])
    ```

    Reference:
        [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028)
    """

    def __init__(self, weight=10.0, interval=1):
        self.weight = check_number("weight", weight, 0)
        self.interval = check_integer("interval", interval)

    def __call__(self, discriminator, real, fake, seed=None):
        squared = _squared_gradient_norm(discriminator, _interpolate(real, fake, seed))
        # The derivative of the square root at zero is infinite. The lower bound makes the derivative zero there, and
        # changes nothing for larger values.
        norm = ops.sqrt(ops.maximum(squared, 1e-12))
        return self.weight * ops.mean(ops.square(self._excess(norm)))

    def _excess(self, norm):
        return norm - 1

    def get_config(self):
        return {"weight": self.weight, "interval": self.interval}


@keras.saving.register_keras_serializable(package="keras_gan")
class LipschitzPenalty(GradientPenalty):
    """WGAN-LP: gradient penalty for a slope of at most 1 on lines between reals and fakes.

    `penalty = weight * mean_i(max(0, ||grad_x D(u_i)|| - 1)^2)`, with `u_i` as in `GradientPenalty`.

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `10.0`.
        interval: Int > 0: the penalty is computed only every `interval` updates, and then multiplied by `interval`.
            Defaults to `1`.

    Raises:
        ValueError: If `weight` is negative or not a finite number, or `interval` not a positive integer.

    Example:

    ```python
    real, fake = np.zeros((8, 1)), np.ones((8, 1))
    penalty = keras_gan.penalties.LipschitzPenalty()
    float(penalty(lambda x: 3 * x, real, fake))  # 40.0
    float(penalty(lambda x: x / 2, real, fake))  # 0.0
    # In a GAN: gan.compile(loss="wasserstein", penalties=[penalty])
    ```

    Reference:
        [Petzka et al., 2017](https://arxiv.org/abs/1709.08894)
    """

    def _excess(self, norm):
        return ops.relu(norm - 1)


@keras.saving.register_keras_serializable(package="keras_gan")
class LeCam(Penalty):
    """Penalty on the distance of the logits of reals from a moving average of those of fakes, and vice versa.

    It reduces overfitting on little data.

    `penalty = weight * (mean_i((D(x_i) - f)^2) + mean_i((D(G(z_i)) - r)^2))`, with `D = logits`, `r` and `f` the moving
    averages of the mean logit of reals and of fakes, `r <- decay * r + (1 - decay) * mean_i(D(x_i))`, starting at 0.

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `0.1`.
        decay: Float in [0, 1), the decay rate of the moving averages. Defaults to `0.99`.

    Attributes:
        real_mean: `keras.Variable`, a scalar, `r`.
        fake_mean: `keras.Variable`, a scalar, `f`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    ```python
    penalty = keras_gan.penalties.LeCam(weight=1.0, decay=0.5)
    penalty.build()  # as gan.compile(penalties=[penalty]) does
    real_logits, fake_logits = np.array([[2.0], [4.0]]), np.array([[-1.0], [1.0]])
    float(penalty(lambda x: x, real_logits, fake_logits))  # 13.25
    float(penalty.real_mean), float(penalty.fake_mean)  # (1.5, 0.0)
    ```

    Reference:
        [Tseng et al., 2021](https://arxiv.org/abs/2104.03310)
    """

    def __init__(self, weight=0.1, decay=0.99):
        self.weight = check_number("weight", weight, 0)
        self.decay = check_number("decay", decay, 0, 1, open_high=True)

    def build(self):
        self.real_mean, self.fake_mean = self.variables = [
            keras.Variable(0.0, dtype="float32", trainable=False, aggregation="mean", name=name)
            for name in ("real_mean", "fake_mean")
        ]

    def __call__(self, discriminator, real, fake, seed=None):
        real_logits, fake_logits = (_mean_logit(discriminator(data)) for data in (real, fake))
        r, f = self._follow(self.real_mean, real_logits), self._follow(self.fake_mean, fake_logits)
        return self.weight * (ops.mean(ops.square(real_logits - f)) + ops.mean(ops.square(fake_logits - r)))

    def _follow(self, average, logits):
        value = self.decay * average + (1 - self.decay) * ops.stop_gradient(ops.mean(logits))
        average.assign(value)
        return value

    def get_config(self):
        return {"weight": self.weight, "decay": self.decay}


@keras.saving.register_keras_serializable(package="keras_gan")
class ModeSeeking(GeneratorPenalty):
    """Penalty on samples that differ little although their latents differ, to reduce mode collapse.

    `penalty = weight / (mean|G(z) - G(z')| / (mean|z - z'| + 1e-5) + 1e-5)`, means over all entries, with `z'` the
    latents of the batch shifted by one example, under the same condition.

    Args:
        weight: Float >= 0, weight of the penalty. Defaults to `1.0`.

    Raises:
        ValueError: If `weight` is negative or not a finite number.

    Example:

    ```python
    def generator(latents, given):
        return 4 * latents


    latents = np.random.normal(size=(8, 2)).astype("float32")
    penalty = keras_gan.penalties.ModeSeeking()
    float(penalty(generator, latents, None, generator(latents, None)))  # 0.25
    # In a GAN: gan.compile(generator_penalties=[penalty])
    ```

    Reference:
        [Mao et al., 2019](https://arxiv.org/abs/1903.05628)
    """

    def __init__(self, weight=1.0):
        self.weight = check_number("weight", weight, 0)

    def __call__(self, generator, latents, given, fake, seed=None):
        others = ops.roll(latents, 1, axis=0)
        fake, other_fake = (ops.cast(x, "float32") for x in (fake, generator(others, given)))
        ratio = ops.mean(ops.abs(fake - other_fake)) / (ops.mean(ops.abs(latents - others)) + 1e-5)
        # A single example is its own neighbor.
        return ops.where(ops.shape(latents)[0] > 1, self.weight / (ratio + 1e-5), 0.0)

    def get_config(self):
        return {"weight": self.weight}


class PenaltyGroup(keras.layers.Layer):
    """Penalties of one player, with their state, which files keep.

    Args:
        penalties: List of `Penalty` objects or functions with the same arguments.
    """

    def __init__(self, penalties):
        super().__init__()
        self.penalties = tuple(penalties)
        for penalty in penalties:
            # Reset at each compile().
            if isinstance(penalty, Penalty):
                penalty.build()
        self.state = [v for penalty in penalties for v in getattr(penalty, "variables", ())]
        self.updates = None
        if any(getattr(penalty, "interval", 1) > 1 for penalty in penalties):
            self.updates = self.add_weight(
                (), "zeros", "int32", trainable=False, aggregation="only_first_replica", name="updates"
            )
        self.built = True

    def measure(self, arguments, seed, variables):
        """Computes the penalties at one update of their player.

        Args:
            arguments: Tuple of tensors and functions that each penalty is called with.
            seed: `keras.random.SeedGenerator`.
            variables: List of all variables that the penalties may read, the seed's state among them.

        Returns:
            Dict of names, such as `"r1"`, to scalar tensors.
        """
        values = {}
        for penalty in self.penalties:
            name = penalty_name(penalty)
            values[name] = values.get(name, 0.0) + self._measure(penalty, arguments, seed, variables)
        if self.updates is not None:
            self.updates.assign_add(1)
        return values

    def _measure(self, penalty, arguments, seed, variables):
        interval = getattr(penalty, "interval", 1)
        if interval == 1:
            return penalty(*arguments, seed=seed)
        # On JAX, state that changes inside a branch can't leave the branch. So random numbers inside it come from a
        # copy of the seed's state, and the state itself is advanced here.
        seed.next()

        def compute():
            with keras.StatelessScope(state_mapping=[(v, v.value) for v in variables]):
                return ops.cast(interval * penalty(*arguments, seed=seed), "float32")

        return ops.cond(self.updates % interval == 0, compute, lambda: ops.zeros((), "float32"))


def penalty_name(penalty):
    """Returns a penalty's name in the logs: its class name, such as `r1`, or the function's name."""
    name = getattr(penalty, "__name__", type(penalty).__name__)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _mean_logit(logits):
    """Computes the mean of each example's logits, `(batch,)`, float32."""
    return ops.mean(ops.cast(logits, "float32"), axis=tuple(range(1, len(logits.shape))))


def _squared_gradient_norm(discriminator, x):
    """Computes `||grad_x D(x_i)||^2`, `(batch,)`."""

    def judge(x):
        return _mean_logit(discriminator(x))

    # In float32 from the input on: squares easily overflow float16.
    gradient = backend.input_gradient(judge, ops.cast(x, "float32"))
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def _interpolate(real, fake, seed):
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    ones = (1,) * (len(real.shape) - 1)
    # Examples that fill no pack are left out, so the number of rows may not be that of the replica's batch.
    epsilon = backend.local_draw(
        lambda n: keras.random.uniform((n, *ones), dtype="float32", seed=seed), ops.shape(real)[0], per_example=False
    )
    return epsilon * real + (1 - epsilon) * fake
