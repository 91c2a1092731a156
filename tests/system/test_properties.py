"""Any user input either trains, or raises one of our errors that says why."""

import functools
import math
import traceback
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import keras_gan

K = keras_gan
HOUSE = str(Path(K.__file__).parent)


def outcome(name, action):
    """Returns the result of an action, or our error that it raised."""
    try:
        result = action()
        hypothesis.event(f"{name}: done")
        return result, None
    except (ImportError, TypeError, ValueError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        assert frame.filename.startswith(HOUSE), f"{type(error).__name__} from {frame.filename}:{frame.lineno}: {error}"
        assert "Received" in str(error), f"an error that says little: {error!r}"
        hypothesis.event(f"{name}: {str(error)[:50]}")
        return None, error


def rarely(usual, odd, once_in=30):
    """Draws the usual value, and rarely another: most examples reach training, with odd data more often."""
    return st.sampled_from([usual] * (once_in - 1) + [odd]).flatmap(lambda strategy: strategy)


# === Data ===

SHAPES = st.sampled_from([(2,), (1,), (4, 4, 1), (4, 4, 3)])
DTYPES = rarely(
    st.sampled_from(["float32", "float32", "float64", "float16"]),
    st.sampled_from(["int8", "uint8", "int64", "bool", "object", "str", "complex64", "datetime64[s]"]),
    once_in=8,
)
RANGES = rarely(
    st.sampled_from(["tanh", "tanh", "normal", "constant"]),
    st.sampled_from(["bytes", "nan", "inf", "huge", "unit", "tiny"]),
    once_in=8,
)


def make_values(kind, shape, rng):
    x = rng.uniform(-1, 1, shape)
    match kind:
        case "normal":
            x = rng.normal(size=shape)
        case "constant":
            x = np.full(shape, -0.5)
        case "bytes":
            x = rng.integers(0, 256, shape)
        case "nan" | "inf":
            x = x.copy()
            x.reshape(-1)[:1] = float(kind)
        case "huge":
            x = x * 1e30
        case "unit":
            x = np.abs(x)
        case "tiny":
            x = x * 1e-30
    return x


@st.composite
def data(draw, shape, classes):
    """`x`, `y` and `batch_size` for `fit`."""
    n = draw(rarely(st.integers(3, 9), st.integers(0, 3), 8))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    odd_shapes = [shape[:-1], (*shape, 1), (*shape[:-1], shape[-1] + 1), ()]
    x = make_values(draw(RANGES), (n, *draw(rarely(st.just(shape), st.sampled_from(odd_shapes)))), rng)
    with np.errstate(all="ignore"):
        x = x.astype(draw(DTYPES))
    y = None
    if classes or draw(st.integers(0, 4)) == 4:
        labels = rng.integers(0, classes or 3, n)
        layout = draw(
            rarely(
                st.sampled_from(["flat", "column"]),
                st.sampled_from(["one-hot", "float", "too large", "negative", "none", "short", "text", "list"]),
                once_in=3,
            )
        )
        y = {
            "flat": labels,
            "column": labels[:, None],
            "one-hot": np.eye(classes or 3)[labels],
            "float": labels.astype("float32"),
            "too large": labels + (classes or 3),
            "negative": labels - 1,
            "none": None,
            "short": labels[1:],
            "text": labels.astype(str),
            "list": labels.tolist(),
        }[layout]
    batch_size = draw(rarely(st.sampled_from([None, 1, 2, 3, 4, 20]), st.sampled_from([0, -1, 2.5, "4", True]), 10))
    return (
        x,
        y,
        batch_size,
        draw(
            rarely(st.sampled_from(["array", "array", "dataset", "generator"]), st.sampled_from(["list", "none"]), 20)
        ),
    )


def arguments(x, y, batch_size, how):
    """Draws arguments of `fit` for the same data."""
    if how == "array":
        return {"x": x, "y": y, "batch_size": batch_size}
    if how == "list":
        return {"x": list(x), "y": y, "batch_size": batch_size}
    if how == "none":
        return {"x": None}
    if how == "generator":
        # Only the first batch of a stream is checked, so errors are put there.
        size = 3 if y is None or len(y) == len(x) else max(len(x), 1)
        parts = [slice(i, i + size) for i in range(0, len(x), size)]
        batches = [x[part] if y is None else (x[part], np.asarray(y)[part]) for part in parts]
        return {"x": iter(batches), "steps_per_epoch": max(len(batches), 1)}
    try:
        return {"x": tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(3)}
    # Values that TensorFlow can't hold never reach us.
    except (TypeError, ValueError):
        return {"x": x, "y": y, "batch_size": batch_size}


# === Networks and options ===


@functools.cache
def networks(shape, latent_dim, ending, classes, kind, pack):
    """Returns both networks, in a size that trains in milliseconds, and their initial weights."""
    L = keras.layers
    z, labels = keras.Input((latent_dim,)), keras.Input((), dtype="int32")
    x = L.Concatenate()([z, L.Embedding(classes, 2)(labels)]) if classes else z
    x = L.Dense(math.prod(shape), activation=ending)(L.LeakyReLU()(L.Dense(6)(x)))
    generator = keras.Model([z, labels] if classes else z, L.Reshape(shape)(x))
    images = keras.Input((*shape[:-1], pack * shape[-1]))
    x = L.Conv2D(2, 3, strides=2)(images) if len(shape) == 3 else L.Dense(6)(images)
    x = L.Flatten()(L.LeakyReLU()(x))
    logits = L.Dense(1)(x)
    if kind == "auxiliary":
        discriminator = keras.Model(images, {"logits": logits, "classes": L.Dense(classes)(x)})
    elif kind == "labels":
        projection = L.Dot(-1)([L.Embedding(classes, x.shape[-1])(labels), x])
        discriminator = keras.Model([images, labels], L.Add()([logits, projection]))
    else:
        discriminator = keras.Model(images, logits)
    return generator, discriminator, generator.get_weights(), discriminator.get_weights()


def build(shape, latent_dim, ending, classes, kind, pack, wrong):
    """Makes untrained networks; `wrong` names the part that does not fit."""
    A, L = K.architectures, keras.layers
    generator, discriminator, *first = networks(shape, latent_dim, ending, classes, kind, pack)
    generator.set_weights(first[0])
    discriminator.set_weights(first[1])
    match wrong:
        case "sigmoid":
            discriminator = keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(1, activation="sigmoid")])
        case "two logits":
            discriminator = keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(2)])
        case "other data":
            discriminator = A.mlp_discriminator((7,), units=(3,))
        case "same":
            discriminator = generator
        case "layer":
            generator = L.Dense(2)
        case "unbuilt":
            generator = keras.Sequential([L.Dense(math.prod(shape)), L.Reshape(shape)])
        case "two outputs":
            z = keras.Input((latent_dim,))
            generator = keras.Model(z, [L.Dense(2)(z), L.Dense(2)(z)])
    return generator, discriminator


