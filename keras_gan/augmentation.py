"""Differentiable augmentation: the same random changes for reals and fakes, for training on little data."""

import math

import keras
from keras import ops

from keras_gan import backend
from keras_gan.checks.values import check_integer, check_number

__all__ = ["AdaptiveAugmentation", "Affine", "Augmentation", "DiffAugment"]


def __dir__():
    return __all__


# The fewest images for a step of `AdaptiveAugmentation`: the mean sign of a single one is never near a target of 0.6.
_FEWEST = 8


class Augmentation(keras.Layer):
    """Base class of augmentations: random, differentiable maps of all images that the discriminator sees.

    A subclass implements `transform`. All random numbers of an example come from one row of a single draw, so that they
    are independent of each other for any kind of seed.

    Attributes:
        num_uniforms: Int, how many uniform numbers one example takes.
        needs_boundary: Bool, whether `update` needs logits whose sign means something, which losses without a
            `boundary` don't give.

    Call arguments:
        images: Tensor `(batch, height, width, channels)` of floats; or a list of such tensors, which share one draw, so
            that images that belong together are changed in the same way.
        seed: Int, `keras.random.SeedGenerator`, or None for different numbers at each call.

    Returns:
        Tensor, or list of tensors, of the shape and dtype of `images`.

    Raises:
        ValueError: If `images` have another rank or are not floats.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Mirror(keras_gan.augmentation.Augmentation):
        num_uniforms = 1

        def transform(self, images, uniform):
            chosen = uniform[:, 0] < 0.5
            return keras.ops.where(chosen[:, None, None, None], keras.ops.flip(images, axis=2), images)


    Mirror()(np.zeros((8, 32, 32, 3), "float32")).shape  # (8, 32, 32, 3)
    ```
    """

    num_uniforms = 0
    needs_boundary = False

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)
        # Under tf.distribute, if a model holds an unbuilt layer, Keras runs the model on the data in order to build
        # that layer.
        self.built = True

    def call(self, images, seed=None):
        parts = keras.tree.flatten(images)
        for part in parts:
            if len(part.shape) != 4 or not keras.backend.is_float_dtype(part.dtype):
                raise ValueError(
                    "images must be floats of shape (batch, height, width, channels) to be augmented. "
                    f"Received: shape {tuple(part.shape)}, dtype {keras.backend.standardize_dtype(part.dtype)}."
                )
        uniform = backend.local_draw(lambda n: self._draw(n, seed), ops.shape(parts[0])[0])
        return keras.tree.map_structure(lambda part: self.transform(part, uniform), images)

    def _draw(self, n, seed):
        return keras.random.uniform((n, self.num_uniforms), dtype="float32", seed=seed)

    def transform(self, images, uniform):
        """Changes images according to random numbers.

        Args:
            images: Tensor `(batch, height, width, channels)` of floats.
            uniform: Tensor `(batch, num_uniforms)`, float32, in [0, 1).

        Returns:
            Tensor of the shape and dtype of `images`.
        """
        raise NotImplementedError

    def update(self, real_logits):
        """Learns from the discriminator's logits on augmented data. Called once a step, outside any gradient.

        Args:
            real_logits: Tensor `(images, ..., 1)`, the logits minus the loss's `boundary`, the logit at which the
                discriminator is undecided. Images that are judged together have the same logits.
        """


