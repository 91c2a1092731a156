"""Pairs of images, sources and targets, given on the command line."""

import functools
from pathlib import Path

import numpy as np

from keras_gan import datasets
from keras_gan.cli.common import speaking_of_options
from keras_gan.cli.source import (
    COLORS,
    COMPARED,
    DEFAULT_SIZE,
    LARGEST_OWN_SIZE,
    Source,
    describe_sizes,
    digest,
    first_named,
    hold_out,
    is_gray,
    repeated_noise,
)
from keras_gan.metrics.features.self_supervised import FEWEST

# The smallest number of pairs: a third is held out, and features need the rest. Distances need two held-out pairs.
_FEWEST, _FEWEST_HELD_OUT = FEWEST * 3 // 2, 2
# The smallest height and width that a patch discriminator accepts.
SMALLEST = 16


def add_options(parser):
    """Adds the options, other than `--pairs`, that define a pair."""
    parser.add_argument(
        "--direction",
        choices=("a_to_b", "b_to_a"),
        help="for pairs: b_to_a if sources are in B, or in the right half (default: a_to_b)",
    )
    parser.add_argument(
        "--group",
        metavar="REGEX",
        help="for pairs: a regular expression. Pairs whose names have the same matching text stay together when some "
        "are held out; if it has parentheses, only the text that the first parentheses capture is compared",
    )


def check_folders(folders):
    """Raises a ValueError unless there are one or two folders."""
    if len(folders) > 2:
        raise ValueError(
            f"--pairs takes two folders, or one folder of images side by side. Received: {', '.join(folders)}."
        )


def load_pairs(args, batch_size, split, source_shape, shape, seed, **options):
    """Loads pairs as `keras_gan.datasets.load_pairs` does, but errors name options of the command line.

    Args:
        args: Namespace of `pairs`, `direction`, `group` and `skip_bad_images`.
        batch_size: Int.
        split: String, as in `load_pairs`.
        source_shape: Tuple `(height, width, channels)` of a source.
        shape: Tuple `(height, width, channels)` of a target.
        seed: Int.
        **options: Other arguments of `load_pairs`.
    """
    check_folders(args.pairs)
    with speaking_of_options("--pairs: ", train="cache" in options):
        return datasets.load_pairs(
            *args.pairs,
            batch_size=batch_size,
            split=split,
            image_size=shape[:2],
            scale=shape[0] // source_shape[0],
            direction=args.direction or "a_to_b",
            group=args.group,
            seed=seed,
            on_error="skip" if args.skip_bad_images else "raise",
            channels=source_shape[2],
            target_channels=shape[2],
            **options,
        )


