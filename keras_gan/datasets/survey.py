"""Surveys of image sets and of pairs, which only read headers."""

import collections
import dataclasses

from keras_gan.datasets import digits, folder, tfds
from keras_gan.datasets.names import check_name
from keras_gan.datasets.pairs import Pairs


@dataclasses.dataclass(frozen=True)
class Survey:
    """Contents of a set of images.

    Attributes:
        count: Int, how many images the split has, those that can't be read included; None for a set that is not
            downloaded.
        names: List of strings, for a folder: the images' paths below it, with slashes, in the order of the set. None
            for other sets.
        classes: Dict from the names of classes, in the order of the labels, to how many images of the split each has,
            or to None for a set that is not downloaded; empty without labels.
        sizes: Three pairs `(height, width)`: the smallest, the median and the largest size by area; None if they are
            unknown.
        modes: Dict from Pillow's color modes, such as `"RGB"`, to how many images have each, the most frequent first.
        unreadable: Dict from the names of images whose headers can't be read to the reasons.
        others: List of strings, for a folder: files of other kinds, such as .tif, in the whole folder.
    """

    count: int | None
    names: list | None
    classes: dict
    sizes: tuple | None
    modes: dict
    unreadable: dict
    others: list


@dataclasses.dataclass(frozen=True)
class PairsSurvey:
    """Contents of a set of pairs. Attributes that are pairs hold one value for `a` and one for `b`.

    Attributes:
        count: Int, how many pairs the split has, those that can't be used included.
        names: List of strings, the pairs' names, in the order of the set.
        groups: Dict from the names of groups to how many pairs of the split each has; empty without groups.
        sizes: Three sizes `(height, width)` for `a` and three for `b`: the smallest, the median and the largest by
            area, of the pairs that can be used. None if there are no such pairs.
        modes: Pair of dicts from Pillow's color modes, such as `"RGB"`, to how many images have each.
        unreadable: Dict from the names of unusable pairs to the reasons: a header can't be read, the two images have
            different aspect ratios, or an image with both halves has an odd width.
        unmatched: Pair of lists of strings, the names of images without a partner, of the whole folders.
        others: Pair of lists of strings, files of other kinds, such as .tif, of the whole folders.
    """

    count: int
    names: list
    groups: dict
    sizes: tuple | None
    modes: tuple
    unreadable: dict
    unmatched: tuple
    others: tuple


def survey(name, split="train", labels=False, download=False):
    """Tells what a set of images holds. For a folder, it reads only names and headers, which takes seconds for
    thousands of files; for other sets it counts labels, without decoding images.

    Args:
        name: String, as in `load`.
        split: String, as in `load`. Defaults to `"train"`.
        labels: Bool, whether each image must have a label, as in `load`. Defaults to False.
        download: Bool, whether a set of TensorFlow Datasets that is not prepared is downloaded. If False, the images of
            such a set are not counted. Defaults to False.

    Returns:
        `Survey`, with `count`, `names`, `classes`, `sizes`, `modes`, `unreadable` and `others`.

    Raises:
        ValueError: If the name or the split is unknown, a folder holds no image, or there are no labels.
        ImportError: If the package with the data is missing.

    Example:

    ```python
    found = keras_gan.datasets.survey("digits")
    found.count  # 4000
    list(found.classes)[:3]  # ["0", "1", "2"]
    found.sizes[1]  # (28, 28)
    ```
    """
    check_name(name)
    if name == "digits":
        pictures = digits.Digits(split, None)
        counts = collections.Counter(pictures.labels.tolist())
        classes = {each: counts[i] for i, each in enumerate(digits.class_names())}
        return _uniform(len(pictures), classes, pictures.shape)
    if name.startswith("folder:"):
        return _of_folder(folder.Folder(name.removeprefix("folder:"), split, with_labels=labels))
    return _uniform(*tfds.describe(name, split, labels, download))


def _uniform(count, classes, shape):
    sizes = None if None in shape else (shape[:2],) * 3
    modes = {mode: count for channels, mode in {1: "L", 3: "RGB", 4: "RGBA"}.items() if channels == shape[2]}
    return Survey(count, None, classes, sizes, modes, {}, [])


def survey_pairs(a, b=None, split="train", group=None):
    """Tells what folders of pairs hold. It reads only names and headers, which takes seconds for thousands of files.

    Args:
        a: Path of a folder, as in `load_pairs`.
        b: Path of the partners' folder, or None for images side by side. Defaults to None.
        split: String, as in `load_pairs`. Defaults to `"train"`.
        group: Function, regular expression or None, as in `load_pairs`. Defaults to None.

    Returns:
        `PairsSurvey`, with `count`, `names`, `groups`, `sizes`, `modes`, `unreadable`, `unmatched` and `others`.

    Raises:
        ValueError: If there is no such folder or split, a folder holds no image or several of one name, or no image
            has a partner.
        TypeError: If the folders are not paths, or groups are of the wrong type.

    Example:

    ```python
    from pathlib import Path

    for folder in ("outlines", "drawings"):
        Path(folder).mkdir()
        keras_gan.images.save(f"{folder}/1.png", np.zeros((32, 48, 3), "uint8"))
    found = keras_gan.datasets.survey_pairs("outlines", "drawings")
    found.count  # 1
    [median for _, median, _ in found.sizes]  # [(32, 48), (32, 48)]
    ```
    """
    pairs = Pairs(a, b, split, group)
    good, unreadable = [], {}
    for name, (found, reason) in zip(pairs.names, pairs.headers(), strict=True):
        if reason is None:
            good.append(found)
        else:
            unreadable[name] = reason
    sides = list(zip(*good, strict=True)) or [(), ()]
    others = [[p.relative_to(each.folder).as_posix() for p in each.others] for each in pairs.folders]
    return PairsSurvey(
        count=len(pairs),
        names=pairs.names,
        groups=dict(collections.Counter(pairs.groups or ())),
        sizes=tuple(_spread([size for size, _ in side]) for side in sides) if good else None,
        modes=tuple(dict(collections.Counter(mode for _, mode in side).most_common()) for side in sides),
        unreadable=unreadable,
        unmatched=pairs.unmatched,
        # Images side by side lie in one folder.
        others=(others[0], others[-1]),
    )


def _spread(sizes):
    """Returns the smallest, the median and the largest of sizes by area, or None."""
    sizes = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return (sizes[0], sizes[(len(sizes) - 1) // 2], sizes[-1]) if sizes else None


def _of_folder(pictures):
    sizes, modes, unreadable = [], collections.Counter(), {}
    for name, (found, reason) in zip(pictures.names, pictures.headers(), strict=True):
        if reason is None:
            sizes.append(found[0])
            modes[found[1]] += 1
        else:
            unreadable[name] = reason
    counts = collections.Counter(name.partition("/")[0] for name in pictures.names if "/" in name)
    return Survey(
        count=len(pictures),
        names=pictures.names,
        classes={each: counts[each] for each in pictures.classes},
        sizes=_spread(sizes),
        modes=dict(modes.most_common()),
        unreadable=unreadable,
        others=[p.relative_to(pictures.folder).as_posix() for p in pictures.others],
    )
