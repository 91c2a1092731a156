"""Walks: paths from one latent to another."""

import numpy as np
from keras import ops

from keras_gan.checks.values import check_integer

__all__ = ["lerp", "slerp", "tour"]


def __dir__():
    return __all__


def lerp(start, end, t):
    """Walks from one latent to another in a straight line: `(1 - t) * start + t * end`.

    The midpoint of two normal latents is shorter than any likely sample; see `slerp`.

    Args:
        start: Array or tensor `(..., latent_dim)`: one latent, or a batch.
        end: Array or tensor of a shape that broadcasts with it.
        t: Float, or array of any shape, usually `numpy.linspace(0, 1, steps)`.

    Returns:
        Tensor, float32: the shape of `t`, then that of the latents. A walk with `steps` steps between two single
            latents has the shape `(steps, latent_dim)`, a batch for the generator.

    Example:

    ```python
    latents = keras_gan.walks.lerp(np.zeros(64), np.ones(64), np.linspace(0, 1, 5))
    latents.shape  # (5, 64)
    latents[:, 0]  # [0.0, 0.25, 0.5, 0.75, 1.0]
    ```
    """
    start, end, t = _prepare(start, end, t)
    return (1 - t) * start + t * end


def slerp(start, end, t):
    """Walks from one latent to another along the sphere, where normal latents of many dimensions lie.

    The direction turns at constant speed by the angle `omega` between both ends, and the norm changes linearly. For
    ends of equal norm this is `(sin((1 - t) * omega) * start + sin(t * omega) * end) / sin(omega)`; unlike that
    formula it is finite for opposite ends, which it joins by one of their many great circles.

    Args:
        start: Array or tensor `(..., latent_dim)`: one latent, or a batch.
        end: Array or tensor of a shape that broadcasts with it.
        t: Float, or array of any shape, usually `numpy.linspace(0, 1, steps)`.

    Returns:
        Tensor, float32: the shape of `t`, then that of the latents, as `lerp` returns it.

    Example:

    ```python
    latents = keras_gan.walks.slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.linspace(0, 1, 3))
    latents.shape  # (3, 2)
    latents[1]  # [0.7071, 0.7071]
    ```

    Reference:
        [White, 2016](https://arxiv.org/abs/1609.04468)
    """
    start, end, t = _prepare(start, end, t)
    u, v = _unit(start), _unit(end)
    # Also exact at 0 and pi, where arccos of the product loses half of the digits.
    omega = 2 * ops.arctan2(_norm(u - v), _norm(u + v))
    # `w` is the direction from u toward v, orthogonal to u. Parallel ends have no such direction; for them it is the
    # direction of the axis that is farthest from u. The second projection removes what rounding leaves of u, which
    # matters if the rest is tiny.
    w = v - _dot(u, v) * u + 1e-7 * ops.one_hot(ops.argmin(ops.abs(u), axis=-1), u.shape[-1], dtype=u.dtype)
    w = _unit(w - _dot(u, w) * u)
    norm = (1 - t) * _norm(start) + t * _norm(end)
    return norm * (ops.cos(t * omega) * u + ops.sin(t * omega) * w)


def tour(stops, frames=8):
    """Walks by `slerp` from each of several latents to the next, and from the last back to the first.

    Args:
        stops: Array `(n, latent_dim)`, or `(n, columns, latent_dim)` for several walks side by side.
        frames: Int > 0, the number of latents from each stop to the next. Defaults to `8`.

    Returns:
        NumPy array `(n * frames, latent_dim)`, or `(n * frames, columns, latent_dim)`, float32. It is cyclic: after
        the last comes the first.

    Raises:
        ValueError: If `frames` is not a positive integer.

    Example:

    ```python
    stops = np.random.normal(size=(4, 64))
    latents = keras_gan.walks.tour(stops, frames=8)
    latents.shape  # (32, 64)
    # Frames of a video: gan.predict(latents)
    ```
    """
    t = np.linspace(0, 1, check_integer("frames", frames), endpoint=False)
    stops = np.asarray(stops, "float32")
    ways = [ops.convert_to_numpy(slerp(a, b, t)) for a, b in zip(stops, np.roll(stops, -1, axis=0), strict=True)]
    return np.concatenate(ways)


def _prepare(start, end, t):
    start, end, t = (ops.convert_to_tensor(x, "float32") for x in (start, end, t))
    return start, end, ops.reshape(t, (*t.shape, *[1] * max(len(start.shape), len(end.shape))))


def _dot(x, y):
    return ops.sum(x * y, axis=-1, keepdims=True)


def _norm(x):
    return ops.sqrt(_dot(x, x))


def _unit(x):
    return x / ops.maximum(_norm(x), 1e-30)
