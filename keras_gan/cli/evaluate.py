"""`keras-gan evaluate`: measures the samples of a GAN, or the outputs of an image translation model."""

import contextlib
import math
import sys

import keras

from keras_gan import datasets, metrics, saving
from keras_gan.augmentation import Affine
from keras_gan.cli import degraded, pairs, unpaired
from keras_gan.cli.common import (
    Result,
    add_command,
    check_condition,
    data_name,
    load_cycle,
    load_gan,
    load_images,
    load_translation,
    positive,
    takes_unit,
)
from keras_gan.cli.translating import figures_of_sources
from keras_gan.metrics.features.self_supervised import SelfSupervised
from keras_gan.metrics.frechet import LARGEST
from keras_gan.translation import default_metrics

# The smallest number of examples that `DensityCoverage` compares.
_FEWEST = 6
_MEANINGS = {
    "mae": "mean absolute error in the outputs' units; lower is better",
    "psnr": "in dB; higher is better",
    "ssim": "structural similarity; higher is better; 1 if outputs equal their targets",
    "frechet_distance": "lower is better; 0 if samples match the data",
    "kernel_distance": "lower is better; 0 on average if perfect",
    "kernel_distance_error": "standard error of the kernel distance",
    "source_kernel_distance": "kernel distance of the sources; that of outputs should be lower",
    "bicubic_psnr": "PSNR of bicubic upsampling; that of outputs should be higher",
    "bicubic_ssim": "SSIM of bicubic upsampling; that of outputs should be higher",
    "bicubic_kernel_distance": "kernel distance of bicubic upsampling; that of outputs should be lower",
    "sliced_wasserstein": "lower is better",
    "precision": "share of samples that look real",
    "recall": "share of real images that samples cover",
    "density": "1 on average for a perfect generator",
    "coverage": "share of real images with a sample nearby",
    "memorization": "share of near-copies; up to 0.05 is normal",
    "classifier_score": "higher is better; 1 to the number of classes",
}
# For two sets, the name of a figure ends in `_a` or `_b`: the set that images are translated to, or, for cycle losses,
# the set whose images are translated there and back.
MEANINGS = {
    f"{name}{ending}": way + meaning
    for name, meaning in _MEANINGS.items()
    for ending, way in (("", ""), ("_b", "A to B: "), ("_a", "B to A: "))
}
MEANINGS |= {
    f"cycle_loss_{to}": f"mean absolute error of images of {to.upper()} translated there and back" for to in "ab"
}


def add(commands):
    parser = add_command(
        commands,
        "evaluate",
        run,
        help="measure the samples of a GAN, or the outputs of an image translation model",
        description="Compares the samples of a saved GAN with real images, or the outputs of an image translation "
        "model with their targets or, without pairs, with the images of the other set. It uses all real images of "
        "the split, and the same number of samples or outputs; with two sets, as many images of each as the smaller "
        "set has. Metrics that keep examples in memory use at most 10,000. Results can be compared only if the data, "
        "the features and the number of images are the same.",
    )
    parser.add_argument("gan", help="a .keras file of a GAN, or of an image translation model")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument(
        "--data",
        type=data_name,
        help="a folder of images; or 'digits', or an image set of TensorFlow Datasets, such as 'mnist'",
    )
    data.add_argument(
        "--pairs",
        nargs="+",
        metavar="FOLDER",
        help="for an image translation model: two folders, A and B, or one folder of images side by side, as in train",
    )
    data.add_argument(
        "--unpaired", nargs=2, metavar=("A", "B"), help="for a model from train --unpaired: both folders, as in train"
    )
    pairs.add_options(parser)
    degraded.add_options(parser)
    parser.add_argument("--split", help="part of the data (default: test; for folders, all images)")
    parser.add_argument(
        "--features",
        choices=("classifier", "self_supervised", "inception", "none"),
        help="what to compare. classifier: features of a small classifier, trained once on the labeled data and kept "
        "(default if the data have classes, except with --degrade). self_supervised: features of a network "
        "trained without labels, which is read from the model's file, or else trained once and kept (default for "
        "data without classes, and with --degrade, --pairs and --unpaired). inception: features of InceptionV3, whose "
        "weights are downloaded once. none: the pixels",
    )
    parser.add_argument("--batch-size", type=positive, default=250, metavar="N", help="images per batch (default: 250)")
    parser.add_argument("--skip-bad-images", action="store_true", help="for folders: skip images that can't be read")


