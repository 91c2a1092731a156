"""Pairs of images, sources and targets, for translation from one kind of image to another."""

import functools
import logging
import os
import re

import numpy as np

from keras_gan.checks import check_integer, streams
from keras_gan.datasets import decode, folder
from keras_gan.datasets.batches import find_range
from keras_gan.datasets.convert import as_images, at_size
from keras_gan.datasets.load import check_channels, check_reading, keep
from keras_gan.datasets.order import Order
from keras_gan.datasets.pictures import Pictures, fit
from keras_gan.datasets.pipeline import degraded_pipeline, pair_pipeline
from keras_gan.datasets.split import select


def load_pairs(
    a,
    b=None,
    *,
    batch_size,
    split="train",
    image_size=None,
    scale=1,
    direction="a_to_b",
    group=None,
    seed=None,
    on_error="raise",
    channels=None,
    target_channels=None,
    cache=None,
    flip=False,
    crop=0,
    degrade=None,
):
    """Loads pairs of images, a source and its target, for training: shuffled, batched and prefetched as by `load`.

    Args:
        a: Path of a folder of images, or an array of images as `from_dataset` takes it.
        b: A folder, or an array, of the partners of the images in `a`. Two folders are matched by the files' paths
            below them, without suffixes: `a/x/1.jpg` belongs to `b/x/1.png`. In two arrays, images with the same index
            belong together; the arrays are not copied, and memory-mapped ones stay on disk, unless `image_size` resizes
            them. Defaults to None: `a` is a folder of images that hold both side by side, the image of `a` on the left
            and that of `b` on the right; or, with `degrade`, a folder or an array of targets.
        batch_size: Int > 0. The last batch of an epoch may be smaller.
        split: `"train"` or a part of it, as for folders in `load`. It depends only on the names of the pairs: for two
            folders the paths by which files are matched, for one folder the paths with suffixes, for arrays the
            indices.
        image_size: Int, or `(height, width)`, of the targets: crop the center to that aspect ratio and resize. Defaults
            to None, the images' own size, which must then be the same for all.
        scale: Int > 0, the ratio of target size to source size, in height and in width. Defaults to `1`.
        direction: `"a_to_b"`, or `"b_to_a"` for sources from `b` and targets from `a`. Defaults to `"a_to_b"`.
        group: Groups of pairs that a split never separates, such as photographs of one person: a function from a pair's
            name to a string, the name of its group; or a regular expression, which must be found in each name. The
            matched text is the name of the group. If the expression has parentheses, the first captured group is used
            instead. For arrays, a list or an array of strings or integers, one for each pair. The split is then chosen
            by hashes of the groups' names, and its bounds, such as 16 in `"train[-16:]"`, count groups and not pairs.
            Defaults to None, each pair alone.
        seed: Int, makes the order reproducible, as in `load`. Defaults to None, drawn at random.
        on_error: What to do if an image in a folder can't be read, if the two images of a pair have different aspect
            ratios (or, without `image_size`, sizes that don't fit `scale`), if an image has no partner, or if there are
            files of other kinds: `"raise"`, or `"skip"`; the logger `keras_gan` then reports how many were left out and
            which. Defaults to `"raise"`.
        channels: Int, the number of channels of sources from folders: 1, 3 or 4, as in `load`. Defaults to None, 3;
            arrays have their own.
        target_channels: Int, the same for targets. Defaults to None, 3.
        cache: Where decoded pairs are kept, as in `load`. Must be None for arrays.
        flip: Bool, whether to mirror both images of a pair, with probability one half. Defaults to False.
        crop: Int >= 0: targets are read this many pixels higher and wider than `image_size`, which must be given.
            Sources are read larger in proportion. The same random window is then cropped from both. Defaults to `0`.
        degrade: Int > 1, for super-resolution: `a` holds only targets, each a whole image, and sources are made from
            them, `degrade` times smaller in each direction. A source is the target blurred a little, by a Gaussian
            whose standard deviation is 0.3 pixels of the source, and shrunk by area, with noise whose standard
            deviation is 2 on the scale from 0 to 255. With `flip` or `crop`, the noise is drawn anew in each pass, as
            mirroring and windows are. Without them, as for held-out pairs, each image always has the same noise.
            `channels` are then those of both sources and targets; `b` and `target_channels` must be None; `scale` and
            `direction` must be left out. A cache holds the targets. Defaults to None: sources are read, not made.

    Returns:
        `tf.data.Dataset` of known length, of `(sources, targets)`, both `(batch, height, width, channels)`, float32 in
        [-1, 1].

    Raises:
        ValueError: If images have no partner, are of sizes that don't fit, or can't be read (all are counted, the first
            ten named), if both folders are the same or one is inside the other, or if an argument has a value other
            than those above.
        TypeError: If `a` and `b` are not both folders or both arrays, or if `group` has the wrong type for folders.
        OSError: If a cache can't be written.

    Example:

    ```python
    maps = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), "uint8")
    train = keras_gan.datasets.load_pairs(maps, 255 - maps, batch_size=4, split="train[:80%]", flip=True)
    sources, targets = next(iter(train))
    sources.shape  # (4, 16, 16, 3)

    enlarge = keras_gan.datasets.load_pairs(maps, batch_size=4, degrade=2)
    sources, targets = next(iter(enlarge))
    sources.shape, targets.shape  # ((4, 8, 8, 3), (4, 16, 16, 3))
    ```
    """
    size = check_reading(batch_size, image_size, seed, on_error, cache, flip, crop)
    scale = check_integer("scale", scale)
    if direction not in ("a_to_b", "b_to_a"):
        raise ValueError(f"direction must be 'a_to_b' or 'b_to_a'. Received: {direction!r}.")
    if degrade is not None:
        degrade = _check_degrade(degrade, b, scale, direction, target_channels)
    if size is not None and any(n % scale for n in (*size, crop)):
        raise ValueError(
            f"image_size and crop must be divisible by scale, here {scale}: they are for targets, and sources are "
            f"{scale} times smaller. Received: image_size={image_size!r}, crop={crop}."
        )
    sizes = None if size is None else (tuple(n // scale for n in size), size)
    turned, rows = direction == "b_to_a", None
    are_arrays = hasattr(a, "shape") or hasattr(b, "shape")
    if are_arrays:
        for name, value in (("channels", channels), ("target_channels", target_channels), ("cache", cache)):
            if value is not None:
                raise ValueError(f"{name} must be None for arrays, which are taken as they are. Received: {value!r}.")
    if degrade is not None:
        images, values, rows = _targets(a, split, group, size, channels, on_error, cache, degrade, crop)
        order = Order(seed, len(images) if rows is None else len(rows), with_numbers=bool(flip or crop))
        return degraded_pipeline(images, order, int(batch_size), degrade, bool(flip), int(crop), values, rows)
    if are_arrays:
        parts, rows = _arrays(a, b, split, group, sizes, scale, turned)
    else:
        counts = tuple(3 if count is None else count for count in (channels, target_channels))
        check_channels("channels", counts[0])
        check_channels("target_channels", counts[1])
        pairs = Pairs(a, b, split, group, sizes, scale, counts, turned, on_error)
        parts = [(images, (0, 255)) for images in _unpack(keep(pairs, cache)[0], counts[0], scale)]
    _warn_if_same(*(images for images, _ in parts))
    order = Order(seed, len(parts[0][0]) if rows is None else len(rows), with_numbers=bool(flip or crop))
    return pair_pipeline(parts, order, int(batch_size), bool(flip), int(crop), rows)


def _check_degrade(degrade, b, scale, direction, target_channels):
    """Returns `degrade` as an int. Raises a ValueError if another argument that describes sources is given."""
    degrade = check_integer("degrade", degrade, 2)
    partner = None if b is None else f"a {type(b).__name__}"
    for name, value, default in (
        ("b", partner, None),
        ("scale", scale, 1),
        ("direction", direction, "a_to_b"),
        ("target_channels", target_channels, None),
    ):
        if value != default:
            raise ValueError(
                f"{name} must be {default!r} with degrade, which makes sources from the targets in a. "
                f"Received: {value}, and degrade={degrade}."
            )
    return degrade


def _targets(a, split, group, size, channels, on_error, cache, degrade, crop):
    """Returns the images to make sources from, their values of black and white, and the indices of the images to use,
    or None for all."""
    if hasattr(a, "shape"):
        images, values = _array(a, "a")
        rows = _rows(len(images), split, group)
        _check_divides(degrade, size or images.shape[1:3], crop)
        return *at_size(images, size, values), rows
    if channels is not None:
        check_channels("channels", channels)
    pictures = _folder("a", a, on_error, size, int(channels or 3))
    chosen = _select(pictures.names, None if group is None else _groups(pictures.names, group), split)
    pictures.files, pictures.names = ([each[i] for i in chosen] for each in (pictures.files, pictures.names))
    _check_divides(degrade, pictures.shape[:2], crop)
    return keep(pictures, cache)[0], (0, 255), None


def _check_divides(degrade, size, crop):
    size = tuple(n - crop for n in size)
    if any(n % degrade for n in size):
        raise ValueError(
            f"image_size must be divisible by degrade, here {degrade}. Received: targets of {_by(size)} pixels."
        )


class Pairs(Pictures):
    """Pairs from two folders, or from one folder of side-by-side images, in the order of their names.

    A decoded pair is one array `(height, width, channels)` of the source's height and width. It holds the bytes of the
    source, followed by those of the target.

    Args:
        a: Path of a folder.
        b: Path of another, or None for images side by side.
        split: `"train"`, or a part of it. Defaults to `"train"`.
        group: Function, regular expression or None. Defaults to None.
        sizes: Two pairs `(height, width)`, of sources and targets; or None for their own. Defaults to None.
        scale: Int, how many times as large targets are. Defaults to `1`.
        channels: Pair of ints, the number of channels of sources and of targets: 1, 3 or 4. Defaults to `(3, 3)`.
        turned: Bool, whether sources are those of `b`. Defaults to False.
        on_error: `"raise"` or `"skip"`. Defaults to None: files of other kinds and images
            without a partner are skipped without a message.

    Attributes:
        folders: List of `Folder`, one or two.
        names: List of strings, the names of the split's pairs.
        groups: List of strings, the names of their groups; None without groups.
        unmatched: Pair of lists of strings: the names of images without a partner, of both whole folders.

    Raises:
        ValueError: If there are no such folders, no pairs or no such split, or images have no partner.
        TypeError: If the folders are not paths, or groups are of the wrong type.
    """

    def __init__(
        self, a, b, split="train", group=None, sizes=None, scale=1, channels=(3, 3), turned=False, on_error=None
    ):
        self.sizes, self.scale, self.channels, self.turned, self.on_error = sizes, scale, channels, turned, on_error
        if b is None and scale > 1 and sizes is None:
            raise ValueError(
                f"image_size must be given for images side by side at scale={scale}, since both halves have the same "
                "size. Received: None."
            )
        self.folders = [_folder("a", a, on_error)] if b is None else _two_folders(a, b, on_error)
        self.title = " and ".join(each.title for each in self.folders)
        if b is None:
            self.unmatched = [], []
            found = {name: (file,) for name, file in zip(self.folders[0].names, self.folders[0].files, strict=True)}
        else:
            found, self.unmatched = _match(*self.folders)
            if any(self.unmatched) and on_error is not None:
                self._report_unmatched()
        names = list(found)
        groups = None if group is None else _groups(names, group)
        chosen = _select(names, groups, split)
        self.names = [names[i] for i in chosen]
        self.groups = None if groups is None else [groups[i] for i in chosen]
        self._files = [found[name] for name in self.names]

    def __len__(self):
        return len(self.names)

    @functools.cached_property
    def shape(self):
        if self.sizes is None:
            found = (self._turn(found)[0][0] for found, reason in self.headers() if reason is None)
            size = next(found, (1, 1))
        else:
            size = self.sizes[0]
        return (*size, self.channels[0] + self.scale**2 * self.channels[1])

    def key(self):
        stamps = [(name, *map(folder.stamp, files)) for name, files in zip(self.names, self._files, strict=True)]
        return ["pairs", self.sizes, self.scale, self.channels, self.turned, stamps]

    def name_of(self, i):
        return self.names[i]

    def report(self, bad):
        folder.report(self, bad, f"pairs in {self.title} can't be used")

    def headers(self):
        """Reads the headers of the files.

        Yields:
            For each pair, two values. First `(height, width)` and the color mode of the image in `a`, and the same for
            `b`; None if the pair can't be used. Then the reason why it can't be used, or None.
        """
        return folder.attempts(self._header, self._files)

    def decode(self, start=0):
        # Images of their own sizes may be large.
        at_once = 1 if self.sizes is None else 16
        for image, reason in folder.attempts(self._read, self._files[start:], at_once):
            yield image, 0, reason

    def _header(self, files):
        if len(files) == 2:
            found = [self._attempt(i, decode.header, file) for i, file in enumerate(files)]
            _check_shapes(*(size for size, _ in found))
            return found
        (height, width), mode = decode.header(files[0])
        if width % 2:
            raise ValueError(f"{width} pixels wide, and two halves side by side need an even width")
        return [((height, width // 2), mode)] * 2

    def _read(self, files):
        # Checks the sizes in the headers first: decoding takes longer.
        found = self._turn(self._header(files))
        if self.sizes is None:
            _check_scale(*(size for size, _ in found), self.scale)
        source, target = self._turn(self._images(files))
        # A header may give the wrong size.
        _check_scale(source.shape[:2], target.shape[:2], self.scale)
        content = np.concatenate([source.reshape(-1), target.reshape(-1)])
        return content.reshape(*source.shape[:2], -1)

    def _images(self, files):
        """Decodes the images of `a` and of `b`."""
        sizes, channels = self._turn(self.sizes or (None, None)), self._turn(self.channels)
        if len(files) == 2:
            options = zip(files, sizes, channels, strict=True)
            return [self._attempt(i, decode.read, *each) for i, each in enumerate(options)]
        whole = {count: decode.read(files[0], None, count) for count in set(channels)}
        halves = [np.split(whole[count], 2, axis=1)[i] for i, count in enumerate(channels)]
        return [fit(half, size) for half, size in zip(halves, sizes, strict=True)]

    def _turn(self, both):
        """Converts a pair from the order (a, b) to (source, target), or back."""
        return both[::-1] if self.turned else both

    def _attempt(self, i, function, file, *args):
        try:
            return function(file, *args)
        except Exception as error:
            name = file.relative_to(self.folders[i].folder).as_posix()
            raise ValueError(f"{name} of {'ab'[i]}: {decode.reason(error)}") from error

    def _report_unmatched(self):
        listed = " and ".join(
            f"{len(names)} of {each.title} ({_some(names)})"
            for names, each in zip(self.unmatched, self.folders, strict=True)
            if names
        )
        if self.on_error == "raise":
            raise ValueError(
                "a and b must hold images of the same names, apart from suffixes. Received: some without a partner, "
                f"{listed}. Rename them or take them out, or pass on_error='skip' to go on without them."
            )
        logging.getLogger("keras_gan").warning(f"Images without a partner are left out: {listed}.")


def _folder(name, path, on_error, size=None, channels=3):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a folder, or an array. Received: a {type(path).__name__}.")
    if not os.path.isdir(os.path.expanduser(path)):
        raise ValueError(f"{name} must be a folder that exists. Received: {os.fspath(path)!r}.")
    return folder.Folder(os.fspath(path), "train", size, channels=channels, on_error=on_error)


def _two_folders(a, b, on_error):
    found = [_folder(name, path, on_error) for name, path in (("a", a), ("b", b))]
    check_apart(*found, same_hint=" Pass b=None for images side by side.")
    return found


def check_apart(a, b, same_hint=""):
    """Raises a ValueError if one of two `Folder`s lies in the other; the hint is added if both are the same."""
    first, second = (each.folder.resolve() for each in (a, b))
    if first.is_relative_to(second) or second.is_relative_to(first):
        raise ValueError(
            f"a and b must be two folders, neither inside the other. Received: {a.title} and {b.title}."
            f"{same_hint if first == second else ''}"
        )


def _match(a, b):
    """Matches the files of two folders.

    Returns:
        Dict from names to pairs of files; and a pair of lists, the names that only one folder has.
    """
    found = [_by_name(each) for each in (a, b)]
    names, others = found
    matched = {name: (file, others[name]) for name, file in names.items() if name in others}
    if not matched:
        raise ValueError(
            "a and b must hold images of the same names, apart from suffixes. Received: no name in both, for example "
            f"{a.names[0]} in {a.title} and {b.names[0]} in {b.title}. Rename the images of one folder."
        )
    # Sorted, so that the order does not depend on which folder is `a`.
    return dict(sorted(matched.items())), tuple([name for name in each if name not in matched] for each in found)


def _by_name(each):
    """Returns a dict from the names of a folder's images, without suffixes, to their files."""
    found, twice = {}, []
    for file, path in zip(each.files, each.names, strict=True):
        name = os.path.splitext(path)[0]
        if name in found:
            twice.append(path)
        found[name] = file
    if twice:
        raise ValueError(
            f"{each.title} must not hold images whose names differ only in the suffix. Received: {len(twice)} such "
            f"({_some(twice)}). Rename them or take them out."
        )
    return found


def _groups(names, group):
    """Returns the names of the groups that pairs belong to."""
    if callable(group):
        groups = [group(name) for name in names]
        wrong = [each for each in groups if not isinstance(each, str)]
        if wrong:
            raise TypeError(f"group must return strings. Received: {wrong[0]!r}.")
        return groups
    if not isinstance(group, (str, re.Pattern)):
        raise TypeError(
            f"group must be a function from names to strings, or a regular expression. Received: {group!r}."
        )
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ValueError(f"group must be a regular expression. Received: {group!r} ({error}).") from error
    matches = [pattern.search(name) for name in names]
    groups = [match and match[1 if pattern.groups else 0] for match in matches]
    lost = [name for name, each in zip(names, groups, strict=True) if not each]
    if lost:
        raise ValueError(
            f"group must name the group of each pair. Received: {group!r}, which finds none in {len(lost)} of "
            f"{len(names)} names ({_some(lost)})."
        )
    return groups


def _select(names, groups, split):
    """Returns the numbers of the pairs that belong to a split: whole groups of them."""
    if groups is None:
        return select(names, split, "set", "pairs")
    each = sorted(set(groups))
    chosen = {each[i] for i in select(each, split, "set", "groups")}
    return [i for i, group in enumerate(groups) if group in chosen]


def _some(names):
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _arrays(a, b, split, group, sizes, scale, turned):
    """Returns two parts, sources and targets, each a pair of its array and its values of black and white; and the
    indices of the pairs to use, or None for all."""
    parts = []
    for name, value in (("a", a), ("b", b)):
        if not hasattr(value, "shape"):
            raise TypeError(
                f"a and b must both be arrays, or both folders. Received: a {type(value).__name__} for {name}."
            )
        parts.append(_array(value, name))
    n, others = (len(images) for images, _ in parts)
    if n != others:
        raise ValueError(f"a and b must be of equal length. Received: {n:,} and {others:,} images.")
    rows = _rows(n, split, group)
    parts = parts[::-1] if turned else parts
    own = [images.shape[1:3] for images, _ in parts]
    try:
        if sizes is None:
            _check_scale(*own, scale)
        else:
            _check_shapes(*own)
    except ValueError as error:
        raise ValueError(f"a and b must have sizes that fit each other: {error}.") from error
    if sizes is not None:
        parts = [at_size(images, size, values) for (images, values), size in zip(parts, sizes, strict=True)]
    return parts, rows


def _array(value, name):
    """Returns images, and their values of black and white."""
    images = as_images(value, name)
    return images, find_range(images[:1000], name, "Scale them to one of these.")


def _rows(n, split, group):
    """Returns which of n images in an array belong to a split, None for all of them."""
    groups = None if group is None else _groups_of_arrays(group, n)
    chosen = _select([str(i) for i in range(n)], groups, split)
    return None if len(chosen) == n else np.array(chosen)


def _groups_of_arrays(group, n):
    values = np.asarray(streams.plain(group))
    if values.shape != (n,) or not all(isinstance(each, (str, int)) for each in values.tolist()):
        received = f"{values.dtype} of shape {values.shape}" if values.ndim else repr(group)
        raise ValueError(
            f"group must be {n} strings or integers, one for each pair of the arrays. Received: {received}."
        )
    return [str(each) for each in values.tolist()]


def _check_shapes(source, target):
    """Raises a ValueError unless two sizes `(height, width)` have the same aspect ratio, up to one pixel of the smaller
    image."""
    if abs(source[0] * target[1] - target[0] * source[1]) > max(*source, *target):
        raise ValueError(f"{_by(source)} and {_by(target)} pixels have different aspect ratios")


def _check_scale(source, target, scale):
    """Raises a ValueError unless the second size is `scale` times the first."""
    if tuple(target) != tuple(scale * n for n in source):
        expected = "both must be of one size" if scale == 1 else f"the target must be {scale} times as large"
        raise ValueError(f"source {_by(source)} and target {_by(target)} pixels: without image_size {expected}")


def _by(size):
    return f"{size[1]}x{size[0]}"


def _unpack(images, channels, scale):
    """Returns sources and targets as views of decoded pairs."""
    n, height, width, _ = images.shape
    # Without the overhead of memmap slices.
    flat, count = np.asarray(images).reshape(n, -1), height * width * channels
    sources = flat[:, :count].reshape(n, height, width, channels)
    return sources, flat[:, count:].reshape(n, scale * height, scale * width, -1)


def _warn_if_same(sources, targets):
    if sources.shape == targets.shape and all(map(np.array_equal, sources, targets)):
        logging.getLogger("keras_gan").warning(
            "Sources and targets are the same images, so that there is nothing to learn: a and b may be the wrong ones."
        )
