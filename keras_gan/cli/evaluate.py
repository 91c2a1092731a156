"""`keras-gan evaluate`: says how good a GAN's samples are, or a translation's outputs."""

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
    load_cycle,
    load_gan,
    load_images,
    load_translation,
    positive,
)
from keras_gan.cli.translating import figures_of_sources
from keras_gan.metrics.features.self_supervised import SelfSupervised
from keras_gan.metrics.frechet import LARGEST
from keras_gan.translation import default_metrics

# What `DensityCoverage` compares at least.
_FEWEST = 6
_MEANINGS = {
    "mae": "mean absolute error of values in [-1, 1]; lower is better",
    "psnr": "in dB; higher is better",
    "ssim": "structural similarity, higher is better; 1 where all are equal",
    "frechet_distance": "lower is better; 0 for the data themselves",
    "kernel_distance": "lower is better; 0 is perfect, on average",
    "kernel_distance_error": "its standard error",
    "source_kernel_distance": "that of the sources themselves: the number to beat",
    "bicubic_psnr": "that of sources enlarged by bicubic interpolation: the number to beat",
    "bicubic_ssim": "likewise",
    "bicubic_kernel_distance": "likewise",
    "sliced_wasserstein": "lower is better",
    "precision": "share of samples that look real",
    "recall": "share of real images that could be samples",
    "density": "1 for a perfect generator, on average",
    "coverage": "share of real images with a sample nearby",
    "memorization": "share of samples as near to a training image as 5 % of held-out ones are",
    "classifier_score": "higher is better; 1 to the number of classes",
}
# Figures of two sets end in the set whose images are made, or come back.
MEANINGS = {
    f"{name}{ending}": way + meaning
    for name, meaning in _MEANINGS.items()
    for ending, way in (("", ""), ("_b", "A to B: "), ("_a", "B to A: "))
}
MEANINGS |= {f"cycle_loss_{to}": f"mean absolute error of images of {to.upper()} that come back" for to in "ab"}


def add(commands):
    parser = add_command(
        commands,
        "evaluate",
        run,
        help="say how good a GAN's samples are, or a translation's outputs",
        description="Compares what a saved GAN generates with real images, or what a saved translation makes of "
        "sources with their targets, or with the other set, as many as there are, up to 10,000 for the metrics that "
        "compare all with all. Figures can be compared if data, features and numbers are the same.",
    )
    parser.add_argument("gan", help="a .keras file of a GAN, or of a translation")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", help="'digits', an image set of TensorFlow Datasets, such as 'mnist', or folder:PATH")
    data.add_argument(
        "--pairs",
        nargs="+",
        metavar="FOLDER",
        help="for a translation: two folders, A and B, or one of images side by side, as of train",
    )
    data.add_argument(
        "--unpaired", nargs=2, metavar=("A", "B"), help="for a translation of two sets: their folders, as of train"
    )
    pairs.add_options(parser)
    degraded.add_options(parser)
    parser.add_argument("--split", help="which part of the data (default: test; of folders, all)")
    parser.add_argument(
        "--features",
        choices=("classifier", "self_supervised", "inception", "none"),
        help="what is compared: features of a small classifier, which is trained on the labeled data once and kept "
        "(default, where data have classes); of a network that learns without labels: the one that the file brings, "
        "or one that is trained once and kept (default of a folder without subfolders, of pairs and of two sets); of "
        "InceptionV3, whose weights are downloaded once; or, with none, the pixels",
    )
    parser.add_argument("--batch-size", type=positive, default=250, metavar="N", help="at once (default: 250)")
    parser.add_argument(
        "--skip-bad-images", action="store_true", help="go on without those of a folder that can't be read"
    )


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
        # Room for no more examples than there are: it is made in advance, and pixels are many.
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
            print(f"frechet_distance is left out: it takes up to {LARGEST:,} values, and an image here has {values:,}.")
        model.compile(metrics=chosen, **compared.options)
        logs = model.evaluate(data, verbose=0, return_dict=True) | compared.figures(features, room)
    found = {name: logs[name] for name in MEANINGS if name in logs}
    count = sum(len(keras.tree.flatten(batch)[0]) for batch in data)
    title = f"{count:,} {compared.noun} of {args.gan} against {compared.name}, {compared.split}; features: {kind}"
    facts = {"gan": args.gan, "data": compared.name, "split": compared.split, "features": kind, "count": count}
    return Result({**facts, **found}, "\n".join([title, "", *table(found)]))


