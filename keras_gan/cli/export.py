"""`keras-gan export`: writes the generator as a file for a phone or a server."""

import argparse

from keras_gan import saving
from keras_gan.cli.common import add_command
from keras_gan.export import export
from keras_gan.gan import GAN


def add(commands):
    parser = add_command(
        commands,
        "export",
        run,
        help="write the generator as a file for a phone or a server",
        description="Writes the generator of a saved GAN as a file for another program, runs the written file beside "
        "the Keras generator, and leaves nothing behind unless they agree. A model card is written beside the file.",
    )
    parser.add_argument("gan", help="the GAN, or a generator alone: a .keras file")
    parser.add_argument("file", help="what to write: NAME.tflite, NAME.onnx, or NAME for a SavedModel")
    parser.add_argument(
        "--quantize",
        choices=("float16", "dynamic", "int8"),
        help="smaller weights for a .tflite file: 'dynamic' is a quarter of the size and the fastest on a CPU; "
        "'float16' half the size; 'int8' for hardware that has integers alone (default: float32)",
    )
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[1], metavar="N", help="images per call, one function for each"
    )
    parser.add_argument("--sample", action="store_true", help="add sample(seed), which draws the latents itself")
    parser.add_argument("--output", choices=("float32", "uint8"), default="float32", help="images in [-1, 1], or bytes")
    parser.add_argument(
        "--accelerator",
        choices=("gpu",),
        help="a .tflite file that runs whole on a phone's GPU, proven on a Vulkan driver where there is one",
    )
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
        "sample": args.sample,
        "output": args.output,
        "accelerator": args.accelerator,
        "card": dict(args.card),
    }
    if isinstance(model, GAN):
        return model.export(args.file, **options)
    return export(model, args.file, **options)
