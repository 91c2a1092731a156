"""Which example comes when."""

import itertools
import random

import numpy as np

# How many steps the GAN in training had made when its epoch began; None outside of training.
_steps = None


def shuffle_by(steps):
    """Makes the next orders of all that `load` gave a function of a number, instead of new ones at each visit.

    One training at a time in a process; within an epoch of it `load(...).repeat()` gives the same order again.

    Args:
        steps: Int >= 0; or None, which makes orders new again.
    """
    global _steps
    _steps = steps


def orders(seed, n, stack):
    """Makes a function that draws orders, each an array `(n, stack)`, int64, whose columns hold every index once."""
    seed = random.getrandbits(32) if seed is None else int(seed)
    visits = itertools.count()

    def order():
        rng = np.random.default_rng([seed, next(visits) if _steps is None else _steps])
        return np.stack([rng.permutation(n) for _ in range(stack)], axis=1)

    return order
