"""`keras-gan export`: writes the generator as a file for a phone or a server."""

import argparse
import contextlib
import sys

from keras_gan import datasets, networks, saving
from keras_gan.cli.common import add_command, add_direction, check_one_way, direction, load_images, takes_unit
from keras_gan.cyclegan import CycleGAN
from keras_gan.export import export, export_translation
from keras_gan.export.tasks import EXAMPLES
from keras_gan.gan import GAN


def add(commands):
    parser = add_command(
        commands,
        "export",
        run,
        help="write the generator as a file for a phone or a server",
        description="Writes the generator of a saved GAN as a file for another program, and compares the outputs of "
        "the file with those of the Keras generator. The file is kept only if they agree. A model card is written next "
        "to the file.",
    )
    parser.add_argument("gan", help="the GAN, another model with a generator, or a generator alone: a .keras file")
    parser.add_argument("file", help="what to write: NAME.tflite, NAME.onnx, or NAME for a SavedModel")
    parser.add_argument(
        "--quantize",
        choices=("float16", "dynamic", "int8"),
        help="smaller weights for a .tflite file. 'dynamic': a quarter of the size, the first choice for CPUs; "
        "'float16': half the size; 'int8': for hardware that computes only in integers (default: float32)",
    )
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="+",
        default=[1],
        metavar="N",
        help="images per call; the file gets a function for each N (default: 1)",
    )
    parser.add_argument("--sample", action="store_true", help="add sample(seed), which draws the latents itself")
    parser.add_argument(
        "--output",
        choices=("float32", "uint8"),
        default="float32",
        help="type of the images. float32: in [-1, 1]; uint8: bytes (default: float32)",
    )
    parser.add_argument(
        "--accelerator",
        choices=("gpu",),
        help="write a .tflite file that runs entirely on a phone's GPU; if this machine has a Vulkan driver, the file "
        "is tested on it",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="for a model that translates images: a folder of pictures to translate, on which the file is checked",
    )
    add_direction(parser)
    parser.add_argument("--skip-bad-images", action="store_true", help="skip images of the folder that can't be read")
    parser.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FACT=TEXT",
        type=_fact,
        help="a fact for the model card, such as --card license='CC BY 4.0' --card data='70,000 faces'; repeatable",
    )


def _fact(text):
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be FACT=TEXT, received {text!r}")
    return name, value


def run(args):
    model = saving.load_untrusted(args.gan)
    options = {
        "quantize": args.quantize,
        "batch_sizes": args.batch_sizes,
        "output": args.output,
        "accelerator": args.accelerator,
        "card": dict(args.card),
    }
    if isinstance(model, CycleGAN):
        _, shape = direction(model, args.to, args.gan)
        data = _load(args, shape)
        if takes_unit(model):
            data = data.map(lambda x: (x + 1) / 2)
        return model.export(args.file, to=args.to or "b", data=data, **options)
    check_one_way(args.to, args.gan)
    shape = None if isinstance(model, GAN) else networks.image_shape(getattr(model, "best_generator", model))
    if shape is not None:
        return export_translation(model, args.file, data=_load(args, shape), **options)
    if args.data is not None or args.skip_bad_images:
        option = "--skip-bad-images" if args.data is None else "--data"
        raise ValueError(
            f"{option} is for a model that translates images. Received: {args.gan}, which takes latents. Leave it out."
        )
    if isinstance(model, GAN):
        return model.export(args.file, sample=args.sample, **options)
    return export(model, args.file, sample=args.sample, **options)


def _load(args, shape):
    """Loads as many pictures to translate as an export uses."""
    if args.data is None:
        raise ValueError(
            f"--data FOLDER must be given for a model that translates images. Received: {args.gan} alone. The file is "
            "checked on the folder's pictures, because on noise a broken file may pass."
        )
    if args.sample:
        raise ValueError(
            f"--sample is for a generator that takes latents. Received: {args.gan}, which translates images. Leave it "
            "out."
        )
    name, (height, width, channels) = f"folder:{args.data.removeprefix('folder:')}", shape
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        few = datasets.survey(name).count <= EXAMPLES
        return load_images(
            name,
            batch_size=32,
            split="train" if few else f"train[-{EXAMPLES}:]",
            skip_bad=args.skip_bad_images,
            image_size=None if height is None or width is None else (height, width),
            channels=channels,
            seed=0,
        )
