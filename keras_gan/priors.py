"""Priors: the distributions that latents are drawn from."""

import keras


class Prior:
    """Base class of the distributions of the latent.

    A subclass implements `sample`.

    Args:
        latent_dim: Int > 0, the size of one latent.
    """

    def __init__(self, latent_dim):
        if not isinstance(latent_dim, int) or latent_dim < 1:
            raise ValueError(f"latent_dim must be a positive integer. Received: {latent_dim!r}.")
        self.latent_dim = latent_dim

    def sample(self, n, seed=None):
        """Draws latents.

        Args:
            n: Int, or scalar integer tensor, how many.
            seed: Int, `keras.random.SeedGenerator`, or None for different numbers at each call.

        Returns:
            Tensor `(n, latent_dim)`, float32.
        """
        raise NotImplementedError

    def get_config(self):
        return {"latent_dim": self.latent_dim}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class Normal(Prior):
    """Independent normal latents.

    Args:
        latent_dim: Int > 0, the size of one latent.
        mean: Float. Defaults to `0.0`.
        stddev: Float > 0. Defaults to `1.0`.
    """

    def __init__(self, latent_dim, mean=0.0, stddev=1.0):
        super().__init__(latent_dim)
        if not stddev > 0:
            raise ValueError(f"stddev must be positive. Received: {stddev!r}.")
        self.mean = float(mean)
        self.stddev = float(stddev)

    def sample(self, n, seed=None):
        return keras.random.normal((n, self.latent_dim), self.mean, self.stddev, dtype="float32", seed=seed)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@keras.saving.register_keras_serializable(package="keras_gan")
class Uniform(Prior):
    """Independent uniform latents, the choice of the DCGAN paper.

    Args:
        latent_dim: Int > 0, the size of one latent.
        low: Float, the smallest value. Defaults to `-1.0`.
        high: Float > low, the bound from above. Defaults to `1.0`.

    Reference:
        [Radford et al., 2015](https://arxiv.org/abs/1511.06434)
    """

    def __init__(self, latent_dim, low=-1.0, high=1.0):
        super().__init__(latent_dim)
        if not low < high:
            raise ValueError(f"low must be smaller than high. Received: low={low!r}, high={high!r}.")
        self.low = float(low)
        self.high = float(high)

    def sample(self, n, seed=None):
        return keras.random.uniform((n, self.latent_dim), self.low, self.high, dtype="float32", seed=seed)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}
