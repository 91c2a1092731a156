"""Streams of batches as Keras takes them, with a check of the labels of later batches."""

import contextlib
import copy
import itertools
import sys

import keras
import numpy as np
from keras import ops

from keras_gan import keras_private


class Later:
    """Check of the labels of later batches; keeps its error, which would be buried in an error of TensorFlow.

    Args:
        check: Function of the `y` of a batch, such as labels, and of the number of examples; it raises an error.
    """

    def __init__(self, check):
        self._check = check
        self._error = None

    def __call__(self, given, n):
        try:
            self._check(given, int(n))
        except (TypeError, ValueError) as error:
            self._error = error
            raise

    @contextlib.contextmanager
    def shown(self):
        """Raises the kept error in place of the one that wraps it."""
        self._error = None
        try:
            yield
        except Exception:
            if self._error is None:
                raise
            raise self._error from None


def plain(data):
    """Converts data frames, and torch tensors for other backends, to NumPy arrays; other data are unchanged."""
    if hasattr(data, "to_numpy"):
        return data.to_numpy()
    if _is_of(data, "torch", "Tensor"):
        data = data.detach()
        if keras.config.backend() != "torch":
            # NumPy has no bfloat16.
            data = data.cpu()
            data = (data.float() if data.dtype.itemsize == 2 and data.dtype.is_floating_point else data).numpy()
    return data


def _tensor(data):
    # Keras accepts only torch tensors from a `DataLoader`.
    return sys.modules["torch"].as_tensor(plain(data))


def draw(x):
    """Draws the first batch of a stream.

    Args:
        x: `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`, generator or another iterable.

    Returns:
        The batch, or None if there is none; and its iterator, which continues after it.
    """
    if isinstance(x, keras.utils.PyDataset):
        # Some datasets of Keras are their own iterators, without an end. An infinite dataset has no length.
        n = x.num_batches
        iterator = (x[i] for i in (itertools.count() if n is None else range(n)))
    else:
        iterator = iter(x)
    return next(iterator, None), iterator


def first_examples(data, n):
    """Takes the first examples of data, without shuffling them.

    Args:
        data: What `fit` takes: a stream of batches `(x, y)`, or a pair of arrays.
        n: Int, how many at most.

    Returns:
        Pair of NumPy arrays, at most `n` of x and of y; None for y if there is none.
    """
    parts = ([], [])
    batches = [data] if isinstance(data, (tuple, list)) or hasattr(data, "shape") else data
    if isinstance(data, keras.utils.PyDataset):
        batches = (data[i] for i in range(data.num_batches))
    for batch in batches:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        for part, found in zip(parts, (x, y), strict=True):
            if found is not None:
                part.append(ops.convert_to_numpy(plain(found[:n])))
        if sum(map(len, parts[0])) >= n:
            break
    # Two sets without pairs may differ in length.
    n = min([n, *(sum(map(len, part)) for part in parts if part)])
    return tuple(np.concatenate(part)[:n] if part else None for part in parts)


def as_keras_takes(x, first, iterator, parts, later):
    """Makes a stream acceptable to Keras.

    Args:
        x: The stream.
        first: Its first batch.
        iterator: The iterator that gave it.
        parts: Int, how many parts of a batch are used: 1 for the data, 2 with labels.
        later: `Later`, or None.

    Returns:
        The stream; for a generator, which can't be rewound, a new one that starts with the same batch.
    """

    standardize = _Standardize(parts, later)
    if _is_of(x, "tensorflow", "data.Dataset"):
        return _watched(x, later) if later is not None and parts > 1 else x
    if isinstance(x, keras.utils.PyDataset):
        # Checks in other processes would need a copy of the model.
        return _Batches(x, _Standardize(parts, None) if x.use_multiprocessing else standardize)
    if _is_of(x, "torch", "utils.data.DataLoader"):
        return _loader(x, _Standardize(parts, later, _tensor))
    if iterator is x:
        return (standardize(batch) for batch in itertools.chain([first], iterator))
    return x


class _Standardize:
    """Callable that makes a batch a tuple, which Keras takes from any stream, and checks its labels."""

    def __init__(self, parts, later, convert=plain):
        self._parts, self._later, self._convert = parts, later, convert

    def __call__(self, batch):
        parts = keras.utils.unpack_x_y_sample_weight(batch)[: self._parts]
        batch = tuple(keras.tree.map_structure(self._convert, part) for part in parts)
        if self._later is not None and len(batch) > 1:
            self._later(ops.convert_to_numpy(plain(batch[1])), len(keras.tree.flatten(batch[0])[0]))
        return batch


class _Batches(keras.utils.PyDataset):
    """A `PyDataset` whose batches are standardized."""

    def __init__(self, dataset, standardize):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._standardize = dataset, standardize

    def __getitem__(self, index):
        return self._standardize(self._dataset[index])

    @property
    def num_batches(self):
        return self._dataset.num_batches

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()


def _loader(loader, standardize):
    """Returns a copy of a `DataLoader` that standardizes its batches. The copy is of a subclass, since Keras
    takes no other torch iterable that can be rewound."""

    class Loader(type(loader)):
        def __iter__(self):
            return map(standardize, super().__iter__())

    standardized = copy.copy(loader)
    standardized.__class__ = Loader
    return standardized


def _watched(dataset, later):
    """Returns a `tf.data.Dataset` that checks the labels of each batch."""
    import tensorflow as tf

    def check(given, n):
        later(given, n)
        return n

    def watch(*batch):
        x, given, _ = keras.utils.unpack_x_y_sample_weight(batch)
        n = tf.shape(tf.nest.flatten(x)[0])[0]
        with tf.control_dependencies([tf.numpy_function(check, [given, n], tf.int32)]):
            return tf.nest.map_structure(tf.identity, (x, given))

    parts = keras_private.parts_of(dataset)
    watched = dataset.map(watch)
    return watched if parts is None else keras_private.with_parts(watched, lambda *part: parts(*part).map(watch))


def _is_of(thing, package, name):
    """Checks if an object is of a package's class, without importing the package."""
    kind = sys.modules.get(package)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    return kind is not None and isinstance(thing, kind)
