"""Conditions of a sample: none, labels, a vector, or codes that the GAN finds on its own (InfoGAN)."""

import itertools

import keras
import numpy as np
from keras import layers, ops

from keras_gan.checks.values import check_integer, check_number
from keras_gan.priors import Categorical, Concatenated, Uniform

__all__ = ["AuxiliaryClassifier", "Codes", "Condition", "Labels", "Unconditional", "Vector"]


def __dir__():
    return __all__


# Temperature of the contrastive loss. In short trials on digits, temperatures of 0.1 and 0.5 did not sort the digits
# any better.
_TEMPERATURE = 0.2
# Units of the hidden layer between features and codes, as in the paper.
_CODES_UNITS = 128


class Condition:
    """Base class of conditions: extra inputs of a batch, how networks take them, and terms of the objectives.

    The extra input of a batch is called `given`. A custom condition overrides what differs. If it is registered with
    `keras.saving.register_keras_serializable` and has a `get_config`, it is saved with its networks. If there is a
    `given`, the base class expects finite numbers of `given_shape`, which a dense layer embeds.

    Attributes:
        given_name: String, the name of a batch's extra input, and of the networks' input; None if there is none.
        given_shape: Tuple, the shape of that input for one example: `()` for labels, `(n,)` for a vector.
        given_dtype: String, such as `"int32"`.
        given_to_discriminator: Bool, whether the discriminator takes `[data, given]` instead of `data`.
        heads: Dict of the discriminator's outputs other than `"logits"`, name to size. Empty if it returns only logits.
        num_codes: Int, how many entries at the end of a latent are codes.
        compares_views: Bool, whether the discriminator sees two augmentations of each real example, for the
            `consistency_term`.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Angle(keras_gan.conditions.Condition):
        given_name, given_shape, given_dtype = "angle", (), "float32"
        given_to_discriminator = True

        def embed(self, size, initializer=None, **kwargs):
            return keras.Sequential([keras.layers.Reshape((1,)), super().embed(size, initializer)], **kwargs)


    generator = keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64, condition=Angle())
    generator([np.zeros((16, 64)), np.zeros(16)]).shape  # (16, 28, 28, 1)
    ```
    """

    given_name = None
    given_shape = None
    given_dtype = None
    given_to_discriminator = False
    heads = {}  # noqa: RUF012
    num_codes = 0
    compares_views = False

    # === Data ===

    def check_given(self, given, n, of):
        """Raises an error unless `given` is valid for the networks.

        Args:
            given: NumPy array.
            n: Int, how many there must be.
            of: String, what they belong to, such as `"examples"`.

        Raises:
            ValueError: If its shape, its values or their number are wrong.
            TypeError: If its dtype is wrong.
        """
        if given.ndim == 0 or given.shape[1:] != tuple(self.given_shape):
            expected = ", ".join(map(str, ("batch", *self.given_shape)))
            raise ValueError(f"{self.given_name} must have the shape ({expected}). Received: shape {given.shape}.")
        if given.dtype.kind not in "iuf" and given.dtype.name != "bfloat16":
            raise TypeError(f"{self.given_name} must be numbers. Received: dtype {given.dtype}.")
        self._check_count(given, n, of)
        # Checked in float32, as networks see it: larger values become infinite.
        with np.errstate(over="ignore"):
            finite = np.isfinite(given.astype("float32"))
        if not finite.all():
            bad = given.size - np.count_nonzero(finite)
            raise ValueError(f"{self.given_name} must be finite. Received: {bad} of {given.size} NaN or infinite.")

    def _check_count(self, given, n, of):
        if len(given) != n:
            raise ValueError(
                f"{self.given_name} must have length {n}, one entry for each of the {of}. Received: {len(given)}."
            )

    def prepare(self, given):
        """Converts the `given` of a batch to the tensor that networks take."""
        return given

    def default_given(self, n):
        """Returns the default `given` of `n` samples: a NumPy array, or None without a condition.

        Raises:
            ValueError: If there is no default.
        """
        if self.given_name is None:
            return None
        expected = ", ".join(map(str, (n, *self.given_shape)))
        raise ValueError(
            f"given must say what samples are conditioned on, for {self!r}: an array ({expected}), as in "
            "gan.sample(n, given=...) or SampleGrid(log_dir, given=...). Received: None."
        )

    def extreme_given(self):
        """Returns one example at the limit of valid values, a NumPy array `(1, ...)`; None without a condition."""
        return None if self.given_name is None else np.ones((1, *self.given_shape), self.given_dtype)

    def example_given(self, n, seed=None, rows=None):
        """Draws examples of `given` for a check or a calibration.

        Args:
            n: Int, how many.
            seed: Int. Defaults to None, different at each call.
            rows: NumPy array of the data's `given`, to draw from. Defaults to None, standard normal values.

        Returns:
            NumPy array `(n, ...)`; None without a condition.
        """
        if self.given_name is None:
            return None
        rng = np.random.default_rng(seed)
        if rows is not None:
            return rng.choice(rows, n)
        return rng.normal(size=(n, *self.given_shape)).astype(self.given_dtype)

    # === Networks ===

    def embed(self, size, initializer=None, **kwargs):
        """Makes the layer that turns `given` into vectors.

        Args:
            size: Int > 0, the length of a vector.
            initializer: `keras.initializers.Initializer` or its name. Defaults to None, the layer's own.
            **kwargs: `name`, `dtype` and other arguments of `keras.layers.Layer`.

        Returns:
            `keras.layers.Layer` from `given` to `(batch, size)`.
        """
        return layers.Dense(size, use_bias=False, kernel_initializer=initializer or "glorot_uniform", **kwargs)

    def encode(self, given):
        """Turns a symbolic `given` into floats `(batch, width)`, to be concatenated with data."""
        return given

    def head(self, name, features):
        """Applies new layers that end in one of the `heads`, float32 `(batch, size)`, to symbolic features."""
        return layers.Dense(self.heads[name], dtype="float32")(features)

    # === Training ===

    def complete(self, prior):
        """Returns the prior of the generator's whole latent, given that of its noise."""
        return prior

    def generator_inputs(self, latents, given):
        """Returns the generator's inputs: the latents, with `given` if there is one."""
        return latents if self.given_name is None else [latents, given]

    def given(self, latents, given):
        """Returns the condition of the samples of these latents: `given`, or a part of the latents."""
        return given

    def judge(self, discriminator, data, given, training):
        """Calls the discriminator.

        Returns:
            Logits `(batch, 1)`, and a dict of its other outputs.
        """
        inputs = [data, given] if self.given_to_discriminator else data
        outputs = discriminator(inputs, training=training)
        if not self.heads:
            return outputs, {}
        return outputs["logits"], {name: outputs[name] for name in self.heads}

    def discriminator_term(self, real_extra, fake_extra, given):
        """Returns the term of the discriminator's objective, from its other outputs on reals and on fakes."""
        return 0.0

    def generator_term(self, fake_extra, given):
        """Returns the term of the generator's objective."""
        return 0.0

    def consistency_term(self, real_extra, other_extra):
        """Returns the term of the discriminator's objective, from its other outputs on two views of reals."""
        return 0.0

    # === Serialization ===

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        serialize = keras.saving.serialize_keras_object
        return type(self) is type(other) and serialize(self.get_config()) == serialize(other.get_config())

    def __hash__(self):
        return hash(type(self))

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable(package="keras_gan")
class Unconditional(Condition):
    """No condition: the generator takes only latents and the discriminator only data.

    Example:

    ```python
    condition = keras_gan.conditions.Unconditional()
    generator = keras_gan.architectures.mlp_generator((2,), latent_dim=16, condition=condition)
    generator(np.zeros((64, 16))).shape  # (64, 2)
    ```
    """


