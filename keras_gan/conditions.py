"""What a sample is conditioned on: nothing, labels, labels that the discriminator must find, or codes (InfoGAN)."""

import itertools

import keras
from keras import ops

from keras_gan.priors import Categorical, Concatenated, Uniform

__all__ = ["AuxiliaryClassifier", "Codes", "Condition", "Labels", "Unconditional"]


def __dir__():
    return __all__


# Of the contrastive loss: in short trials on digits 0.1 and 0.5 sorted no better.
_TEMPERATURE = 0.2


class Condition:
    """Base class: how a condition reaches both networks, and what it adds to their objectives.

    Attributes:
        num_classes: Int, how many classes labels have, or None where there are no labels.
        labels_to_discriminator: Bool, whether the discriminator takes `[data, labels]` instead of `data`.
        heads: Dict of the outputs that the discriminator has beside `"logits"`, name to size. Empty where it returns
            its logits bare.
        num_codes: Int, how many entries at the end of a latent are codes.
        compares_views: Bool, whether the discriminator looks at each real example twice, augmented anew, for the
            `consistency_term`.
    """

    num_classes = None
    labels_to_discriminator = False
    heads = {}  # noqa: RUF012
    num_codes = 0
    compares_views = False

    def complete(self, prior):
        """The prior of the generator's whole latent, given that of its noise."""
        return prior

    def generator_inputs(self, latents, labels):
        """What the generator takes: the latents, with labels if there are any."""
        return latents if self.num_classes is None else [latents, labels]

    def given(self, latents, labels):
        """What the samples of these latents and labels are conditioned on."""
        return labels

    def judge(self, discriminator, data, given, training):
        """Calls the discriminator.

        Returns:
            Logits `(batch, 1)`, and a dict of its other outputs.
        """
        inputs = [data, given] if self.labels_to_discriminator else data
        outputs = discriminator(inputs, training=training)
        if not self.heads:
            return outputs, {}
        return outputs["logits"], {name: outputs[name] for name in self.heads}

    def discriminator_term(self, real_extra, fake_extra, given):
        """What the condition adds to the discriminator's objective, from the other outputs on reals and on fakes."""
        return 0.0

    def generator_term(self, fake_extra, given):
        """What the condition adds to the generator's objective."""
        return 0.0

    def consistency_term(self, real_extra, other_extra):
        """What the condition adds to the discriminator's objective, from the other outputs on two views of reals."""
        return 0.0

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class Unconditional(Condition):
    """No condition: the generator takes latents and the discriminator data."""


