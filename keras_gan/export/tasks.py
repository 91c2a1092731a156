"""Tasks of a file: its functions, the examples to check them on, and the comparison with real data."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gan import networks

OUTPUT = "image"
# The input of a translation in ONNX, where names of tensors must differ.
SOURCE = "source"
# How many pictures of a stream are kept for calibration and checks.
EXAMPLES = 96
# How many examples a file is checked on, and their seed: fixed, so that the report is reproducible, and different from
# that of calibration.
_CHECKED, _SEED = 32, 1


@dataclasses.dataclass(frozen=True)
class Signature:
    """Function of a file.

    Attributes:
        name: String, such as `"generate"`.
        inputs: Dict, the inputs by name, in order: shape and dtype.
        function: Function of tensors in that order that returns `{"image": tensor}`.
        draw: Function `(count, seed)`, where `seed` may be None. Returns a dict from names to NumPy arrays with `count`
            examples, or with all examples if there are fewer.
    """

    name: str
    inputs: dict
    function: Callable
    draw: Callable

    def __call__(self, feed):
        """Returns the images for a dict of arrays, as a NumPy array."""
        return ops.convert_to_numpy(self.function(*map(ops.convert_to_tensor, feed.values()))[OUTPUT])

    @functools.cached_property
    def compiled(self):
        """Returns a copy of this signature whose function is a compiled graph, for many calls: for a batch of one,
        eager calls are mostly overhead."""
        return dataclasses.replace(self, function=tf.function(self.function))

    @functools.cached_property
    def expected(self):
        """Returns the reference data that each check of a file uses: a list of feeds and the Keras images for them."""
        feeds = self.feeds(self.draw(_CHECKED, seed=_SEED))
        return feeds, np.concatenate([self.compiled(feed) for feed in feeds])

    @property
    def batch(self):
        """Int, or None for any."""
        return next(iter(self.inputs.values()))[0][0]

    def feeds(self, examples):
        """Splits a dict of arrays into dicts of one batch each; examples are repeated to fill the last one."""
        n = len(next(iter(examples.values())))
        size = self.batch or n
        index = np.arange(-(-n // size) * size).reshape(-1, size) % n
        return [{name: x[i] for name, x in examples.items()} for i in index]


class Generation:
    """Task of generating images from latents: `generate`, and optionally `sample` from a seed.

    Args:
        prior: `keras_gan.priors.Prior` of the whole latent.
        condition: `keras_gan.conditions.Condition`.
        sample: Bool, whether there is `sample`. Defaults to False.
        output: `"float32"` or `"uint8"`. Defaults to `"float32"`.
        rows: NumPy array of the data's extra inputs, such as labels, for examples. Defaults to None, from the
            condition.

    Attributes:
        tag: String, its name on model hubs.
    """

    tag = "image-generation"

    def __init__(self, prior, condition, sample=False, output="float32", rows=None):
        self._prior, self._condition, self._sample, self._output, self._rows = prior, condition, sample, output, rows

    def symbolic_inputs(self):
        """Returns symbolic inputs of the network."""
        return networks.symbolic_inputs(self._condition, self._prior.latent_dim)

    def signatures(self, network, batch_sizes=(None,)):
        """Returns the functions of a file: `generate` and, if there is one, `sample`, once for each batch size.

        Args:
            network: Built `keras.Model`.
            batch_sizes: Ints, or None for any size; the first one's function has the plain name, others end in their
                size.

        Returns:
            List of `Signature`.
        """

        def generate(latent, given=None):
            images = network(self._condition.generator_inputs(latent, given), training=False)
            return {OUTPUT: _to_bytes(images) if self._output == "uint8" else images}

        def from_seed(seed, given=None):
            from keras_gan.export.seed import latents

            return generate(latents(self._prior, seed), given)

        kinds = [("generate", {"latent": ((self._prior.latent_dim,), "float32")}, generate, self._draw_latents)]
        if self._sample:
            kinds.append(("sample", {"seed": ((), "int32")}, from_seed, self._draw_seeds))
        if self._condition.given_name is not None:
            given = {self._condition.given_name: (self._condition.given_shape, self._condition.given_dtype)}
            kinds = [(name, {**inputs, **given}, *rest) for name, inputs, *rest in kinds]
        return _of_each_size(kinds, batch_sizes)

    def match(self, batch, seed):
        """Returns the real images of a batch of data, and examples that belong to them, a dict of arrays."""
        real, given, _ = keras.utils.unpack_x_y_sample_weight(batch)
        examples = self._draw_latents(len(real), seed)
        if self._condition.given_name is not None and given is not None:
            examples[self._condition.given_name] = ops.convert_to_numpy(self._condition.prepare(given))
        return real, examples

    def facts(self):
        """Returns the facts needed to draw latents, a dict of plain values."""
        prior = self._prior
        return {
            "prior": keras.saving.serialize_keras_object(prior) if hasattr(prior, "get_config") else None,
            "classes": getattr(self._condition, "num_classes", 0),
        }

    def _draw_latents(self, n, seed=None):
        return {"latent": ops.convert_to_numpy(self._prior.sample(n, seed)), **self._draw_given(n, seed)}

    def _draw_seeds(self, n, seed=None):
        seeds = np.random.default_rng(seed).integers(-(2**31), 2**31, n, dtype="int32")
        return {"seed": seeds, **self._draw_given(n, seed)}

    def _draw_given(self, n, seed):
        name = self._condition.given_name
        return {} if name is None else {name: self._condition.example_given(n, seed, self._rows)}


class Translation:
    """Task of translating images to images: `translate`.

    Args:
        sources: NumPy array `(n, height, width, channels)` in [-1, 1], pictures for examples.
        output: `"float32"`, or `"uint8"` for bytes in and out. Defaults to `"float32"`.
        input: String, the name of the input. Defaults to `"image"`.

    Attributes:
        tag: String, its name on model hubs.
    """

    tag = "image-to-image"

    def __init__(self, sources, output="float32", input="image"):
        self._sources, self._output, self._input = sources, output, input

    def symbolic_inputs(self):
        """Returns the symbolic input of the network."""
        return keras.KerasTensor((None, *self._sources.shape[1:]))

    def signatures(self, network, batch_sizes=(None,)):
        """Returns `translate`, once for each batch size, as `Generation.signatures` does."""

        def translate(image):
            if self._output == "float32":
                return {OUTPUT: network(image, training=False)}
            return {OUTPUT: _to_bytes(network(ops.cast(image, "float32") / 127.5 - 1, training=False))}

        inputs = {self._input: (self._sources.shape[1:], self._output)}
        return _of_each_size([("translate", inputs, translate, self._draw)], batch_sizes)

    def match(self, batch, seed):
        """Returns the targets of a batch of data, and its sources as examples: a dict of arrays."""
        sources, targets, _ = keras.utils.unpack_x_y_sample_weight(batch)
        return targets, {self._input: self._prepare(ops.convert_to_numpy(sources))}

    def facts(self):
        """Returns an empty dict: the functions need no further facts."""
        return {}

    def _draw(self, n, seed=None):
        chosen = np.random.default_rng(seed).permutation(len(self._sources))[:n]
        return {self._input: self._prepare(self._sources[chosen])}

    def _prepare(self, sources):
        if self._output == "float32":
            return sources.astype("float32")
        return np.clip(np.rint(sources * 127.5 + 127.5), 0, 255).astype("uint8")


def _of_each_size(kinds, batch_sizes):
    found = []
    for batch in batch_sizes:
        for name, inputs, function, draw in kinds:
            inputs = {key: ((batch, *shape), dtype) for key, (shape, dtype) in inputs.items()}
            found.append(Signature(name if batch == batch_sizes[0] else f"{name}_{batch}", inputs, function, draw))
    return found


def _to_bytes(images):
    return ops.cast(ops.clip(ops.round(images * 127.5 + 127.5), 0, 255), "uint8")
