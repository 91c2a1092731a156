"""Errors before work is spent: do the networks, the prior and the data fit each other?"""

import itertools

import keras
import numpy as np
from keras import ops

_RANGES = {"tanh": (-1, 1), "sigmoid": (0, 1)}


def latent_size(generator, prior):
    """The size of the generator's input, an int.

    Raises:
        ValueError: If the generator has another input than `(batch, latent_dim)`, or the prior another size.
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
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise ValueError(
            "generator must take one input of shape (batch, latent_dim). "
            f"Received: a model with {'input' if len(shapes) == 1 else 'inputs'} {', '.join(map(str, shapes))}."
        )
    size = shapes[0][1]
    if prior is not None and prior.latent_dim != size:
        raise ValueError(
            f"prior and generator must agree on latent_dim. Received: a prior of {prior.latent_dim}, a generator that "
            f"takes {size}."
        )
    return size


def connect(generator, discriminator, latent_dim):
    """Runs shapes through both networks, which builds what was not built, and returns the shape of one example.

    Raises:
        ValueError: If the generator's output does not fit the discriminator, or the discriminator's output is not
            one logit per example.
        TypeError: If the discriminator is no Keras model.
    """
    _check_model("discriminator", discriminator)
    if discriminator is generator:
        raise ValueError("generator and discriminator must be two models. Received: the same model twice.")
    fake = generator(keras.KerasTensor((None, latent_dim)))
    if not hasattr(fake, "shape"):
        raise ValueError(f"generator must have one output. Received: a {type(fake).__name__} of outputs.")
    shape = tuple(fake.shape[1:])
    inputs = _inputs(discriminator)
    if inputs is not None and (len(inputs) != 1 or not _same_shape(inputs[0].shape[1:], shape)):
        raise ValueError(
            f"discriminator must take what the generator makes, shape (batch, {_join(shape)}). "
            f"Received: a model with input {', '.join(str(tuple(x.shape)) for x in inputs)}."
        )
    logits = discriminator(fake)
    if not hasattr(logits, "shape"):
        raise ValueError(
            "discriminator must have one output, logits of shape (batch, 1), since no condition asks for more. "
            f"Received: a {type(logits).__name__} of {len(logits)} outputs."
        )
    if tuple(logits.shape[1:]) != (1,):
        raise ValueError(f"discriminator must return logits of shape (batch, 1). Received: {tuple(logits.shape)}.")
    if output_activation(discriminator) == "sigmoid":
        raise ValueError(
            "discriminator must end in a linear layer: losses take logits, which are numerically safer than "
            "probabilities. Received: a model that ends in a sigmoid. Remove it; sigmoid(logits) is D(x)."
        )
    return shape


def output_activation(model):
    """The name of the activation that a model ends in, or None where it can't be told."""
    layers = getattr(model, "layers", [])
    if layers:
        return output_activation(layers[-1])
    return getattr(getattr(model, "activation", None), "__name__", None)


def output_range(generator):
    """The `(low, high)` that the generator's last activation allows, or None."""
    return _RANGES.get(output_activation(generator))


def check_data(data, shape, value_range):
    """Checks an array whole and a stream by its first batch.

    Args:
        data: What `fit` takes as `x`.
        shape: Tuple, the shape of one example.
        value_range: `(low, high)` that the generator can reach, or None.

    Returns:
        The data; a generator, which can't be rewound, as a new one that begins with the same batch.

    Raises:
        ValueError: If the data are empty, not finite, of another shape, or out of range.
        TypeError: If the data are not numbers.
    """
    if data is None:
        raise ValueError("x, the real data, must be given to fit. Received: None.")
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        _check_batch(data, shape, value_range)
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
    _check_batch(keras.utils.unpack_x_y_sample_weight(first)[0], shape, value_range)
    if iterator is data:
        # Keras takes tuples alone from a generator.
        return (b if isinstance(b, tuple) else (b,) for b in itertools.chain([first], iterator))
    return data


def _check_batch(batch, shape, value_range):
    if isinstance(batch, (dict, list, tuple)):
        raise TypeError(f"x must give images or (images, labels). Received: a {type(batch).__name__} in their place.")
    # One of several replicas' share, if the dataset is distributed already.
    batch = getattr(batch, "values", (batch,))[0]
    received = tuple(batch.shape)
    if not _same_shape(received[1:], shape) or len(received) == 0:
        hint = " Add the channel axis with x[..., None]." if (*received[1:], 1) == shape else ""
        raise ValueError(
            f"x must have the shape of what the generator makes, (batch, {_join(shape)}). Received: {received}.{hint}"
        )
    if received[0] == 0:
        raise ValueError(f"x must hold at least one example. Received: an array of shape {received}.")
    batch = ops.convert_to_numpy(batch)
    if batch.dtype.kind not in "iuf" and batch.dtype.name != "bfloat16":
        raise TypeError(f"x must hold numbers. Received: dtype {batch.dtype}.")
    low, high = float(batch.min()), float(batch.max())
    if not np.isfinite([low, high]).all():
        bad = int(np.size(batch) - np.count_nonzero(np.isfinite(batch)))
        raise ValueError(f"x must be finite. Received: {bad} of {batch.size} values NaN or infinite.")
    if value_range is not None:
        _check_range(low, high, len(shape) == 3, *value_range)


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
