"""`keras-gan evaluate`: says how good a GAN's samples are."""

import contextlib
import math
import sys

import keras

from keras_gan import datasets, metrics, saving
from keras_gan.augmentation import Affine
from keras_gan.cli.common import Result, add_command, check_condition, load_gan, load_images, positive
from keras_gan.metrics.features.self_supervised import SelfSupervised
from keras_gan.metrics.frechet import LARGEST

# What `DensityCoverage` compares at least.
_FEWEST = 6
MEANINGS = {
    "frechet_distance": "lower is better; 0 for the data themselves",
    "kernel_distance": "lower is better; 0 is perfect, on average",
    "kernel_distance_error": "its standard error",
    "sliced_wasserstein": "lower is better",
    "precision": "share of samples that look real",
    "recall": "share of real images that could be samples",
    "density": "1 for a perfect generator, on average",
    "coverage": "share of real images with a sample nearby",
    "memorization": "share of samples as near to a training image as 5 % of held-out ones are",
    "classifier_score": "higher is better; 1 to the number of classes",
}


def add(commands):
    parser = add_command(
        commands,
        "evaluate",
        run,
        help="say how good a GAN's samples are",
        description="Compares what a saved GAN generates with real images, as many as there are, up to 10,000 for the "
        "metrics that compare all with all. Figures can be compared if data, features and numbers are the same.",
    )
    parser.add_argument("gan", help="a .keras file that gan.save wrote")
    parser.add_argument(
        "--data", required=True, help="'digits', an image set of TensorFlow Datasets, such as 'mnist', or folder:PATH"
    )
    parser.add_argument("--split", help="which part of the data (default: test; of a folder, all)")
    parser.add_argument(
        "--features",
        choices=("classifier", "self_supervised", "inception", "none"),
        help="what is compared: features of a small classifier, which is trained on the labelled data once and kept "
        "(default, where data have classes); of a network that learns without labels: the one that the GAN's file "
        "brings, or one that is trained once and kept (default of a folder without subfolders); of InceptionV3, whose "
        "weights are downloaded once; or, with none, the pixels",
    )
    parser.add_argument("--batch-size", type=positive, default=250, metavar="N", help="at once (default: 250)")
    parser.add_argument(
        "--skip-bad-images", action="store_true", help="go on without those of a folder that can't be read"
    )


def run(args):
    gan = load_gan(args.gan)
    if len(gan.data_shape) != 3:
        raise ValueError(f"gan must generate images. Received: {args.gan}, which generates {gan.data_shape}.")
    check_condition(gan, args.gan, "evaluate")
    is_folder = args.data.startswith("folder:")
    split = args.split or ("train" if is_folder else "test")
    size = tuple(gan.data_shape[:2])
    needs_labels = gan.condition.given_name is not None
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        channels = gan.data_shape[2] if is_folder and gan.data_shape[2] in (1, 4) else None
        data = _load(args, args.batch_size, split, needs_labels, size, channels)
        shape = tuple(keras.tree.flatten(data.element_spec)[0].shape[1:])
        if shape != gan.data_shape:
            raise ValueError(f"--data must be images of {gan.data_shape}, as {args.gan} makes. Received: {shape}.")
        if gan.data_range == (0, 1):
            data = data.map(lambda x, *labels: ((x + 1) / 2, *labels) if labels else (x + 1) / 2)
        kind = args.features or ("classifier" if _has_classes(args.data) else "self_supervised")
        features = None
        if kind == "classifier":
            try:
                labelled = _load(args, 1000, "train", True, size, channels)
            except ValueError as error:
                raise ValueError(
                    f"{error} Or give --features self_supervised, which needs no labels, or --features none, which "
                    "compares pixels."
                ) from error
            features = metrics.features.classifier(labelled)
        elif kind == "self_supervised":
            features = _carried(args.gan)
            if features is None:
                features = metrics.features.self_supervised(_load(args, 1000, "train", False, size, channels))
        elif kind == "inception":
            features = metrics.features.inception_v3()
        # Room for no more examples than there are: it is made in advance, and pixels are many.
        room = max(_FEWEST, min(10_000, len(data) * args.batch_size))
        buffered = metrics.KernelDistance, metrics.SlicedWasserstein, metrics.PrecisionRecall, metrics.DensityCoverage
        chosen = [metric(features, max_examples=room) for metric in buffered]
        values = math.prod(gan.data_shape)
        if features is not None:
            chosen.append(metrics.FrechetDistance(features))
            if kind != "self_supervised":
                chosen.append(metrics.ClassifierScore(features))
        elif values <= LARGEST:
            chosen.append(metrics.FrechetDistance())
        else:
            print(f"frechet_distance is left out: it takes up to {LARGEST:,} values, and an image here has {values:,}.")
        # It takes no part in an evaluation, but for a condition that compares views `compile` wants one.
        augmentation = Affine() if gan.condition.compares_views else None
        gan.compile(metrics=chosen, augmentation=augmentation)
        logs = gan.evaluate(data, verbose=0, return_dict=True)
    found = {name: logs[name] for name in MEANINGS if name in logs}
    count = sum(len(batch[0] if needs_labels else batch) for batch in data)
    title = f"{count:,} samples of {args.gan} against {args.data}, {split}; features: {kind}"
    return Result(
        {"gan": args.gan, "data": args.data, "split": split, "features": kind, "count": count, **found},
        "\n".join([title, "", *table(found)]),
    )


def _has_classes(data):
    """Tells if data have the two classes that a classifier needs."""
    try:
        return len(datasets.class_names(data)) > 1
    except ValueError:  # A set of TensorFlow Datasets without labels.
        return False


def _carried(path):
    """Returns the features without labels that a GAN's file brings with its metrics; None if there are none."""
    try:
        compiled = saving.load_untrusted(path, compile=True).evaluation_metrics
    except ValueError:
        # It was compiled with something that is not loaded from files of strangers.
        return None
    found = (getattr(metric, "features", None) for metric in compiled)
    return next((features for features in found if isinstance(features, SelfSupervised)), None)


def _load(args, batch_size, split, labels, image_size, channels):
    options = {"labels": labels, "image_size": image_size, "channels": channels}
    # The same order each time: labels then meet the same latents.
    return load_images(args.data, batch_size, split, skip_bad=args.skip_bad_images, seed=0, **options)


def table(found):
    """Returns lines of figures with their meanings, a list of strings."""
    return [f"{name:22} {value:10.4g}  {MEANINGS[name]}" for name, value in found.items()]
