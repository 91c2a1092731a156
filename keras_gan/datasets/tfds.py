"""Image sets of TensorFlow Datasets."""

import difflib
import os

import numpy as np

from keras_gan.datasets.pictures import collect, fit


def read(name, split, size, with_labels):
    """Reads an image set by its name, after downloading it where it is not prepared.

    Args:
        name: String.
        split: String, such as `"train[:90%]"`.
        size: `(height, width)`, or None for the images' own.
        with_labels: Bool, whether the labels are needed.

    Returns:
        Images `(n, height, width, channels)`, uint8, and labels `(n,)`, int32, 0 where they are not needed: NumPy
        arrays.

    Raises:
        ValueError: If the name or the split is unknown, the set can't be had, or it lacks what is asked for.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name)
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

    def examples():
        for example in tfds.as_numpy(dataset):
            labels.append(example["label"] if with_labels else 0)
            yield fit(example["image"], size)

    images = collect(examples(), n, f"Reading {name}", lambda i: f"number {i} of {name}")
    return images, np.array(labels, "int32")


def class_names(name):
    """Lists the classes of an image set in the order of their numbers.

    Args:
        name: String.

    Raises:
        ValueError: If the name is unknown, or the set has no labels.
    """
    features = _builder(name).info.features
    _check_features(features, name, (), True)
    return list(features["label"].names)


def _builder(name):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        known = ["digits", "mnist", "fashion_mnist", "cifar10", "celeb_a"]
        close = difflib.get_close_matches(name, [*known, *tfds.list_builders(with_community_datasets=False)], 3)
        # A folder is meant more often than a set of a similar name.
        if os.path.isdir(os.path.expanduser(name)):
            close = [f"folder:{name}"]
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"name must be a known dataset: {', '.join(map(repr, known))}, another image set of TensorFlow Datasets, "
            f"or 'folder:PATH'. Received: {name!r}.{hint}"
        ) from error


def _check_features(features, name, size, with_labels):
    if "image" not in features or len(features["image"].shape) != 3:
        raise ValueError(f"name must be an image set. Received: {name!r}, which has {sorted(features)}.")
    if size is None and None in features["image"].shape:
        raise ValueError(f"image_size must be given, such as 64: the images of {name!r} differ in size.")
    if with_labels and "label" not in features:
        raise ValueError(f"labels need a set that has them. Received: {name!r}, which has {sorted(features)}.")
