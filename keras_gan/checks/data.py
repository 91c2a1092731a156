"""Checks of training data, and of what samples are conditioned on."""

import dataclasses
import itertools

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_positive, join, same_shape

# What the activations that a generator may end in can reach.
RANGES = {"tanh": (-1, 1), "sigmoid": (0, 1)}


@dataclasses.dataclass(frozen=True)
class Expected:
    """What training data must be.

    Attributes:
        shape: Tuple, the shape of one example.
        activation: String, the activation that the generator ends in; it bounds the data.
        condition: `keras_gan.conditions.Condition`, which says what a batch brings beside its data, such as labels; or
            None where that is not used.
        pack: Int, the smallest batch.
    """

    shape: tuple
    activation: str | None = None
    condition: object = None
    pack: int = 1

    @property
    def given_name(self):
        """String, the name of what a batch brings beside its data, or None."""
        return None if self.condition is None else self.condition.given_name


def check_data(data, labels, batch_size, expected):
    """Checks arrays whole and a stream by its first batch.

    Args:
        data: What `fit` takes as `x`.
        labels: What `fit` takes as `y`.
        batch_size: What `fit` takes as `batch_size`.
        expected: `Expected`.

    Returns:
        The data, a generator, which can't be rewound, as a new one that begins with the same batch; and the labels, or
        what else is given, None where that is not used.

    Raises:
        ValueError: If the data are empty, not finite, of another shape, or out of range; if what the condition needs is
            missing, out of range or of another shape; if a batch is smaller than a pack; or if `keras.distribution` has
            devices that can't share a batch equally.
        TypeError: If the data, or what is given beside them, are of another kind.
    """
    if data is None:
        raise ValueError("x, the real data, must be given to fit. Received: None.")
    if batch_size is not None:
        check_positive("batch_size", batch_size)
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        # Keras would look at labels of any kind, needed or not.
        labels = None if labels is None or expected.given_name is None else ops.convert_to_numpy(labels)
        n = len(data) if len(data.shape) else 1
        batch_size = min(batch_size or 32, n)
        _check_batch(data, labels, expected, batch_size)
        _check_divisible(batch_size, n % batch_size)
        return data, labels
    if isinstance(data, (list, tuple, dict)):
        raise TypeError(
            "x must be an array, a tf.data.Dataset, a keras.utils.PyDataset or a generator; a list of examples becomes "
            f"an array with numpy.stack. Received: a {type(data).__name__}."
        )
    if labels is not None:
        raise ValueError("y must be None where x is a stream, which gives (images, labels). Received: both.")
    iterator = iter(data)
    first = next(iterator, None)
    if first is None:
        raise ValueError("x must hold at least one batch. Received: an empty dataset.")
    x, y, _ = keras.utils.unpack_x_y_sample_weight(first)
    _check_batch(x, y, expected, None)
    _check_divisible(len(_first_replica(x)))
    if iterator is data:
        # Keras takes tuples alone from a generator, and looks at labels of any kind.
        parts = 1 if expected.given_name is None else 2
        batches = map(keras.utils.unpack_x_y_sample_weight, itertools.chain([first], iterator))
        data = (batch[:parts] for batch in batches)
    return data, None


