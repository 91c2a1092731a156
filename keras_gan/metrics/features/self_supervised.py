"""Features of a small network that learns from images without labels."""

import math
import statistics
import time

import keras
import numpy as np
from keras import layers, ops

from keras_gan import datasets
from keras_gan.augmentation import Affine, Augmentation
from keras_gan.checks.values import check_integer, check_number
from keras_gan.metrics.features.trained import BATCH, batches, kept, repeat
from keras_gan.metrics.reading import read

# Version of the network and its training below; a new number invalidates caches.
_VERSION = "self_supervised 1"
_STEPS = 500
_MOST = 10_000
# Minimum number of training images.
FEWEST = 16
# Largest side of the network's input, in pixels.
_SIDE = 32
# Smallest side of an image, in pixels.
SMALLEST = 8
_TEMPERATURE = 0.2


@keras.saving.register_keras_serializable(package="keras_gan")
class SelfSupervised(keras.Model):
    """Model of `self_supervised`."""

    data_range = (-1, 1)


def self_supervised(dataset, steps=None):
    """Returns a small convolutional network, trained on the user's images without labels and cached on disk.

    For a view of an image, it learns to find the other view of this image among the views of 64 images (SimCLR). Views
    are mirrored, rotated, scaled, sheared and shifted, their channels mixed at random, their brightness and contrast
    changed, and noise added: features distinguish shapes, but hardly colors. Images with a side over 32 pixels first go
    through average pooling, so the finest texture is lost. The network has convolutions of stride 2 until images are
    smaller than 8x8, and a layer of 128 units, whose outputs are the features.

    Distances on such features can be compared with each other only if data and `steps` are the same, and not with
    those of a classifier or of Inception. There are no `probabilities`: `ClassifierScore` and `ModeCoverage` need a
    classifier.

    The trained model is cached in `~/.keras/keras_gan`, or `keras_gan` in `KERAS_HOME`. The cache key depends on
    `steps` and on the data, but not on their order. The same data give the same model; on another machine it may differ
    by rounding. A saved GAN includes it in its file.

    Args:
        dataset: Name for `keras_gan.datasets.load`, whose `"train"` split is used, or a `tf.data.Dataset` of images
            `(batch, height, width, channels)` in [-1, 1], of at least 8x8 pixels; labels are dropped. If there are
            over 10,000 images, it learns from 10,000, chosen by their hashes; memory does not grow with the others.
        steps: Int > 0, how many batches of 64 images to learn from; `steps_within` says how many fit into a time.
            Defaults to None, 500.

    Returns:
        `keras.Model` from images in [-1, 1] to a dict of `features` `(batch, 128)`. For a GAN whose generator ends in a
        sigmoid, metrics map images from [0, 1].

    Raises:
        ValueError: If `steps` is out of range, or the dataset does not give at least 16 such images.

    Example:

    ```python
    import tensorflow as tf

    images = np.random.default_rng(0).uniform(-1, 1, (16, 8, 8, 3))
    dataset = tf.data.Dataset.from_tensors(images)  # or "folder:photos"
    # Two steps are for a quick look: for features to measure with, omit `steps`.
    features = keras_gan.metrics.features.self_supervised(dataset, steps=2)
    features(images[:4])["features"].shape  # (4, 128)
    # In a GAN: gan.compile(metrics=[keras_gan.metrics.KernelDistance(features)])
    ```

    Reference:
        - [Chen et al., 2020](https://arxiv.org/abs/2002.05709): SimCLR
        - [Morozov et al., 2021](https://openreview.net/forum?id=NeRdBeTionN), such features in distances
    """
    steps = _STEPS if steps is None else check_integer("steps", steps)
    if isinstance(dataset, str):
        dataset = datasets.load(dataset, 1000)
    images, _, digest, shape = read("dataset", dataset, limit=_MOST, store=_reduced_bytes)
    if min(shape[:2]) < SMALLEST or len(images) < FEWEST:
        raise ValueError(
            f"dataset must have at least {FEWEST} images of at least {SMALLEST}x{SMALLEST} pixels. "
            f"Received: {len(images)} of {shape[0]}x{shape[1]}."
        )
    return kept("self_supervised", f"{_VERSION} {steps} {digest}", lambda: _train(images, shape, steps))


def steps_within(seconds, shape):
    """Measures how many steps of `self_supervised` fit into a time on this machine.

    Measuring takes a few seconds.

    Args:
        seconds: Float > 0, the time for training, without that for reading the data.
        shape: Tuple `(height, width, channels)` of one image.

    Returns:
        Int > 0, the `steps` to pass.

    Raises:
        ValueError: If `seconds` or `shape` is out of range.

    Example:

    ```python
    steps = keras_gan.metrics.features.steps_within(30, (8, 8, 3))
    steps > 0  # True
    # features = keras_gan.metrics.features.self_supervised("folder:photos", steps)
    ```
    """
    seconds = check_number("seconds", seconds, 0, open_low=True)
    try:
        height, width, channels = (check_integer("shape", size) for size in shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"shape must be (height, width, channels), positive integers. Received: {shape!r}.") from error
    images = _reduced_bytes(np.zeros((BATCH, height, width, channels), "float32"))
    step, times = _steps(images, _build((height, width, channels))[1]), [time.monotonic()]
    for _ in range(12):
        step()
        times.append(time.monotonic())
    # Includes the first step: training also compiles.
    first, *others = np.diff(times)
    return max(1, math.floor((seconds - first) / statistics.median(others)))


