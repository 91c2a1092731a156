"""The exact relations behind the recipes on latents, Gaussians, autoencoders, faces and photographs."""

import argparse
from math import gamma, sqrt

import dcgan_faces
import gan_vs_vae
import generative_vs_discriminative as two_ways
import heights
import keras
import latent_walk
import numpy as np
import photos
import pytest
from scipy.ndimage import gaussian_filter, laplace
from scipy.special import softmax
from scipy.stats import bernoulli, multivariate_normal, norm

import keras_gan


@pytest.fixture(scope="module")
def classes():
    """300 points of three unequal classes in four dimensions."""
    rng = np.random.default_rng(0)
    y = rng.choice([0, 2, 5], 300, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(300, 4)) * (1 + y[:, None]) + y[:, None] * [1, -1, 0, 2], y


def test_a_shared_covariance_makes_bayes_rule_linear(classes):
    x, y = classes
    model = two_ways.Gaussians("shared").fit(x, y)
    weights, biases = model.linear()
    np.testing.assert_allclose(weights @ model.covariances[0], model.means, atol=1e-10)
    bayes = softmax(model.log_joint(x), axis=1)
    np.testing.assert_allclose(softmax(x @ weights.T + biases, axis=1), bayes, atol=1e-12)
    # With own covariances the classifier is not linear.
    own = softmax(two_ways.Gaussians("own").fit(x, y).log_joint(x), axis=1)
    assert np.abs(own - bayes).max() > 0.1


@pytest.mark.parametrize("covariance", ["shared", "own", "naive"])
def test_class_conditionals_are_normal_densities(covariance, classes):
    x, y = classes
    model = two_ways.Gaussians(covariance).fit(x, y)
    within = [np.cov(x[y == c].T, bias=True) for c in (0, 2, 5)]
    counts = [np.sum(y == c) for c in (0, 2, 5)]
    expected = []
    for k, c in enumerate((0, 2, 5)):
        matrix = {
            "shared": sum(n * w for n, w in zip(counts, within, strict=True)) / 300,
            "own": within[k],
            "naive": np.diag(np.diag(within[k])),
        }[covariance]
        matrix = matrix + 0.05 * np.trace(matrix) / 4 * np.eye(4)
        density = multivariate_normal(x[y == c].mean(axis=0), matrix)
        expected.append(density.logpdf(x) + np.log(counts[k] / 300))
    difference = model.log_joint(x) - np.stack(expected, axis=1)
    np.testing.assert_allclose(difference, difference[0, 0], atol=1e-9)
    found = np.array([0, 2, 5])[np.argmax(expected, axis=0)]
    assert model.score(x, y) == pytest.approx(np.mean(found == y))


def test_walks_have_the_lengths_of_their_theory():
    t, norms = latent_walk.walk_norms(20_000)
    length = sqrt(2) * gamma(8.5) / gamma(8)  # The mean of a chi distribution of 16 degrees.
    middle = len(t) // 2
    assert t[middle] == 0.5
    assert norms["lerp"][0] == pytest.approx(length, rel=0.01) and norms["lerp"][-1] == pytest.approx(length, rel=0.01)
    # Half of the sum of two independent normal latents has a standard deviation of sqrt(1/2).
    assert norms["lerp"][middle] == pytest.approx(length / sqrt(2), rel=0.01)
    np.testing.assert_allclose(norms["slerp"], length, rtol=0.01)


def test_sharpness_is_the_variance_of_the_laplacian():
    images = np.random.default_rng(0).uniform(-1, 1, (8, 28, 28, 1))
    expected = np.mean([laplace(image[..., 0])[1:-1, 1:-1].var() for image in images])
    assert gan_vs_vae.sharpness(images) == pytest.approx(expected)
    # Contrast counts squared, brightness and slopes not at all, and blur lowers it.
    assert gan_vs_vae.sharpness(images / 2 + 0.3) == pytest.approx(expected / 4)
    slope = np.linspace(-1, 1, 28)[:, None, None] * np.ones((1, 28, 28, 1))
    assert gan_vs_vae.sharpness(slope) == pytest.approx(0, abs=1e-12)
    edge = np.sign(slope)
    blurred = [gan_vs_vae.sharpness(gaussian_filter(edge, sigma, axes=(1, 2))) for sigma in (0.5, 1, 2)]
    assert gan_vs_vae.sharpness(edge) > 1.2 * blurred[0] > 1.44 * blurred[1] > 1.728 * blurred[2] > 0


