import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_gan import walks


def test_slerp_on_known_angles():
    x, y = np.eye(2, dtype="float32")
    third = np.array([-0.5, math.sqrt(3) / 2])

    def at(degrees):
        return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]

    for end, angle in ((y, 90), (third, 120), (at(1), 1), (at(179), 179)):
        walk = ops.convert_to_numpy(walks.slerp(x, end, [0.0, 0.25, 0.5, 1.0]))
        np.testing.assert_allclose(walk, [at(0), at(angle / 4), at(angle / 2), at(angle)], atol=2e-6)


def test_slerp_is_the_published_formula_for_equal_norms():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 64))
    a, b = (8 * v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    omega = np.arccos((a * b).sum(-1, keepdims=True) / 64)
    for t in (0.0, 0.1, 0.5, 0.9, 1.0):
        walk = ops.convert_to_numpy(walks.slerp(a, b, t))
        expected = (np.sin((1 - t) * omega) * a + np.sin(t * omega) * b) / np.sin(omega)
        np.testing.assert_allclose(walk, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(walk, axis=-1), 8, rtol=1e-5)


def test_slerp_changes_the_norm_linearly_and_ends_where_it_should():
    a, b = np.random.default_rng(0).normal(size=(2, 7, 16)).astype("float32") * [[[1.0]], [[3.0]]]
    t = np.linspace(0, 1, 5)
    walk = ops.convert_to_numpy(walks.slerp(a, b, t))
    np.testing.assert_allclose(walk[0], a, atol=1e-5)
    np.testing.assert_allclose(walk[-1], b, atol=1e-5)
    norms = np.linalg.norm(walk, axis=-1)
    np.testing.assert_allclose(norms, norms[0] + t[:, None] * (norms[-1] - norms[0]), rtol=1e-5)


@pytest.mark.parametrize("epsilon", [0.0, 1e-8, 1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("latent_dim", [2, 64])
def test_slerp_joins_parallel_and_opposite_latents(latent_dim, epsilon):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, latent_dim))
    for sign in (1, -1):
        end = sign * a + epsilon * b
        end *= np.linalg.norm(a, axis=-1, keepdims=True) / np.linalg.norm(end, axis=-1, keepdims=True)
        walk = ops.convert_to_numpy(walks.slerp(a, end, np.linspace(0, 1, 9)))
        np.testing.assert_allclose(
            np.linalg.norm(walk, axis=-1), np.tile(np.linalg.norm(a, axis=-1), (9, 1)), rtol=1e-5
        )
        np.testing.assert_allclose(walk[0], a, atol=1e-5)
        np.testing.assert_allclose(walk[-1], end, atol=1e-5)
        steps = np.linalg.norm(np.diff(walk, axis=0), axis=-1)
        # All steps of one walk are equally long: it turns at constant speed.
        np.testing.assert_allclose(steps, np.tile(steps.mean(0), (8, 1)), rtol=1e-3, atol=3e-6)


def test_slerp_is_finite_for_zeros_and_in_one_dimension():
    zero, one = np.zeros(3), np.array([0.0, 2.0, 0.0])
    np.testing.assert_allclose(walks.slerp(zero, one, [0.0, 1.0]), [zero, one], atol=1e-6)
    np.testing.assert_allclose(walks.slerp(zero, zero, 0.5), zero, atol=1e-6)
    assert np.isfinite(walks.slerp([1.0], [-1.0], [0.0, 0.5, 1.0])).all()


def test_lerp():
    walk = walks.lerp([0.0, 2.0], [4.0, 0.0], [0.0, 0.25, 1.0])
    np.testing.assert_allclose(walk, [[0, 2], [1, 1.5], [4, 0]], atol=1e-6)


@pytest.mark.parametrize("walk", [walks.lerp, walks.slerp])
def test_walks_put_the_steps_first(walk):
    one, batch = np.ones(4), np.random.default_rng(0).normal(size=(3, 4))
    t = np.linspace(0, 1, 5)
    assert tuple(walk(one, one, 0.5).shape) == (4,)
    assert tuple(walk(one, one, t).shape) == (5, 4)
    assert tuple(walk(batch, batch, 0.5).shape) == (3, 4)
    assert tuple(walk(one, batch, t).shape) == (5, 3, 4)
    assert tuple(walk(batch, one, t).shape) == (5, 3, 4)
    assert tuple(walk(batch, batch, np.zeros((6, 5))).shape) == (6, 5, 3, 4)
    assert keras.backend.standardize_dtype(walk(one, one, t).dtype) == "float32"
    np.testing.assert_allclose(walk(one, batch, t)[2, 1], walk(one, batch[1], 0.5), atol=1e-6)


def test_a_tour_passes_its_stops_and_comes_back():
    stops = np.random.default_rng(0).normal(size=(3, 2, 16)).astype("float32")
    way = walks.tour(stops, frames=4)
    assert way.shape == (12, 2, 16)
    np.testing.assert_allclose(way[::4], stops, atol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(way[10], axis=1), np.linalg.norm([stops[2], stops[0]], axis=2).mean(0), rtol=1e-5
    )