def run(args):
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        compared = _kind(args)(args)
        model, data, kind = compared.model, compared.data, args.features or compared.default_features
        features = None
        if kind == "classifier":
            features = metrics.features.classifier(compared.labeled())
        elif kind == "self_supervised":
            features = _carried(args.gan)
            if features is None:
                features = metrics.features.self_supervised(compared.plain())
        elif kind == "inception":
            features = metrics.features.inception_v3()
        # `max_examples` is limited to the number of examples that exist: metrics reserve memory in advance, and raw
        # pixels need a lot of memory.
        room = max(_FEWEST, min(10_000, len(data) * args.batch_size))
        buffered = metrics.KernelDistance, metrics.SlicedWasserstein, metrics.PrecisionRecall, metrics.DensityCoverage
        chosen = [*compared.metrics, *(metric(features, max_examples=room) for metric in buffered)]
        values = math.prod(model.data_shape)
        if features is not None:
            chosen.append(metrics.FrechetDistance(features))
            if kind != "self_supervised":
                chosen.append(metrics.ClassifierScore(features))
        elif values <= LARGEST:
            chosen.append(metrics.FrechetDistance())
        else:
            print(
                f"frechet_distance is left out: it takes up to {LARGEST:,} values per image, and these have {values:,}."
            )
        model.compile(metrics=chosen, **compared.options)
        logs = model.evaluate(data, verbose=0, return_dict=True) | compared.figures(features, room)
    found = {name: logs[name] for name in MEANINGS if name in logs}
    count = sum(len(keras.tree.flatten(batch)[0]) for batch in data)
    title = f"{count:,} {compared.noun} of {args.gan} against {compared.name}, {compared.split}; features: {kind}"
    facts = {"gan": args.gan, "data": compared.name, "split": compared.split, "features": kind, "count": count}
    return Result({**facts, **found}, "\n".join([title, "", *table(found)]))


def _kind(args):
    """Returns the class that compares a model with the given data."""
    if args.pairs:
        return _Outputs
    if args.unpaired:
        return _BothWays
    return _Samples if args.degrade is None else _Enlarged


class _Samples:
    """A GAN's samples, to be compared with images.

    Attributes:
        model: `keras_gan.GAN`.
        data: `tf.data.Dataset` to evaluate on.
        name: String, what the data are called.
        split: String.
        noun: String, the word for the images that are compared.
        metrics: List of metrics in addition to those that are used for all data.
        options: Dict of other arguments of `compile`.
    """

    noun, metrics = "samples", ()

    def __init__(self, args):
        _check_options(args, f"--data {args.data}")
        gan = load_gan(args.gan, "--data")
        if len(gan.data_shape) != 3:
            raise ValueError(f"gan must generate images. Received: {args.gan}, which generates {gan.data_shape}.")
        check_condition(gan, args.gan, "evaluate")
        self._args, self._is_folder = args, args.data.startswith("folder:")
        self.model, self.name = gan, args.data
        self.split = args.split or ("train" if self._is_folder else "test")
        data = self._load(args.batch_size, self.split, gan.condition.given_name is not None)
        shape = tuple(keras.tree.flatten(data.element_spec)[0].shape[1:])
        if shape != gan.data_shape:
            raise ValueError(f"--data must be images of {gan.data_shape}, as {args.gan} makes. Received: {shape}.")
        if gan.data_range == (0, 1):
            data = data.map(lambda x, *labels: ((x + 1) / 2, *labels) if labels else (x + 1) / 2)
        self.data = data
        # Evaluation does not use an augmentation, but `compile` requires one for a condition that compares two
        # augmented views of an image.
        self.options = {"augmentation": Affine() if gan.condition.compares_views else None}

    @property
    def default_features(self):
        return "classifier" if _has_classes(self.name) else "self_supervised"

    def labeled(self):
        """Loads the data that a classifier learns from."""
        try:
            return self._load(1000, "train", True)
        except ValueError as error:
            raise ValueError(
                f"{error} Or give --features self_supervised, which needs no labels, or --features none, which "
                "compares pixels."
            ) from error

    def plain(self):
        """Loads the images that features learn from without labels."""
        return self._load(1000, "train", False)

    def figures(self, features, max_examples):
        """Returns a dict of figures in addition to those of `evaluate`."""
        return {}

    def _load(self, batch_size, split, labels):
        height, width, channels = self.model.data_shape
        channels = channels if self._is_folder and channels in (1, 4) else None
        options = {"labels": labels, "image_size": (height, width), "channels": channels}
        # The same order each time, so that each label is combined with the same latent.
        return load_images(self.name, batch_size, split, skip_bad=self._args.skip_bad_images, seed=0, **options)


