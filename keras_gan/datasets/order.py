"""Order of the examples: a function of a seed and the training step."""

import itertools
import random

import keras
import numpy as np

from keras_gan.keras_private import inputs_of

_ATTRIBUTE = "_keras_gan_order"


class Order:
    """Random order of `n` examples, different in each pass.

    In training a pass depends on `seed`, on the model's step at the start of the epoch, and on the number of passes
    begun in the epoch: a resumed run sees the same order. Outside of training it depends on `seed` and on the number of
    passes drawn before.

    Args:
        seed: Int in [0, 2**32), or None for one drawn by Python's `random`.
        n: Int > 0, how many examples there are.
        stack: Int > 0, how many examples are drawn for each element of a pass. Defaults to `1`.
        with_numbers: Bool, whether each example's index comes with a random number, for random changes of the example.
            Defaults to False.
        length: Int >= n, the number of elements in a pass. If it is larger than n, all n examples are drawn once, then
            again in another order, and so on. Defaults to None, n.

    Attributes:
        steps: Int >= 0, the model's step at the start of the epoch; None outside of training.
    """

    def __init__(self, seed, n, stack=1, with_numbers=False, length=None):
        self._seed = random.getrandbits(32) if seed is None else int(seed)
        self._n, self._shape, self._with_numbers = n, (length or n, stack), with_numbers
        self._visits = itertools.count()
        self.end()

    def __len__(self):
        return self._shape[0]

    @property
    def steps(self):
        return self._now[0]

    def begin(self, steps):
        """Starts an epoch: following passes belong to it.

        Args:
            steps: Int >= 0, how many steps the model has made.
        """
        # A single assignment: TensorFlow draws in its own threads.
        self._now = steps, itertools.count()

    def end(self):
        """Ends training: following passes are those outside of it."""
        self._now = None, self._visits

    def draw(self):
        """Draws the next pass.

        Returns:
            NumPy array `(length, stack)`, int64. In each column, every block of n rows is a permutation of 0 to n - 1.
            If `with_numbers` is True, the shape is `(length, stack, 2)`: each index is followed by a random number from
            0 to 2**63 - 1.
        """
        steps, passes = self._now
        # To NumPy, a seed that ends in 0 equals the same seed without it. So in the first pass of an epoch, number 0,
        # the order depends only on the seed and the steps.
        rng = np.random.default_rng([self._seed, *([] if steps is None else [steps]), next(passes)])
        length, stack = self._shape
        rounds = range(-(-length // self._n))
        columns = [np.concatenate([rng.permutation(self._n) for _ in rounds])[:length] for _ in range(stack)]
        order = np.stack(columns, axis=1)
        if not self._with_numbers:
            return order
        # Drawn after the order, so that the order does not depend on them.
        return np.stack([order, rng.integers(2**63 - 1, size=order.shape, endpoint=True)], axis=2)

    def dataset(self):
        """Makes the dataset of one pass.

        Returns:
            `tf.data.Dataset` of `length` elements, int64, each `(stack,)`, or `(stack, 2)` if `with_numbers` is True.
            `find` finds this order in it.
        """
        import tensorflow as tf

        shape = (*self._shape, 2) if self._with_numbers else self._shape
        passes = tf.data.Dataset.range(1).map(
            lambda _: tf.ensure_shape(tf.numpy_function(self.draw, [], tf.int64), shape)
        )
        setattr(passes, _ATTRIBUTE, self)
        return passes.unbatch()


def find(data):
    """Finds the orders of data from `load`, through any `tf.data` transformations.

    Args:
        data: A `tf.data.Dataset`, a dataset that a strategy has distributed, a structure of these, or anything else.

    Returns:
        List of `Order`, each once; empty for anything else.
    """
    found, todo = [], keras.tree.flatten(data)
    while todo:
        dataset = todo.pop()
        order = getattr(dataset, _ATTRIBUTE, None)
        if order is None:
            todo += inputs_of(dataset)
        elif order not in found:
            found.append(order)
    return found
