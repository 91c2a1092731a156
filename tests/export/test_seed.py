import numpy as np
import pytest
from scipy import stats

from keras_gan import priors
from keras_gan.export.seed import uniform


def reference(seed, n):
    """Computes the same numbers with Python's integers."""

    def f(x):
        x = (x ^ (x >> 16)) * 0x85EBCA6B % 2**32
        x = (x ^ (x >> 13)) * 0xC2B2AE35 % 2**32
        return x ^ (x >> 16)

    bits = [f(f(f(seed % 2**32) ^ (i * 0x9E3779B9 % 2**32)) ^ 0x5BD1E995) for i in range(n)]
    return [((b >> 9) + 0.5) / 2**23 for b in bits]


@pytest.fixture(scope="module")
def drawn():
    """Uniform numbers of the first 4,000 seeds."""
    return np.asarray(uniform(np.arange(4000, dtype="int32"), 64), "float64")


def test_values():
    seeds = np.array([0, 1, -1, 123456789, 2**31 - 1, -(2**31)], "int32")
    np.testing.assert_array_equal(uniform(seeds, 9), [reference(int(s), 9) for s in seeds])


def test_moments(drawn):
    u, n = drawn.ravel(), drawn.size
    assert 0 < u.min() < 1e-4 and 1 - 1e-4 < u.max() < 1
    assert abs(u.mean() - 1 / 2) < 4 * np.sqrt(1 / 12 / n)
    assert abs(u.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / n)
    assert stats.kstest(u, "uniform").pvalue > 1e-3


def test_normal_moments(drawn):
    z = np.asarray(priors.Normal(64).from_uniform(drawn.astype("float32")), "float64").ravel()
    n = z.size
    assert abs(z.mean()) < 4 / np.sqrt(n) and abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(stats.skew(z)) < 4 * np.sqrt(6 / n) and abs(stats.kurtosis(z)) < 4 * np.sqrt(24 / n)
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_each_seed_and_each_entry_is_uniform(drawn):
    # With this many tests the smallest p-value is itself random.
    for rows in (drawn[:500], drawn.T):
        p = np.array([stats.kstest(row, "uniform").pvalue for row in rows])
        assert p.min() > 1e-3 / len(p) and stats.kstest(p, "uniform").pvalue > 1e-3


def test_seeds_and_entries_do_not_correlate(drawn):
    for rows, pairs in ((drawn[:1000], 64), (drawn.T, 4000)):
        r = np.corrcoef(rows)[np.triu_indices(len(rows), 1)] * np.sqrt(pairs)
        assert abs(r.std() - 1) < 0.03 and abs(r.mean()) < 0.05
        assert np.abs(r).max() < 6
    for lag in (1, 2, 3):
        r = np.corrcoef(drawn[lag:].ravel(), drawn[:-lag].ravel())[0, 1]
        assert abs(r) < 4 / np.sqrt(drawn.size)


def test_pairs_fill_the_square(drawn):
    counts, _, _ = np.histogram2d(drawn[:, :-1].ravel(), drawn[:, 1:].ravel(), bins=32, range=[[0, 1], [0, 1]])
    assert 1e-3 < stats.chisquare(counts.ravel()).pvalue < 1 - 1e-3


def test_far_seeds_differ_in_every_bit(drawn):
    seeds = np.concatenate([[0], 2 ** np.arange(31)]).astype("int32")
    u = np.asarray(uniform(seeds, 64))
    bits = (u * 2**23).astype("int64")
    flipped = [bin(int(a ^ b)).count("1") / 23 for row in bits[1:] for a, b in zip(bits[0], row, strict=True)]
    assert 0.49 < np.mean(flipped) < 0.51


def test_all_latents_are_distinct():
    rows = np.asarray(uniform(np.arange(100_000, dtype="int32"), 4))
    assert len(np.unique(rows, axis=0)) == len(rows)
