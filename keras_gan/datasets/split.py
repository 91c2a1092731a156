"""Splits of a set by hashes of file names, so that files added later do not move others."""

import bisect
import hashlib
import re

_SPLIT = re.compile(r"train(\[(?P<start>-?\d+(\.\d+)?%|-?\d+)?:(?P<stop>-?\d+(\.\d+)?%|-?\d+)?\])?")


def select(names, split, whole="folder", unit="images"):
    """Selects the part of a folder, or of another set, that belongs to a split.

    A name's place is its hash, scaled to [0, 1). `"train[90%:]"` has the names from 0.9 on; `"train[-16:]"` has the 16
    names with the highest hashes.

    Args:
        names: List of strings, at least one: paths below the folder, with slashes.
        split: String, `"train"` or a part of it, as TensorFlow Datasets writes it.
        whole: String, the name of the set in errors. Defaults to `"folder"`.
        unit: String, the name of its elements in errors. Defaults to `"images"`.

    Returns:
        List of ints, the numbers of the names that belong to it, in their order.

    Raises:
        ValueError: If there is no such split, it asks for more than there is, or it is empty.
    """
    match = _SPLIT.fullmatch(split) if isinstance(split, str) else None
    if match is None:
        raise ValueError(
            f"split of a {whole} must be 'train' or a part of it, such as 'train[:90%]', since a {whole} is one split. "
            f"Received: {split!r}. For {unit} to test with, load 'train[:90%]' and 'train[90%:]', or put them in a "
            f"{whole} of their own."
        )
    if split == "train":
        return list(range(len(names)))
    placed = sorted((place(name), name, i) for i, name in enumerate(names))
    places, order = [each[0] for each in placed], [each[2] for each in placed]
    everything = f"{len(names):,} {unit} of the {whole}"
    start = 0 if match["start"] is None else _position(match["start"], places, split, everything)
    stop = len(names) if match["stop"] is None else _position(match["stop"], places, split, everything)
    chosen = sorted(order[start:stop])
    if not chosen:
        raise ValueError(
            f"split must hold {unit}. Received: {split!r}, which has none of the {whole}'s {len(names):,} {unit}. Give "
            "a larger part."
        )
    return chosen


def place(name):
    """Returns a name's place in [0, 1), a float."""
    # Six bytes, which a float represents exactly.
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:6]) / 2**48


def _position(bound, places, split, everything):
    """Returns how many of the sorted places lie before a bound."""
    percent = bound.endswith("%")
    value, all_ = (float(bound[:-1]), 100) if percent else (int(bound), len(places))
    if abs(value) > all_:
        raise ValueError(
            f"split must not ask for more than {'100%' if percent else f'the {everything}'}. Received: {split!r}."
        )
    value = value + all_ if bound.startswith("-") else value
    # Multiplied, since the float 0.9 is not exactly nine tenths.
    return bisect.bisect_left(places, value, key=lambda x: x * 100) if percent else value
