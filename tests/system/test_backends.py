"""Equality of TensorFlow, JAX and torch. Needs all three: `make test-backends` installs them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gan

OTHERS = ["jax", "torch"]

pytestmark = [
    pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="compares the others with TensorFlow"),
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, OTHERS)), reason="needs jax and torch: run make test-backends"
    ),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, rounds):
    """The folder in which each backend loaded, measured, trained and saved the same GAN."""
    folder = tmp_path_factory.mktemp("backends")
    keras.utils.set_random_seed(0)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4),
        keras_gan.architectures.sn_dcgan_discriminator((8, 8, 1), width=4),
        ema=0.5,
        seed=0,
    )
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.SGD(1e-2), penalties=[keras_gan.penalties.R1(0.5)])
    gan.fit(np.random.default_rng(1).uniform(-1, 1, (32, 8, 8, 1)).astype("float32"), batch_size=16, verbose=0)
    gan.save(folder / "gan.keras")
    architectures = keras_gan.architectures
    pairs = keras_gan.Pix2Pix(
        architectures.unet_generator((16, 16, 3), width=4), architectures.patch_discriminator((16, 16, 6), width=4)
    )
    pairs.save(folder / "pairs.keras")
    generators = [architectures.residual_generator((16, 16, 3), width=4, blocks=1) for _ in range(2)]
    discriminators = [architectures.patch_discriminator((16, 16, 3), width=4) for _ in range(2)]
    keras_gan.CycleGAN(*generators, *discriminators, ema=0.5, pool_size=5).save(folder / "cycle.keras")
    script = Path(__file__).parents[1] / "scripts" / "backends_run.py"
    # JAX compiles faster where LLVM optimizes nothing. The long test runs it as users do.
    flags = rounds("--xla_backend_optimization_level=0", "")
    # At once: each alone keeps one core busy, mostly with compiling.
    processes = {
        name: subprocess.Popen(
            [sys.executable, str(script), str(folder)],
            env={"XLA_FLAGS": flags, **os.environ, "KERAS_BACKEND": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ["tensorflow", *OTHERS]
    }
    said = {name: process.communicate(timeout=900)[0] for name, process in processes.items()}
    for name, process in processes.items():
        assert process.returncode == 0, f"{name}: {said[name][-3000:]}"
    return folder


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    ("what", "tolerance"),
    [
        ("images", 1e-5),
        ("d_objective", 1e-5),
        ("g_objective", 1e-5),
        ("discriminator_gradient", 1e-4),
        ("generator_gradient", 1e-4),
        ("discriminator_norm", 1e-4),
        ("generator_norm", 1e-4),
        ("history", 1e-4),
        ("trained_images", 1e-3),
        ("simultaneous_history", 1e-4),
        ("simultaneous_images", 1e-4),
        ("pairs_history", 1e-4),
        ("pairs_images", 1e-3),
        ("pairs_simultaneous_history", 1e-4),
        ("pairs_simultaneous_images", 1e-3),
        ("cycle_history", 1e-4),
        ("cycle_images", 1e-4),
        ("cycle_pool", 1e-4),
    ],
)
def test_backends_agree(what, tolerance, name, runs):
    expected, received = np.load(runs / "tensorflow.npz"), np.load(runs / f"{name}.npz")
    keys = [key for key in expected.files if key.split("/")[0] == what]
    assert keys and expected.files == received.files
    for key in keys:
        assert np.isfinite(expected[key]).all()
        np.testing.assert_allclose(received[key], expected[key], rtol=tolerance, atol=tolerance, err_msg=key)
    assert any(np.abs(expected[key]).max() > 1e-3 for key in keys)


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_backend_gives_its_images_exports_and_goes_on(name, runs, tmp_path):
    gan = keras.models.load_model(runs / f"from_{name}.keras")
    latents = np.random.default_rng(0)
    latents.uniform(-1, 1, (16, 8, 8, 1))
    latents = latents.normal(size=(16, 4)).astype("float32")
    np.testing.assert_allclose(
        gan.predict(latents, verbose=0), np.load(runs / f"{name}.npz")["trained_images"], atol=1e-5
    )
    assert int(gan.optimizer.iterations) == 5
    assert gan.export(tmp_path / "gan.tflite").max_error <= 1e-5
    before = gan.generator.get_weights()
    gan.fit(np.full((16, 8, 8, 1), -0.5, "float32"), batch_size=16, verbose=0)
    assert int(gan.optimizer.iterations) == 6
    assert any(np.abs(a - b).max() > 1e-5 for a, b in zip(before, gan.generator.get_weights(), strict=True))


@pytest.mark.parametrize("name", OTHERS)
def test_a_translation_of_another_backend_gives_its_images_and_goes_on(name, runs):
    model = keras.models.load_model(runs / f"pairs_from_{name}.keras")
    rng = np.random.default_rng(0)
    rng.uniform(-1, 1, (16, 8, 8, 1))
    rng.normal(size=(16, 4))
    sources, targets = rng.uniform(-1, 1, (2, 24, 16, 16, 3)).astype("float32")
    expected = np.load(runs / f"{name}.npz")["pairs_simultaneous_images"]
    np.testing.assert_allclose(model.predict(sources, verbose=0), expected, atol=1e-5)
    model.fit(sources, targets, batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == 6
