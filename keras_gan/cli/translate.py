"""`keras-gan translate`: translates images with a saved model."""

import contextlib
import functools
import sys
from pathlib import Path

import keras
import numpy as np

from keras_gan import images
from keras_gan.checks.values import check_path
from keras_gan.cli import tiling
from keras_gan.cli.common import Result, add_command, add_direction, direction, load_translator, positive, takes_unit
from keras_gan.datasets import decode, folder
from keras_gan.datasets.pictures import resize

_BATCH = 16
# A progress bar is shown from this many images on, or from this many tiles of one image on.
_MANY, _MANY_TILES = 20, 500
# Larger pictures would take gigabytes, and no command reads them.
_MAX_PIXELS = decode.MAX_PIXELS


def add(commands):
    parser = add_command(
        commands,
        "translate",
        run,
        help="translate images with a saved model",
        description="Translates each image with a model from keras-gan train --pairs, --unpaired or --degrade. Images "
        "are turned upright, and made gray or color as the model requires. Images that can't be read are named at the "
        "end, and the exit code is 1.",
    )
    parser.add_argument("model", help="a .keras file of an image translation model")
    parser.add_argument("input", metavar="IN", help="an image, or a folder of images with its subfolders")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="a file, such as NAME.jpg, or a folder; files there have the names of the images, and end in .png",
    )
    add_direction(parser)
    parser.add_argument(
        "--fit",
        choices=("crop", "pad", "stretch", "tile"),
        help="how to fit an image of another size to the model. crop: crop its center. pad: pad it, and cut the "
        "padding off the output. stretch: stretch it. tile: keep its size, and translate overlapping tiles of it "
        "(default: tile for a model that enlarges, else crop)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=_BATCH,
        metavar="N",
        help=f"images or tiles per batch (default: {_BATCH})",
    )


def run(args):
    out = check_path("OUT", args.output)
    sources, others = _sources(Path(args.input))
    outputs = _outputs(sources, Path(args.input), out)
    _check_new(outputs, args.overwrite)
    model = load_translator(args.model)
    generator, (height, width, channels) = direction(model, args.to, args.model)
    fit = args.fit or ("tile" if model.data_shape[0] > height else "crop")
    # Tiles of one image fill batches.
    at_once, batch_size = (1, args.batch_size) if fit == "tile" else [min(args.batch_size, len(sources))] * 2
    read = functools.partial(_read, size=(height, width), channels=channels, fit=fit, target=model.data_shape)
    progress = keras.utils.Progbar(len(sources), unit_name="image") if len(sources) >= _MANY else None
    bad, done = [f"{path} (none of BMP, GIF, JPEG, PNG and WebP)" for path in others], 0
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        found = folder.attempts(read, sources, at_once)
        for batch in _batches(zip(sources, outputs, found, strict=True), at_once):
            good = [(output, *image) for _, output, (image, reason) in batch if reason is None]
            bad += [f"{path} ({reason})" for path, _, (_, reason) in batch if reason is not None]
            if good:
                pictures = np.concatenate([tiles for _, tiles, _ in good])
                made = _translate(model, generator, pictures, batch_size, silent=progress is not None)
                ends = np.cumsum([len(tiles) for _, tiles, _ in good])
                for (output, _, join), tiles in zip(good, np.split(made, ends[:-1]), strict=True):
                    output.parent.mkdir(parents=True, exist_ok=True)
                    images.save(output, images.to_uint8(join(tiles)))
            done += len(batch)
            if progress is not None:
                progress.update(done)
    count = len(sources) + len(others) - len(bad)
    if bad:
        named = "; ".join(bad[:10]) + (f"; and {len(bad) - 10} more" if len(bad) > 10 else "")
        raise ValueError(f"{len(bad)} of {len(sources) + len(others)} images were not translated: {named}.")
    return Result(
        {"model": args.model, "input": args.input, "output": args.output, "count": count},
        f"{args.output}: {count} translated",
    )


def _sources(path):
    """Finds images, and files that may have been meant as images; two lists of paths."""
    if path.is_dir():
        found = folder.Folder(str(path), "train")
        return found.files, found.others
    if not path.exists():
        raise ValueError(f"IN must be an image, or a folder of images. Received: {path}, which does not exist.")
    return [path], []


