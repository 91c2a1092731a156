import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import keras_gan
from keras_gan import priors

N = 40_000


def every_prior():
    return [
        priors.Normal(5, mean=1.0, stddev=0.5),
        priors.Uniform(5, low=0.0, high=3.0),
        priors.Mixture(priors.circle(4, 5, radius=3.0), stddev=0.2),
        priors.Concatenated([priors.Normal(3), priors.Uniform(2)]),
    ]


def sample(prior, n=N, seed=0, **kwargs):
    return ops.convert_to_numpy(prior.sample(n, seed, **kwargs))


def normal_cdf(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def kolmogorov_smirnov(values, cdf):
    """Computes sqrt(n) times the largest distance to a distribution: 0.5 to 1.6 for 95 of 100 samples from it."""
    values = np.sort(values)
    ranks = np.arange(len(values) + 1) / len(values)
    expected = cdf(values)
    return math.sqrt(len(values)) * max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max())


# === Any prior ===


@pytest.mark.parametrize("prior", every_prior(), ids=lambda p: type(p).__name__)
def test_an_int_seed_repeats_and_others_do_not(prior):
    z = sample(prior, 8, 3)
    assert z.shape == (8, 5) and z.dtype == np.float32
    np.testing.assert_array_equal(z, sample(prior, 8, 3))
    generator = keras.random.SeedGenerator(3)
    draws = [z, sample(prior, 8, 4), sample(prior, 8, None), sample(prior, 8, None)]
    np.testing.assert_array_equal(z, sample(prior, 8, generator))
    draws.append(sample(prior, 8, generator))
    for i, a in enumerate(draws):
        for b in draws[:i]:
            assert np.mean(a == b) < 0.1


@pytest.mark.parametrize("prior", every_prior(), ids=lambda p: type(p).__name__)
def test_a_graph_draws_the_same_for_any_count(prior):
    generator = keras.random.SeedGenerator(3)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def draw(n):
        return prior.sample(n, 3), prior.sample(n, generator), prior.sample(n)

    for n in (4, 8):
        fixed, first, other = (ops.convert_to_numpy(z) for z in draw(n))
        np.testing.assert_allclose(fixed, sample(prior, n, 3), rtol=1e-5, atol=1e-6)
        assert first.shape == other.shape == (n, 5)
        assert np.mean(first == other) < 0.1
    assert np.mean(first == fixed) < 0.1


@pytest.mark.parametrize("prior", every_prior(), ids=lambda p: type(p).__name__)
def test_the_numbers_of_a_latent_are_uncorrelated(prior):
    # The modes of the circle are, too: the mean of cos * sin is 0. Standard error 0.005.
    correlation = np.corrcoef(sample(prior).T)
    off_diagonal = correlation[~np.eye(5, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.025
    # This would also hold for zeros only.
    assert np.abs(off_diagonal).max() > 1e-4


@pytest.mark.parametrize("prior", every_prior(), ids=lambda p: type(p).__name__)
def test_a_prior_survives_serialisation(prior):
    config = keras.saving.serialize_keras_object(prior)
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(prior)
    assert loaded.latent_dim == 5
    assert keras.saving.serialize_keras_object(loaded) == config
    np.testing.assert_array_equal(sample(prior, 8), sample(loaded, 8))


def test_a_gan_keeps_its_mixture(tmp_path):
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=3, units=(4,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(4,)),
        prior=priors.Concatenated([priors.Mixture([[1.0, 2.0], [3.0, 4.0]], stddev=0.1), priors.Uniform(1)]),
        ema=None,
    )
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(gan.sample(4, seed=0), loaded.sample(4, seed=0))


# === Normal, Uniform ===


def test_normal_has_the_moments_and_the_shape_of_a_normal():
    z = (sample(priors.Normal(4, mean=2.0, stddev=3.0)) - 2) / 3
    # 160,000 numbers: standard errors 0.0025, 0.0035, 0.01 and 0.0245.
    assert -0.01 < z.mean() < 0.01
    assert 0.986 < z.var() < 1.014
    assert -0.04 < (z**3).mean() < 0.04
    assert 2.9 < (z**4).mean() < 3.1
    assert 0.3 < kolmogorov_smirnov(z.ravel(), normal_cdf) < 1.95


def test_normal_is_the_inverse_of_its_distribution_function():
    u = np.array([[0.5, 0.841345, 0.158655, 0.975, 0.99865]], "float32")
    z = ops.convert_to_numpy(priors.Normal(5).from_uniform(u))
    np.testing.assert_allclose(z, [[0, 1, -1, 1.959964, 3]], atol=1e-3)
    extremes = ops.convert_to_numpy(priors.Normal(2).from_uniform(np.array([[0, 1 - 2**-24]], "float32")))
    assert -5.4 < extremes[0, 0] < -5.1 and 5.1 < extremes[0, 1] < 5.4


def test_uniform_has_the_moments_and_the_bounds_of_a_uniform():
    z = sample(priors.Uniform(4, low=-2.0, high=4.0))
    assert -2 <= z.min() < -1.999 and 3.999 < z.max() <= 4
    assert 0.98 < z.mean() < 1.02
    assert 2.97 < z.var() < 3.03
    assert 0.3 < kolmogorov_smirnov(z.ravel(), lambda x: (x + 2) / 6) < 1.95


# === Truncation ===


@pytest.mark.parametrize("t", [0.1, 0.7, 2.0, 3.5])
def test_truncation_gives_the_conditional_normal(t):
    z = (sample(priors.Normal(4, mean=2.0, stddev=3.0), truncation=t).astype("float64") - 2) / 3
    assert 0.99 * t < np.abs(z).max() <= t + 1e-6
    inside = math.erf(t / math.sqrt(2))
    density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * t * density / inside
    assert 0.985 * variance < z.var() < 1.015 * variance
    assert 0.3 < kolmogorov_smirnov(z.ravel(), lambda x: (normal_cdf(x) - normal_cdf(-t)) / inside) < 1.95


def test_truncation_moves_the_same_latents_towards_the_mean():
    prior = priors.Normal(4)
    z = [np.abs(sample(prior, 100, truncation=t)) for t in (0.3, 1.0, 3.0, None)]
    for smaller, larger in itertools.pairwise(z):
        assert np.all(smaller < larger)
    signs = [np.sign(sample(prior, 100, truncation=t)) for t in (0.3, None)]
    np.testing.assert_array_equal(*signs)
    np.testing.assert_array_equal(sample(prior, 100, truncation=40), sample(prior, 100))


def test_truncation_reaches_the_modes_and_the_parts():
    centers = priors.circle(6, 3, radius=5.0)
    offsets = sample(priors.Mixture(centers, stddev=0.5), truncation=0.8)[:, None] - centers
    nearest = np.abs(offsets[np.arange(N), np.square(offsets).sum(-1).argmin(1)])
    assert 0.399 < nearest.max() <= 0.4 + 1e-6
    z = np.abs(sample(priors.Concatenated([priors.Normal(1), priors.Normal(1, stddev=2.0)]), truncation=0.8)).max(0)
    assert 0.799 < z[0] <= 0.8 + 1e-6 and 1.598 < z[1] <= 1.6 + 1e-6


def test_truncation_refuses_what_it_can_not_do():
    for t in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"truncation must be a finite number > 0\. Received: "):
            priors.Normal(2).sample(4, truncation=t)
    for prior in (priors.Uniform(2), priors.Concatenated([priors.Normal(1), priors.Uniform(1)])):
        with pytest.raises(ValueError, match=r"truncation must be None for a Uniform .* Received: 0.5"):
            prior.sample(4, truncation=0.5)