def test_the_loss_of_an_autoencoder_is_its_evidence_bound():
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(2, 5, 3)).astype("float32")
    x = np.linspace(-30, 30, 60_001)
    for i, found in enumerate(np.asarray(gan_vs_vae.divergence(mean, log_variance))):
        densities = [norm.pdf(x, m, np.exp(v / 2)) for m, v in zip(mean[i], log_variance[i], strict=True)]
        expected = sum(heights.kullback_leibler(p, norm.pdf(x), x[1] - x[0]) for p in densities)
        assert found == pytest.approx(expected, rel=1e-4)
    images = np.sign(rng.normal(size=(4, 6, 6, 1))).astype("float32")
    decoded = rng.uniform(-0.99, 0.99, (4, 6, 6, 1)).astype("float32")
    expected = -bernoulli.logpmf(images > 0, (decoded + 1) / 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(gan_vs_vae.negative_log_likelihood(images, decoded), expected, rtol=1e-5)


def test_an_autoencoder_is_random_in_training_alone():
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))])
    vae = gan_vs_vae.VAE(encoder, decoder, seed=0)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 2, 2, 1)).astype("float32")
    mean, log_variance = np.split(np.asarray(encoder(images)), 2, axis=1)
    np.testing.assert_allclose(vae(images), decoder(mean), rtol=1e-6)
    # The term that `fit` adds to the likelihood.
    assert float(vae.losses[0]) == pytest.approx(np.mean(gan_vs_vae.divergence(mean, log_variance)), rel=1e-5)
    drawn = [vae(images, training=True) for _ in range(1000)]
    deviation = np.std([np.asarray(encoded) for encoded in drawn], axis=0).reshape(3, 4)
    kernel = np.asarray(decoder.layers[0].kernel)
    np.testing.assert_allclose(deviation, np.sqrt(np.exp(log_variance) @ kernel**2), rtol=0.15)


def test_sums_of_latents_are_as_long_as_latents():
    rng = np.random.default_rng(0)
    terms = rng.normal(size=(5000, 3, 3, 32)).astype("float32")
    sums = dcgan_faces.arithmetic(terms)
    one = terms[7].sum(axis=1) / 3
    np.testing.assert_allclose(sums[7], one[0] - one[1] + one[2], atol=1e-6)
    np.testing.assert_allclose(dcgan_faces.arithmetic(terms[7]), sums[7], atol=1e-6)
    assert np.var(sums) == pytest.approx(1, rel=0.02)


def test_drawn_faces_are_of_their_classes(tmp_path):
    for name in "ab":
        dcgan_faces.draw_faces(tmp_path / name, 80)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.png"))
    assert len(files) == 80 and all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )
    (batch,) = keras_gan.datasets.load(f"folder:{tmp_path / 'a'}", 80, labels=True)
    images, labels = map(np.asarray, batch)
    assert images.shape == (80, 64, 64, 3) and np.bincount(labels).tolist() == [20] * 4
    background = np.array([0xB6, 0xE3, 0xF4]) / 127.5 - 1
    np.testing.assert_allclose(images[:, 0, 0], np.tile(background, (80, 1)), atol=0.01)
    # Next to the cheek is long hair or nothing; the temples are darker with glasses.
    long, glasses = (np.array([word in name for name in dcgan_faces.FACES])[labels] for word in ("long", "glasses"))
    np.testing.assert_array_equal(np.abs(images[:, 28, 16] - background).max(axis=1) > 0.1, long)
    temples = images[:, 23, 44].mean(axis=1)
    assert temples[glasses].mean() < temples[~glasses].mean() - 0.5


def _levels(labels):
    return np.full((len(labels), 8, 8, 3), 0.5) * np.asarray(labels)[:, None, None, None] - 0.5


class Obedient:
    """A GAN of images whose level is the class asked for, but for every fourth one."""

    def sample(self, n, seed, labels):
        self.asked = labels
        return _levels(np.where(np.arange(n) % 4, labels, 2 - labels))


class Reader:
    """A classifier of images by their level."""

    def __call__(self, images):
        return {"probabilities": np.eye(3)[np.round(images.mean((1, 2, 3)) * 2 + 1).astype(int)]}


def test_samples_of_the_class_asked_for_are_counted():
    labels = np.array([0, 2, 2, 0, 0, 2, 1, 2, 0, 0, 0, 0])
    # Of the held-out photographs the last is not what its folder says.
    images = _levels([*labels[:-1], 2])
    held_out, gan = [(images[:8], labels[:8]), (images[8:], labels[8:])], Obedient()
    args = argparse.Namespace(labels=True, seed=0)
    found = photos.judge(gan, Reader(), [keras_gan.metrics.KernelDistance()], held_out, args)
    np.testing.assert_allclose(np.bincount(gan.asked) / 1000, [7 / 12, 1 / 12, 4 / 12], atol=1e-3)
    assert found["samples_of_their_class"] == 0.75 and found["held_out_of_their_class"] == pytest.approx(11 / 12)
    # All of both are compared, though there are more samples.
    metric = keras_gan.metrics.KernelDistance()
    metric.update_state(images, gan.sample(1000, 0, gan.asked))
    assert found["kernel_distance"] == pytest.approx(metric.result()["kernel_distance"], rel=1e-4)


@pytest.mark.parametrize("count", ["0", "5"])
def test_photographs_are_not_taken_from_those_held_out(count, tmp_path):
    folder = photos.draw(tmp_path / "drawn", 5, 16)
    with pytest.raises(SystemExit, match="--count: must be from 1 to 4"):
        photos.main(["--data", str(folder), "--count", count, "--run-dir", str(tmp_path / "run")])
