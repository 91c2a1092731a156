"""Features of a small classifier of the user's images."""

import keras
from keras import layers

from keras_gan import datasets
from keras_gan.checks.values import check_integer
from keras_gan.metrics.features.trained import BATCH, batches, kept, repeat
from keras_gan.metrics.reading import read

# Version of the network and its training below; a new number invalidates caches.
_VERSION = "classifier 2"


@keras.saving.register_keras_serializable(package="keras_gan")
class ImageClassifier(keras.Model):
    """Model of `classifier`."""

    data_range = (-1, 1)


def classifier(dataset, epochs=10):
    """Returns a small convolutional classifier of the user's images, trained once and cached on disk.

    It has blocks of a 3x3 convolution and 2x2 max pooling until images are smaller than 8x8. Then come a layer of 64
    units, whose outputs are the features, and a softmax over the classes. Distances on such features can't be compared
    with those of Inception, and are only as good as the classifier: check its accuracy on held-out labeled data.

    The trained model is cached in `~/.keras/keras_gan`, or `keras_gan` in `KERAS_HOME`. The cache key depends on
    `epochs` and on the data, but not on their order. The same data give the same model; on another machine it may
    differ by rounding. A saved GAN includes it in its file.

    Args:
        dataset: Name for `keras_gan.datasets.load`, whose `"train"` split is used, or a `tf.data.Dataset` of
            `(images, labels)`, with images `(batch, height, width, channels)` in [-1, 1] and integer labels
            `(batch,)`. It is read into memory.
        epochs: Int > 0, how often to go through the data. Defaults to `10`.

    Returns:
        `keras.Model` from images in [-1, 1] to a dict of `features` `(batch, 64)` and `probabilities`
        `(batch, num_classes)`. For a GAN whose generator ends in a sigmoid, metrics map images from [0, 1].

    Raises:
        ValueError: If the dataset does not give images in [-1, 1] with labels of at least two classes.

    Example:

    ```python
    import tensorflow as tf

    images = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1))
    labels = np.arange(64) % 3
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32)  # or "digits"
    features = keras_gan.metrics.features.classifier(dataset, epochs=1)
    found = features(images[:4])  # or gan.sample(4)
    found["features"].shape  # (4, 64)
    found["probabilities"].shape  # (4, 3)
    # In a GAN: gan.compile(metrics=[keras_gan.metrics.FrechetDistance(features)])
    ```
    """
    epochs = check_integer("epochs", epochs)
    if isinstance(dataset, str):
        dataset = datasets.load(dataset, 1000, labels=True)
    images, labels, digest, _ = read("dataset", dataset, labels=True)
    if labels.min() < 0 or labels.max() < 1:
        raise ValueError(
            f"dataset must have labels of at least two classes, from 0. Received: {labels.min()} to {labels.max()}."
        )
    return kept("classifier", f"{_VERSION} {epochs} {digest}", lambda: _train(images, labels, epochs))


def _train(images, labels, epochs):
    model, trainee = _build(images.shape[1:], int(labels.max()) + 1)
    trainee.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    n = len(images)
    parts = batches(n, epochs)

    def step():
        part = next(parts)
        trainee.train_on_batch(images[part], labels[part])

    repeat(step, epochs * -(-n // BATCH), f"Training a classifier on {n} images; it is kept for the next time")
    return model


def _build(shape, num_classes):
    """Builds the model with both outputs, and one with probabilities only, which share layers."""

    # Fixed seeds: the caller's random state is unchanged.
    def kernel(seed):
        return keras.initializers.GlorotUniform(seed=seed)

    options = {"dtype": "float32"}
    inputs = keras.Input(shape, **options)
    x, blocks = inputs, 0
    while min(x.shape[1:3]) >= 8:
        x = layers.Conv2D(min(32 * 2**blocks, 128), 3, activation="relu", kernel_initializer=kernel(blocks), **options)(
            x
        )
        x = layers.MaxPooling2D(**options)(x)
        blocks += 1
    x = layers.Flatten(**options)(x)
    features = layers.Dense(64, activation="relu", kernel_initializer=kernel(100), **options)(x)
    x = layers.Dropout(0.3, seed=0, **options)(features)
    x = layers.Dense(num_classes, activation="softmax", kernel_initializer=kernel(101), **options)(x)
    model = ImageClassifier(inputs, {"features": features, "probabilities": x}, name="classifier")
    return model, keras.Model(inputs, x)
