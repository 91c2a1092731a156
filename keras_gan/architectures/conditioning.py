"""What labels and codes add to a network: inputs and heads, the same for every architecture.

An architecture is a chain: a list of layers from the latent to data, or from data to a vector of features.
"""

import math

import keras
from keras import layers, ops

from keras_gan.checks import check_positive

_CONDITIONINGS = ("projection", "concatenation", "auxiliary")
_CODES_UNITS = 128


def as_is(layer):
    """The wrapper that does nothing."""
    return layer


def build_generator(chain, latent_dim, num_classes):
    """Puts the inputs before a chain of layers.

    Args:
        chain: List of layers, from `(batch, features)` to data.
        latent_dim: Int, the size of the latent.
        num_classes: Int, or None for no labels.

    Returns:
        `keras.Sequential`; with `num_classes`, a functional `keras.Model` of `[latent, labels]`.

    Raises:
        ValueError: If `latent_dim` or `num_classes` is out of range.
    """
    check_positive("latent_dim", latent_dim)
    _check_num_classes(num_classes)
    latent = keras.Input((latent_dim,), name="latent")
    if num_classes is None:
        return keras.Sequential([latent, *chain], name="generator")
    labels = _labels()
    # As many and as large as the latent's entries: the first layer hears both.
    normal = keras.initializers.RandomNormal(stddev=1.0)
    embedded = layers.Embedding(num_classes, latent_dim, embeddings_initializer=normal)(labels)
    data = _apply(chain, layers.Concatenate()([latent, embedded]))
    return keras.Model([latent, labels], data, name="generator")


def build_discriminator(chain, data_shape, num_classes, conditioning, num_codes, stem=(), wrap=as_is):
    """Puts the inputs before a chain of layers, and the heads after it.

    Args:
        chain: List of layers, from data to features `(batch, features)`.
        data_shape: Tuple, the shape of one example.
        num_classes: Int, or None for no labels.
        conditioning: What to do with classes: `"projection"`, `"concatenation"` or `"auxiliary"`.
        num_codes: Int, how many code parameters InfoGAN's head gives, or 0.
        stem: List of layers from data to what labels are concatenated with.
        wrap: Function of a layer that returns a layer, applied to those that only the logits depend on.

    Returns:
        `keras.Sequential` of data to logits `(batch, 1)`; with classes or codes, a functional `keras.Model`.

    Raises:
        ValueError: If an argument is out of range, or classes and codes are both asked for.
    """
    _check_condition(num_classes, conditioning, num_codes)
    if num_classes is None:
        conditioning = None
    data = keras.Input(data_shape, name="image" if len(data_shape) == 3 else "data")
    linear = wrap(layers.Dense(1, dtype="float32"))
    if conditioning is None and num_codes == 0:
        return keras.Sequential([data, *stem, *chain, linear], name="discriminator")

    inputs, x = data, _apply(stem, data)
    if conditioning in ("projection", "concatenation"):
        labels = _labels()
        inputs = [data, labels]
    if conditioning == "concatenation":
        x = layers.Concatenate()([x, _one_hot_maps(labels, num_classes, x.shape[1:-1])])
    features = _apply(chain, x)
    outputs = linear(features)
    if conditioning == "projection":
        embedded = wrap(layers.Embedding(num_classes, features.shape[-1], dtype="float32"))(labels)
        product = layers.Dot(axes=1, dtype="float32")([embedded, features])
        outputs = layers.Add(dtype="float32")([outputs, product])
    elif conditioning == "auxiliary":
        outputs = {"logits": outputs, "classes": layers.Dense(num_classes, dtype="float32")(features)}
    elif num_codes:
        hidden = layers.LeakyReLU(0.1)(layers.Dense(_CODES_UNITS)(features))
        outputs = {"logits": outputs, "codes": layers.Dense(num_codes, dtype="float32")(hidden)}
    return keras.Model(inputs, outputs, name="discriminator")


def _labels():
    return keras.Input((), dtype="int32", name="labels")


def _one_hot_maps(labels, num_classes, space):
    """`(batch, *space, num_classes)`: the same one-hot vector at each position."""
    maps = ops.one_hot(labels, num_classes)
    return layers.Reshape((*space, num_classes))(layers.RepeatVector(math.prod(space))(maps))


def _apply(chain, x):
    for layer in chain:
        x = layer(x)
    return x


def _check_num_classes(num_classes):
    if num_classes is not None:
        check_positive("num_classes", num_classes)


def _check_condition(num_classes, conditioning, num_codes):
    _check_num_classes(num_classes)
    if conditioning not in _CONDITIONINGS:
        allowed = ", ".join(map(repr, _CONDITIONINGS))
        raise ValueError(f"conditioning must be one of {allowed}. Received: {conditioning!r}.")
    if num_codes != 0:
        check_positive("num_codes", num_codes)
        if num_classes is not None:
            raise ValueError(
                "num_codes and num_classes exclude each other: codes are what a GAN finds without labels. "
                f"Received: num_codes={num_codes}, num_classes={num_classes}."
            )
