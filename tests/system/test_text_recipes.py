"""Exact numbers behind the recipes that follow papers."""

import gaussians
import heights
import minimax_game as game
import numpy as np
import optimal_discriminator as optimal
import pytest
import saturation
import sine
from scipy import stats


@pytest.mark.parametrize("recipe", [gaussians, heights, game, optimal, saturation, sine])
def test_a_finished_run_is_not_overwritten(recipe, tmp_path, capsys):
    (tmp_path / "summary.json").write_text("precious")
    with pytest.raises(SystemExit):
        recipe.main(["--quick", "--run-dir", str(tmp_path)])
    assert "nothing was overwritten" in capsys.readouterr().err
    assert [p.read_text() for p in tmp_path.iterdir()] == ["precious"]


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
    p, q = optimal.normal_density(x, 0, 1), optimal.normal_density(x, 1, 2)
    assert heights.kullback_leibler(p, q, dx) == pytest.approx(np.log(2) + 2 / 8 - 0.5, abs=1e-8)
    assert heights.jensen_shannon(p, p, dx) == 0
    far = optimal.normal_density(x, 15, 0.5)
    assert heights.jensen_shannon(optimal.normal_density(x, -15, 0.5), far, dx) == pytest.approx(np.log(2), abs=1e-8)
    # Not symmetric in p and q, unlike the Jensen-Shannon divergence.
    assert heights.jensen_shannon(p, q, dx) == pytest.approx(heights.jensen_shannon(q, p, dx), abs=1e-12)
    assert heights.kullback_leibler(q, p, dx) == pytest.approx(-np.log(2) + 5 / 2 - 0.5, abs=1e-8)


def test_a_change_of_variables_gives_the_known_densities():
    z, (x, dx) = np.linspace(-8, 8, 8001), np.linspace(-2, 9, 2201, retstep=True)
    expected = optimal.normal_density(x, 3, 2)
    np.testing.assert_allclose(heights.change_of_variables(z, 3 + 2 * z, x), expected, atol=2e-5)
    np.testing.assert_allclose(heights.change_of_variables(z, 3 - 2 * z, x), expected, atol=2e-5)
    away = x > 0.5
    np.testing.assert_allclose(
        heights.change_of_variables(z, np.exp(z), x)[away], stats.lognorm(1).pdf(x[away]), rtol=5e-3
    )
    # A map that folds: both roots count. At the fold the density is infinite, its mass is not.
    folded = heights.change_of_variables(z, z**2, x)
    np.testing.assert_allclose(folded[away], stats.chi2(1).pdf(x[away]), rtol=5e-3)
    assert np.sum(folded) * dx == pytest.approx(stats.chi2(1).cdf(9 + dx / 2), abs=1e-6)
    # A generator that has collapsed to a point keeps its mass, too.
    assert np.sum(heights.change_of_variables(z, 0 * z + 4, x)) * dx == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("mean", [180, 200])  # the gap is on one side of the law, or on the other
def test_kolmogorov_smirnov_statistic(mean):
    samples = np.random.default_rng(0).normal(mean, 35, 50)
    expected = stats.kstest(samples, stats.norm(heights.MEAN, heights.STDDEV).cdf).statistic
    assert heights.kolmogorov_smirnov(samples) == pytest.approx(expected, abs=1e-12)


def test_distance_from_the_curve_and_what_is_covered():
    on = sine.curve(np.linspace(0, 2 * np.pi, 40))
    assert sine.distances(on).max() < 3e-3 and sine.covered(on) == 1
    # Above the crest, and beyond the end.
    beyond = np.array([[np.pi / 2, 1.25], [2 * np.pi + 3, 3]], "float32")
    np.testing.assert_allclose(sine.distances(beyond), [0.25, np.hypot(3, 3)], atol=1e-3)
    assert sine.covered(on[:20]) == 0.5


def test_the_best_discriminator_and_its_divergence():
    x = np.array([-1.0, 0.3, 2.0])
    np.testing.assert_allclose(optimal.best(x, 0.0), 0.5)
    ratio = stats.norm(0, 1).pdf(x) / stats.norm(1, 0.7).pdf(x)
    np.testing.assert_allclose(optimal.best(x, 1.0), ratio / (1 + ratio), rtol=1e-12)
    assert optimal.divergence(0.0) == 0
    # Monte Carlo, with its own formula: the mean of log D* and of log(1 - D*).
    real, fake = (np.random.default_rng(0).normal(m, s, 400_000) for m, s in ((0, 1), (1, 0.7)))
    value = np.log(optimal.best(real, 1.0)).mean() + np.log1p(-optimal.best(fake, 1.0)).mean()
    assert optimal.divergence(1.0) == pytest.approx((value + np.log(4)) / 2, abs=2e-3)
    np.testing.assert_allclose(optimal.quantiles(2)[:, 0], [-0.67449, 0.67449], atol=1e-5)
