"""Toy distributions with known modes."""

import numpy as np

from keras_gan.priors import Mixture, circle


def ring():
    """Makes the 8 modes of the standard test of mode coverage: on the unit circle, with a standard deviation of 0.01.

    Returns:
        `keras_gan.priors.Mixture`: `sample(n, seed)` gives points `(n, 2)`; `centers` and `stddev` describe the modes.

    Example:

    ```python
    ring = keras_gan.datasets.ring()
    ring.sample(256, seed=0).shape  # (256, 2)
    ring.centers.shape  # (8, 2)
    ```

    Reference:
        [Srivastava et al., 2017](https://arxiv.org/abs/1705.07761)
    """
    return Mixture(circle(8, latent_dim=2), stddev=0.01)


def grid():
    """Makes 25 modes on a square grid, with coordinates -4, -2, 0, 2 and 4 and a standard deviation of 0.05. Like
    `ring`, it returns a `Mixture`.

    Returns:
        `keras_gan.priors.Mixture`, as `ring`, of points `(n, 2)`.

    Example:

    ```python
    grid = keras_gan.datasets.grid()
    grid.sample(256, seed=0).shape  # (256, 2)
    grid.centers.shape  # (25, 2)
    ```
    """
    steps = np.arange(-4, 5, 2)
    return Mixture([[x, y] for x in steps for y in steps], stddev=0.05)
