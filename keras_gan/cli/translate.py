"""`keras-gan translate`: translates images with a saved translation."""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np

from keras_gan import images
from keras_gan.cli.common import Result, add_command, add_direction, direction, load_translator, positive
from keras_gan.datasets import decode, folder
from keras_gan.datasets.pictures import resize

_BATCH = 16
# From so many on there is a progress bar.
_MANY = 20


def add(commands):
    parser = add_command(
        commands,
        "translate",
        run,
        help="translate images with a saved translation",
        description="Makes of each image what a model from keras-gan train --pairs or --unpaired makes of it, upright "
        "and in the colors that the model was trained on. Images that can't be read are named at the end, and the exit "
        "code is 1.",
    )
    parser.add_argument("model", help="a .keras file of a translation")
    parser.add_argument("input", metavar="IN", help="an image, or a folder of images with its subfolders")
    parser.add_argument(
        "output", metavar="OUT", help="a file, such as NAME.jpg, or a folder, in which names stay and end in .png"
    )
    add_direction(parser)
    parser.add_argument(
        "--fit",
        choices=("crop", "pad", "stretch"),
        default="crop",
        help="how an image of another shape gets the model's: crop its center (default); pad it, and take the padding "
        "off what is made; or stretch it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--batch-size", type=positive, default=_BATCH, metavar="N", help=f"at once (default: {_BATCH})")


def run(args):
    sources, others = _sources(Path(args.input))
    outputs = _outputs(sources, Path(args.input), Path(args.output))
    _check_new(outputs, args.overwrite)
    model = load_translator(args.model)
    generator, (height, width, channels) = direction(model, args.to, args.model)
    batch_size, scale = min(args.batch_size, len(sources)), model.data_shape[0] // height
    progress = keras.utils.Progbar(len(sources), unit_name="image") if len(sources) >= _MANY else None
    bad, done = [f"{path} (of a kind that is not read)" for path in others], 0
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        found = folder.attempts(lambda path: _read(path, (height, width), channels, args.fit), sources)
        for batch in _batches(zip(sources, outputs, found, strict=True), batch_size):
            good = [(output, *image) for _, output, (image, reason) in batch if reason is None]
            bad += [f"{path} ({reason})" for path, _, (_, reason) in batch if reason is not None]
            if good:
                made = _translate(model, generator, np.stack([image for _, image, _ in good]), batch_size)
                for (output, _, box), image in zip(good, made, strict=True):
                    rows, columns = (slice(scale * part.start, scale * part.stop) for part in box)
                    output.parent.mkdir(parents=True, exist_ok=True)
                    images.save(output, images.to_uint8(image[rows, columns]))
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
    """Returns the paths of what is made of each source, a list.

    Raises:
        ValueError: If OUT lies in IN, can't be a folder or a picture, or two images would be one.
    """
    if path.is_dir():
        if out.resolve().is_relative_to(path.resolve()):
            raise ValueError(
                f"OUT must not lie in IN, where it would be read the next time. Received: {out}, in {path}."
            )
        if out.exists() and not out.is_dir():
            raise ValueError(f"OUT must be a folder where IN is one. Received: {out}, which is a file.")
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
                f"IN must hold one image of each name, whatever its suffix. Received: {first[output]} and {source}. "
                "Rename one of them."
            )
        if output.resolve() == source.resolve():
            raise ValueError(f"OUT must be another file than IN. Received: {output} for both.")
    return outputs


def _check_new(outputs, overwrite):
    there = [path for path in outputs if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"OUT must be new. Received: {there[0]}{f' and {len(there) - 1} more' if len(there) > 1 else ''}, there "
            "already. Give --overwrite to replace what is there."
        )


def _batches(items, size):
    """Yields lists of so many items."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(path, size, channels, fit):
    """Reads an image for the model.

    Returns:
        Array `(*size, channels)`, uint8; and the rows and the columns that are no padding, two slices.
    """
    if fit == "crop":
        return decode.read(path, size, channels), [slice(0, n) for n in size]
    image = decode.read(path, None, channels)
    if fit == "stretch":
        return resize(image, size), [slice(0, n) for n in size]
    factor = min(n / own for n, own in zip(size, image.shape[:2], strict=True))
    inner = [max(1, round(own * factor)) for own in image.shape[:2]]
    box = [slice((n - part) // 2, (n - part) // 2 + part) for n, part in zip(size, inner, strict=True)]
    around = [(part.start, n - part.stop) for n, part in zip(size, box, strict=True)]
    # The colors of the border go on: an edge would be something to translate.
    return np.pad(resize(image, inner), [*around, (0, 0)], mode="edge"), box


def _translate(model, generator, pictures, batch_size):
    """Returns what becomes of pictures `(n, height, width, channels)`, uint8: images in [-1, 1]."""
    n = len(pictures)
    # A last batch of another size would be compiled anew.
    pictures = pictures[np.arange(batch_size) % n] if n < batch_size else pictures
    made = images.signed(model.infer(generator, pictures / np.float32(127.5) - 1, batch_size), generator)[:n]
    if not np.isfinite(made).all():
        raise ValueError("model must make finite values. Received: one whose outputs are NaN or infinite.")
    return made
