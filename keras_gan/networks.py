"""Inspection of networks: inputs, outputs, the last activation; and checks that networks fit together."""

import itertools
import math

import keras
import numpy as np
from keras import ops

from keras_gan.checks.values import check_model, join, offers, same_shape
from keras_gan.layers import Residual, takes_given


def common_condition(condition, **networks):
    """Returns the condition that all agree on, None if none is given.

    Args:
        condition: `keras_gan.conditions.Condition`, or None.
        **networks: Models by name; those of the package's builders keep their condition.

    Raises:
        ValueError: If two of them differ.
        TypeError: If `condition` is of the wrong type.
    """
    if condition is not None and not _is_condition(condition):
        raise TypeError(
            f"condition must be a keras_gan.conditions.Condition, such as Labels(10). Received: {condition!r}."
        )
    named = [] if condition is None else [(f"condition={condition!r}", condition)]
    for name, network in networks.items():
        own = _built_with(network)
        if own is not None:
            named.append((f"{name} was built with {own!r}", own))
    for _, other in named[1:]:
        if other != named[0][1]:
            hint = " Leave condition out: the networks know theirs." if condition is not None else ""
            raise ValueError(
                "condition must be the same for all. Received: "
                f"{', '.join(text for text, _ in named)}. Build the networks with the same condition.{hint}"
            )
    return named[0][1] if named else None


def _built_with(network):
    """Returns the condition that a network was built with, or None."""
    condition = getattr(network, "condition", None)
    return condition if _is_condition(condition) else None


def _is_condition(thing):
    return offers(thing, "generator_inputs", "given", "judge")


def noise_size(generator, prior, condition):
    """Returns the size of the latent without codes, an int: that of the prior, or the rest of the generator's input.

    Raises:
        ValueError: If the generator has other inputs than `(batch, latent_dim)` and the condition's `given`, or the
            prior has another size.
        TypeError: If an argument is not a Keras model, or not a prior.
    """
    check_model("generator", generator)
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
    expected = [(None, None), *_given_shapes(condition)]
    if len(shapes) != len(expected) or not all(map(same_shape, shapes, expected)) or shapes[0][1] is None:
        expected = "one input of shape (batch, latent_dim)"
        if condition.given_name is not None:
            expected = (
                f"two inputs, latents (batch, latent_dim) and {_describe_given(condition)}, like a generator built "
                f"with condition={condition!r}"
            )
        raise ValueError(
            f"generator must take {expected}. "
            f"Received: a model with {'input' if len(shapes) == 1 else 'inputs'} {', '.join(map(str, shapes))}."
            f"{_noise_hint(shapes[0])}"
        )
    size = shapes[0][1] - condition.num_codes
    if size < 1:
        raise ValueError(
            f"generator must take latents of more than the {condition.num_codes} numbers that are codes. Received: "
            f"{shapes[0]}."
        )
    if prior is not None and prior.latent_dim != size:
        codes = f", {condition.num_codes} of them codes" if condition.num_codes else ""
        raise ValueError(
            f"prior and generator must agree on latent_dim. Received: a prior of {prior.latent_dim}, a generator that "
            f"takes {shapes[0][1]}{codes}."
        )
    return size


def _noise_hint(shape):
    # Latents as in PyTorch, with the channels first or last.
    sizes = [n for n in shape[1:] if n != 1]
    if len(shape) < 3 or len(sizes) > 1 or None in sizes:
        return ""
    n, ones = (sizes or [1])[0], ", ".join(["1"] * (len(shape) - 2))
    return f" Let it begin with keras.Input(({n},)) and keras.layers.Reshape(({ones}, {n}))."


def image_shape(model):
    """Returns the shape of the image that a model takes: `(height, width, channels)`, with None for unknown sizes.

    For a subclassed model, all sizes are None. For a model that does not take one image, None is returned.
    """
    inputs = _inputs(model)
    if inputs is None:
        return None, None, None
    return tuple(inputs[0].shape[1:]) if len(inputs) == 1 and len(inputs[0].shape) == 4 else None


def symbolic_inputs(condition, latent_dim):
    """Returns symbolic inputs of the generator; calling a model on them builds it."""
    return condition.generator_inputs(keras.KerasTensor((None, latent_dim)), _symbolic_given(condition))


def _symbolic_given(condition):
    if condition.given_name is None:
        return None
    return keras.KerasTensor((None, *condition.given_shape), dtype=condition.given_dtype)


def _given_shapes(condition):
    return [] if condition.given_name is None else [(None, *condition.given_shape)]


def _describe_given(condition):
    shape = "".join(f", {n}" for n in condition.given_shape) or ","
    return f"{condition.given_name} (batch{shape})"


