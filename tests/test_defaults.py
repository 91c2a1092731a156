"""Default settings of training."""

import keras
import numpy as np
import pytest

import keras_gan
from keras_gan import defaults, losses
from keras_gan.conditions import AuxiliaryClassifier, Codes, Labels, Vector

A = keras_gan.architectures
L = keras.layers


def image_gan(shape, discriminator=None, condition=None, **options):
    codes = 0 if condition is None else condition.num_codes
    return keras_gan.GAN(
        A.dcgan_generator(shape, 4 + codes, width=2, condition=condition),
        discriminator or A.dcgan_discriminator(shape, width=2, condition=condition),
        **options,
    )


def judge(*layers, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(1)])


def chosen(gan):
    """Returns the settings that `compile` has chosen, as numbers and names."""
    optimizers = [getattr(gan, f"{name}_optimizer") for name in ("generator", "discriminator")]
    return {
        "ema": gan.ema,
        "penalties": [(type(p).__name__, p.get_config()) for p in gan.penalties],
        "augmentation": None if gan.augmentation is None else type(gan.augmentation).__name__,
        "adam": [(round(float(keras.ops.convert_to_numpy(o.learning_rate)), 7), o.beta_1) for o in optimizers],
    }


R1 = [("R1", {"gamma": 0.1, "interval": 1})]
GRADIENT_PENALTY = [("GradientPenalty", {"weight": 10.0, "interval": 1})]
FOR_IMAGES, THE_PAPERS = [(1e-3, 0.0)] * 2, [(2e-4, 0.5)] * 2


@pytest.mark.parametrize(
    ("shape", "augmentation"),
    [
        ((32, 32, 3), "DiffAugment"),
        ((64, 32, 4), "DiffAugment"),
        ((28, 32, 3), None),
        ((32, 28, 3), None),
        ((32, 32, 1), None),
        ((32, 32, 2), None),
        ((32, 32, 5), None),
    ],
)
def test_images(shape, augmentation):
    gan = image_gan(shape)
    gan.compile()
    assert chosen(gan) == {"ema": 0.998, "penalties": R1, "augmentation": augmentation, "adam": FOR_IMAGES}


@pytest.mark.parametrize("shape", [(2,), (32, 3), (4, 32, 32, 3)])
def test_other_data_are_not_augmented_and_keep_the_papers_optimizer(shape):
    size = int(np.prod(shape))
    generator = keras.Sequential([keras.Input((4,)), L.Dense(size), L.Reshape(shape)])
    gan = keras_gan.GAN(generator, judge(L.Dense(4, "tanh"), shape=shape))
    gan.compile()
    assert chosen(gan) == {"ema": 0.998, "penalties": R1, "augmentation": None, "adam": THE_PAPERS}


def test_images_of_no_known_size_are_not_augmented():
    assert defaults.augmentation((None, None, 3)) is None


class Steep(losses.NonSaturating):
    needs_lipschitz = True


@pytest.mark.parametrize(
    ("loss", "discriminator", "expected"),
    [
        ("hinge", lambda: judge(L.Conv2D(2, 3)), R1),
        ("relativistic", lambda: judge(L.BatchNormalization()), R1),
        ("wasserstein", lambda: judge(L.Conv2D(2, 3)), GRADIENT_PENALTY),
        (Steep(), lambda: judge(L.Conv2D(2, 3)), GRADIENT_PENALTY),
        ("wasserstein", lambda: A.sn_dcgan_discriminator((8, 8, 3), width=2), []),
        ("hinge", lambda: judge(L.SpectralNormalization(L.Conv2D(2, 3))), []),
        ("wasserstein", lambda: judge(L.Conv2D(2, 3, kernel_constraint=keras_gan.constraints.WeightClipping())), []),
        ("non_saturating", lambda: judge(L.MaxPooling2D(), L.Reshape((4, 12)), L.LSTM(3)), R1),
    ],
)
def test_penalties_follow_the_loss_and_the_discriminator(loss, discriminator, expected, recwarn):
    gan = image_gan((8, 8, 3), discriminator())
    gan.compile(loss=loss)
    assert chosen(gan)["penalties"] == expected
    assert not [w for w in recwarn if "slope" in str(w.message)]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="other backends have this gradient")
def test_no_penalty_where_there_is_no_second_derivative():
    x = np.zeros((4, 8, 8, 3), "float32")
    gan = image_gan((8, 8, 3), judge(L.Conv2D(2, 3, activation="softsign")), ema=None)
    gan.compile(penalties=[keras_gan.penalties.R1(0.1)], run_eagerly=True)
    with pytest.raises(LookupError, match="gradient registry has no entry for: SoftsignGrad"):
        gan.fit(x, verbose=0)
    gan.compile(run_eagerly=True)
    assert gan.penalties == []
    gan.fit(x, verbose=0)