def untrained(shape):
    """Returns the untrained network for images of a shape, which is as fast as a trained one."""
    return _build(shape)[0]


def _factor(shape):
    """Returns how many pixels of a side become one."""
    return -(-max(shape[:2]) // _SIDE)


def _reduced_bytes(images):
    """Averages images over squares of pixels, as the network does, and rounds them to bytes."""
    n, height, width, channels = images.shape
    k = _factor((height, width))
    if k > 1:
        images = images[:, : height // k * k, : width // k * k]
        images = images.reshape(n, height // k, k, width // k, k, channels).mean((2, 4))
    return np.rint((images + 1) * 127.5).astype("uint8")


def _train(images, shape, steps):
    model, trainee = _build(shape, steps)
    text = f"Learning features of {len(images)} images without labels; the result is kept"
    repeat(_steps(images, trainee), steps, text)
    return model


def _steps(images, trainee):
    """Returns a function that trains one step, on the next images at each call."""
    size = min(BATCH, len(images))
    parts = (part for part in batches(len(images)) if len(part) == size)

    def step():
        part = images[next(parts)].astype("float32") / 127.5 - 1
        trainee.train_on_batch(part, np.zeros(size))  # The loss needs no targets.

    return step


class Recolored(Augmentation):
    """Augmentation that mirrors half of the images, mixes channels, and changes contrast and brightness."""

    def __init__(self, channels):
        super().__init__(dtype="float32")
        self.channels = channels
        self.num_uniforms = 2 + channels + channels**2

    def transform(self, images, uniform):
        c, uniform = self.channels, uniform[:, :, None, None]
        mirrored, contrast, brightness, mix = ops.split(uniform, [1, 2, 2 + c], axis=1)
        images = ops.where(mirrored < 0.5, images, ops.flip(images, axis=2))
        mix = ops.reshape(2 * mix - 1, (-1, c, c))
        mix = mix / (ops.sqrt(ops.sum(ops.square(mix), axis=1, keepdims=True)) + 1e-3)
        mixed = ops.einsum("nhwc,ncd->nhwd", images - ops.mean(images, axis=(1, 2), keepdims=True), mix)
        return mixed * ops.exp(contrast - 0.5) + ops.transpose(brightness, (0, 2, 3, 1)) - 0.5


class View(keras.Layer):
    """Random view of each image."""

    def __init__(self, channels, seed):
        super().__init__(dtype="float32")
        self.seed = keras.random.SeedGenerator(seed)
        self.changes = [Affine(rotation=15, scale=0.4, shear=0.2, translation=0.1), Recolored(channels)]

    def call(self, images):
        for change in self.changes:
            images = change(images, seed=self.seed)
        return images


def _contrast(_, projections):
    """Returns the loss of finding the other view of each image among all views (NT-Xent).

    Args:
        projections: Tensor `(batch, 2, size)`, those of both views.
    """
    n = ops.shape(projections)[0]
    z = ops.concatenate([projections[:, 0], projections[:, 1]])
    z = z / (ops.norm(z, axis=1, keepdims=True) + 1e-6)
    # No view is compared with itself.
    logits = ops.matmul(z, ops.transpose(z)) / _TEMPERATURE - 1e9 * ops.eye(2 * n)
    others = (ops.arange(2 * n) + n) % (2 * n)
    return keras.losses.sparse_categorical_crossentropy(others, logits, from_logits=True)


def _build(shape, steps=_STEPS):
    """Builds the model, and a second model that shares its layers: it takes reduced images and returns the projections
    of two views of each."""

    # Fixed seeds: the caller's random state is unchanged.
    def kernel(seed):
        return keras.initializers.HeNormal(seed=seed)

    options = {"dtype": "float32"}
    k = _factor(shape)
    inputs = keras.Input((shape[0] // k, shape[1] // k, shape[2]), **options)
    x, blocks = inputs, 0
    while min(x.shape[1:3]) >= SMALLEST:
        conv = layers.Conv2D(
            min(32 * 2**blocks, 128),
            3 if blocks else 4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=kernel(blocks),
            **options,
        )
        x = layers.ReLU(**options)(layers.BatchNormalization(momentum=0.9, **options)(conv(x)))
        blocks += 1
    x = layers.Flatten(**options)(x)
    x = layers.Dense(128, use_bias=False, kernel_initializer=kernel(100), **options)(x)
    x = layers.ReLU(**options)(layers.BatchNormalization(momentum=0.9, **options)(x))
    network = keras.Model(inputs, x)
    hidden = layers.Dense(128, activation="relu", kernel_initializer=kernel(101), **options)
    last = layers.Dense(64, kernel_initializer=kernel(102), **options)
    noise = [layers.GaussianNoise(0.05, seed=seed, **options) for seed in range(2)]
    views = [noise[seed](View(shape[2], seed)(inputs)) for seed in range(2)]
    trainee = keras.Model(inputs, ops.stack([last(hidden(network(view))) for view in views], axis=1))
    trainee.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), _contrast)
    images = keras.Input(shape, **options)
    reduced = layers.AveragePooling2D(k, **options)(images) if k > 1 else images
    return SelfSupervised(images, {"features": network(reduced)}, name="self_supervised"), trainee