class Pairs(Source):
    """Pairs to train on, and held-out pairs.

    Args:
        args: Namespace of `pairs`, `direction`, `group`, `scale`, `image_size`, `channels`, `target_channels`,
            `skip_bad_images`, `seed` and `cache`.

    Attributes:
        source_shape: Tuple `(height, width, channels)` of a source; `shape` is that of a target.

    Raises:
        ValueError: If there are no such folders, too few pairs, or sizes that don't fit.
    """

    option, defect = "--pairs", "pairs can't be used"

    def __init__(self, args):
        super().__init__(args)
        check_folders(args.pairs)
        self._turned = args.direction == "b_to_a"
        names = [Path(path).resolve().name for path in args.pairs]
        # The halves of images side by side have no names.
        names = names if len(names) == 2 else [f"{names[0]}, {half}" for half in ("left", "right")]
        self.names = self._turn(names)
        self.title = " to ".join(self.names)
        found = self._survey()
        self._found, self.unreadable = found, found.unreadable
        self.total = found.count - len(found.unreadable)
        if self.total < _FEWEST:
            hint = "" if args.skip_bad_images else self.refused or ""
            raise ValueError(
                f"--pairs must have at least {_FEWEST} pairs that can be read, of which a third is held out. Received: "
                f"{' and '.join(args.pairs)}, with {self.total}. {hint}".strip()
            )
        self.splits, self._withheld = self._split()
        held_out = len(set(self._withheld) - set(self.unreadable))
        self.count = self.total - held_out
        if self.count < FEWEST or held_out < _FEWEST_HELD_OUT:
            raise ValueError(
                f"--pairs must leave at least {FEWEST} pairs to train on and {_FEWEST_HELD_OUT} held-out pairs. "
                f"Received: {self.count} and {held_out}. Give more pairs{' or smaller groups' if args.group else ''}."
            )
        self._sizes, self._modes = self._turn(found.sizes), self._turn(found.modes)
        scale, (height, width) = args.scale or 1, self._size()
        chosen = zip((args.channels, args.target_channels), self._modes, strict=True)
        channels = [given or (1 if is_gray(modes) else 3) for given, modes in chosen]
        self.source_shape = (height // scale, width // scale, channels[0])
        self.shape = (height, width, channels[1])

    def _survey(self, split="train"):
        with speaking_of_options("--pairs: "):
            return datasets.survey_pairs(*self._args.pairs, split=split, group=self._args.group)

    def _turn(self, both):
        """Returns values for A and B in the order of source and target."""
        return both[::-1] if self._turned else both

    def _split(self):
        """Returns both splits, and the names of the held-out pairs. With `--group`, splits count groups, not pairs.

        Raises:
            ValueError: If there are too few groups.
        """
        units = list(self._found.groups) if self._args.group else self._found.names
        if len(units) < 3:
            raise ValueError(
                f"--group must make at least three groups. Received: {self._args.group}, which makes {len(units)}. "
                "Give an expression that tells more pairs apart."
            )
        splits = hold_out(units)
        held_out = self._survey(splits[1])
        if held_out.count > COMPARED:
            few = COMPARED * (len(held_out.groups) or held_out.count) // held_out.count
            splits = splits[0], f"train[-{max(few, 1)}:]"
        return splits, held_out.names

    def _size(self):
        """Returns the height and the width of a target."""
        scale, size = self._args.scale or 1, self._args.image_size
        source, target = ((sizes[0], sizes[-1]) for sizes in self._sizes)
        if scale > 1 and np.prod(source[1]) > np.prod(target[1]):
            raise ValueError(
                f"--scale {scale} is for targets that are larger than their sources. Received: sources of "
                f"{describe_sizes(self._sizes[0])}, targets of {describe_sizes(self._sizes[1])}. Exchange the folders, "
                "or give --direction."
            )
        if size is None:
            fits = target[0] == target[1] and source == tuple(tuple(n // scale for n in each) for each in target)
            if fits and max(target[0]) <= LARGEST_OWN_SIZE and not any(_wrong(n, scale) for n in target[0]):
                return target[0]
            size = DEFAULT_SIZE
        if _wrong(size, scale):
            also = f", and by --scale, {scale}" if scale > 1 else ""
            raise ValueError(
                f"--image-size, the size of targets, must be at least {SMALLEST} and divisible by 4{also}. "
                f"Received: {size}."
            )
        return size, size

    def load(self, batch_size, split=0, flip=False, crop=0, seed=None):
        seed = self._args.seed if seed is None else seed
        options = {"flip": flip, "crop": crop, "cache": self._args.cache}
        return load_pairs(self._args, batch_size, self.splits[split], self.source_shape, self.shape, seed, **options)

    def noise(self, split=1):
        return repeated_noise(self.source_shape, self.shape, len(self._withheld))

    @functools.cached_property
    def plain(self):
        """`tf.data.Dataset` of the targets to train on, not mirrored or cropped."""
        return self.unvaried.map(lambda source, target: target)

    def check(self):
        super().check()
        source, target = map(np.asarray, next(iter(self.unvaried)))
        if source.shape == target.shape and (source == target).all():
            raise ValueError(
                "--pairs must hold targets that differ from their sources. Received: "
                f"{' and '.join(self.names)}, which hold the same images. Check that you gave the right folders."
            )

    @property
    def refused(self):
        alone = sum(map(len, self._found.unmatched))
        if alone:
            return f"{alone} images have no partner. Rename them, take them out, or give --skip-bad-images."
        return super().refused

    def facts(self):
        """Returns a dict of the facts about the pairs for `options.json`."""
        return {
            "total": self.total,
            "train": self.splits[0],
            "compared": self.splits[1],
            "held_out": self._withheld,
            "names": digest(self._found.names),
            "source_shape": self.source_shape,
            "shape": self.shape,
        }

    def __str__(self):
        found = self._found
        lines = [f"{self.title}: {self.total:,} pairs"]
        sides = zip(("Sources", "Targets"), self.names, self._sizes, self._modes, strict=True)
        lines += [f"{side}: {name}, {describe_sizes(sizes)}, {', '.join(modes)}" for side, name, sizes, modes in sides]
        groups = f" ({len(found.groups):,} groups in all, none of them divided)" if self._args.group else ""
        lines.append(f"{self.count:,} to train on, {len(self._withheld):,} held out{groups}, as")
        shapes = (self.source_shape, self.shape)
        texts = [f"{width}x{height} in {COLORS[channels]}" for height, width, channels in shapes]
        lines[-1] += f" {texts[0]} to {texts[1]}"
        lines += self._say_small(self._sizes, shapes)
        for path, names in zip(self._args.pairs, found.unmatched, strict=False):
            if names:
                lines.append(f"{len(names)} of {path} have no partner: {first_named(names)}")
        return "\n".join(lines + self._say_left_out(self._args.pairs, found.others))


def _wrong(size, scale):
    return size < SMALLEST or size % 4 or size % scale