@keras.saving.register_keras_serializable(package="keras_gan")
class DiffAugment(Augmentation):
    """Color, translation and cutout, random for each example.

    - `color`: brightness `x + b`, then saturation `(x - gray) * s + gray`, then contrast `(x - mean) * c + mean`, for
      `b` in [-0.5, 0.5], `s` in [0, 2] and `c` in [0.5, 1.5]; `gray` is the mean over a pixel's channels, `mean` that
      over the image
    - `translation`: by a whole number of pixels, up to 1/8 of the height and of the width; zeros move in
    - `cutout`: zeros in a rectangle of half the height and half the width, whose center lies anywhere in the image

    Images lie in [-1, 1]; outputs are not clipped to it.

    Args:
        color: Bool. Defaults to True.
        translation: Bool. Defaults to True.
        cutout: Bool. Defaults to True.
        **kwargs: `name`, as for any `keras.Layer`.

    Raises:
        ValueError: If all three are False.

    Example:

    ```python
    augment = keras_gan.augmentation.DiffAugment(color=False)
    augment(np.zeros((8, 32, 32, 3), "float32"), seed=0).shape  # (8, 32, 32, 3)
    ```

    Reference:
        [Zhao et al., 2020](https://arxiv.org/abs/2006.10738)
    """

    # Drawn for disabled parts too, so that the others get the same numbers either way.
    num_uniforms = 7

    def __init__(self, color=True, translation=True, cutout=True, **kwargs):
        super().__init__(**kwargs)
        if not (color or translation or cutout):
            raise ValueError("color, translation or cutout must be True. Received: False for each.")
        self.color = color
        self.translation = translation
        self.cutout = cutout

    def transform(self, images, uniform):
        if self.color:
            images = _color(images, uniform[:, :3])
        if self.translation:
            images = _translate(images, uniform[:, 3:5])
        if self.cutout:
            images = _cut_out(images, uniform[:, 5:])
        return images

    def get_config(self):
        return {
            **super().get_config(),
            "color": self.color,
            "translation": self.translation,
            "cutout": self.cutout,
        }


@keras.saving.register_keras_serializable(package="keras_gan")
class Affine(Augmentation):
    """Rotation, scale, shear and translation in one map, random for each example.

    The pixel at `p`, which is `(x, y)` measured from the center of the image, takes the value at

    `R(angle) @ [[1, k], [0, 1]] @ diag(s_x, s_y) @ p + t`

    interpolated bilinearly; beyond the image its edge is repeated. All numbers are drawn uniformly from intervals
    around 0; for `s_x` and `s_y` this holds for their logarithms.

    Args:
        rotation: Float >= 0, the largest angle either way, in degrees. Defaults to `15.0`.
        scale: Float >= 0; `s_x` and `s_y` lie between `1 / (1 + scale)` and `1 + scale`. Defaults to `0.15`.
        shear: Float >= 0, the largest `k` either way. Defaults to `0.3`.
        translation: Float >= 0, the largest shift either way, as a share of the width and of the height. Defaults to
            `0.05`.
        **kwargs: `name`, as for any `keras.Layer`.

    Raises:
        ValueError: If an argument is negative or not a finite number.

    Example:

    ```python
    augment = keras_gan.augmentation.Affine(rotation=10.0, shear=0.0)
    augment(np.zeros((8, 28, 28, 1), "float32"), seed=0).shape  # (8, 28, 28, 1)
    ```

    Reference:
        [Karras et al., 2020](https://arxiv.org/abs/2006.06676), geometric transformations among others
    """

    num_uniforms = 6

    def __init__(self, rotation=15.0, scale=0.15, shear=0.3, translation=0.05, **kwargs):
        super().__init__(**kwargs)
        extents = {"rotation": rotation, "scale": scale, "shear": shear, "translation": translation}
        self.extents = {name: check_number(name, value, 0) for name, value in extents.items()}

    def transform(self, images, uniform):
        height, width = images.shape[1:3]
        # In half precision coordinates would be off by a visible share of a pixel.
        dtype = keras.backend.result_type(images.dtype, "float32")
        centered = 2 * ops.cast(uniform, dtype)[:, :, None, None] - 1
        angle = math.radians(self.extents["rotation"]) * centered[:, 0]
        shear = self.extents["shear"] * centered[:, 1]
        scale = ops.exp(math.log1p(self.extents["scale"]) * centered[:, 2:4])
        shift = self.extents["translation"] * centered[:, 4:]
        middle = (width - 1) / 2, (height - 1) / 2
        y = scale[:, 1] * (ops.arange(height, dtype=dtype)[:, None] - middle[1])
        x = scale[:, 0] * (ops.arange(width, dtype=dtype) - middle[0]) + shear * y
        x, y = ops.cos(angle) * x - ops.sin(angle) * y, ops.sin(angle) * x + ops.cos(angle) * y
        x, y = x + middle[0] + width * shift[:, 0], y + middle[1] + height * shift[:, 1]
        return ops.cast(_interpolate(ops.cast(images, dtype), x, y), images.dtype)

    def get_config(self):
        return {**super().get_config(), **self.extents}