@keras.saving.register_keras_serializable(package="keras_gan")
class Labels(Condition):
    """Both networks are told the class: a conditional GAN.

    The generator takes `[latents, labels]`, the discriminator `[data, labels]`; how it uses them, by concatenation or
    by projection, is up to the network. Fakes take the labels of the real batch.

    Args:
        num_classes: Int > 1. Labels are integers from 0 to `num_classes - 1`, shape `(batch,)`.

    Reference:
        - [Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784), concatenation
        - [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637), projection
    """

    labels_to_discriminator = True

    def __init__(self, num_classes):
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2. Received: {num_classes!r}.")
        self.num_classes = num_classes

    def get_config(self):
        return {"num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="keras_gan")
class AuxiliaryClassifier(Labels):
    """The generator is told the class and the discriminator must find it (AC-GAN).

    The discriminator takes data and returns `{"logits": (batch, 1), "classes": (batch, num_classes)}`. With `CE` the
    cross-entropy of the classes and the labels, both means over the batch,

    - discriminator: `+ weight * (CE(real) + CE(fake))`
    - generator: `+ weight * CE(fake)`

    Args:
        num_classes: Int > 1.
        weight: Float >= 0. Defaults to `1.0`.

    Reference:
        [Odena et al., 2016](https://arxiv.org/abs/1610.09585)
    """

    labels_to_discriminator = False

    def __init__(self, num_classes, weight=1.0):
        super().__init__(num_classes)
        self.weight = _check_weight("weight", weight)
        self.heads = {"classes": num_classes}

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
    logits for each categorical code, then the mean of each continuous one. Both players minimise, on fakes, the
    negative of the bound on the mutual information of codes and sample, up to the entropy of the codes, which is
    constant:

    `categorical_weight * sum_k CE(c_k, q_k) + continuous_weight * sum_j mean((c_j - q_j)^2) / 2`

    that is, `-E[log Q(c | x)]` for categorical distributions and normal ones of unit variance.

    That bound holds the codes to whatever fakes show first: on few data often slant or stroke rather than class. With
    a `consistency_weight` the discriminator also sorts real data by code, the same for two random augmentations of one
    example: it adds, for each categorical code, the contrastive loss NT-Xent of the distributions
    `q = softmax(codes)` of the `2 * batch` views,

    `consistency_weight * mean_i(-log(exp(cos(q_i, q_i') / 0.2) / sum_{j != i} exp(cos(q_i, q_j) / 0.2)))`

    where `i'` is the other view of the same example. What the augmentation changes can then be no code's meaning. This
    is the second half of Elastic-InfoGAN, applied to the distributions; its learned class frequencies are not here.
    Over several devices each view is set against those of its own device.

    Args:
        categorical: Ints > 1, the number of values of each categorical code. Defaults to `()`.
        continuous: Int >= 0, the number of continuous codes. Defaults to `0`.
        categorical_weight: Float >= 0. Defaults to `1.0`.
        continuous_weight: Float >= 0. Defaults to `1.0`.
        consistency_weight: Float >= 0. More than 0 needs a categorical code, and an augmentation in `compile` that
            leaves an example's class as it is. Defaults to `0.0`.

    Raises:
        ValueError: If there are no codes, or an argument is out of range.

    Reference:
        - [Chen et al., 2016](https://arxiv.org/abs/1606.03657)
        - [Ojha et al., 2019](https://arxiv.org/abs/1910.01112), consistency on real data
        - [Chen et al., 2020](https://arxiv.org/abs/2002.05709), NT-Xent
    """

    def __init__(
        self, categorical=(), continuous=0, categorical_weight=1.0, continuous_weight=1.0, consistency_weight=0.0
    ):
        categorical = tuple(categorical)
        if not all(isinstance(k, int) and k > 1 for k in categorical):
            raise ValueError(f"categorical must be integers of at least 2. Received: {categorical!r}.")
        if not isinstance(continuous, int) or continuous < 0 or not (categorical or continuous):
            raise ValueError(
                "continuous must be an integer of at least 0, and there must be a code. "
                f"Received: categorical={categorical!r}, continuous={continuous!r}."
            )
        self.categorical = categorical
        self.continuous = continuous
        self.categorical_weight = _check_weight("categorical_weight", categorical_weight)
        self.continuous_weight = _check_weight("continuous_weight", continuous_weight)
        self.consistency_weight = _check_weight("consistency_weight", consistency_weight)
        if consistency_weight and not categorical:
            raise ValueError(
                "consistency_weight must be 0 without a categorical code, whose distributions it compares. "
                f"Received: {consistency_weight!r}."
            )
        self.compares_views = consistency_weight > 0
        self.num_codes = sum(categorical) + continuous
        self.heads = {"codes": self.num_codes}

    def complete(self, prior):
        codes = [Categorical(k) for k in self.categorical]
        if self.continuous:
            codes.append(Uniform(self.continuous))
        return Concatenated([prior, *codes])

    def given(self, latents, labels):
        return latents[:, -self.num_codes :]

    def discriminator_term(self, real_extra, fake_extra, given):
        return self.generator_term(fake_extra, given)

    def generator_term(self, fake_extra, given):
        found = ops.cast(fake_extra["codes"], "float32")
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
    # A view is not set against itself.
    others = similarities - 1e9 * ops.eye(2 * n)
    return ops.mean(ops.logsumexp(others, axis=-1)) - ops.mean(pairs)


def _check_weight(name, value):
    if not value >= 0:
        raise ValueError(f"{name} must not be negative. Received: {value!r}.")
    return float(value)
