"""Names of sets of images, and of their classes."""

import os

from keras_gan.datasets import digits, folder, tfds


def class_names(name):
    """Lists the classes of a set of images in the order of the labels that `load` gives them.

    Args:
        name: String, as in `load`.

    Returns:
        List of strings. For a folder these are the names of its subfolders: images with a label lie in `names[label]`.

    Raises:
        ValueError: If the name is unknown, or a TensorFlow set has no labels.

    Example:

    ```python
    keras_gan.datasets.class_names("digits")[7]  # "7"
    # With the subfolders photos/cats and photos/dogs:
    keras_gan.datasets.class_names("folder:photos")  # ["cats", "dogs"]
    ```
    """
    check_name(name)
    if name == "digits":
        return digits.class_names()
    if name.startswith("folder:"):
        return folder.class_names(name.removeprefix("folder:"))
    return tfds.class_names(name)


def check_name(name):
    """Raises a ValueError unless `name` is a string."""
    if not isinstance(name, str):
        hint = f" Pass {f'folder:{name}'!r}." if isinstance(name, os.PathLike) else ""
        raise ValueError(f"name must be a string, such as 'digits' or 'folder:PATH'. Received: {name!r}.{hint}")