def connect(generator, discriminator, condition, latent_dim, pack):
    """Calls both networks symbolically, which builds them, and returns the shape of one example.

    Raises:
        ValueError: If the networks share weights, the generator's output does not fit the discriminator, or the
            discriminator does not return the condition's heads and logits (one logit or a map of logits for each
            example).
        TypeError: If the discriminator is not a `keras.Model`.
    """
    _check_two(generator, discriminator)
    fake = _one_output(generator, symbolic_inputs(condition, latent_dim))
    shape = tuple(fake.shape[1:])
    seen = (*shape[:-1], pack * shape[-1])
    also_given = condition.given_to_discriminator
    expected = [(None, *seen), *(_given_shapes(condition) if also_given else [])]
    inputs = _inputs(discriminator)
    received = None if inputs is None else [tuple(x.shape) for x in inputs]
    if received is not None and not (len(received) == len(expected) and all(map(same_shape, received, expected))):
        raise ValueError(
            f"discriminator must take {f'[data, {condition.given_name}]' if also_given else 'what the generator makes'}"
            f", shape (batch, {join(seen)}){f', {pack} examples packed' if pack > 1 else ''}"
            f"{f' and {_describe_given(condition)}' if also_given else ''}. "
            f"Received: a model with input {', '.join(map(str, received))}."
        )
    data = keras.KerasTensor((None, *seen), dtype=fake.dtype)
    outputs = discriminator([data, _symbolic_given(condition)] if also_given else data)
    _check_judgment(generator, discriminator, outputs, condition.heads)
    return shape


