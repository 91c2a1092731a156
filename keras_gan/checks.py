"""Errors before work is spent: do the networks, the prior and the data fit each other?"""

import dataclasses
import itertools
import warnings

import keras
import numpy as np
from keras import ops

_RANGES = {"tanh": (-1, 1), "sigmoid": (0, 1)}


def check_options(condition, pack, ema):
    """Raises an error unless the GAN's options are in range and go together."""
    if not all(callable(getattr(condition, name, None)) for name in ("generator_inputs", "given", "judge")):
        raise TypeError(f"condition must be a keras_gan.conditions.Condition, such as Labels(10). Received: {condition!r}.")
    _check_positive("pack", pack)
    if pack > 1 and (condition.num_classes is not None or condition.heads):
        raise ValueError(
            "pack must be 1 with a condition: examples that are judged together would need one label. "
            f"Received: pack={pack}, condition={type(condition).__name__}."
        )
    if ema is not None and not 0 <= ema < 1:
        raise ValueError(f"ema, the momentum of the average, must lie in [0, 1), or be None. Received: {ema!r}.")


def noise_size(generator, prior, condition):
    """The size of the latent without codes, an int: the prior's, or what the generator's input leaves.

    Raises:
        ValueError: If the generator has other inputs than `(batch, latent_dim)` and, for a condition on labels,
            `(batch,)`, or the prior has another size.
        TypeError: If an argument is no Keras model, or no prior.
    """
    _check_model("generator", generator)
    if prior is not None and not (hasattr(prior, "latent_dim") and callable(getattr(prior, "sample", None))):
        raise TypeError(f"prior must be a keras_gan.priors.Prior, such as Normal(64). Received: {prior!r}.")
    inputs = _inputs(generator)
    if inputs is None:
        if prior is None:
            raise ValueError(
                "prior must be given, such as keras_gan.priors.Normal(64), if the generator is a subclassed model: it "
                "does not say the size of its input."
            )
        return prior.latent_dim
    shapes = [tuple(x.shape) for x in inputs]
    ranks = [2] if condition.num_classes is None else [2, 1]
    if [len(shape) for shape in shapes] != ranks or shapes[0][1] is None:
        expected = "one input of shape (batch, latent_dim)"
        if condition.num_classes is not None:
            expected = "two inputs, latents (batch, latent_dim) and labels (batch,), as num_classes= gives a builder's"
        raise ValueError(
            f"generator must take {expected}. "
            f"Received: a model with {'input' if len(shapes) == 1 else 'inputs'} {', '.join(map(str, shapes))}."
        )
    size = shapes[0][1] - condition.num_codes
    if size < 1:
        raise ValueError(f"generator must take more than the {condition.num_codes} codes. Received: {shapes[0]}.")
    if prior is not None and prior.latent_dim != size:
        codes = f", {condition.num_codes} of them codes" if condition.num_codes else ""
        raise ValueError(
            f"prior and generator must agree on latent_dim. Received: a prior of {prior.latent_dim}, a generator that "
            f"takes {shapes[0][1]}{codes}."
        )
    return size


def symbolic_inputs(condition, latent_dim):
    """Symbolic inputs of the generator: a model that is called on them gets built."""
    labels = keras.KerasTensor((None,), dtype="int32")
    return condition.generator_inputs(keras.KerasTensor((None, latent_dim)), labels)


def connect(generator, discriminator, condition, latent_dim, pack):
    """Runs shapes through both networks, which builds what was not built, and returns the shape of one example.

    Raises:
        ValueError: If the generator's output does not fit the discriminator, or the discriminator's outputs are not
            one logit per example and what the condition asks for.
        TypeError: If the discriminator is no Keras model.
    """
    _check_model("discriminator", discriminator)
    if discriminator is generator:
        raise ValueError("generator and discriminator must be two models. Received: the same model twice.")
    fake = generator(symbolic_inputs(condition, latent_dim))
    if not hasattr(fake, "shape"):
        raise ValueError(f"generator must have one output. Received: a {type(fake).__name__} of outputs.")
    shape = tuple(fake.shape[1:])
    seen = (*shape[:-1], pack * shape[-1])
    expected = [(None, *seen), (None,)] if condition.labels_to_discriminator else [(None, *seen)]
    inputs = _inputs(discriminator)
    received = None if inputs is None else [tuple(x.shape) for x in inputs]
    if received is not None and not (
        len(received) == len(expected) and all(map(_same_shape, received, expected))
    ):
        raise ValueError(
            f"discriminator must take {'[data, labels]' if len(expected) == 2 else 'what the generator makes'}, "
            f"shape (batch, {_join(seen)}){f', {pack} examples packed' if pack > 1 else ''}"
            f"{' and (batch,)' if len(expected) == 2 else ''}. "
            f"Received: a model with input {', '.join(map(str, received))}."
        )
    data = keras.KerasTensor((None, *seen), dtype=fake.dtype)
    labels = keras.KerasTensor((None,), dtype="int32")
    outputs = discriminator([data, labels] if condition.labels_to_discriminator else data)
    _check_outputs(outputs, condition.heads)
    if output_activation(discriminator) == "sigmoid":
        raise ValueError(
            "discriminator must end in a linear layer: losses take logits, which are numerically safer than "
            "probabilities. Received: a model that ends in a sigmoid. Remove it; sigmoid(logits) is D(x)."
        )
    return shape