@keras.saving.register_keras_serializable(package="keras_gan")
class Labels(Condition):
    """Condition on class labels, given to both networks: a conditional GAN.

    The generator takes `[latents, labels]`, the discriminator `[data, labels]`; how a network uses the labels, by
    concatenation or by projection, is up to that network. Fakes take the labels of the real batch.

    Args:
        num_classes: Int > 1. Labels are integers from 0 to `num_classes - 1`, shape `(batch,)`.

    Raises:
        ValueError: If `num_classes` is not an integer > 1.

    Example:

    ```python
    condition = keras_gan.conditions.Labels(10)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64, condition=condition),
        keras_gan.architectures.dcgan_discriminator((28, 28, 1), condition=condition),
    )
    gan.sample(16, labels=[3] * 16).shape  # (16, 28, 28, 1)
    ```

    Reference:
        - [Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784), concatenation
        - [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637), projection
    """

    given_name = "labels"
    given_shape = ()
    given_dtype = "int32"
    given_to_discriminator = True

    def __init__(self, num_classes):
        self.num_classes = check_integer("num_classes", num_classes, 2)

    def check_given(self, given, n, of):
        if given.dtype.kind not in "biuf" and given.dtype.name != "bfloat16":
            raise TypeError(
                f"labels must be integers. Received: dtype {given.dtype}. Convert names to class numbers: "
                "names, labels = numpy.unique(labels, return_inverse=True)."
            )
        if given.ndim == 0 or given.size != given.shape[0]:
            raise ValueError(
                f"labels must be class numbers of shape (batch,). Received: shape {given.shape}.{_rows_hint(given)}"
            )
        if given.dtype.kind not in "iu":
            whole = given.dtype.kind == "b" or (given == np.round(given)).all()
            hint = ' Cast them: labels.astype("int32"), or tf.cast(labels, "int32").'
            if not whole:
                hint = " For numbers that are not classes, use the condition Vector(1)."
            raise TypeError(f"labels must be integers. Received: dtype {given.dtype}.{hint}")
        self._check_count(given, n, of)
        low, high = int(given.min()), int(given.max())
        if low < 0 or high >= self.num_classes:
            hint = ""
            if low > 0 and high == self.num_classes:
                hint = " Classes are counted from 0: if yours are counted from 1, subtract 1."
            elif low >= 0:
                hint = f" For labels up to {high}, use {type(self).__name__}({high + 1})."
            raise ValueError(
                f"labels must lie in [0, {self.num_classes}). Received: labels from {low} to {high}.{hint}"
            )

    def prepare(self, given):
        return ops.reshape(ops.cast(given, "int32"), (-1,))

    def default_given(self, n):
        return np.arange(n, dtype="int32") % self.num_classes

    def extreme_given(self):
        return np.array([self.num_classes - 1], "int32")

    def example_given(self, n, seed=None, rows=None):
        return self.default_given(n)

    def embed(self, size, initializer=None, **kwargs):
        return layers.Embedding(self.num_classes, size, embeddings_initializer=initializer or "uniform", **kwargs)

    def encode(self, given):
        return ops.one_hot(given, self.num_classes)

    def get_config(self):
        return {"num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="keras_gan")
class Vector(Condition):
    """Condition on a vector of numbers, given to both networks, such as attributes or an embedding.

    The generator takes `[latents, given]`, the discriminator `[data, given]`. Fakes take the vectors of the real batch.
    `gan.sample(n, given=...)` requires them.

    Args:
        n: Int > 0, how many numbers. The input is finite floats `(batch, n)`; integers are cast.

    Raises:
        ValueError: If `n` is not a positive integer.

    Example:

    ```python
    condition = keras_gan.conditions.Vector(40)
    generator = keras_gan.architectures.dcgan_generator((32, 32, 3), latent_dim=64, condition=condition)
    discriminator = keras_gan.architectures.dcgan_discriminator((32, 32, 3), condition=condition)
    generator([np.zeros((16, 64)), np.zeros((16, 40))]).shape  # (16, 32, 32, 3)
    discriminator([np.zeros((16, 32, 32, 3)), np.zeros((16, 40))]).shape  # (16, 1)
    ```

    Reference:
        - [Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784), concatenation
        - [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637), projection
    """

    given_name = "given"
    given_dtype = "float32"
    given_to_discriminator = True

    def __init__(self, n):
        self.n = check_integer("n", n)
        self.given_shape = (self.n,)

    def prepare(self, given):
        return ops.cast(given, "float32")

    def get_config(self):
        return {"n": self.n}


@keras.saving.register_keras_serializable(package="keras_gan")
class AuxiliaryClassifier(Labels):
    """Condition on class labels, given to the generator, that the discriminator must predict (AC-GAN).

    The discriminator takes data and returns `{"logits": (batch, 1), "classes": (batch, num_classes)}`. Let `CE` be the
    cross-entropy between the classes and the labels, averaged over the batch. The objectives get these terms:

    - discriminator: `+ weight * (CE(real) + CE(fake))`
    - generator: `+ weight * CE(fake)`

    Args:
        num_classes: Int > 1. Labels are integers from 0 to `num_classes - 1`, shape `(batch,)`.
        weight: Float >= 0. Defaults to `1.0`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    ```python
    condition = keras_gan.conditions.AuxiliaryClassifier(10)
    discriminator = keras_gan.architectures.dcgan_discriminator((28, 28, 1), condition=condition)
    outputs = discriminator(np.zeros((16, 28, 28, 1)))
    outputs["logits"].shape  # (16, 1)
    outputs["classes"].shape  # (16, 10)
    ```

    Reference:
        [Odena et al., 2016](https://arxiv.org/abs/1610.09585)
    """

    given_to_discriminator = False

    def __init__(self, num_classes, weight=1.0):
        super().__init__(num_classes)
        self.weight = check_number("weight", weight, 0)
        self.heads = {"classes": self.num_classes}

    def discriminator_term(self, real_extra, fake_extra, given):
        return self.generator_term(real_extra, given) + self.generator_term(fake_extra, given)

    def generator_term(self, fake_extra, given):
        target = ops.one_hot(given, self.num_classes, dtype="float32")
        return self.weight * _cross_entropy(target, fake_extra["classes"])

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable(package="keras_gan")
class Codes(Condition):
    """Codes that the generator must express and the discriminator recover, without any label (InfoGAN).

    Codes are the last `num_codes` entries of the latent: a one-hot vector for each categorical code, then continuous
    codes in [-1, 1]. The discriminator takes data and returns `{"logits": (batch, 1), "codes": (batch, num_codes)}`:
    logits for each categorical code, then the mean of each continuous one. On fakes, both players minimize the
    following term. It is the negative of a lower bound of the mutual information between codes and samples, without the
    entropy of the codes, which is constant:

    `categorical_weight * sum_k CE(c_k, q_k) + continuous_weight * sum_j mean((c_j - q_j)^2) / 2`

    that is, `-E[log Q(c | x)]` for categorical distributions and normal ones of unit variance.

    That bound ties the codes to the features that fakes show first. With little data, these are often slant or stroke,
    not class. With a `consistency_weight` the discriminator also sorts real data by code, so that two random
    augmentations of one example get the same code. For each categorical code, its objective then also has the
    contrastive loss NT-Xent of the distributions `q = softmax(codes)` of the `2 * batch` views,

    `consistency_weight * mean_i(-log(exp(cos(q_i, q_i') / 0.2) / sum_{j != i} exp(cos(q_i, q_j) / 0.2)))`

    where `i'` is the other view of the same example. A code can then not stand for what the augmentation changes.
    This is the second half of Elastic-InfoGAN, applied to the distributions; its learned class frequencies are not
    included. On several devices each view is compared with those of its own device.

    Args:
        categorical: Ints > 1, the number of values of each categorical code. Defaults to `()`.
        continuous: Int >= 0, the number of continuous codes. Defaults to `0`.
        categorical_weight: Float >= 0. Defaults to `1.0`.
        continuous_weight: Float >= 0. Defaults to `1.0`.
        consistency_weight: Float >= 0. More than 0 needs a categorical code, and an augmentation in `compile` that
            leaves an example's class as it is. Defaults to `0.0`.

    Raises:
        ValueError: If there are no codes, or an argument is out of range.

    Example:

    ```python
    condition = keras_gan.conditions.Codes(categorical=(10,), continuous=2)
    condition.num_codes  # 12
    generator = keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=74, condition=condition)
    discriminator = keras_gan.architectures.dcgan_discriminator((28, 28, 1), condition=condition)
    generator(np.zeros((16, 74))).shape  # (16, 28, 28, 1)
    discriminator(np.zeros((16, 28, 28, 1)))["codes"].shape  # (16, 12)
    ```

    Reference:
        - [Chen et al., 2016](https://arxiv.org/abs/1606.03657)
        - [Ojha et al., 2019](https://arxiv.org/abs/1910.01112), consistency on real data
        - [Chen et al., 2020](https://arxiv.org/abs/2002.05709), NT-Xent
    """

    def __init__(
        self, categorical=(), continuous=0, categorical_weight=1.0, continuous_weight=1.0, consistency_weight=0.0
    ):
        if not isinstance(categorical, (list, tuple)):
            raise ValueError(f"categorical must be a list of integers >= 2. Received: {categorical!r}.")
        self.categorical = tuple(check_integer("each of categorical", k, 2) for k in categorical)
        self.continuous = check_integer("continuous", continuous, 0)
        if not (self.categorical or self.continuous):
            raise ValueError("categorical or continuous must give a code. Received: neither.")
        self.categorical_weight = check_number("categorical_weight", categorical_weight, 0)
        self.continuous_weight = check_number("continuous_weight", continuous_weight, 0)
        self.consistency_weight = check_number("consistency_weight", consistency_weight, 0)
        if self.consistency_weight and not self.categorical:
            raise ValueError(
                "consistency_weight must be 0 without a categorical code, whose distributions it compares. "
                f"Received: {consistency_weight!r}."
            )
        self.compares_views = self.consistency_weight > 0
        self.num_codes = sum(self.categorical) + self.continuous
        self.heads = {"codes": self.num_codes}

    def head(self, name, features):
        return super().head(name, layers.LeakyReLU(0.1)(layers.Dense(_CODES_UNITS)(features)))

    def complete(self, prior):
        codes = [Categorical(k) for k in self.categorical]
        if self.continuous:
            codes.append(Uniform(self.continuous))
        return Concatenated([prior, *codes])

    def given(self, latents, given):
        return latents[:, -self.num_codes :]

    def discriminator_term(self, real_extra, fake_extra, given):
        return self.generator_term(fake_extra, given)

    def generator_term(self, fake_extra, given):
        given, found = (ops.cast(x, "float32") for x in (given, fake_extra["codes"]))
        total = 0.0
        for part in self._categorical_parts():
            total += self.categorical_weight * _cross_entropy(given[:, part], found[:, part])
        if self.continuous:
            error = ops.sum(ops.square((given - found)[:, -self.continuous :]), axis=-1)
            total += self.continuous_weight * ops.mean(error) / 2
        return total

    def consistency_term(self, real_extra, other_extra):
        views = [ops.cast(extra["codes"], "float32") for extra in (real_extra, other_extra)]
        losses = [_nt_xent(*(ops.softmax(view[:, part]) for view in views)) for part in self._categorical_parts()]
        return self.consistency_weight * sum(losses)

    def _categorical_parts(self):
        ends = itertools.accumulate(self.categorical)
        return [slice(end - k, end) for k, end in zip(self.categorical, ends, strict=True)]

    def get_config(self):
        return {
            "categorical": list(self.categorical),
            "continuous": self.continuous,
            "categorical_weight": self.categorical_weight,
            "continuous_weight": self.continuous_weight,
            "consistency_weight": self.consistency_weight,
        }


def _cross_entropy(target, logits):
    return -ops.mean(ops.sum(target * ops.log_softmax(ops.cast(logits, "float32")), axis=-1))


def _nt_xent(x, y):
    vectors = ops.normalize(ops.concatenate([x, y]), axis=-1)
    similarities = vectors @ ops.transpose(vectors) / _TEMPERATURE
    n = ops.shape(x)[0]
    pairs = ops.sum(vectors[:n] * vectors[n:], axis=-1) / _TEMPERATURE
    # A view is not compared with itself.
    others = similarities - 1e9 * ops.eye(2 * n)
    return ops.mean(ops.logsumexp(others, axis=-1)) - ops.mean(pairs)


def _rows_hint(given):
    """Returns advice for rows passed as labels."""
    if given.ndim != 2 or not np.isin(given, (0, 1)).all():
        return ""
    if (np.count_nonzero(given, axis=1) <= 1).all():
        return " Convert one-hot labels to class numbers with numpy.argmax(labels, axis=-1)."
    return f" For rows of zeros and ones with several ones, use the condition Vector({given.shape[1]})."