def _kind(args):
    """Returns what is to be compared with the data that are given, a class."""
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
        noun: String, what is compared.
        metrics: List of metrics beside those of all.
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
        # It takes no part in an evaluation, but for a condition that compares views `compile` wants one.
        self.options = {"augmentation": Affine() if gan.condition.compares_views else None}

    @property
    def default_features(self):
        return "classifier" if _has_classes(self.name) else "self_supervised"

    def labeled(self):
        """Loads what a classifier learns from."""
        try:
            return self._load(1000, "train", True)
        except ValueError as error:
            raise ValueError(
                f"{error} Or give --features self_supervised, which needs no labels, or --features none, which "
                "compares pixels."
            ) from error

    def plain(self):
        """Loads what features without labels learn from."""
        return self._load(1000, "train", False)

    def figures(self, features, max_examples):
        """Measures what an evaluation does not, a dict."""
        return {}

    def _load(self, batch_size, split, labels):
        height, width, channels = self.model.data_shape
        channels = channels if self._is_folder and channels in (1, 4) else None
        options = {"labels": labels, "image_size": (height, width), "channels": channels}
        # The same order each time: labels then meet the same latents.
        return load_images(self.name, batch_size, split, skip_bad=self._args.skip_bad_images, seed=0, **options)


class _Outputs:
    """A translation's outputs, to be compared with targets; as `_Samples`."""

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
    """Images that are enlarged, of small ones made of large ones, to be compared with these; as `_Samples`."""

    def __init__(self, args):
        _check_options(args, "--degrade")
        if not args.data.startswith("folder:"):
            raise ValueError(f"--data must be folder:PATH with --degrade. Received: {args.data}.")
        self._begin(args, "--degrade", args.data)

    def _load(self, batch_size, split):
        args, shape = self._args, self.model.data_shape
        loaded = degraded.load_degraded(
            args.data.removeprefix("folder:"), args.degrade, batch_size, split, shape, args.skip_bad_images, seed=0
        )
        found = tuple(loaded.element_spec[0].shape[1:])
        if found != self.model.source_shape:
            raise ValueError(
                f"--degrade must make sources of {self.model.source_shape}, which {args.gan} takes, of images of "
                f"{shape}. Received: --degrade {args.degrade}, which makes {found}."
            )
        return loaded


class _BothWays:
    """The outputs of a translation between two sets, to be compared with the images of both; as `_Samples`."""

    noun, default_features = "outputs of each set", "self_supervised"

    def __init__(self, args):
        _check_options(args, "--unpaired", ["direction", "group", "degrade"])
        _check_features(args, "--unpaired")
        self.model = load_cycle(args.gan, "--unpaired")
        shapes = self.model.shapes
        if shapes["a"] != shapes["b"]:
            raise ValueError(
                "model must translate between images of as many channels, which features can compare. Received: "
                f"{args.gan}, of {shapes['a']} and {shapes['b']}. Call evaluate of it in Python."
            )
        self._args, self.name, self.split = args, " and ".join(args.unpaired), args.split or "train"
        data = self._load(args.batch_size, self.split)
        counts = [unpaired.count(found, self.split) for found in unpaired.survey_both(args)]
        self._sets = unpaired.once(data, counts, args.batch_size)
        self.data = self._sets
        if self.model.data_range == (0, 1):
            self.data = self._sets.map(lambda a, b: ((a + 1) / 2, (b + 1) / 2))
        self.metrics, self.options = [], {}

    def plain(self):
        return unpaired.mixed(self._load(500, "train"))

    def figures(self, features, max_examples):
        return figures_of_sources(self._sets, features, max_examples)

    def _load(self, batch_size, split):
        return unpaired.load_both(self._args, batch_size, split, self.model.data_shape, seed=0)


def _check_options(args, given, foreign=("direction", "group")):
    """Raises a ValueError for options of other data."""
    for option in foreign:
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} is for {'--data' if option == 'degrade' else '--pairs'}. Received: {given}.")


def _check_features(args, given):
    if args.features == "classifier":
        raise ValueError(
            f"--features must be self_supervised, inception or none for {given}, which have no classes. "
            "Received: classifier."
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


def table(found):
    """Returns lines of figures with their meanings, a list of strings."""
    return [f"{name:22} {value:10.4g}  {MEANINGS[name]}" for name, value in found.items()]