@st.composite
def gans(draw):
    """Draws a function that makes a `GAN`, the shape of its data and the number of classes."""
    shape = draw(SHAPES)
    kind = draw(st.sampled_from(["none", "none", "none", "labels", "auxiliary"]))
    classes = None if kind == "none" else 3
    latent_dim = draw(st.sampled_from([1, 4]))
    ending = draw(st.sampled_from(["tanh", "tanh", None, "sigmoid"]))
    wrong = draw(
        rarely(
            st.none(),
            st.sampled_from(["sigmoid", "two logits", "other data", "same", "layer", "unbuilt", "two outputs"]),
        )
    )
    odd_priors = st.sampled_from([K.priors.Normal(9), "normal", K.priors.Normal, 3])
    prior = draw(
        rarely(
            st.sampled_from(
                [None, K.priors.Uniform(latent_dim), K.priors.Normal(latent_dim), K.priors.Categorical(latent_dim)]
            ),
            odd_priors,
        )
    )
    conditions = {"none": None, "labels": K.conditions.Labels, "auxiliary": K.conditions.AuxiliaryClassifier}
    condition = draw(
        rarely(
            st.just(conditions[kind] and conditions[kind](classes)),
            st.sampled_from(["labels", K.conditions.Labels(7), None, K.conditions.Codes(categorical=[2])]),
        )
    )
    pack = draw(st.sampled_from([1, 1, 1, 2, 3] if kind == "none" else [1]))
    odd_pack = draw(rarely(st.just(pack), st.sampled_from([0, -1, 1.0, "2", True, 2])))
    ema = draw(
        rarely(st.sampled_from([None, 0.0, 0.9, "auto"]), st.sampled_from([1.0, -0.1, "0.9", float("nan"), True]))
    )
    seed = draw(rarely(st.sampled_from([None, 0, 7]), st.sampled_from([-1, 2**40, 1.5, "x"])))

    def make():
        networks = build(shape, latent_dim, ending, classes, kind, pack, wrong)
        return K.GAN(*networks, prior=prior, condition=condition, pack=odd_pack, ema=ema, seed=seed)

    return make, shape, classes


