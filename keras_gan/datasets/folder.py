"""A folder of image files."""

import collections
import functools
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_gan.datasets import decode
from keras_gan.datasets.pictures import Pictures
from keras_gan.datasets.split import select

# Files next to images that are not images: notes, tables and system files.
_SIDECARS = (
    *(".aae", ".csv", ".db", ".htm", ".html", ".ini", ".json", ".jsonl", ".log", ".md", ".rst", ".toml", ".tsv"),
    *(".txt", ".xml", ".xmp", ".yaml", ".yml"),
)
_SIDECAR_NAMES = ("icon\r", "licence", "license", "readme")


class Folder(Pictures):
    """Images of a folder and its subfolders, in the order of their paths.

    Args:
        path: String, the folder's path.
        split: `"train"`, or a part of it.
        size: `(height, width)`, or None for the images' own. Defaults to None.
        with_labels: Bool, whether the labels are needed. Defaults to False.
        channels: 1, 3 or 4. Defaults to `3`.
        on_error: `"raise"` or `"skip"`, what to do about files that can't be read. Defaults to None: files of other
            kinds are skipped silently.

    Attributes:
        files: List of `Path`, those of the split.
        names: List of strings, their paths below the folder, with slashes.
        others: List of `Path`: files of other kinds in the whole folder.
        classes: List of strings, the classes of the whole folder.

    Raises:
        ValueError: If there is no such folder, split or label, or there are files of other kinds.
    """

    def __init__(self, path, split, size=None, with_labels=False, channels=3, on_error=None):
        self.folder = _existing(path)
        self.title = str(self.folder)
        self.size, self.channels, self.on_error = size, channels, on_error
        files, self.others = _find(self.folder)
        described = _describe(self.others, files, self.folder) if self.others else ""
        if self.others and (on_error == "raise" or not files):
            hint = ", or pass on_error='skip' to go on without them" if files else ""
            raise ValueError(f"{described} Convert them to PNG, or take them out of the folder{hint}.")
        if not files:
            raise ValueError(f"{self.folder} must hold images ({', '.join(decode.SUFFIXES)}). Received: none.")
        if with_labels:
            loose = next((p for p in files if p.parent == self.folder), None)
            if loose is not None:
                raise ValueError(
                    f"with labels=True, every image must be in a subfolder named after its class. Received: {loose}, "
                    "which is in none. Move it into one, or pass labels=False."
                )
        self.classes = _classes(self.folder, files + self.others)
        names = [p.relative_to(self.folder).as_posix() for p in files]
        chosen = select(names, split)
        self.files, self.names = [files[i] for i in chosen], [names[i] for i in chosen]
        if self.others and on_error == "skip":
            logging.getLogger("keras_gan").warning(f"{described} They are left out.")

    def __len__(self):
        return len(self.files)

    @functools.cached_property
    def labels(self):
        """List of ints, the numbers of the files' classes, 0 for files in no subfolder."""
        numbers = {name: i for i, name in enumerate(self.classes)}
        return [numbers[name.partition("/")[0]] if "/" in name else 0 for name in self.names]

    @functools.cached_property
    def shape(self):
        sizes = (found[0] for found, reason in self.headers() if reason is None)
        return (*(self.size or next(sizes, (1, 1))), self.channels)

    def key(self):
        files = [(name, stamp(path)) for name, path in zip(self.names, self.files, strict=True)]
        return ["folder", self.size, self.channels, self.classes, files]

    def headers(self):
        """Reads the headers of the files.

        Yields:
            Two values for each file. First `(height, width)` and the color mode, or None if the file can't be read.
            Then the reason why it can't be read, or None.
        """
        return attempts(decode.header, self.files)

    def decode(self, start=0):
        # Images of their own sizes may be large.
        at_once = 1 if self.size is None else 16
        images = attempts(lambda path: decode.read(path, self.size, self.channels), self.files[start:], at_once)
        for label, (image, reason) in zip(self.labels[start:], images, strict=True):
            yield image, label, reason

    def report(self, bad):
        report(self, bad, f"images in {self.folder} can't be read")

    def name_of(self, i):
        return self.names[i]


def class_names(path):
    """Lists the classes of a folder in the order of their numbers.

    Args:
        path: String, the folder's path.

    Returns:
        List of strings, the names of its subfolders with images, or with files of an unsupported kind; empty if it has
        none.

    Raises:
        ValueError: If there is no such folder.
    """
    folder = _existing(path)
    files, others = _find(folder)
    return _classes(folder, files + others)