@keras.saving.register_keras_serializable(package="keras_gan")
class AdaptiveAugmentation(Augmentation):
    """Augmentation of each example with a probability that adapts to how much the discriminator overfits (ADA).

    Overfitting shows as `r = mean(sign(real_logits - boundary))`, with the loss's `boundary`: near 0 while the
    discriminator is unsure of the data, 1 once it has memorized them. Each step changes the probability by
    `sign(r - target) * images / ramp_images`, within [0, 1]. Steps of fewer than 8 images are pooled until there are 8,
    since the signs of a few say little. Relativistic losses and `Wasserstein` have no boundary and are refused. An
    example is augmented as a whole or not at all: as long as the probability stays well below 1, plain images are the
    likeliest, and the generator learns to make those.

    Args:
        augmentation: `Augmentation` to apply. Defaults to None, `DiffAugment()`.
        target: Float in (-1, 1), the `r` to hold. Defaults to `0.6`.
        ramp_images: Int > 0, number of real images in which the probability goes from 0 to 1. Defaults to `500_000`.
        **kwargs: `name`, as for any `keras.Layer`.

    Attributes:
        probability: `keras.Variable`, a scalar; 0 at the start, and saved with the model that holds this layer.

    Raises:
        TypeError: If `augmentation` is not an `Augmentation`.
        ValueError: If `target` or `ramp_images` is out of range.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((32, 32, 3), latent_dim=64),
        keras_gan.architectures.dcgan_discriminator((32, 32, 3)),
    )
    gan.compile(augmentation=keras_gan.augmentation.AdaptiveAugmentation(ramp_images=100_000))
    gan.augmentation.probability  # 0.0
    ```

    Reference:
        [Karras et al., 2020](https://arxiv.org/abs/2006.06676)
    """

    needs_boundary = True

    def __init__(self, augmentation=None, target=0.6, ramp_images=500_000, **kwargs):
        super().__init__(**kwargs)
        augmentation = DiffAugment() if augmentation is None else augmentation
        if not isinstance(augmentation, Augmentation):
            raise TypeError(f"augmentation must be an Augmentation, such as DiffAugment(). Received: {augmentation!r}.")
        self.augmentation = augmentation
        self.target = check_number("target, a mean of signs,", target, -1, 1, open_low=True, open_high=True)
        self.ramp_images = check_integer("ramp_images", ramp_images)
        self.num_uniforms = 1 + augmentation.num_uniforms
        self.probability = self._add_state("probability", ())
        # A variable, so that it is summed over the replicas: all must see the sign of the global mean.
        self._signs = self._add_state("signs", (2,), aggregation="sum")
        self._collected = self._add_state("collected", (2,))

    def _add_state(self, name, shape, **kwargs):
        return self.add_weight(shape, "zeros", dtype="float32", trainable=False, autocast=False, name=name, **kwargs)

    def transform(self, images, uniform):
        chosen = uniform[:, 0] < self.probability
        return ops.where(chosen[:, None, None, None], self.augmentation.transform(images, uniform[:, 1:]), images)

    def update(self, real_logits):
        # Unlike ops.sign, this gives 0 for NaN. A float16 step may produce NaN, and training with loss scaling
        # continues after it.
        signs = ops.cast(real_logits > 0, "float32") - ops.cast(real_logits < 0, "float32")
        # A map of logits counts as one image.
        signs = ops.mean(signs, axis=tuple(range(1, len(signs.shape))))
        self._signs.assign(ops.stack([ops.sum(signs), ops.sum(ops.ones_like(signs))]))
        collected = self._collected + self._signs
        total, count = collected[0], collected[1]
        enough = count >= _FEWEST
        step = ops.sign(total / ops.maximum(count, 1) - self.target) * count / self.ramp_images
        self.probability.assign(ops.clip(self.probability + ops.where(enough, step, 0), 0, 1))
        self._collected.assign(ops.where(enough, 0, collected))

    def get_config(self):
        return {
            **super().get_config(),
            "augmentation": keras.saving.serialize_keras_object(self.augmentation),
            "target": self.target,
            "ramp_images": self.ramp_images,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "augmentation": keras.saving.deserialize_keras_object(config["augmentation"])})