@st.composite
def compile_options(draw, shape):
    P, A = K.penalties, K.augmentation
    optimizers = rarely(
        st.sampled_from(["auto", "adam", "sgd", "rmsprop", "adamw", "lion", "adagrad"]),
        st.sampled_from(["gan", 0.1, keras.optimizers.Adam, keras.losses.MeanSquaredError(), [None]]),
    )
    losses = rarely(
        st.sampled_from([*K.losses._BY_NAME, K.losses.Relativistic(), K.losses.NonSaturating()]),
        st.sampled_from(["bce", None, 3, K.losses.Hinge, keras.losses.BinaryCrossentropy()]),
    )
    penalties = rarely(
        st.sampled_from(
            ["auto", (), (P.R1(1.0),), (P.R1(1.0), P.R2(1.0)), (P.GradientPenalty(),), (P.LipschitzPenalty(),)]
        ),
        st.sampled_from([None, P.R1(1.0), P.R1, (P.R1,), ("r1",), 3]),
    )
    metrics = rarely(
        st.sampled_from([(), (), ("sliced",), ("frechet",)]),
        st.sampled_from([("fid",), (K.metrics.FrechetDistance,), (3,), None, (keras.metrics.Mean(),)]),
    )
    augmentations = rarely(
        st.sampled_from(
            ["auto", None, *([A.DiffAugment(), A.Affine(), A.AdaptiveAugmentation()] if len(shape) == 3 else [])]
        ),
        st.sampled_from(["diff", A.Affine, 3, A.Affine()]),
    )
    metrics = draw(metrics)
    made = {"sliced": K.metrics.SlicedWasserstein, "frechet": K.metrics.FrechetDistance}
    if isinstance(metrics, tuple):
        metrics = [made[m]() if isinstance(m, str) and m in made else m for m in metrics]
    return {
        "generator_optimizer": draw(optimizers),
        "discriminator_optimizer": draw(optimizers),
        "loss": draw(losses),
        "penalties": draw(penalties),
        "metrics": metrics,
        "augmentation": draw(augmentations),
        "discriminator_steps": draw(rarely(st.sampled_from([1, 1, 2]), st.sampled_from([0, -1, 1.5, "2", True]))),
        "run_eagerly": True,
    }


SAMPLES = st.fixed_dictionaries(
    {"n": rarely(st.sampled_from([1, 2, 5]), st.sampled_from([0, -1, 2.0, "3", None, True, np.int64(3)]))},
    optional={
        "seed": rarely(st.sampled_from([0, 5, None]), st.sampled_from([-1, 2**40, "x", 1.5])),
        "labels": rarely(st.none(), st.sampled_from([[0, 1], [0], [9], np.zeros(5), "a", [[0], [1]], 1])),
        "truncation": rarely(st.sampled_from([None, 0.7, 3]), st.sampled_from([0, -1.0, "x", float("nan")])),
    },
)


# === Properties ===


def weights(gan):
    variables = [*gan.generator.trainable_variables, *gan.discriminator.trainable_variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def examples(gan):
    """Draws a GAN, its compile arguments, data for training and for evaluation."""
    _, shape, classes = gan
    return st.tuples(st.just(gan[0]), compile_options(shape), data(shape, classes), data(shape, classes))


# The drawn values may cause warnings.
@pytest.mark.filterwarnings("ignore:.*without control", "ignore:Your input ran out of data")
@hypothesis.given(example=gans().flatmap(examples), sampling=SAMPLES)
# Each example is a GAN of its own: a sixth of what other tests draw.
@hypothesis.settings(
    suppress_health_check=list(hypothesis.HealthCheck), max_examples=hypothesis.settings.default.max_examples // 6
)
def test_it_trains_or_says_why_not(example, sampling):
    make, options, train, test = example
    gan, error = outcome("GAN", make)
    if error:
        return
    _, error = outcome("compile", lambda: gan.compile(**options))
    if error:
        return
    before = weights(gan)
    watch = K.callbacks.TrainingHealth()
    history, error = outcome("fit", lambda: gan.fit(**arguments(*train), verbose=0, callbacks=[watch]))
    after = weights(gan)
    changed = any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    if error:
        assert not changed, f"it trained before it said: {error}"
    else:
        assert changed
        finite = all(math.isfinite(value) for values in history.history.values() for value in values)
        assert finite or [name for _, name, _ in watch.alarms] == ["not_finite"], history.history
    samples, error = outcome("sample", lambda: gan.sample(**sampling))
    if not error:
        assert samples.shape == (sampling["n"], *gan.data_shape)
    evaluation = {k: v for k, v in arguments(*test).items() if k != "steps_per_epoch"}
    outcome("evaluate", lambda: gan.evaluate(**evaluation, verbose=0))
