"""Conversion of batches of images from any source to those that GANs take."""

import numpy as np

from keras_gan.datasets.pictures import fit

_CHANNELS = (1, 3, 4)
# Resizing can produce values slightly beyond the range.
_MARGIN = 0.1


class Standard:
    """Converter of batches of images to images in [-1, 1] of one size, by its method `images`. (`to_integers` converts
    labels.)

    Args:
        first: Images of the first batch, an array `(batch, ...)`.
        size: `(height, width)`, or None for the images' own.
        data_range: `(low, high)`, or None for that of the first batch.

    Attributes:
        shape: `(height, width, channels)` of an image that it returns.

    Raises:
        ValueError: If the shape or the range of the images is not supported.
    """

    def __init__(self, first, size, data_range):
        first = channels_last(first)
        self._range = data_range or find_range(first)
        self._size = size
        self.shape = (*(size or first.shape[1:3]), first.shape[3])

    def images(self, images):
        """Returns images `(batch, height, width, channels)`, float32 in [-1, 1]."""
        images, (low, high) = channels_last(images), self._range
        margin = _MARGIN * (high - low)
        least, most = images.min(initial=high), images.max(initial=low)
        if not (low - margin <= least and most <= high + margin):
            raise ValueError(
                f"images must lie in [{low}, {high}], the range of data_range or of the first batch. Received: values "
                f"from {least} to {most}. Pass data_range=(low, high), the values of black and white."
            )
        if self._size is not None and images.shape[1:3] != self._size:
            images, low, high = np.stack([fit(x, self._size) for x in to_bytes(images, (low, high))]), 0, 255
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"images must have one shape. Received: {self.shape} and {images.shape[1:]}. Pass image_size, such "
                "as 64, if only their sizes differ."
            )
        return np.clip((images.astype("float32") - low) / np.float32((high - low) / 2) - 1, -1, 1)


def to_bytes(images, data_range):
    """Returns images of a range as uint8, rounded."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    low, high = data_range
    return np.clip(np.rint((images.astype("float32") - low) * (255 / (high - low))), 0, 255).astype("uint8")


def channels_last(images, name="data"):
    """Returns images as `(batch, height, width, channels)`. Adds a channel axis to gray images that have none, and
    moves channels that come first to the end.

    Args:
        images: Array.
        name: String, the name in errors. Defaults to `"data"`.

    Raises:
        ValueError: If they are of another shape.
        TypeError: If they are not numbers.
    """
    if images.dtype.kind not in "iufb":
        raise TypeError(f"{name} must hold images, arrays of numbers. Received: dtype {images.dtype}.")
    if images.ndim == 3 and images.shape[2] not in _CHANNELS:
        return images[..., None]
    if images.ndim == 4:
        if images.shape[3] in _CHANNELS:
            return images
        if images.shape[1] in _CHANNELS:
            return np.moveaxis(images, 1, 3)
    hint = " Put images into batches, by .batch() or batch_size=." if images.ndim in (2, 3) else ""
    raise ValueError(
        f"{name} must hold images (batch, height, width, channels), (batch, channels, height, width) or (batch, "
        f"height, width), with 1, 3 or 4 channels. Received: shape {images.shape}.{hint}"
    )


def find_range(images, name="images", advice="Pass data_range=(low, high), the values of black and white."):
    """Infers the values of black and white, `(low, high)`, from some images.

    Args:
        images: Array.
        name: String, the name in errors. Defaults to `"images"`.
        advice: String, what to do if that fails. Defaults to that of `from_dataset`.

    Raises:
        ValueError: If they are in no known range.
    """
    if images.dtype == np.uint8:
        return 0, 255
    least, most = float(images.min()), float(images.max())
    # In a wrong range, images become black or lose their contrast.
    plausible = {(0, 1): True, (-1, 1): least < -_MARGIN, (0, 255): most > 2 and least >= -_MARGIN * most}
    for (low, high), possible in plausible.items():
        margin = _MARGIN * (high - low)
        if possible and low - margin <= least and most <= high + margin:
            return low, high
    raise ValueError(
        f"{name} must lie in [0, 255], [0, 1] or [-1, 1]. Received: values from {least} to {most}. {advice}"
    )


def to_integers(labels, n):
    """Returns labels `(n,)`, int32, from integers of any type, `(n,)` or `(n, 1)`, or one-hot `(n, classes)`.

    Raises:
        ValueError: If they have another form.
    """
    if labels.dtype.kind in "iufb" and len(labels) == n and n:
        flat = labels.reshape(n) if labels.shape in ((n,), (n, 1)) else None
        if flat is None and labels.ndim == 2 and ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all():
            flat = labels.argmax(1)
        if flat is not None and np.isfinite(flat).all() and (flat == np.round(flat)).all() and flat.min() >= 0:
            return flat.astype("int32")
    raise ValueError(
        "labels must be integers >= 0, (batch,) or (batch, 1), or one-hot, (batch, classes). Received: "
        f"{labels.dtype} of shape {labels.shape}{f', such as {labels.flat[0]!r}' if labels.size else ''}. Pass "
        "labels=False to leave them out."
    )


def check_batch(images, labels, weights, with_labels):
    """Raises an error unless a batch, or all data, are images and, if requested, labels."""
    if isinstance(images, dict):
        raise TypeError(
            f"data must give images or (images, labels). Received: a dict of {', '.join(map(repr, images))}. Take both "
            "out of it, as dataset.map(lambda batch: (batch[IMAGES], batch[LABELS])) does."
        )
    if not hasattr(images, "shape"):
        raise TypeError(f"data must give images or (images, labels), arrays. Received: a {type(images).__name__}.")
    if weights is not None:
        raise ValueError(
            "data must give images or (images, labels), without weights. Received: (images, labels, weights). Remove "
            "the weights; to learn more from some examples, repeat them."
        )
    if with_labels and labels is None:
        raise ValueError(
            "data must give (images, labels) with labels=True. Received: only images. Pass labels=False to train "
            "without them."
        )
