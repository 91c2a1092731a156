"""The exact numbers behind the recipes that follow the texts."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "recipes"))
import common
import minimax_game as game


@pytest.mark.parametrize("step, first", [(game.simultaneous, (-1.1, 0.1)), (game.alternating, (-1.1, 0.08))])
def test_the_game_of_the_texts_takes_its_known_path(step, first):
    path = game.play(game.slopes, step, (-1.0, -0.5), 300)
    np.testing.assert_allclose(path[1], first, atol=1e-12)
    np.testing.assert_allclose(path[-1], (-17 / 8, 1 / 8), atol=1e-12)


def test_slopes_are_those_of_the_value():
    x, y, h = 0.3, -0.7, 1e-6
    down = (game.value(x + h, y) - game.value(x - h, y)) / (2 * h)
    up = (game.value(x, y + h) - game.value(x, y - h)) / (2 * h)
    np.testing.assert_allclose(game.slopes(x, y), (down, -up), atol=1e-8)


@pytest.mark.parametrize(
    "step, matrix",
    [
        # One step from (x, y) is linear; worked out by hand, with r the rate.
        (game.simultaneous, lambda r: [[1, -r], [r, 1]]),
        (game.alternating, lambda r: [[1, -r], [r, 1 - r * r]]),
        (game.extragradient, lambda r: [[1 - r * r, -r], [r, 1 - r * r]]),
    ],
)
def test_the_bilinear_game_is_a_rotation(step, matrix):
    expected = np.linalg.matrix_power(np.array(matrix(game.RATE)), 50) @ [1.0, 0.0]
    np.testing.assert_allclose(game.play(game.bilinear, step, (1.0, 0.0), 50)[-1], expected, atol=1e-12)


def test_optimism_leans_against_the_last_step():
    path = game.play(game.bilinear, game.optimism, (1.0, 0.0), 2)
    # x1 = 1, y1 = r; x2 = 1 - 2 r y1 + r y0, y2 = r + 2 r x1 - r x0.
    np.testing.assert_allclose(path[1:], [(1, 0.1), (0.98, 0.2)], atol=1e-12)


def test_a_penalty_pulls_the_bilinear_game_in():
    path = game.play(game.penalised, game.simultaneous, (1.0, 0.0), 200)
    matrix = np.array([[1, -0.1], [0.1, 0.9]])
    np.testing.assert_allclose(path[-1], np.linalg.matrix_power(matrix, 200) @ [1, 0], atol=1e-12)
    assert np.hypot(*path[-1]) < 1e-4


def test_divergences_by_quadrature_match_closed_forms():
    x, dx = np.linspace(-30, 30, 60_001, retstep=True)
    p, q = common.normal_density(x, 0, 1), common.normal_density(x, 1, 2)
    assert common.kullback_leibler(p, q, dx) == pytest.approx(np.log(2) + 2 / 8 - 0.5, abs=1e-8)
    assert common.jensen_shannon(p, p, dx) == 0
    far = common.normal_density(x, 15, 0.5)
    assert common.jensen_shannon(common.normal_density(x, -15, 0.5), far, dx) == pytest.approx(np.log(2), abs=1e-8)
    # Not symmetric in p and q, unlike the Jensen-Shannon divergence.
    assert common.jensen_shannon(p, q, dx) == pytest.approx(common.jensen_shannon(q, p, dx), abs=1e-12)
    assert common.kullback_leibler(q, p, dx) == pytest.approx(-np.log(2) + 5 / 2 - 0.5, abs=1e-8)
