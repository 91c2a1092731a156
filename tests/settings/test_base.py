import numpy as np
import pytest

from keras_gan import pace, settings
from keras_gan.conditions import Labels
from keras_gan.settings.base import noise_of_two

FACTS = {"images", "pairs", "steps"}


def test_steps_are_divided_into_equal_epochs():
    chosen = settings.for_images((8, 8, 3), count=33)
    # Each image a hundred times: three batches of 16 hold them.
    assert (chosen.steps, chosen.epochs) == (300, 6)
    assert (chosen.replace(steps=5000).epochs, chosen.replace(steps=5000).steps) == (40, 5000)
    assert (chosen.replace(steps=5039).epochs, chosen.replace(steps=5039).steps) == (40, 5000)
    assert (chosen.replace(steps=7).epochs, chosen.replace(steps=7).steps) == (1, 7)
    assert chosen.replace(steps=10, epochs=3).steps == 9


def test_steps_fit_into_the_time():
    chosen = settings.for_images((8, 8, 3), count=33, minutes=10)
    chosen.fit_into(10, pace.Pace(start=20.0, step=0.05, epoch_end=1.0))
    # Looking takes a tenth at most: 40 epochs of a second are less.
    assert (chosen.epochs, chosen.steps) == (40, (600 - 20 - 40) * 20)
    chosen.fit_into(10, pace.Pace(start=20.0, step=0.05, epoch_end=10.0))
    assert (chosen.epochs, chosen.steps) == (6, (600 - 20 - 60) * 20 // 6 * 6)
    chosen.fit_into(0, pace.Pace(start=20.0, step=0.05, epoch_end=10.0))
    assert (chosen.epochs, chosen.steps) == (1, 1)


def test_measure_sets_the_steps(images):
    small = settings.for_images((8, 8, 3), count=20).replace(width=2, latent_dim=4, batch_size=4, steps=6, epochs=3)
    chosen = small.replace(minutes=0.2)
    found = chosen.measure(images, seconds=0.1)
    expected = min(40, int(0.1 * 12 / max(found.epoch_end, 1e-3)))
    steps = found.steps_within(12, expected)
    assert chosen.epochs == max(1, min(expected, steps // 50)) and 0 <= steps - chosen.steps < chosen.epochs
    # On noise, with labels where there are any; without minutes nothing changes.
    other = small.replace(condition=Labels(3))
    other.measure(seconds=0.1)
    assert (other.steps, other.epochs) == (6, 3)


def test_noise_in_place_of_two_sets_differs():
    # Equal sets are warned of.
    [(x, y)] = noise_of_two((16, 16, 3), (16, 16, 3), 4).as_numpy_iterator()
    assert x.shape == y.shape == (4, 16, 16, 3) and 0.6 < np.abs(x - y).mean() < 0.7


def _reasons(chosen):
    return {name: reason for name, _, reason in chosen.reasons()}


@pytest.mark.parametrize(
    ("make", "changes", "mine"),
    [
        (lambda: settings.for_images((8, 8, 3), 20), {"simultaneous": False, "augment": False}, None),
        (lambda: settings.for_images((8, 8, 1), 20), {"simultaneous": True, "augment": True, "flip": True}, None),
        (lambda: settings.for_images((8, 8, 3), 20), {"generator_width": 5}, {"networks"}),
        (lambda: settings.for_images((8, 8, 3), 20), {"count": 50, "steps": 400, "seed": 3, "minutes": 2}, set()),
        (lambda: settings.for_pairs((16, 16, 3), (16, 16, 3), 20), {"dropout": 0.5, "flip": False}, None),
        (lambda: settings.for_pairs((16, 16, 1), (16, 16, 3), 20), {"reconstruction_weight": 5}, {"reconstruction"}),
        (lambda: settings.for_unpaired((16, 16, 3), (16, 16, 3), 20, 30), {"architecture": "residual"}, {"networks"}),
        (lambda: settings.for_unpaired((16, 16, 3), (16, 16, 3), 20, 30), {"steps": 700}, set()),
        (
            lambda: settings.for_unpaired((16, 16, 3), (16, 16, 3), 20, 30),
            {"identity_weight": 0, "match_steps": 5},
            None,
        ),
    ],
)
def test_a_reason_is_that_of_the_default(make, changes, mine):
    before, after = _reasons(make()), _reasons(make().replace(**changes))
    mine = changes.keys() if mine is None else mine
    assert "your choice" not in before.values()
    assert {name for name, reason in after.items() if reason == "your choice"} == mine
    assert all(after[name] == before[name] for name in before.keys() - mine - FACTS)
    # A default that is given is no choice.
    same = {
        name: getattr(make(), name) for name in changes.keys() - {"steps", "minutes", "identity_weight", "match_steps"}
    }
    assert _reasons(make().replace(**same)) == before
