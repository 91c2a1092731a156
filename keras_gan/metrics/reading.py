"""Reads images for features: checked, and in an order that does not depend on the dataset's."""

import hashlib

import numpy as np
from keras import ops

from keras_gan import checks

_BATCH = 250


def batches(name, dataset, labels=False):
    """Yields `(images, labels)` of at most 250 images each, float32 and int32; without labels the latter are empty.

    Args:
        name: String, the name of the argument in errors.
        dataset: `tf.data.Dataset` of images, or of `(images, labels)`; or an array of images.
        labels: Bool, whether there must be labels; else they are dropped.

    Raises:
        ValueError: If these are not images in [-1, 1] of one shape.
    """
    if hasattr(dataset, "ndim") or hasattr(dataset, "shape"):
        dataset = [dataset]
    if checks.is_endless(dataset):
        raise ValueError(f"{name} must be finite. Received: one that repeats forever. Leave out repeat().")
    shape, low, high = None, np.inf, -np.inf
    for batch in dataset:
        images, y = _split(name, batch, labels)
        shape = shape or images.shape[1:]
        if images.shape[1:] != shape:
            raise ValueError(f"{name} must have images of one shape. Received: {shape} and {images.shape[1:]}.")
        for i in range(0, len(images), _BATCH):
            part = np.ascontiguousarray(images[i : i + _BATCH], "float32")
            low, high = min(low, part.min()), max(high, part.max())
            if not (low >= -1.001 and high <= 1.001):
                raise _out_of_range(name, low, high, labels)
            yield part, y[i : i + _BATCH]
    if shape is None or low == np.inf:
        raise ValueError(f"{name} must hold at least one batch. Received: an empty dataset.")
    if low >= 0:
        raise _out_of_range(name, low, high, labels)


def _out_of_range(name, low, high, labels):
    arguments = "x, y: (x * 2 - 1, y)" if labels else "x: x * 2 - 1"
    return ValueError(
        f"{name} must have images in [-1, 1], with values below 0. Received: values from {low:g} to {high:g}. "
        f"Rescale them, for example from [0, 1] by dataset.map(lambda {arguments})."
    )


def read(name, dataset, labels=False, limit=None, store=lambda images: images):
    """Reads images in the order of their hashes.

    Args:
        name: String, the name of the argument in errors.
        dataset: As for `batches`.
        labels: Bool, as for `batches`.
        limit: Int, how many images to keep: those with the smallest hashes, which depend only on the images. At most
            about twice this many images are in memory, whatever the size of the dataset. Defaults to None, all.
        store: Function of images, float32 `(batch, height, width, channels)`, that returns the part of them to keep.

    Returns:
        Tuple of the results of `store`, the labels, a hash of all that was kept, and the shape of an image.

    Raises:
        ValueError: If these are not images in [-1, 1] of one shape.
    """
    found, count, largest = ([], [], []), 0, None
    for images, y in batches(name, dataset, labels):
        shape = images.shape[1:]
        hashes = np.array(
            [hashlib.sha256(a.tobytes() + b.tobytes()).hexdigest() for a, b in zip(images, y, strict=True)]
        )
        if largest is not None:
            near = hashes < largest
            hashes, images, y = hashes[near], images[near], y[near]
        if len(hashes):
            for column, new in zip(found, (hashes, store(images), y), strict=True):
                column.append(new)
        count += len(hashes)
        if limit is not None and count >= 2 * limit:
            found = tuple([column] for column in _smallest(found, limit))
            count, largest = limit, found[0][0][-1]
    hashes, images, y = _smallest(found, limit)
    digest = hashlib.sha256("".join(hashes).encode() + str((len(hashes), *shape)).encode()).hexdigest()
    return images, y, digest, shape


def _split(name, batch, labels):
    pair = isinstance(batch, (tuple, list)) and len(batch) == 2
    if not pair and (labels or isinstance(batch, (tuple, list, dict))):
        raise ValueError(
            f"{name} must give {'(images, labels)' if labels else 'images'}. Received: a {type(batch).__name__}. "
            f"keras_gan.datasets.load gives them{' with labels=True' if labels else ''}."
        )
    images = ops.convert_to_numpy(batch[0] if pair else batch)
    # Labels are hashed only if there are any.
    y = ops.convert_to_numpy(batch[1]) if labels else np.empty((*images.shape[:1], 0), "int32")
    if images.ndim != 4 or (labels and (y.shape != images.shape[:1] or y.dtype.kind not in "iu")):
        expected = " and integer labels (batch,)" if labels else ""
        received = f" and labels of shape {y.shape}, {y.dtype}" if labels else ""
        raise ValueError(
            f"{name} must give images (batch, height, width, channels){expected}. "
            f"Received: images of shape {images.shape}{received}."
        )
    return images, y.astype("int32")


def _smallest(found, limit):
    hashes, images, labels = (np.concatenate(column) for column in found)
    order = np.argsort(hashes, kind="stable")[:limit]
    return hashes[order], images[order], labels[order]