def _outputs(sources, path, out):
    """Returns a list of the paths of outputs, one for each source.

    Raises:
        ValueError: If OUT lies in IN or can't be a folder or a picture, or two images would be written to one file.
    """
    if path.is_dir():
        if out.resolve().is_relative_to(path.resolve()):
            raise ValueError(
                f"OUT must not lie in IN, where it would be read the next time. Received: {out}, in {path}."
            )
        if out.exists() and not out.is_dir():
            raise ValueError(f"OUT must be a folder if IN is a folder. Received: {out}, which is a file.")
        outputs = [(out / source.relative_to(path)).with_suffix(".png") for source in sources]
    elif out.suffix and not out.is_dir():
        images.check_suffix(out)
        outputs = [out]
    else:
        outputs = [out / f"{path.stem}.png"]
    first = {}
    for source, output in zip(sources, outputs, strict=True):
        if first.setdefault(output, source) != source:
            raise ValueError(
                f"IN must not hold images whose names differ only in the suffix. Received: {first[output]} and "
                f"{source}. Rename one of them."
            )
        if output.resolve() == source.resolve():
            raise ValueError(f"OUT must be a file other than IN. Received: {output} for both.")
    return outputs


def _check_new(outputs, overwrite):
    there = [path for path in outputs if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"OUT must be new. Received: {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}, which "
            f"{'is' if len(there) == 1 else 'are'} there already. Give --overwrite to replace existing files."
        )


def _batches(items, size):
    """Yields lists of `size` items; the last one may be shorter."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(path, size, channels, fit, target):
    """Reads an image for the model.

    Args:
        path: Path of the file.
        size: `(height, width)` that the model takes.
        channels: Int, the number of channels that the model takes.
        fit: String, the option of that name.
        target: `(height, width, channels)` that the model makes.

    Returns:
        Array `(n, *size, channels)`, uint8; and a function that turns the model's outputs for these, `(n, *target)`,
        into one image `(height, width, channels)`.
    """
    scale = target[0] // size[0]
    if fit == "crop":
        return decode.read(path, size, channels)[None], lambda made: made[0]
    image = decode.read(path, None, channels)
    if fit == "stretch":
        return resize(image, size)[None], lambda made: made[0]
    if fit == "tile":
        pixels = image.shape[0] * image.shape[1] * scale**2
        if pixels > _MAX_PIXELS:
            raise ValueError(f"its output would have {pixels:,} pixels; the limit is {_MAX_PIXELS:,}")
        return tiling.cut(image, size), lambda made: tiling.join(made, image.shape[:2], scale)
    factor = min(n / own for n, own in zip(size, image.shape[:2], strict=True))
    inner = [max(1, round(own * factor)) for own in image.shape[:2]]
    starts = [(n - part) // 2 for n, part in zip(size, inner, strict=True)]
    rows, columns = (slice(scale * k, scale * (k + part)) for k, part in zip(starts, inner, strict=True))
    around = [(k, n - k - part) for k, n, part in zip(starts, size, inner, strict=True)]
    # Padded with the border colors. Padding with one fixed color would make an edge, which the model would translate as
    # part of the picture.
    return np.pad(resize(image, inner), [*around, (0, 0)], mode="edge")[None], lambda made: made[0][rows, columns]


def _translate(model, generator, pictures, batch_size, silent):
    """Translates pictures `(n, height, width, channels)`, uint8, to images in [-1, 1]."""
    n, made = len(pictures), []
    progress = keras.utils.Progbar(n, unit_name="tile") if n >= _MANY_TILES and not silent else None
    for start in range(0, n, batch_size):
        # The last batch is filled: the model would be compiled again for another size.
        batch = pictures[np.arange(start, start + batch_size) % n]
        batch = batch / np.float32(255) if takes_unit(model) else batch / np.float32(127.5) - 1
        batch = model.infer(generator, batch, batch_size)
        made.append(images.signed(batch, generator)[: n - start])
        if not np.isfinite(made[-1]).all():
            raise ValueError("model must make finite values. Received: NaN or infinite outputs. Give another model.")
        if progress is not None:
            progress.update(min(n, start + batch_size))
    return np.concatenate(made)
