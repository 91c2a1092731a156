import re

import keras
import numpy as np
import pytest

import keras_gan
from keras_gan import pace, settings
from keras_gan.conditions import Labels


def small(**changes):
    choices = {"width": 2, "latent_dim": 4, "batch_size": 4, "steps": 6, "epochs": 3, **changes}
    return settings.for_images((8, 8, 3), count=20).replace(**choices)


def test_choices_are_what_is_built_and_trained(images, tmp_path):
    chosen = small(loss="hinge", r1=0.5, learning_rate=0.01, ema=0.9, seed=3)
    gan = chosen.build()
    assert (gan.data_shape, gan.latent_dim, gan.ema) == ((8, 8, 3), 4, 0.9)
    assert isinstance(gan.loss, keras_gan.losses.Hinge)
    assert [(type(p).__name__, p.gamma) for p in gan.penalties] == [("R1", 0.5)]
    rate = gan.generator_optimizer.get_config()["learning_rate"]["config"]
    assert (rate["initial_learning_rate"], rate["steps"], rate["constant"], rate["alpha"]) == (0.01, 6, 0.5, 0.02)
    assert len(chosen.epoch(images)) == chosen.steps_per_epoch == 2
    gan.fit(
        chosen.epoch(images),
        epochs=chosen.epochs,
        verbose=0,
        callbacks=chosen.callbacks(tmp_path / "run", best=False),
    )
    assert int(gan.optimizer.iterations) == 6
    found = {p.relative_to(tmp_path / "run").parts[0] for p in (tmp_path / "run").rglob("*")}
    assert found == {"backup", "gan.keras", "metrics.jsonl", "samples", "train"}


def test_without_augmentation_and_penalty():
    gan = small(augment=False, r1=0).build()
    assert gan.augmentation is None and gan.penalties == []
    assert small(augment=True).build().augmentation is not None


def test_images_that_are_seen_often_are_augmented():
    # 4 of 20 in each step.
    for steps, augmented in ((6, False), (500, False), (501, True)):
        chosen = small(steps=steps, epochs=1)
        assert (chosen.build().augmentation is not None) == augmented
        assert ("memorized" in str(chosen)) and re.search(rf"augment +{'yes' if augmented else 'no '}", str(chosen))
        assert "your choice" not in dict(row[::2] for row in chosen.reasons())["augment"]
        assert small(steps=steps, augment=True).build().augmentation is not None
        assert settings.for_images((8, 8, 1), 20).replace(steps=steps, width=2).build().augmentation is None


def test_the_pace_is_that_of_the_variant_that_is_trained(monkeypatch):
    # Augmented, a step takes twice as long: 400 fit into a minute, and 800 without.
    measured = []

    def measure(model, *_):
        measured.append(model.augmentation is not None)
        return pace.Pace(start=0.0, step=0.15 if measured[-1] else 0.075, epoch_end=0.0)

    monkeypatch.setattr(pace, "measure", measure)
    chosen = small(minutes=1.0)
    chosen.measure()
    assert measured == [False, True] and chosen.steps == 400
    # 80 times is seldom enough, but only without augmentation are there as many steps.
    measured.clear()
    assert small(minutes=1.0, augment=True).measure().step == 0.15 and measured == [True]


def test_gray_images_are_trained_otherwise():
    color, gray = settings.for_images((8, 8, 3), 20), settings.for_images((8, 8, 1), 20)
    assert color.flip and color.augment is None and not gray.flip and gray.augment is False
    assert color.simultaneous and not gray.simultaneous
    narrow, gan = color.replace(width=2), color.replace(width=2).build()
    assert "width 4 and 2" in str(narrow) and "width 5 and 2" in str(narrow.replace(generator_width=5))
    # The generator's follows, unless it is given beside the other.
    assert (color.width, color.generator_width, narrow.replace(width=3).generator_width) == (16, 32, 6)
    assert narrow.replace(width=3, generator_width=5, seed=1).generator_width == 5
    assert narrow.replace(generator_width=5).replace(seed=1).generator_width == 5
    assert gray.replace(width=3).generator_width == 3
    assert gan.discriminator.layers[0].filters == 2
    assert min(layer.filters for layer in gan.generator.layers[:-1] if hasattr(layer, "filters")) == 4
    assert "width 20 and 20" in str(gray)


def test_a_gan_to_start_from_keeps_its_weights(images):
    first = small(width=3).build()
    first.fit(images, verbose=0)
    before = [w.numpy() for w in first.weights]
    gan = small().build(start_from=first)
    assert gan.generator is first.generator and int(gan.optimizer.iterations) == 0
    for then, now in zip(before, first.weights, strict=False):
        np.testing.assert_array_equal(then, now.numpy())
    with pytest.raises(
        ValueError, match=r"start_from must make images of \(8, 8, 3\)\. Received: a model of \(8, 8, 1\)"
    ):
        small().build(start_from=settings.for_images((8, 8, 1), 20).replace(width=2).build())
    with pytest.raises(ValueError, match=r"start_from must have the condition Labels\(num_classes=3\)"):
        small(condition=Labels(3)).build(start_from=first)


def test_text_gives_each_choice_with_its_reason():
    lines = str(small()).splitlines()
    assert len(lines) == len(small().reasons()) == 13
    assert lines[0].startswith("images") and "20 of 8x8x3" in lines[0] and "each is seen 1.2 times" in lines[0]
    assert all(len(line) <= 100 for line in lines)


def _reasons(chosen):
    return {name: reason for name, _, reason in chosen.reasons()}


def test_reasons_are_true_of_gray_images_and_color():
    color, gray = (_reasons(settings.for_images((8, 8, channels), 20)) for channels in (3, 1))
    assert color["augment"] == "seen often, images would be memorized" and "less time" in color["simultaneous"]
    assert gray["augment"] == gray["simultaneous"] == "made digits worse in trials"
    assert color["flip"] == "doubles the images; right for photographs and drawings" and "letters" in gray["flip"]
    # Built without for_images, too.
    built = _reasons(settings.ImageSettings(shape=(8, 8, 1), count=20))
    assert built["augment"] == "your choice" and built["ema"] == gray["ema"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widht": 3}, "replace takes architecture, .*width. Received: widht"),
        ({"architecture": "vae"}, "architecture must be one of .*Received: 'vae'"),
        ({"loss": "huber"}, "huber"),
        ({"generator_width": 0}, "generator_width must be a positive integer. Received: 0"),
        ({"width": 0}, "^width must be a positive integer. Received: 0"),
        ({"r1": -1}, "r1 must be a finite number >= 0. Received: -1"),
        ({"steps": 0}, "steps must be a positive integer. Received: 0"),
        ({"minutes": 0}, "minutes must be a finite number > 0. Received: 0"),
        ({"seed": -1}, "seed must be an integer from 0"),
    ],
)
def test_wrong_choices(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_the_public_example():
    chosen = keras_gan.settings.for_images((28, 28, 1), count=4000, minutes=5).replace(width=2)
    chosen.measure(seconds=0.2)
    assert chosen.steps > 100
    assert isinstance(chosen.build(), keras.Model)