# === Mixture, Concatenated ===


def test_mixture_hits_all_modes_alike_and_is_normal_around_each():
    centers = priors.circle(8, 4, radius=6.0)
    z = sample(priors.Mixture(centers, stddev=0.5))
    mode = np.square(z[:, None] - centers).sum(-1).argmin(1)
    counts = np.bincount(mode, minlength=8)
    # 5,000 +- 66 each; exactly 5,000 each would not be random.
    assert 4_700 < counts.min() < 4_990 and 5_010 < counts.max() < 5_300
    noise = (z - centers[mode]) / 0.5
    assert 0.3 < kolmogorov_smirnov(noise.ravel(), normal_cdf) < 1.95
    for i in range(8):
        # The choice of the mode is independent of the noise around it: standard error 0.014.
        assert np.abs(noise[mode == i].mean(0)).max() < 0.06
        assert 0.94 < noise[mode == i].std() < 1.06


def test_mixture_takes_any_centers():
    centers = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]
    z = sample(priors.Mixture(centers, stddev=1e-3), 300)
    assert {tuple(row) for row in z.round().tolist()} == {tuple(row) for row in centers}


def test_circle():
    centers = priors.circle(4, 3, radius=2.0)
    np.testing.assert_allclose(centers, [[2, 0, 0], [0, 2, 0], [-2, 0, 0], [0, -2, 0]], atol=1e-6)
    apart = np.linalg.norm(np.diff(priors.circle(10, 2, radius=3.0), axis=0), axis=1)
    np.testing.assert_allclose(apart, 6 * math.sin(math.pi / 10), rtol=1e-6)


def test_concatenated_parts_are_independent_and_in_order():
    prior = priors.Concatenated(
        [priors.Normal(2), priors.Uniform(1, 5.0, 6.0), priors.Normal(2), priors.Mixture([[9.0]])]
    )
    assert prior.latent_dim == 6
    z = sample(prior)
    # With an int seed, two draws of two normals would be the same numbers.
    assert np.abs(np.corrcoef(z.T) - np.eye(6)).max() < 0.025
    np.testing.assert_allclose(z.mean(0), [0, 0, 5.5, 0, 0, 9], atol=0.02)
    np.testing.assert_allclose(z.std(0), [1, 1, 1 / math.sqrt(12), 1, 1, 1], atol=0.02)


@pytest.mark.parametrize(
    "make",
    [
        lambda: priors.Mixture([1.0, 2.0]),
        lambda: priors.Mixture(np.zeros((0, 2))),
        lambda: priors.Mixture([[0.0, math.inf]]),
        lambda: priors.Mixture([[0.0]], stddev=0),
        lambda: priors.Concatenated([]),
        lambda: priors.Concatenated([priors.Normal(2), 3]),
        lambda: priors.circle(0, 2),
        lambda: priors.circle(3, 1),
    ],
)
def test_bad_arguments_are_named(make):
    with pytest.raises(ValueError, match=r"(centers|stddev|priors|num_modes|latent_dim) must be .*Received"):
        make()
