import os
import re

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import callbacks


@pytest.mark.parametrize("channels", [1, 3])
def test_sample_grid_draws_the_same_latents_each_epoch(channels, make_image_gan, images, tmp_path):
    gan = make_image_gan(channels)
    drawn = callbacks.SampleGrid(tmp_path / "run", n=6, columns=3, seed=1)
    gan.fit(np.repeat(images, channels, -1), batch_size=16, epochs=2, verbose=0, callbacks=[drawn])
    files = sorted(p.name for p in (tmp_path / "run" / "samples").iterdir())
    assert files == ["epoch_0001.png", "epoch_0002.png"]
    last = np.asarray(Image.open(tmp_path / "run" / "samples" / files[1])).reshape(18, 28, channels)
    np.testing.assert_array_equal(last, keras_gan.images.grid(gan.sample(6, seed=1), 3))


def test_sample_grid_leaves_training_alone(make_image_gan, images, tmp_path):
    with_grid, without = make_image_gan(), make_image_gan()
    without.set_weights(with_grid.get_weights())
    with_grid.fit(images, batch_size=16, shuffle=False, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path)])
    without.fit(images, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(with_grid.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sample_grid_of_no_images(points, make_gan, tmp_path):
    with pytest.raises(ValueError, match=r"SampleGrid draws images.*\(2,\)"):
        make_gan().fit(points, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("columns", "during"), [(80, False), (200, True)])
def test_progress_fits_the_terminal(columns, during, points, make_gan, capsys, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    make_gan().fit(points, batch_size=8)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[\d+m|\x08", "", capsys.readouterr().out))
    running = [line for line in lines if re.match(r" *\d+/32 ", line)]
    assert running
    assert all("discriminator_loss" in line for line in running[-1:])
    assert during == ("discriminator_loss" in running[0])
    if not during:
        assert max(map(len, running[:-1])) < columns


def test_a_progress_bar_of_ones_own_stays_alone(points, make_gan, capsys):
    own = keras.callbacks.ProgbarLogger()
    make_gan().fit(points, callbacks=own)
    assert [type(c) for c in callbacks.with_progress([own])] == [keras.callbacks.ProgbarLogger]
    assert [type(c) for c in callbacks.with_progress(None)] == [callbacks.Progress]


def test_verbose_0_prints_nothing(points, make_gan, capsys):
    make_gan().fit(points, verbose=0)
    assert capsys.readouterr().out == ""