class _Outputs:
    """A translation's outputs, to be compared with targets; attributes as in `_Samples`."""

    noun, default_features = "outputs", "self_supervised"

    def __init__(self, args):
        _check_options(args, "--pairs", ["degrade"])
        self._begin(args, "--pairs", " and ".join(args.pairs))

    def _begin(self, args, given, name):
        _check_features(args, given)
        self.model = load_translation(args.gan, given)
        self._args, self.name, self.split = args, name, args.split or "train"
        self._pairs = self._load(args.batch_size, self.split)
        self.data = self._pairs
        if self.model.data_range == (0, 1):
            self.data = self._pairs.map(lambda source, target: (source, (target + 1) / 2))
        self.metrics, self.options = default_metrics(), {}

    def plain(self):
        return self._load(1000, "train").map(lambda source, target: target)

    def figures(self, features, max_examples):
        return figures_of_sources(self._pairs, features, max_examples)

    def _load(self, batch_size, split):
        return pairs.load_pairs(self._args, batch_size, split, self.model.source_shape, self.model.data_shape, seed=0)


class _Enlarged(_Outputs):
    """Enlarged images, to be compared with those that their sources were made from; attributes as in `_Samples`."""

    def __init__(self, args):
        _check_options(args, "--degrade")
        if not args.data.startswith("folder:"):
            raise ValueError(f"With --degrade, --data must be an existing folder. Received: {args.data}.")
        self._begin(args, "--degrade", args.data)

    def _load(self, batch_size, split):
        args, shape = self._args, self.model.data_shape
        loaded = degraded.load_degraded(
            args.data.removeprefix("folder:"), args.degrade, batch_size, split, shape, args.skip_bad_images, seed=0
        )
        found = tuple(loaded.element_spec[0].shape[1:])
        if found != self.model.source_shape:
            raise ValueError(
                f"--degrade must make sources of {self.model.source_shape}, which {args.gan} takes, from images of "
                f"{shape}. Received: --degrade {args.degrade}, which makes {found}."
            )
        return loaded


class _BothWays:
    """Outputs of a translation between two sets, to be compared with both sets; attributes as in `_Samples`."""

    noun, default_features = "outputs each way", "self_supervised"

    def __init__(self, args):
        _check_options(args, "--unpaired", ["direction", "group", "degrade"])
        _check_features(args, "--unpaired")
        self.model = load_cycle(args.gan, "--unpaired")
        shapes = self.model.shapes
        if shapes["a"] != shapes["b"]:
            raise ValueError(
                "gan must translate between images with the same number of channels, so that features can compare "
                f"them. Received: {args.gan}, with {shapes['a']} and {shapes['b']}. Call its evaluate in Python."
            )
        self._args, self.name, self.split = args, " and ".join(args.unpaired), args.split or "train"
        self._counts = [unpaired.count(found, self.split) for found in unpaired.survey_both(args)]
        self.data = self._once()
        if takes_unit(self.model):
            self.data = self.data.map(lambda a, b: ((a + 1) / 2, (b + 1) / 2))
        self.metrics, self.options = [], {}

    def plain(self):
        return unpaired.mixed(self._load(500, "train"))

    def figures(self, features, max_examples):
        # Loaded anew: another pass would take other images of the larger set.
        return figures_of_sources(self._once(), features, max_examples)

    def _once(self):
        data = self._load(self._args.batch_size, self.split)
        return unpaired.once(data, self._counts, self._args.batch_size)

    def _load(self, batch_size, split):
        return unpaired.load_both(self._args, batch_size, split, self.model.data_shape, seed=0)


def _check_options(args, given, foreign=("direction", "group")):
    """Raises a ValueError for options that belong to other data."""
    for option in foreign:
        if getattr(args, option) is not None:
            raise ValueError(
                f"--{option} is for {'--data' if option == 'degrade' else '--pairs'}. Received: {given}. Leave it out."
            )


def _check_features(args, given):
    if args.features == "classifier":
        raise ValueError(
            f"--features must be self_supervised, inception or none for {given}, which have no classes. "
            "Received: classifier."
        )


def _has_classes(data):
    """Tells if data have at least two classes, as a classifier needs."""
    try:
        return len(datasets.class_names(data)) > 1
    except ValueError:  # A set of TensorFlow Datasets without labels.
        return False


def _carried(path):
    """Returns the self-supervised features that a GAN's file has in its metrics, or None."""
    try:
        compiled = saving.load_untrusted(path, compile=True).evaluation_metrics
    except ValueError:
        # The model was compiled with an object that is not loaded from untrusted files.
        return None
    found = (getattr(metric, "features", None) for metric in compiled)
    return next((features for features in found if isinstance(features, SelfSupervised)), None)


def table(found):
    """Returns lines of figures with their meanings, a list of strings."""
    return [f"{name:22} {value:10.4g}  {MEANINGS[name]}" for name, value in found.items()]