def connect_translation(generator, discriminator):
    """Calls the networks of a translation symbolically, which builds them.

    Args:
        generator: `keras.Model` from sources to outputs.
        discriminator: `keras.Model` of source and target, concatenated along the channels, or of `[source, target]`.

    Returns:
        The shape of a source and that of a target, `(height, width, channels)` each; and a bool, whether the
        discriminator takes `[source, target]`.

    Raises:
        ValueError: If the generator does not map images to images of the same size or a whole multiple; the
            discriminator does not take both; or as `connect`.
        TypeError: If one is not a Keras model.
    """
    check_model("generator", generator)
    _check_two(generator, discriminator)
    source = _source_shape("generator", generator)
    fake = _one_output(generator, keras.KerasTensor((None, *source)))
    target = tuple(fake.shape[1:])
    sizes = [] if len(target) != 3 or None in target else list(zip(target[:2], source[:2], strict=True))
    # How many times larger outputs are, vertically and horizontally.
    factors = {n // m if n % m == 0 else 0 for n, m in sizes}
    if len(factors) != 1 or 0 in factors:
        raise ValueError(
            "generator must make images as large as its sources, or larger by the same integer factor in height and "
            f"width. Received: sources of {source}, outputs of {target}."
        )
    seen = (*target[:2], source[2] + target[2])
    pair = [(None, *target[:2], source[2]), (None, *target)]
    inputs = _inputs(discriminator)
    received = None if inputs is None else [tuple(x.shape) for x in inputs]
    takes_pair = received is not None and len(received) == 2
    expected = pair if takes_pair else [(None, *seen)]
    if received is not None and not (len(received) == len(expected) and all(map(same_shape, received, expected))):
        alone = len(received) == 1 and same_shape(received[0], pair[1])
        raise ValueError(
            "discriminator must judge source and target, concatenated along the channels, shape "
            f"(batch, {join(seen)}), or take [source, target], never the target alone: it could not tell what belongs "
            f"to which source. Received: a model with input {', '.join(map(str, received))}"
            f"{', the target alone' if alone else ''}."
        )
    tensors = [keras.KerasTensor(shape, dtype=fake.dtype) for shape in expected]
    outputs = discriminator(tensors if takes_pair else tensors[0])
    _check_judgment(generator, discriminator, outputs)
    return source, target, takes_pair


def connect_cycle(generators, discriminators):
    """Calls the networks of a cycle between two kinds of images symbolically, which builds them.

    Args:
        generators: Dict from the names of two arguments to two `keras.Model`: the first makes images of B, the second
            images of A.
        discriminators: Dict of two `keras.Model`, likewise: of B and of A.

    Returns:
        The shapes of an image of A and of B, `(height, width, channels)` each.

    Raises:
        ValueError: If a generator's outputs are not what the other takes, if the images of A and B differ in size or
            range, if a discriminator does not take such images or does not return logits, or if two networks share
            weights.
        TypeError: If one is not a Keras model.
    """
    every = {**generators, **discriminators}
    for name, network in every.items():
        check_model(name, network)
    # Inputs of the first are of A, of the second of B.
    shapes = [_source_shape(name, generator) for name, generator in generators.items()]
    (first, to_b), (second, to_a) = generators.items()
    for name, other, generator, source, target in (
        (first, second, to_b, *shapes),
        (second, first, to_a, *shapes[::-1]),
    ):
        made = tuple(_one_output(generator, keras.KerasTensor((None, *source)), name).shape[1:])
        if made != target:
            raise ValueError(
                f"{name} must make what {other} takes, images of shape {target}. Received: a generator that makes "
                f"images of shape {made} from images of shape {source}."
            )
    if shapes[0][:2] != shapes[1][:2]:
        raise ValueError(f"{first} and {second} must take images of one size. Received: {shapes[0]} and {shapes[1]}.")
    endings = [output_activation(generator) for generator in generators.values()]
    if endings[0] != endings[1]:
        raise ValueError(
            f"{first} and {second} must end in the same activation, which says the range of all images. "
            f"Received: {endings[0]} and {endings[1]}."
        )
    for (name, discriminator), shape in zip(discriminators.items(), shapes[::-1], strict=True):
        received = _inputs(discriminator)
        received = None if received is None else [tuple(x.shape) for x in received]
        if received is not None and not (len(received) == 1 and same_shape(received[0], (None, *shape))):
            raise ValueError(
                f"{name} must judge images alone, shape (batch, {join(shape)}). "
                f"Received: a model with input {', '.join(map(str, received))}."
            )
        _check_logits(name, discriminator, discriminator(keras.KerasTensor((None, *shape))))
    _check_apart(every)
    return tuple(shapes)


def _source_shape(name, generator):
    """Returns the shape of the one image that a generator takes, `(height, width, channels)`."""
    inputs = _inputs(generator)
    sources = [] if inputs is None else [tuple(x.shape[1:]) for x in inputs]
    if len(sources) != 1 or len(sources[0]) != 3 or None in sources[0]:
        received = "a model that does not say its inputs" if inputs is None else f"a model with inputs {sources}"
        raise ValueError(
            f"{name} must take one image of a known size, such as keras.Input((height, width, channels)). Received: "
            f"{received}."
        )
    return sources[0]


def _check_two(generator, discriminator):
    check_model("discriminator", discriminator)
    if discriminator is generator:
        raise ValueError("generator and discriminator must be two models. Received: the same model twice.")


def _one_output(generator, inputs, name="generator"):
    """Returns the generator's symbolic output."""
    fake = generator(inputs)
    if not hasattr(fake, "shape"):
        raise ValueError(f"{name} must have one output. Received: a {type(fake).__name__} of outputs.")
    return fake


def _check_judgment(generator, discriminator, outputs, heads=()):
    """Raises a ValueError unless the networks are separate, and the discriminator returns logits."""
    _check_apart({"generator": generator, "discriminator": discriminator})
    _check_logits("discriminator", discriminator, outputs, heads)


def _check_apart(named):
    """Raises a ValueError if two of some networks share weights."""
    for (name, network), (other_name, other) in itertools.combinations(named.items(), 2):
        shared = {id(v) for v in network.weights} & {id(v) for v in other.weights}
        if shared:
            names = sorted(v.path for v in network.weights if id(v) in shared)
            raise ValueError(
                f"{name} and {other_name} must not share weights, since each is updated and saved on its own. "
                f"Received: two models that share {', '.join(names)}. Build each with its own layers."
            )


def _check_logits(name, discriminator, outputs, heads=()):
    """Raises a ValueError unless a discriminator returns logits and the required heads."""
    _check_outputs(name, outputs, heads)
    if output_activation(discriminator) == "sigmoid":
        raise ValueError(
            f"{name} must end in a linear layer: losses take logits, which are numerically safer than "
            "probabilities. Received: a model that ends in a sigmoid. Remove it; sigmoid(logits) is D(x)."
        )


def try_given(generator, discriminator, condition, prior, shape):
    """Runs custom networks once at the limit of the condition's range.

    Data are checked only against the condition, not against the networks. A network with fewer classes than the
    condition would fail within a compiled step or, on JAX, give NaN.

    Raises:
        ValueError: If a network fails, or gives values that are not finite.
    """
    # Under a distribution with several processes, arrays are global, and a single process can't compute with them.
    if condition.given_name is None or keras.distribution.distribution() is not None:
        return
    extreme = condition.extreme_given()
    given, data = map(ops.convert_to_tensor, (extreme, noise(shape)))
    trials = {"generator": (generator, condition.generator_inputs(prior.sample(1, 0), given))}
    if condition.given_to_discriminator:
        trials["discriminator"] = (discriminator, [data, given])
    for name, (network, inputs) in trials.items():
        if _built_with(network) is not None:
            continue
        try:
            outputs = keras.tree.flatten(network(inputs, training=False))
            finite = all(np.isfinite(ops.convert_to_numpy(ops.cast(y, "float32"))).all() for y in outputs)
            received, cause = "outputs that are NaN or infinite", None
        # A custom network may raise anything.
        except Exception as error:
            finite, cause, received = False, error, _reason(error)
        if not finite:
            raise ValueError(
                f"{name} must take {condition.given_name} up to {extreme.max():g}, as {condition!r} says; it was tried "
                f"on {_describe_given(condition)}. Received: {received}."
            ) from cause


def _reason(error):
    """Returns the informative line of an error."""
    # Keras starts with the name of a method, and prints the reason in bold.
    lines = str(error).replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    reasons = [line.strip() for line in lines if line.strip() and not line.startswith("Exception encountered")]
    return (reasons or [type(error).__name__])[0][:300]


def noise(shape):
    """Returns one random example; unknown sizes become 64."""
    return np.random.default_rng(0).uniform(-1, 1, [1, *(n or 64 for n in shape)]).astype("float32")


def _check_outputs(name, outputs, heads):
    if heads:
        received = {k: tuple(v.shape) for k, v in outputs.items()} if isinstance(outputs, dict) else outputs
        if (
            not isinstance(received, dict)
            or not _are_logits(received.get("logits", ()))
            or any(received.get(k) != (None, size) for k, size in heads.items())
        ):
            shapes = ", ".join(f"{k!r}: (batch, {size})" for k, size in {"logits": 1, **heads}.items())
            raise ValueError(
                f"{name} must return a dict {{{shapes}}}; its logits may also be a map (batch, ..., 1). Received: "
                f"{received}."
            )
    elif not hasattr(outputs, "shape"):
        raise ValueError(
            f"{name} must have one output, logits of shape (batch, 1) or (batch, ..., 1), since no condition "
            "asks for more. "
            f"Received: a {type(outputs).__name__} of {len(outputs)} outputs."
        )
    elif not _are_logits(outputs.shape):
        raise ValueError(
            f"{name} must return logits of shape (batch, 1), or a map of them (batch, ..., 1). "
            f"Received: {tuple(outputs.shape)}."
        )


def _are_logits(shape):
    return len(shape) > 1 and shape[-1] == 1


def output_activation(model):
    """Returns the name of a model's last activation, or None if unknown."""
    # The layers of a functional model don't include operations such as `x * 2 - 1`.
    steps = list(getattr(model, "operations", getattr(model, "layers", [])))
    # Reshaping does not change values.
    while steps and isinstance(steps[-1], (keras.layers.Flatten, keras.layers.Reshape)):
        steps.pop()
    if steps:
        return output_activation(steps[-1])
    return getattr(getattr(model, "activation", None), "__name__", None)


def _inputs(model):
    """Returns the model's symbolic inputs, or None for a subclassed model or a Sequential without an Input."""
    try:
        return model.inputs
    except (AttributeError, ValueError):
        return None


def multiply_adds(network):
    """Counts the multiply-adds of convolutions and dense layers for one example.

    Args:
        network: Built `keras.Model`, functional or sequential; other parts are not counted.

    Returns:
        Int.
    """
    return sum(_count(layer, _shape_of(layer, "input"), _shape_of(layer, "output")) for layer in network.layers)


def _shape_of(layer, end):
    """Returns the shape of a layer's first input or output in its network, or None if unknown."""
    try:
        tensors = keras.tree.flatten(getattr(layer, end))
    except (AttributeError, ValueError):
        return None
    return tuple(tensors[0].shape) if tensors else None


def _count(layer, before, after):
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if isinstance(layer, Residual):
        return sum(_count_chain(chain, before) for chain in (layer.residual, layer.shortcut))
    if isinstance(layer, keras.layers.Wrapper):
        return _count(layer.layer, before, after)
    kernels = [getattr(layer, name, None) for name in ("kernel", "depthwise_kernel", "pointwise_kernel")]
    # A transposed convolution applies its kernel once per input, others once per output.
    shape = before if type(layer).__name__.endswith("Transpose") else after
    if shape is None or None in shape[1:]:
        return 0
    return sum(math.prod(kernel.shape) for kernel in kernels if kernel is not None) * math.prod(shape[1:-1])


def _count_chain(chain, shape):
    total = 0
    for layer in chain:
        after = layer.compute_output_shape([shape, None] if takes_given(layer) else shape)
        total += _count(layer, shape, after)
        shape = after
    return total
