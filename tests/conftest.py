import gc
import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Off by default on processors without AVX-512, where TensorFlow then has no dilated transposed convolution.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import hypothesis
import keras
import numpy as np
import pytest

import keras_gan
from keras_gan.cli import training
from keras_gan.export import latency

# What is imported stays, and is not gone through again each time garbage is collected.
gc.collect()
gc.freeze()

# Without deadlines: an example runs a training step, on a machine of unknown speed.
hypothesis.settings.register_profile("short", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.register_profile("long", max_examples=5000, deadline=None)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="many more random cases, for hours rather than minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: runs with --long alone")
    config.addinivalue_line("markers", "long_elsewhere: the same, on JAX and torch")
    hypothesis.settings.load_profile("long" if config.getoption("long") else "short")


# First, so that no process runs one alone at the end while the other is idle.
_LONGEST_FILES = (
    "test_distribute.py",
    "test_recipes.py",
    "test_train.py",
    "test_unpaired.py",
    "test_pairs.py",
    "test_cyclegan.py",
    "test_durability.py",
    "test_documents.py",
    "test_examples.py",
    "test_web.py",
)


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: item.path.name not in _LONGEST_FILES)
    if not config.getoption("long"):
        marks = ["long"] if keras.config.backend() == "tensorflow" else ["long", "long_elsewhere"]
        for item in items:
            if any(map(item.get_closest_marker, marks)):
                item.add_marker(pytest.mark.skip(reason="takes long; make test-long runs it"))


@pytest.fixture(scope="session")
def rounds(request):
    """A function of two counts of random cases: the one for every day, and the one of `--long`."""
    return lambda short, long: long if request.config.getoption("long") else short


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Trained classifiers stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _compiled_once(tmp_path_factory):
    """JAX compiles anew what another function of the same code has compiled: tests make the same networks often."""
    if keras.config.backend() == "jax":
        import jax

        # Of this process alone: JAX writes entries in place, where another would read them torn.
        jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@pytest.fixture(autouse=True, scope="session")
def _briefly():
    """Exports, of which tests make hundreds, time five runs of each file, and commands few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "BRIEF", 1e-3)
        patch.setattr(training, "MEASURED", 0.1)
        yield


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def points():
    """256 two-dimensional points around (2, -1)."""
    return (np.random.default_rng(0).normal(size=(256, 2)) * [0.3, 0.6] + [2, -1]).astype("float32")


@pytest.fixture
def make_gan():
    """A function that makes a small compiled GAN on points, the same at each call."""

    def make(dropout=0.0, compiled=True, seed=0, penalties=(), **compile_options):
        keras.utils.set_random_seed(0)
        gan = keras_gan.GAN(
            keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(16,)),
            keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=dropout),
            seed=seed,
            ema=None,
        )
        if compiled:
            gan.compile(penalties=penalties, **compile_options)
        return gan

    return make


@pytest.fixture
def make_image_gan():
    """A function that makes a small compiled GAN on 8x8x1 images, the same at each call."""

    def make(channels=1):
        keras.utils.set_random_seed(0)
        gan = keras_gan.GAN(
            keras_gan.architectures.dcgan_generator((8, 8, channels), latent_dim=4, width=4),
            keras_gan.architectures.dcgan_discriminator((8, 8, channels), width=4),
            seed=0,
            ema=None,
        )
        gan.compile(penalties=())
        return gan

    return make


@pytest.fixture
def make_sigmoid_gan():
    """A function that makes a GAN on 2x2x1 images in [0, 1], whose pixels are always 0, 0.5, 0.5 and 1."""

    def make():
        pixels = keras.layers.Dense(4, "sigmoid", kernel_initializer="zeros")
        generator = keras.Sequential([keras.Input((2,)), pixels, keras.layers.Reshape((2, 2, 1))])
        pixels.bias.assign([-20.0, 0.0, 0.0, 20.0])
        return keras_gan.GAN(generator, keras_gan.architectures.mlp_discriminator((2, 2, 1), units=(4,)), ema=None)

    return make


@pytest.fixture(scope="session")
def without_notes():
    """A function that drops from stderr what TensorFlow writes there when it is imported."""
    notes = re.compile(r"^(WARNING: All log messages before absl|[IW]0000 ).*\n", re.M)
    return lambda text: notes.sub("", text)


@pytest.fixture
def images():
    """48 random 8x8x1 images in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype("float32")


@pytest.fixture
def briefly():
    """Trainings of one epoch of two steps, which TensorFlow does not compile."""
    import tensorflow as tf

    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(2)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
