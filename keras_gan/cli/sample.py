"""`keras-gan sample`: draws samples of a GAN."""

import numpy as np

from keras_gan import images, saving
from keras_gan.checks.values import check_integer, check_path
from keras_gan.cli.common import Result, add_command, check_condition, load_gan, positive


def add(commands):
    parser = add_command(
        commands,
        "sample",
        run,
        help="draw samples of a GAN",
        description="Draws samples of a saved GAN, with its averaged weights if it has any. Images are written as one "
        "picture, in a grid; samples of any shape can be written as a NumPy array.",
    )
    parser.add_argument("gan", help="a .keras file that gan.save wrote")
    parser.add_argument("--count", type=positive, default=64, metavar="N", help="number of samples (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other samples (default: 0)")
    parser.add_argument(
        "--label", type=int, metavar="K", help="draw samples of this class only (default: all classes in turn)"
    )
    parser.add_argument(
        "--columns", type=positive, metavar="N", help="columns of the picture (default: a square picture)"
    )
    parser.add_argument(
        "--out",
        default="samples.png",
        metavar="FILE",
        help="a picture, such as NAME.png, or NAME.npy for a NumPy array; must not exist (default: samples.png)",
    )


def run(args):
    out = check_path("--out", args.out)
    if out.exists():
        raise ValueError(f"--out must be a new file. Received: {out}, which exists already. Give another name.")
    if not out.parent.is_dir():
        raise ValueError(f"--out must lie in a folder that exists. Received: {out}. Make {out.parent} first.")
    is_array = out.suffix.lower() == ".npy"
    if not is_array:
        images.check_suffix(out)
    gan = load_gan(args.gan)
    if not is_array and (len(gan.data_shape) != 3 or gan.data_shape[-1] not in (1, 3)):
        raise ValueError(
            f"--out must end in .npy for data other than images with 1 or 3 channels. Received: {out}, for a GAN "
            f"that generates {gan.data_shape}."
        )
    check_condition(gan, args.gan, "sample(n, given=...)")
    if args.label is not None and hasattr(gan.condition, "num_classes"):
        check_integer("--label", args.label, 0, gan.condition.num_classes - 1)
    labels = None if args.label is None else np.full(args.count, args.label)
    samples = gan.sample(args.count, seed=args.seed, labels=labels)
    if not np.isfinite(samples).all():
        raise ValueError(
            f"gan must make finite values. Received: {args.gan}, whose samples hold NaN or infinite values. Give "
            "another file."
        )
    if is_array:
        # NumPy would add a suffix to a path that ends in .NPY.
        with saving.replacing(out) as part, part.open("wb") as file:
            np.save(file, samples)
    else:
        images.save(out, images.grid(images.signed(samples, gan.generator), args.columns))
    shape = "x".join(map(str, samples.shape[1:]))
    return Result(
        {"file": str(out), "count": args.count, "seed": args.seed, "shape": list(samples.shape)},
        f"{out}: {args.count} samples of {shape}, seed {args.seed}",
    )