def _check_batch(batch, given, expected, batch_size):
    if isinstance(batch, (dict, list, tuple)):
        raise TypeError(f"x must give images or (images, labels). Received: a {type(batch).__name__} in their place.")
    batch, given = _first_replica(batch), _first_replica(given)
    received, shape = tuple(batch.shape), expected.shape
    if not same_shape(received[1:], shape) or len(received) == 0:
        hint = " Add the channel axis with x[..., None]." if (*received[1:], 1) == shape else ""
        raise ValueError(
            f"x must have the shape of what the generator makes, (batch, {join(shape)}). Received: {received}.{hint}"
        )
    if received[0] == 0:
        raise ValueError(f"x must hold at least one example. Received: an array of shape {received}.")
    if (batch_size or received[0]) < expected.pack:
        raise ValueError(
            f"x must come in batches of at least pack={expected.pack} examples. Received: {batch_size or received[0]}."
        )
    batch = ops.convert_to_numpy(batch)
    if batch.dtype.kind not in "iuf" and batch.dtype.name != "bfloat16":
        raise TypeError(f"x must hold numbers. Received: dtype {batch.dtype}.")
    low, high = float(batch.min()), float(batch.max())
    if not np.isfinite([low, high]).all():
        bad = int(np.size(batch) - np.count_nonzero(np.isfinite(batch)))
        raise ValueError(f"x must be finite. Received: {bad} of {batch.size} values NaN or infinite.")
    if expected.activation in RANGES:
        _check_range(low, high, len(shape) == 3, expected.activation)
    name = expected.given_name
    if name is not None:
        if given is None:
            hint = " keras_gan.datasets.load gives them with labels=True." if name == "labels" else ""
            raise ValueError(
                f"x must give (images, {name}), or y the {name}, since there is a condition on {name}. "
                f"Received: no {name}.{hint}"
            )
        expected.condition.check_given(ops.convert_to_numpy(given), received[0], "examples")


def _check_divisible(*sizes):
    """Raises a ValueError if `keras.distribution` has devices that can't share batches of these sizes equally."""
    distribution = keras.distribution.distribution()
    # Where the user shards, this is but one process's part.
    if distribution is None or not distribution.auto_shard_dataset:
        return
    mesh = distribution.device_mesh
    devices = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    for size in sizes:
        if size % devices:
            raise ValueError(
                f"x must come in batches that {devices} devices can share equally, the last one included. Received: a "
                f"batch of {size}. Choose another batch size, or leave the remainder out: drop_remainder=True of a "
                "tf.data.Dataset's batch()."
            )


def _first_replica(batch):
    """One replica's share, if the dataset is distributed already."""
    return getattr(batch, "values", (batch,))[0]


def check_sample_given(condition, n, labels, given):
    """Checks what `sample` was told of `n` samples.

    Args:
        condition: `keras_gan.conditions.Condition`.
        n: Int, how many samples.
        labels: What `sample` takes as `labels`.
        given: What `sample` takes as `given`.

    Returns:
        What the generator takes beside its latents; the condition's own choice where nothing was said, and None without
        a condition.

    Raises:
        ValueError: If there is something that the condition does not take, or it is out of range, or not `n`, or only
            the user can know it and did not say.
        TypeError: If it is of another kind.
    """
    name = condition.given_name
    if labels is not None:
        if name != "labels":
            hint = "" if name is None else f" Pass given=, which is for {condition!r}."
            raise ValueError(f"labels must be None: this GAN has no condition on labels. Received: labels.{hint}")
        if given is not None:
            raise ValueError("labels and given must not both be passed: they say the same. Received: both.")
        given = labels
    if name is None:
        if given is not None:
            raise ValueError("given must be None: this GAN has no condition. Received: given.")
        return None
    if given is None:
        given = condition.default_given(n)
    else:
        given = ops.convert_to_numpy(given)
        condition.check_given(given, n, "samples")
    return ops.convert_to_tensor(condition.prepare(given))


def _check_range(low, high, is_image, activation):
    lowest, highest = RANGES[activation]
    # A picture without one dark pixel is rarer than one that was scaled to [0, 1].
    unsigned = is_image and lowest == -1 and low >= 0 and high <= 1
    if low >= lowest - 1e-3 and high <= highest + 1e-3 and not unsigned:
        return
    rescale = {
        (-1, True): "Rescale with x / 127.5 - 1.",
        (0, True): "Rescale with x / 255.",
        (-1, False): "Rescale with x * 2 - 1.",
        (0, False): "Rescale with (x + 1) / 2.",
    }
    hint = ""
    if low >= 0 and 1 < high <= 255:
        hint = rescale[lowest, True]
    elif (low >= 0 or lowest == 0) and low >= -1 and high <= 1:
        hint = rescale[lowest, False]
    raise ValueError(
        f"x must lie in [{lowest}, {highest}], the range of the generator's {activation}. "
        f"Received: values from {low:g} to {high:g}. {hint or 'Rescale it, or end the generator in a linear layer.'}"
    )