def _check_outputs(outputs, heads):
    if heads:
        expected = {"logits": 1, **heads}
        received = {k: tuple(v.shape) for k, v in outputs.items()} if isinstance(outputs, dict) else outputs
        if not isinstance(received, dict) or any(received.get(k) != (None, size) for k, size in expected.items()):
            shapes = ", ".join(f"{k!r}: (batch, {size})" for k, size in expected.items())
            raise ValueError(f"discriminator must return a dict {{{shapes}}}. Received: {received}.")
    elif not hasattr(outputs, "shape"):
        raise ValueError(
            "discriminator must have one output, logits of shape (batch, 1), since no condition asks for more. "
            f"Received: a {type(outputs).__name__} of {len(outputs)} outputs."
        )
    elif tuple(outputs.shape[1:]) != (1,):
        raise ValueError(f"discriminator must return logits of shape (batch, 1). Received: {tuple(outputs.shape)}.")


def check_training(penalties, augmentation, discriminator_steps, shape):
    """Raises an error unless the arguments of `compile` are what they should be."""
    for penalty in penalties:
        if isinstance(penalty, (str, type)) or not callable(penalty):
            raise TypeError(f"penalties must be objects such as keras_gan.penalties.R1(1.0). Received: {penalty!r}.")
    if augmentation is not None:
        if not all(callable(getattr(augmentation, name, None)) for name in ("transform", "update")):
            raise TypeError(
                "augmentation must be a keras_gan.augmentation.Augmentation, such as DiffAugment(). "
                f"Received: {augmentation!r}."
            )
        if len(shape) != 3:
            raise ValueError(f"augmentation needs images (height, width, channels). Received: data of shape {shape}.")
    _check_positive("discriminator_steps", discriminator_steps)


def warn_without_lipschitz_control(loss, penalties, discriminator):
    """Warns of a loss that has no bound for a discriminator that has none either."""
    if not getattr(loss, "needs_lipschitz", False) or penalties:
        return
    layers = list(discriminator._flatten_layers())
    constrained = any(getattr(layer, "kernel_constraint", None) for layer in layers)
    normalized = any(type(layer).__name__ == "SpectralNormalization" for layer in layers)
    if not constrained and not normalized:
        warnings.warn(
            f"loss={type(loss).__name__} without control of the discriminator's slope: its loss has no bound and "
            "training diverges. Pass penalties=[keras_gan.penalties.GradientPenalty()], or use spectral normalisation "
            "or weight clipping.",
            stacklevel=3,
        )


def check_count(n):
    """Raises an error unless `n` is a positive integer."""
    _check_positive("n, how many to generate,", n)


def check_sample_labels(labels, n, num_classes):
    """The labels of `n` samples, int32 `(n,)`: those given, or all classes in turn. None without a condition on them.

    Raises:
        ValueError: If there are labels without a condition on them, not `n`, or out of range.
    """
    if num_classes is None:
        if labels is not None:
            raise ValueError("labels must be None: this GAN has no condition on labels. Received: labels.")
        return None
    if labels is None:
        return np.arange(n, dtype="int32") % num_classes
    labels = np.asarray(labels)
    _check_labels(labels, num_classes)
    if labels.size != n:
        raise ValueError(f"labels must be as many as samples, {n}. Received: {labels.size}.")
    return labels.reshape(-1).astype("int32")


def output_activation(model):
    """The name of the activation that a model ends in, or None where it can't be told."""
    layers = getattr(model, "layers", [])
    if layers:
        return output_activation(layers[-1])
    return getattr(getattr(model, "activation", None), "__name__", None)


