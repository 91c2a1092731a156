"""Checks of training data, and of what samples are conditioned on."""

import dataclasses
import logging

import keras
import numpy as np
from keras import ops

from keras_gan import backend
from keras_gan.checks import streams
from keras_gan.checks.values import check_integer, join, same_shape

# The output range of each bounded activation that a generator may end in.
RANGES = {"tanh": (-1, 1), "hard_tanh": (-1, 1), "sigmoid": (0, 1)}


def check_data(x, y, batch_size, check, smallest_batch=1, later=None):
    """Checks what `fit` and `evaluate` take, before the first step.

    Args:
        x: What `fit` takes as `x`.
        y: What `fit` takes as `y`.
        batch_size: What `fit` takes as `batch_size`.
        check: Function of `(x, y)`, which are whole arrays or a stream's first batch. It raises an error, or returns
            both; in place of a `y` that is not used, it returns None.
        smallest_batch: Int, how many examples a batch must have. Defaults to `1`.
        later: `Later`, which checks the labels, or other conditions, of a stream's later batches; or None.

    Returns:
        `x` and `y` as `fit` passes them on: a stream in a form that Keras takes.

    Raises:
        ValueError: If there are no data, or `keras.distribution` has devices that can't share a batch equally.
        TypeError: If the data are of a kind that `fit` does not take.
    """
    if x is None:
        raise ValueError("x, the real data, must be given. Received: None.")
    if batch_size is not None:
        check_integer("batch_size", batch_size)
    if is_arrays(x):
        x, y = keras.tree.map_structure(streams.plain, x), streams.plain(y)
        x, y = _same(x, *check(x, y))
        first = keras.tree.flatten(x)[0]
        n = len(first) if len(first.shape) else 1
        batch_size = min(batch_size or 32, n)
        _check_batch_size(batch_size, smallest_batch)
        _check_divisible(batch_size, n % batch_size)
        return x, y
    if isinstance(x, (list, tuple, dict)):
        raise TypeError(
            "x must be an array, a tf.data.Dataset, a keras.utils.PyDataset or a generator; a list of examples becomes "
            f"an array with numpy.stack. Received: a {type(x).__name__}."
        )
    if y is not None:
        raise ValueError("y must be None where x is a stream, which gives (images, labels). Received: both.")
    first, iterator = streams.draw(x)
    if first is None:
        raise ValueError("x must hold at least one batch. Received: an empty dataset.")
    first_x, first_y, weight = keras.utils.unpack_x_y_sample_weight(
        keras.tree.map_structure(lambda part: streams.plain(backend.first_replica(part)), first)
    )
    if weight is not None:
        raise ValueError(
            "x must give batches of one part, or of two, such as (images, labels): a third would be weights, and all "
            "examples have the same weight. Received: batches of three parts."
        )
    _, checked_y = _same(first_x, *check(first_x, first_y))
    n = len(keras.tree.flatten(first_x)[0])
    _check_batch_size(n, smallest_batch)
    _check_divisible(n)
    parts = 1 if checked_y is None else 2
    return streams.as_keras_takes(x, first, iterator, parts, later), None


def _same(x, checked_x, checked_y):
    if checked_x is not x:
        raise ValueError("check_data must return x as it came: it sees only the first batch of a stream.")
    return checked_x, checked_y


def is_endless(x):
    """Tells if a stream says that it goes on without end."""
    if callable(getattr(x, "cardinality", None)):
        # TensorFlow's value for an infinite cardinality.
        return int(x.cardinality()) == -1
    return isinstance(x, keras.utils.PyDataset) and x.num_batches is None


def check_ends(x, argument=None):
    """Raises a ValueError if a stream says that it goes on without end.

    Args:
        x: What `fit` takes as `x`.
        argument: String, the argument that would say how many batches to take. Defaults to None: no argument says so.
    """
    if is_endless(x):
        advice = f"Pass {argument}, or leave out repeat()." if argument else "Leave out repeat()."
        raise ValueError(f"x must end. Received: data that repeat forever. {advice}")


def _check_batch_size(n, smallest):
    if n < smallest:
        raise ValueError(
            f"x must come in batches of at least {smallest} examples, the model's smallest_batch, which is a GAN's "
            f"pack. Received: a batch of {n}. Use larger batches."
        )


def is_arrays(x):
    """Tells if data are an array or a data frame, or a structure of them, rather than a stream of batches."""
    leaves = keras.tree.flatten(x)
    return len(leaves) > 0 and all(
        hasattr(leaf, "shape") and (hasattr(leaf, "dtype") or hasattr(leaf, "to_numpy")) for leaf in leaves
    )


@dataclasses.dataclass(frozen=True)
class Expected:
    """Requirements on real data.

    Attributes:
        shape: Tuple, the shape of one example.
        activation: String, the activation that the generator ends in; it bounds the data.
        condition: `keras_gan.conditions.Condition`, which defines the extra input of a batch, such as labels; or None
            if that is not used.
    """

    shape: tuple
    activation: str | None = None
    condition: object = None

    @property
    def given_name(self):
        """String, the name of the extra input that a batch brings, or None."""
        return None if self.condition is None else self.condition.given_name


