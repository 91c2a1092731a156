"""Features that metrics compare: of InceptionV3, or of a small classifier of the user's own data."""

import hashlib
import os
import tempfile
import time
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from keras_gan import checks, datasets, saving
from keras_gan.checks.values import check_integer

__all__ = ["InceptionV3", "classifier", "inception_v3"]


def __dir__():
    return __all__


_INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
_INCEPTION_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{_INCEPTION_FILE}"
_BATCH = 64
# Names the network and its training below; another number makes caches start anew.
_VERSION = "classifier 2"


def inception_v3(weights="imagenet"):
    """Returns InceptionV3's pooled features and the probabilities of ImageNet's classes.

    Images are resized to 299x299, bilinear with antialiasing, and gray ones get three equal channels, in the graph.
    The weights are Keras's own and not those of the 2015 graph that papers use, and the resizing is another: Frechet
    and kernel distances come out near published ones but not equal, so compare them with each other only.

    A saved GAN refers to the weights by `weights` and does not carry them.

    Args:
        weights: `"imagenet"`, or the path of a file of Keras weights of the whole network, with its classifier.
            Defaults to `"imagenet"`, which is downloaded once, 96 MB, into Keras's cache.

    Returns:
        `InceptionV3`, a function from images `(batch, height, width, channels)` in [-1, 1], with 1 or 3 channels, to a
        dict of `features` `(batch, 2048)` and `probabilities` `(batch, 1000)`.

    Raises:
        OSError: If the weights are neither there nor can be downloaded; the message says which file to put where.

    Reference:
        - [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567)
        - [Parmar et al., 2022](https://arxiv.org/abs/2104.11222), what resizing does to the Frechet distance
    """
    return InceptionV3(weights)


@keras.saving.register_keras_serializable(package="keras_gan")
class InceptionV3:
    """See `inception_v3`. No layer on purpose: Keras would write its weights into every checkpoint of a GAN."""

    data_range = (-1, 1)

    def __init__(self, weights="imagenet"):
        self.weights = str(weights)
        policy = keras.config.dtype_policy()
        # Distances in half precision could not be compared with others.
        keras.config.set_dtype_policy("float32")
        try:
            network = keras.applications.InceptionV3(weights=self.weights)
        except Exception as error:
            raise OSError(
                f"The weights of InceptionV3, {self.weights!r}, could not be read or downloaded: {error} "
                f"Where there is a network, fetch {_INCEPTION_URL} and put it into {_keras_home() / 'models'}, or pass "
                "weights='PATH/TO/THE/FILE'. A GAN that was saved with this metric loads without it by "
                "load_model(..., compile=False)."
            ) from error
        finally:
            keras.config.set_dtype_policy(policy)
        outputs = {"features": network.get_layer("avg_pool").output, "probabilities": network.output}
        self._model = keras.Model(network.input, outputs)

    def __call__(self, images):
        if len(images.shape) != 4 or images.shape[-1] not in (1, 3):
            raise ValueError(
                "InceptionV3 takes images (batch, height, width, channels) with 1 or 3 channels. "
                f"Received: shape {tuple(images.shape)}."
            )
        images = ops.cast(images, "float32")
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        return self._model(ops.image.resize(images, (299, 299), "bilinear", antialias=True), training=False)

    def get_config(self):
        return {"weights": self.weights}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class ImageClassifier(keras.Model):
    """See `classifier`."""

    data_range = (-1, 1)


