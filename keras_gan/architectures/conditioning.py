"""Inputs and heads that a condition adds to a network, the same for every architecture.

An architecture is a chain: a list of layers from the latent to data, or from data to a vector of features. A layer with
`takes_given` set is called on `[x, given]`, where `given` is the condition's extra input, such as labels.
"""

import math

import keras
from keras import layers

from keras_gan.checks.values import check_integer
from keras_gan.conditions import Condition
from keras_gan.layers import takes_given

_LABELS_BY = ("projection", "concatenation")
# Standard deviation of the embedding; the latent's is 1. On labeled photographs of clothes, a value of 1 makes samples
# vary 0.25 times as much as the data; a value of 0.2 makes them vary 0.8 times as much, the same as without labels.
_LOUDNESS = 0.2


@keras.saving.register_keras_serializable(package="keras_gan")
class ConditionalNetwork(keras.Model):
    """Functional model that keeps its condition in its configuration.

    Attributes:
        condition: `keras_gan.conditions.Condition`.
    """

    # No `__init__`: Keras builds functional models only from subclasses without one.
    condition = None

    def get_config(self):
        return {**super().get_config(), "condition": keras.saving.serialize_keras_object(self.condition)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        condition = keras.saving.deserialize_keras_object(config.pop("condition"), custom_objects)
        network = super().from_config(config, custom_objects)
        network.condition = condition
        return network


def as_is(layer):
    """Returns the layer: the wrapper that does nothing."""
    return layer


def build_generator(chain, latent_dim, condition):
    """Puts the inputs before a chain of layers.

    The condition's input is embedded and joins the latent, unless there are layers in the chain that take it.

    Args:
        chain: List of layers, from `(batch, features)` to data.
        latent_dim: Int, the size of the latent.
        condition: `keras_gan.conditions.Condition`, or None.

    Returns:
        `keras.Sequential`; with a condition, a `ConditionalNetwork` of the latent, or of `[latent, given]`.

    Raises:
        ValueError: If `latent_dim` is out of range.
        TypeError: If the condition is of the wrong type.
    """
    latent_dim = check_integer("latent_dim", latent_dim)
    latent_dim = int(latent_dim)
    _check_condition(condition)
    latent = keras.Input((latent_dim,), name="latent")
    if condition is None:
        return keras.Sequential([latent, *chain], name="generator")
    inputs, x, given = latent, latent, None
    if condition.given_name is not None:
        given = _given_input(condition)
        inputs = [latent, given]
        if not any(map(takes_given, chain)):
            # Smaller than the latent: at equal scale the generator soon makes one picture per class.
            stddev = _LOUDNESS / math.sqrt(math.prod(condition.given_shape))
            normal = keras.initializers.RandomNormal(stddev=stddev)
            x = layers.Concatenate()([latent, condition.embed(latent_dim, normal)(given)])
    return _network(inputs, _apply(chain, x, given), condition, "generator")


def build_discriminator(chain, data_shape, condition, labels_by, stem=(), wrap=as_is):
    """Puts the inputs before a chain of layers, and the heads after it.

    Args:
        chain: List of layers, from data to features `(batch, features)`.
        data_shape: Tuple, the shape of one example.
        condition: `keras_gan.conditions.Condition`, or None.
        labels_by: How the discriminator uses `given`: `"projection"` or `"concatenation"`.
        stem: List of layers from data to the features that are concatenated with `given`.
        wrap: Function that takes a layer and returns a layer; it is applied to the layers that affect the logits but
            not the heads.

    Returns:
        `keras.Sequential` of data to logits `(batch, 1)`; with a condition, a `ConditionalNetwork`.

    Raises:
        ValueError: If `labels_by` is unknown.
        TypeError: If the condition is of the wrong type.
    """
    _check_condition(condition)
    if labels_by not in _LABELS_BY:
        allowed = " or ".join(map(repr, _LABELS_BY))
        raise ValueError(f"labels_by must be {allowed}. Received: {labels_by!r}.")
    data = keras.Input(data_shape, name="image" if len(data_shape) == 3 else "data")
    linear = wrap(layers.Dense(1, dtype="float32"))
    if condition is None:
        return keras.Sequential([data, *stem, *chain, linear], name="discriminator")
    inputs, x = data, _apply(stem, data)
    if condition.given_to_discriminator:
        given = _given_input(condition)
        inputs = [data, given]
        if labels_by == "concatenation":
            x = layers.Concatenate()([x, _maps(condition.encode(given), x.shape[1:-1])])
    features = _apply(chain, x)
    outputs = linear(features)
    if condition.given_to_discriminator and labels_by == "projection":
        embedded = wrap(condition.embed(features.shape[-1], dtype="float32"))(given)
        product = layers.Dot(axes=1, dtype="float32")([embedded, features])
        outputs = layers.Add(dtype="float32")([outputs, product])
    if condition.heads:
        outputs = {"logits": outputs, **{name: condition.head(name, features) for name in condition.heads}}
    return _network(inputs, outputs, condition, "discriminator")


def _network(inputs, outputs, condition, name):
    network = ConditionalNetwork(inputs, outputs, name=name)
    network.condition = condition
    return network


def _given_input(condition):
    return keras.Input(condition.given_shape, dtype=condition.given_dtype, name=condition.given_name)


def _maps(vectors, space):
    """Repeats vectors at each position: `(batch, width)` to `(batch, *space, width)`."""
    return layers.Reshape((*space, vectors.shape[-1]))(layers.RepeatVector(math.prod(space))(vectors))


def _apply(chain, x, given=None):
    for layer in chain:
        x = layer([x, given] if takes_given(layer) else x)
    return x


def _check_condition(condition):
    if condition is not None and not isinstance(condition, Condition):
        raise TypeError(
            f"condition must be a keras_gan.conditions.Condition, such as Labels(10), or None. Received: {condition!r}."
        )