@pytest.mark.parametrize(
    "condition",
    [Labels(3), AuxiliaryClassifier(3), Codes([3], 2), Vector(2), Codes([3], consistency_weight=1.0)],
    ids=lambda condition: type(condition).__name__,
)
def test_conditions_change_nothing(condition):
    gan = image_gan((32, 32, 3), condition=condition)
    gan.compile()
    assert chosen(gan) == {"ema": 0.998, "penalties": R1, "augmentation": "DiffAugment", "adam": FOR_IMAGES}


def test_packs_and_maps_of_logits_change_nothing():
    patches = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(1, 3)])
    gan = image_gan((8, 8, 1), patches, pack=2)
    gan.compile()
    assert chosen(gan)["penalties"] == R1


def test_none_is_none():
    gan = image_gan((32, 32, 3), ema=None)
    gan.compile(penalties=(), augmentation=None)
    assert chosen(gan) == {"ema": None, "penalties": [], "augmentation": None, "adam": FOR_IMAGES}
    gan.compile(None, "sgd", penalties=[])
    assert gan.penalties == [] and gan.generator_optimizer.beta_1 == 0.0
    assert isinstance(gan.discriminator_optimizer, keras.optimizers.SGD)


def test_what_is_asked_for_stays():
    gan = image_gan((32, 32, 3), ema=0.5)
    affine = keras_gan.augmentation.Affine()
    gan.compile(penalties=[keras_gan.penalties.LeCam()], augmentation=affine, loss="wasserstein")
    assert gan.ema == 0.5 and gan.augmentation is affine
    assert [type(p).__name__ for p in gan.penalties] == ["LeCam"]


class Own(keras.Model):
    """Generator that Keras can't copy: it shares weights, or has an argument without a config."""

    def __init__(self, network, function=None):
        super().__init__()
        self.network = network
        self.function = function or (lambda x: x)

    def call(self, z):
        return self.function(self.network(z))


class Sharing(Own):
    def get_config(self):
        return {"network": self.network}


@pytest.mark.parametrize("kind", [lambda network: Own(network, lambda x: 2 * x), Sharing])
def test_no_average_of_what_can_not_be_copied(kind, points):
    def make(**options):
        generator = kind(A.mlp_generator((2,), 4, units=(4,)))
        return keras_gan.GAN(generator, judge(shape=(2,)), keras_gan.priors.Normal(4), **options)

    with pytest.raises(ValueError, match="ema needs a generator that Keras can copy"):
        make(ema=0.9)
    gan = make()
    assert gan.ema is None and gan.ema_generator is None
    gan.compile(penalties=())
    before = gan.sample(4, seed=0)
    gan.fit(points, verbose=0)
    assert 1e-5 < np.abs(gan.sample(4, seed=0) - before).max() < 1


def test_files_keep_what_was_chosen(tmp_path, monkeypatch):
    gan = image_gan((32, 32, 3))
    gan.compile(loss="wasserstein")
    expected = chosen(gan)
    assert expected["penalties"] == GRADIENT_PENALTY and expected["augmentation"] == "DiffAugment"
    gan.save(tmp_path / "gan.keras")
    # Another release may have other defaults.
    for name, value in {"EMA": 0.5, "LEARNING_RATE": 1.0, "BETA_1": 0.9, "SMALLEST_AUGMENTED": 99}.items():
        monkeypatch.setattr(defaults, name, value)
    monkeypatch.setattr(defaults, "penalties", lambda *_: [])
    assert chosen(keras.saving.load_model(tmp_path / "gan.keras")) == expected
    other = image_gan((32, 32, 3))
    other.compile()
    assert chosen(other) == {"ema": 0.5, "penalties": [], "augmentation": None, "adam": [(1.0, 0.9)] * 2}


def test_settings_take_the_same_numbers():
    gan = keras_gan.settings.for_images((32, 32, 3), count=20).replace(width=2, latent_dim=4).build()
    found = chosen(gan)
    assert (found["ema"], found["penalties"], found["augmentation"]) == (0.998, R1, "DiffAugment")
    assert found["adam"] == FOR_IMAGES


@pytest.mark.parametrize("wrong", ["Auto", b"auto", np.array(["auto"]), ["auto"]])
def test_other_words_are_refused(wrong, make_gan):
    gan = make_gan(compiled=False)
    with pytest.raises(ValueError, match=r"ema, the momentum of the average, must be a number in \[0, 1\)"):
        keras_gan.GAN(gan.generator, gan.discriminator, ema=wrong)
    for name in ("penalties", "augmentation", "generator_optimizer"):
        with pytest.raises((TypeError, ValueError), match=f"^{name} must be .*Received: "):
            gan.compile(**{name: wrong})