def check_real(x, y, expected):
    """Checks an array of real data, and what belongs to them, such as labels.

    Args:
        x: Array or tensor `(n, ...)`.
        y: What a condition takes, or None.
        expected: `Expected`.

    Returns:
        `x` and `y`; None for a `y` that is not used.

    Raises:
        ValueError: If the data are empty, not finite, of the wrong shape, or out of range; or if the condition's input,
            such as labels, is missing, out of range or of the wrong shape.
        TypeError: If the data, or what is given with them, are of the wrong type.
    """
    _check_batch(x, y, expected)
    return x, None if expected.given_name is None else ops.convert_to_numpy(y)


def check_pairs(x, y, source_shape, target):
    """Checks arrays of sources and their targets.

    Args:
        x: Array or tensor of sources `(n, height, width, channels)`.
        y: Array or tensor of targets.
        source_shape: Tuple, the shape of a source.
        target: `Expected` of a target.

    Returns:
        `x` and `y`.

    Raises:
        ValueError: If one is missing, empty, not finite, of the wrong shape or out of range, or `x` and `y` differ in
            length.
        TypeError: If one is of the wrong type.
    """
    if y is None:
        raise ValueError(
            "x must give batches of (source, target), or y must give the targets. Received: no targets. "
            "keras_gan.datasets.load_pairs gives both."
        )
    x_array, y_array = _check_two(
        (x, source_shape, "the source that the generator takes"),
        (y, target.shape, "what the generator makes"),
        "x is the source, y the target",
    )
    _check_range("x", x_array, (-1, 1), "sources")
    _check_activation("y", y_array, target.activation)
    _check_apart(x_array, y_array, "sources and targets")
    return x, y


def check_domains(x, y, a, b):
    """Checks arrays of images of two domains, which need not belong together.

    Args:
        x: Array or tensor of images of A `(n, height, width, channels)`.
        y: Array or tensor of images of B.
        a: `Expected` of an image of A.
        b: `Expected` of an image of B.

    Returns:
        `x` and `y`.

    Raises:
        ValueError: If one is missing, empty, not finite, of the wrong shape or out of range, or `x` and `y` differ in
            length.
        TypeError: If one is of the wrong type.
    """
    if y is None:
        raise ValueError(
            "x must give batches of (a, b), images of both domains, or y must give the images of B. Received: no "
            "images of B. keras_gan.datasets.load_unpaired gives both."
        )
    parts = (x, a.shape, "an image of A, which generator_ab takes"), (y, b.shape, "an image of B, which it makes")
    x_array, y_array = _check_two(*parts, "x is of A, y of B")
    _check_activation("x", x_array, a.activation)
    _check_activation("y", y_array, b.activation)
    hint = " keras_gan.datasets.load_unpaired(a, b, batch_size=...) takes sets of any size."
    _check_apart(x_array, y_array, "both domains", hint)
    return x, y


def check_images(name, images, expected):
    """Raises an error unless these are images `(n, height, width, channels)` that meet an `Expected`."""
    if not hasattr(images, "shape"):
        raise TypeError(f"{name} must be one array. Received: a {type(images).__name__}.")
    of = "images of that domain"
    _check_activation(name, _check_array(name, images, expected.shape, of), expected.activation)


def _check_two(first, second, order):
    """Returns the arrays of `x` and `y`, each given as a tuple of data, a shape, and a name for what has this shape."""
    (x, *_), (y, *_) = first, second
    for name, part in (("x", x), ("y", y)):
        if not hasattr(part, "shape"):
            raise TypeError(
                f"{name} must be one array, or a stream with one array per batch. Received: a {type(part).__name__}."
            )
    swapped = same_shape(tuple(x.shape[1:]), second[1]) and same_shape(tuple(y.shape[1:]), first[1])
    hint = f" These look swapped: {order}." if swapped and first[1] != second[1] else ""
    return [_check_array(name, *part, hint) for name, part in (("x", first), ("y", second))]


def _check_apart(x, y, sides, hint=""):
    """Raises a ValueError unless both have the same length, and warns if they are equal."""
    if len(x) != len(y):
        raise ValueError(
            f"y must have as many examples as x, {len(x)}: a step takes the same number from each. Received: "
            f"{len(y)}.{hint}"
        )
    if x.shape == y.shape and np.array_equal(x, y):
        logging.getLogger("keras_gan").warning(
            f"x and y are equal in the part that was checked: there is nothing to translate. If {sides} come from "
            "two folders, make sure that you did not pass the same folder twice."
        )


