"""The public names of the package, and no others."""

import inspect
import types

import pages
import pytest

import keras_gan

ROOMS = list(pages.modules())


def test_of_the_rooms_of_the_package_one_alone_holds_another():
    assert ROOMS[0] is keras_gan
    assert [room.__name__ for room in ROOMS if room.__name__.count(".") > 1] == ["keras_gan.metrics.features"]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_room_shows_its_public_names_alone(room):
    shown = [name for name in dir(room) if not name.startswith("__")]
    assert shown and shown == sorted(room.__all__)
    assert not [name for name in shown if name.startswith("_")]
    things = {name: getattr(room, name) for name in shown}
    modules = {name for name, thing in things.items() if isinstance(thing, types.ModuleType)}
    assert {*pages.names(room), *modules} == set(shown)
    assert {f"{room.__name__}.{name}" for name in modules} == {
        other.__name__ for other in ROOMS if other.__name__.rpartition(".")[0] == room.__name__
    }
    for name, thing in things.items():
        assert (thing.__doc__ or "").strip(), f"{room.__name__}.{name} has no docstring"
        # No names of other packages or modules.
        assert thing.__name__.startswith("keras_gan") if name in modules else thing.__module__.startswith("keras_gan.")


@pytest.mark.parametrize(
    ("room", "base"),
    [
        (keras_gan.augmentation, "Augmentation"),
        (keras_gan.conditions, "Condition"),
        (keras_gan.losses, "AdversarialLoss"),
        (keras_gan.penalties, "Penalty"),
        (keras_gan.priors, "Prior"),
    ],
)
def test_all_of_a_kind_are_shown(room, base):
    kind = getattr(room, base)
    there = {name for name, thing in vars(room).items() if inspect.isclass(thing) and issubclass(thing, kind)}
    assert {name for name in there if not name.startswith("_") and vars(room)[name].__module__ == room.__name__} == {
        name for name in room.__all__ if inspect.isclass(getattr(room, name))
    }