def classifier(dataset, epochs=10):
    """Returns a small convolutional classifier of the user's own images, trained once and kept on disk.

    Blocks of a 3x3 convolution and a 2x2 maximum until images are smaller than 8x8, a layer of 64 units, the features,
    and a softmax over the classes. Distances on such features can't be compared with those of Inception, and are worth
    as much as the classifier: look at its accuracy on labelled data that it has not seen.

    The trained model lies under `~/.keras/keras_gan`, or `keras_gan` in `KERAS_HOME`, by what the data and `epochs`
    are; the order of the data does not matter. The same data give the same model, up to the rounding of other
    machines. A saved GAN carries it in its file.

    Args:
        dataset: Name for `keras_gan.datasets.load`, whose `"train"` split is used, or a `tf.data.Dataset` of
            `(images, labels)`, with images `(batch, height, width, channels)` in [-1, 1] and integer labels
            `(batch,)`. It is read into memory.
        epochs: Int > 0, how often to go through the data. Defaults to `10`.

    Returns:
        `keras.Model` from images in [-1, 1] to a dict of `features` `(batch, 64)` and `probabilities`
        `(batch, num_classes)`. In metrics of a GAN whose generator ends in a sigmoid it gets images in [0, 1] mapped.

    Raises:
        ValueError: If the dataset does not give images in [-1, 1] with labels of at least two classes.

    Example:

    ```python
    features = keras_gan.metrics.features.classifier("digits")
    found = features.predict(gan.sample(1000))["probabilities"].argmax(1)
    ```
    """
    epochs = check_integer("epochs", epochs)
    if isinstance(dataset, str):
        dataset = datasets.load(dataset, 1000, labels=True)
    images, labels, digest = _read(dataset)
    folder = _keras_home() / "keras_gan"
    path = folder / f"classifier-{hashlib.sha256(f'{_VERSION} {epochs} {digest}'.encode()).hexdigest()[:20]}.keras"
    if path.exists():
        try:
            return saving.load_untrusted(path)
        except Exception as error:
            warnings.warn(f"{path} can't be read and is made anew: {error}", stacklevel=2)
    model = _train(images, labels, epochs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            model.save(Path(scratch) / path.name)
            os.replace(Path(scratch) / path.name, path)
    except OSError as error:
        warnings.warn(f"The classifier was not kept and will be trained again: {error}", stacklevel=2)
    return model


def _keras_home():
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def _read(dataset):
    """Reads images and labels in the order of their hashes, and a hash of all."""
    if checks.is_endless(dataset):
        raise ValueError("dataset must be finite. Received: one that repeats forever. Leave out repeat().")
    images, labels = [], []
    for batch in dataset:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise ValueError(
                f"dataset must give (images, labels). Received: a {type(batch).__name__}. "
                "keras_gan.datasets.load gives them with labels=True."
            )
        images.append(ops.convert_to_numpy(batch[0]))
        labels.append(ops.convert_to_numpy(batch[1]))
    if not images:
        raise ValueError("dataset must hold at least one batch. Received: an empty dataset.")
    images, labels = np.concatenate(images), np.concatenate(labels)
    if images.ndim != 4 or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            "dataset must give images (batch, height, width, channels) and integer labels (batch,). "
            f"Received: images of shape {images.shape} and labels of shape {labels.shape}, {labels.dtype}."
        )
    if labels.min() < 0 or labels.max() < 1:
        raise ValueError(
            f"dataset must have labels of at least two classes, from 0. Received: {labels.min()} to {labels.max()}."
        )
    low, high = images.min(), images.max()
    if not -1.001 <= low < 0 or not high <= 1.001:
        raise ValueError(
            f"dataset must have images in [-1, 1], with dark pixels. Received: values from {low:g} to {high:g}. "
            "Map them, such as by dataset.map(lambda x, y: (x * 2 - 1, y)) from [0, 1]."
        )
    images, labels = np.ascontiguousarray(images, "float32"), labels.astype("int32")
    hashes = [hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() for x, y in zip(images, labels, strict=True)]
    order = np.argsort(hashes)
    digest = hashlib.sha256("".join(hashes[i] for i in order).encode() + str(images.shape).encode()).hexdigest()
    return images[order], labels[order], digest


def _train(images, labels, epochs):
    model, trainee = _build(images.shape[1:], int(labels.max()) + 1)
    trainee.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    n = len(images)
    steps, done, progress = epochs * -(-n // _BATCH), 0, None
    for _ in range(epochs):
        order = rng.permutation(n)
        for i in range(0, n, _BATCH):
            part = order[i : i + _BATCH]
            trainee.train_on_batch(images[part], labels[part])
            done += 1
            if done == 1:  # It compiles.
                start = time.time()
            if progress is None and done > 10 and (time.time() - start) / (done - 1) * steps > 10:
                print(f"Training a classifier on {n} images; it is kept for the next time")
                progress = keras.utils.Progbar(steps)
            if progress is not None:
                progress.update(done)
    return model


def _build(shape, num_classes):
    """Builds the model of both outputs, and one of the probabilities, on the same layers."""

    # Seeds of their own: the caller's random state stays as it is.
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