def _check_batch(batch, given, expected):
    if isinstance(batch, (list, tuple)):
        raise TypeError(
            f"x must be one array, or a stream with one array per batch. Received: a {type(batch).__name__}. Turn a "
            "list of examples into an array with numpy.stack."
        )
    if isinstance(batch, dict):
        raise TypeError(
            f"x must give images or (images, labels). Received: a dict of {', '.join(map(repr, batch))} in their "
            "place. Take the images out of it, as dataset.map(lambda batch: batch[KEY]) does."
        )
    name = expected.given_name
    if name is not None:
        _check_dense(name, given)
    batch = _check_array("x", batch, expected.shape, "what the generator makes")
    _check_activation("x", batch, expected.activation)
    if name is not None:
        if given is None:
            hint = " keras_gan.datasets.load gives them with labels=True." if name == "labels" else ""
            raise ValueError(
                f"x must give batches of (images, {name}), or y must give the {name}, since there is a condition on "
                f"{name}. Received: no {name}.{hint}"
            )
        expected.condition.check_given(ops.convert_to_numpy(given), len(batch), "examples")


def _check_array(name, batch, shape, of, hint=""):
    """Returns data as a NumPy array, if they have this shape and are finite."""
    _check_dense(name, batch)
    received = tuple(batch.shape)
    if not same_shape(received[1:], shape) or len(received) == 0:
        raise ValueError(
            f"{name} must have the shape of {of}, (batch, {join(shape)}). Received: {received}."
            f"{hint or _shape_hint(received, shape)}"
        )
    if received[0] == 0:
        raise ValueError(f"{name} must hold at least one example. Received: an array of shape {received}.")
    batch = ops.convert_to_numpy(batch)
    if batch.dtype.kind not in "iuf" and batch.dtype.name != "bfloat16":
        raise TypeError(f"{name} must hold numbers. Received: dtype {batch.dtype}.")
    if not np.isfinite([float(batch.min()), float(batch.max())]).all():
        bad = int(np.size(batch) - np.count_nonzero(np.isfinite(batch)))
        raise ValueError(f"{name} must be finite. Received: {bad} of {batch.size} values NaN or infinite.")
    return batch


def _check_dense(name, part):
    if _is_sparse_or_ragged(part):
        raise TypeError(
            f"{name} must be dense. Received: a {type(part).__name__}. tf.sparse.to_dense(), .to_tensor() of a "
            "RaggedTensor, .todense() and .toarray() make arrays."
        )


def _is_sparse_or_ragged(data):
    # Sparse arrays of SciPy and of torch; then two classes of TensorFlow, and the base class of those of JAX.
    kinds = {kind.__name__ for kind in type(data).__mro__}
    return (
        hasattr(data, "tocoo")
        or getattr(data, "is_sparse", False)
        or kinds
        & {
            "RaggedTensor",
            "SparseTensor",
            "JAXSparse",
        }
    )


def _shape_hint(received, shape):
    if (*received[1:], 1) == shape:
        return " Add the channel axis with x[..., None]."
    if received and same_shape(received, shape):
        return " Put examples into batches: .batch() of a tf.data.Dataset, batch_size= of a torch DataLoader."
    if len(received) > 2 and same_shape((*received[2:], received[1]), shape):
        return " Move the channels to the end: numpy.moveaxis(x, 1, -1), or permute(0, 2, 3, 1) of a torch tensor."
    return ""


def _check_divisible(*sizes):
    """Raises a ValueError if `keras.distribution` has devices that can't share batches of these sizes equally."""
    distribution = keras.distribution.distribution()
    # If the user shards the data, the batch here is only the part of one process.
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


def check_sample_given(condition, n, labels, given):
    """Checks the arguments of `sample` that condition `n` samples.

    Args:
        condition: `keras_gan.conditions.Condition`.
        n: Int, how many samples.
        labels: What `sample` takes as `labels`.
        given: What `sample` takes as `given`.

    Returns:
        The input of the generator in addition to its latents: the passed one, or else the default of the condition, if
        there is one; None without a condition.

    Raises:
        ValueError: If an argument that the condition does not take is passed; or if the condition's argument is out of
            range, does not have `n` entries, or is missing and has no default.
        TypeError: If it is of the wrong type.
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


def _check_activation(name, batch, activation):
    if activation in RANGES:
        _check_range(
            name, batch, RANGES[activation], f"the generator's {activation}", ", or end the generator in a linear layer"
        )


def _check_range(name, batch, bounds, whose, instead=""):
    low, high = float(batch.min()), float(batch.max())
    lowest, highest = bounds
    if low >= lowest - 1e-3 and high <= highest + 1e-3:
        # A picture without one dark pixel is rarer than one that was scaled to [0, 1].
        if batch.ndim == 4 and lowest == -1 and low >= 0:
            logging.getLogger("keras_gan").warning(
                f"The checked values of {name} lie between {low:g} and {high:g}, but the range of {whose} is "
                f"[{lowest}, {highest}]. If these are images scaled to [0, 1], rescale them with x * 2 - 1."
            )
        return
    hint = f"Rescale it{instead}."
    if low >= 0 and 1 < high <= 255:
        hint = "Rescale with x / 127.5 - 1." if lowest == -1 else "Rescale with x / 255."
    elif lowest == 0 and low >= -1 and high <= 1:
        hint = "Rescale with (x + 1) / 2."
    raise ValueError(
        f"{name} must lie in [{lowest}, {highest}], the range of {whose}. "
        f"Received: values from {low:g} to {high:g}. {hint}"
    )