def _color(images, uniform):
    dtype = keras.backend.result_type(images.dtype, "float32")
    x, uniform = ops.cast(images, dtype), ops.cast(uniform, dtype)[:, :, None, None, None]
    brightness, saturation, contrast = uniform[:, 0] - 0.5, uniform[:, 1] * 2, uniform[:, 2] + 0.5
    gray = ops.mean(x, axis=-1, keepdims=True)
    mean = ops.mean(gray, axis=(1, 2), keepdims=True)
    # The three maps multiplied out: only the first product is as large as the images.
    rest = contrast * (1 - saturation) * gray + (1 - contrast) * mean + brightness
    return ops.cast(contrast * saturation * x + rest, images.dtype)


def _translate(images, uniform):
    # Moving rows takes half as long as moving pixels.
    images = ops.transpose(_shift_rows(images, uniform[:, 0]), (0, 2, 1, 3))
    return ops.transpose(_shift_rows(images, uniform[:, 1]), (0, 2, 1, 3))


def _shift_rows(images, uniform):
    height, width, channels = images.shape[1:]
    largest = int(height / 8 + 0.5)
    source = ops.arange(height, dtype="int32") + largest - _integer(uniform, 2 * largest + 1)[:, None]
    first = ops.arange(ops.shape(images)[0], dtype="int32")[:, None] * height
    rows = ops.take(ops.reshape(images, (-1, width * channels)), first + ops.clip(source, 0, height - 1), axis=0)
    inside = ops.logical_and(source >= 0, source < height)
    return ops.reshape(rows * ops.cast(inside, rows.dtype)[:, :, None], (-1, height, width, channels))


def _interpolate(images, x, y):
    """Returns the values at places `(batch, height, width)`, in pixels; beyond the image those of its edge.

    Written by hand: TensorFlow's own operation computes its gradient with the inverse map, which is only an
    approximation.
    """
    height, width, channels = images.shape[1:]
    first = ops.arange(ops.shape(images)[0], dtype="int32")[:, None, None] * (height * width)
    pixels = ops.reshape(images, (-1, channels))
    x, y = ops.clip(x, 0, width - 1), ops.clip(y, 0, height - 1)
    left, top = ops.floor(x), ops.floor(y)

    def row(i):
        start = first + ops.cast(i, "int32") * width
        ends = [
            ops.take(pixels, start + ops.cast(j, "int32"), axis=0) for j in (left, ops.minimum(left + 1, width - 1))
        ]
        return ends[0] + (x - left)[..., None] * (ends[1] - ends[0])

    above, below = row(top), row(ops.minimum(top + 1, height - 1))
    return above + (y - top)[..., None] * (below - above)


def _cut_out(images, uniform):
    rows, columns = (_cut(uniform[:, i], images.shape[1 + i]) for i in range(2))
    kept = ops.logical_not(ops.logical_and(rows[:, :, None], columns[:, None, :]))
    return images * ops.cast(kept, images.dtype)[..., None]


def _cut(uniform, size):
    """Returns a mask of the rows that are cut, `(batch, size)`."""
    length = int(size / 2 + 0.5)
    offset = ops.arange(size, dtype="int32") + length // 2 - _integer(uniform, size + 1 - length % 2)[:, None]
    return ops.logical_and(offset >= 0, offset < length)


def _integer(uniform, n):
    """Returns integers from 0 to n - 1, each as likely as the others."""
    return ops.cast(ops.floor(uniform * n), "int32")