def output_range(generator):
    """The `(low, high)` that the generator's last activation allows, or None."""
    return _RANGES.get(output_activation(generator))


@dataclasses.dataclass(frozen=True)
class Expected:
    """What training data must be: the shape of an example, the generator's range, how many classes, the packing."""

    shape: tuple
    value_range: tuple | None = None
    num_classes: int | None = None
    pack: int = 1


def check_data(data, labels, batch_size, expected):
    """Checks arrays whole and a stream by its first batch.

    Args:
        data: What `fit` takes as `x`.
        labels: What `fit` takes as `y`.
        batch_size: What `fit` takes as `batch_size`.
        expected: `Expected`.

    Returns:
        The data; a generator, which can't be rewound, as a new one that begins with the same batch.

    Raises:
        ValueError: If the data are empty, not finite, of another shape, or out of range; if labels are missing, out
            of range or of another shape; or if a batch is smaller than a pack.
        TypeError: If the data are not numbers, or the labels not integers.
    """
    if data is None:
        raise ValueError("x, the real data, must be given to fit. Received: None.")
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        _check_batch(data, labels, expected, min(batch_size or 32, len(data)))
        return data
    if isinstance(data, (list, tuple, dict)):
        raise TypeError(
            "x must be an array, a tf.data.Dataset, a keras.utils.PyDataset or a generator; a list of examples becomes "
            f"an array with numpy.stack. Received: a {type(data).__name__}."
        )
    iterator = iter(data)
    first = next(iterator, None)
    if first is None:
        raise ValueError("x must hold at least one batch. Received: an empty dataset.")
    x, y, _ = keras.utils.unpack_x_y_sample_weight(first)
    _check_batch(x, y, expected, None)
    if iterator is data:
        # Keras takes tuples alone from a generator.
        return (b if isinstance(b, tuple) else (b,) for b in itertools.chain([first], iterator))
    return data


def _check_batch(batch, labels, expected, batch_size):
    if isinstance(batch, (dict, list, tuple)):
        raise TypeError(f"x must give images or (images, labels). Received: a {type(batch).__name__} in their place.")
    batch, labels = _first_replica(batch), _first_replica(labels)
    received, shape = tuple(batch.shape), expected.shape
    if not _same_shape(received[1:], shape) or len(received) == 0:
        hint = " Add the channel axis with x[..., None]." if (*received[1:], 1) == shape else ""
        raise ValueError(
            f"x must have the shape of what the generator makes, (batch, {_join(shape)}). Received: {received}.{hint}"
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
    if expected.value_range is not None:
        _check_range(low, high, len(shape) == 3, *expected.value_range)
    if expected.num_classes is not None:
        if labels is None:
            raise ValueError(
                "x must give (images, labels), or y the labels, since there is a condition on labels. Received: no "
                "labels. keras_gan.datasets.load gives them with labels=True."
            )
        labels = ops.convert_to_numpy(labels)
        _check_labels(labels, expected.num_classes)
        if labels.size != received[0]:
            raise ValueError(f"labels must be as many as examples, {received[0]}. Received: {labels.size}.")


def _first_replica(batch):
    """One replica's share, if the dataset is distributed already."""
    return getattr(batch, "values", (batch,))[0]


def _check_labels(labels, num_classes):
    if labels.ndim == 0 or labels.size != labels.shape[0]:
        raise ValueError(
            f"labels must be class numbers of shape (batch,). Received: shape {labels.shape}. One-hot labels become "
            "class numbers with numpy.argmax(labels, axis=-1)."
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers. Received: dtype {labels.dtype}.")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(f"labels must lie in [0, {num_classes}). Received: labels from {low} to {high}.")


def _check_range(low, high, is_image, lowest, highest):
    # A picture without one dark pixel is rarer than one that was scaled to [0, 1].
    unsigned = is_image and lowest == -1 and low >= 0 and high <= 1
    if low >= lowest - 1e-3 and high <= highest + 1e-3 and not unsigned:
        return
    activation = next(name for name, r in _RANGES.items() if r == (lowest, highest))
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


def _check_positive(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")


def _check_model(name, model):
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must be a keras.Model. Received: {model!r}.")


def _inputs(model):
    """The model's symbolic inputs, or None for a subclassed model or a Sequential without an Input."""
    try:
        return model.inputs
    except (AttributeError, ValueError):
        return None


def _same_shape(received, expected):
    if len(received) != len(expected):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(received, expected, strict=True))


def _join(shape):
    return ", ".join(map(str, shape))