def attempts(function, items, at_once=16):
    """Calls a function on files, in threads.

    Args:
        function: Function of a file.
        items: List of files.
        at_once: Int > 0, number of files that a thread processes at a time. With 1, the handover between threads would
            take a tenth of the time. For each thread, up to twice this many results are in memory. Defaults to `16`.

    Yields:
        Pairs `(result, reason)`, in the order of the items: the function's result and None; or, if it raises, None and
        the reason.
    """

    def attempt(item):
        try:
            return function(item), None
        # On corrupt files decoders may raise anything, such as SyntaxError or struct.error.
        except Exception as error:
            return None, decode.reason(error)

    workers = os.cpu_count() or 1
    groups = [items[i : i + at_once] for i in range(0, len(items), at_once)]
    pool = ThreadPoolExecutor(workers)
    try:
        for group in _map_in_order(pool, lambda group: [attempt(item) for item in group], groups, 2 * workers):
            yield from group
    finally:
        pool.shutdown(cancel_futures=True)


def report(pictures, bad, trouble):
    """Raises an error for pictures that can't be used, or logs them, depending on their `on_error`.

    Args:
        pictures: `Pictures` with an attribute `on_error`.
        bad: List of pairs, the number of a picture and the reason.
        trouble: String, a description of the problem and its pictures.
    """
    named = [f"{pictures.name_of(i)} ({reason})" for i, reason in bad[:10]]
    more = f"; and {len(bad) - 10} more" if len(bad) > 10 else ""
    found = f"{len(bad)} of {len(pictures)} {trouble}: {'; '.join(named)}{more}."
    good = len(bad) < len(pictures)
    if pictures.on_error == "raise" or not good:
        hint = ", or pass on_error='skip' to go on without them" if good else ""
        raise ValueError(f"{found} Repair them or take them out of the folder{hint}.")
    logging.getLogger("keras_gan").warning(f"{found} They are left out.")


def stamp(path):
    """Returns the size and the modification time of a file, or None if there is no such file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _existing(path):
    folder = Path(os.path.expanduser(path))
    if not path or not folder.is_dir():
        raise ValueError(f"name must be 'folder:PATH' with a folder that exists. Received: {'folder:' + path!r}.")
    return folder


def _classes(folder, files):
    """Lists classes in order, from all files: a class without readable images does not shift the others' numbers."""
    return sorted({_class(folder, path) for path in files if path.parent != folder})


def _class(folder, path):
    return path.relative_to(folder).parts[0]


def _find(folder):
    """Returns two sorted lists of paths: images, and other files that may be meant as images.

    An image is checked when it is read.
    """

    def fail(error):
        raise ValueError(
            f"{folder} and all folders in it must be readable. Received: {error}. Change their permissions, or move "
            "them out."
        ) from error

    paths = []
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        parent = Path(parent)
        # A link to a parent folder would be followed forever.
        above = {p.resolve() for p in (parent, *parent.absolute().parents)}
        folders[:] = [f for f in folders if not f.startswith(".") and (parent / f).resolve() not in above]
        paths += [parent / n for n in names if not n.startswith(".")]
    files, others = [], []
    for path in sorted(paths):
        suffix = path.suffix.lower()
        if suffix in decode.SUFFIXES or (suffix not in _SIDECARS and decode.has_signature(path)):
            files.append(path)
        elif suffix not in _SIDECARS and path.name.lower() not in _SIDECAR_NAMES:
            others.append(path)
    return files, others


def _describe(others, files, folder):
    """Describes the files of unsupported kinds: counts by suffix, with an example of each."""
    kinds = {}
    for path in others:
        kinds.setdefault(path.suffix.lower() or "without a suffix", []).append(path)
    kinds = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    listed = "; ".join(f"{len(found)} {kind}, such as {found[0].relative_to(folder)}" for kind, found in kinds[:10])
    more = f"; and {len(kinds) - 10} more kinds" if len(kinds) > 10 else ""
    return (
        f"{len(others)} of {len(files) + len(others)} files in {folder} are in formats other than "
        f"{', '.join(decode.FORMATS)}: {listed}{more}."
    )


def _map_in_order(pool, function, items, ahead):
    """Maps in threads, at most `ahead` results ahead of the consumer."""
    waiting = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
