"""Image sets of TensorFlow Datasets."""

import difflib
import os

import numpy as np

from keras_gan.datasets.pictures import Pictures, fit


class ImageSet(Pictures):
    """Split of an image set, downloaded if it is not prepared.

    Args:
        name: String.
        split: String, such as `"train[:90%]"`.
        size: `(height, width)`, or None for the images' own.
        with_labels: Bool, whether the labels are needed.

    Raises:
        ValueError: If the name or the split is unknown, the set can't be obtained, or it lacks what is requested.
    """

    def __init__(self, name, split, size, with_labels):
        import tensorflow_datasets as tfds

        self.title, self.split, self.size = name, split, size
        self.builder = builder = _builder(name)
        features = builder.info.features
        _check_features(features, name, size, with_labels)
        _prepare(builder)
        # Read encoded, so that images before the first requested one are not decoded.
        self._is_encoded = isinstance(features["image"], tfds.features.Image)
        decoders = {"image": tfds.decode.SkipDecoding()} if self._is_encoded else None
        self._examples = _examples(builder, split, decoders)
        self._has_labels = "label" in features and features["label"].shape == ()
        *own, channels = features["image"].shape
        self.shape = (*(size or own), channels or 3)

    def __len__(self):
        return int(self._examples.cardinality())

    def decode(self, start=0):
        import tensorflow as tf
        import tensorflow_datasets as tfds

        feature = self.builder.info.features["image"]

        def unpack(example):
            image = feature.decode_example(example["image"]) if self._is_encoded else example["image"]
            return image, example["label"] if self._has_labels else tf.constant(0)

        for image, label in tfds.as_numpy(self._examples.skip(start).map(unpack, num_parallel_calls=os.cpu_count())):
            yield fit(image, self.size), int(label), None

    def key(self):
        info = self.builder.info
        return ["tfds", info.full_name, int(info.dataset_size), self.split, self.size]


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


def _prepare(builder):
    if builder.is_prepared():
        return
    try:
        builder.download_and_prepare()
    except Exception as error:
        raise ValueError(
            f"The dataset {builder.name!r} is not in {builder.data_dir} and could not be downloaded "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}). Without a network, "
            "set TFDS_DATA_DIR to a folder where it is prepared, or pass name='digits' or name='folder:PATH'."
        ) from error


def describe(name, split, with_labels, download):
    """Counts an image set's images and those of each class, without decoding any.

    Args:
        name: String.
        split: String.
        with_labels: Bool, whether the labels are needed.
        download: Bool, whether to download a set that is not prepared.

    Returns:
        The number of images, an int; a dict from the names of classes to how many images each has; and the shape of an
        image, as far as known. The counts are None if the set is not downloaded.

    Raises:
        ValueError: If the name or the split is unknown, or it lacks what is requested.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name)
    features = builder.info.features
    _check_features(features, name, (), with_labels)
    names = list(getattr(features["label"], "names", None) or ()) if "label" in features else []
    shape = features["image"].shape
    if download:
        _prepare(builder)
    if not builder.is_prepared():
        return None, dict.fromkeys(names), shape
    decoders = tfds.decode.PartialDecoding({"label": True}) if names else {"image": tfds.decode.SkipDecoding()}
    examples = _examples(builder, split, decoders)
    if not names:
        return int(examples.cardinality()), {}, shape
    labels = np.array([example["label"] for example in tfds.as_numpy(examples)])
    counts = np.bincount(labels, minlength=len(names)).tolist()
    return len(labels), dict(zip(names, counts, strict=True)), shape


def _examples(builder, split, decoders):
    try:
        return builder.as_dataset(split=split, decoders=decoders)
    except ValueError as error:
        raise ValueError(
            f"split of {builder.name!r} must be made of {sorted(builder.info.splits)}. Received: {split!r}."
        ) from error


def _builder(name):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        known = ["digits", "mnist", "fashion_mnist", "cifar10", "celeb_a"]
        close = difflib.get_close_matches(name, [*known, *tfds.list_builders(with_community_datasets=False)], 3)
        # A folder is more likely meant than a set with a similar name.
        is_folder = os.path.isdir(os.path.expanduser(name))
        if is_folder:
            close = [f"folder:{name}"]
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        if not is_folder:
            hint += " There is no folder of that name."
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
