import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import images


def test_to_uint8_maps_the_ends_and_clips():
    np.testing.assert_array_equal(images.to_uint8(np.array([-2, -1, 0, 1, 2.0])), [0, 0, 128, 255, 255])


def test_signed_maps_what_a_sigmoid_made(make_sigmoid_gan):
    gan = make_sigmoid_gan()
    np.testing.assert_allclose(images.signed(gan.sample(1), gan.generator).ravel(), [-1, 0, 0, 1], atol=1e-6)
    tanh = keras_gan.architectures.mlp_generator((2, 2, 1), latent_dim=2, units=(4,))
    np.testing.assert_array_equal(images.signed(np.array([0, 0.5]), tanh), [0, 0.5])


def test_grid_places_images_row_by_row():
    pictures = np.stack([np.full((2, 3, 1), value) for value in (-1.0, 0.0, 1.0)])
    canvas = images.grid(pictures, columns=2, gap=1)
    assert canvas.shape == (5, 7, 1)
    assert (canvas[:2, :3] == 0).all() and (canvas[:2, 4:] == 128).all() and (canvas[3:, :3] == 255).all()
    assert (canvas[2] == 255).all() and (canvas[:, 3] == 255).all() and (canvas[3:, 4:] == 255).all()


def test_grid_is_as_square_as_possible():
    assert images.grid(np.zeros((10, 8, 8, 3)), gap=0).shape == (24, 32, 3)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 8, 2), (0, 8, 8, 1)])
def test_grid_of_no_images(shape):
    with pytest.raises(ValueError, match="1 or 3 channels"):
        images.grid(np.zeros(shape))


@pytest.mark.parametrize("options", [{"columns": 0}, {"columns": -1}, {"columns": 2.5}, {"gap": -1}, {"gap": 0.5}])
def test_grid_refuses_bad_arguments(options):
    with pytest.raises(ValueError, match=f"^{next(iter(options))} must be"):
        images.grid(np.zeros((4, 8, 8, 1)), **options)


@pytest.mark.parametrize("channels", [1, 3])
def test_save_keeps_the_pixels(channels, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype("uint8")
    returned = images.save(tmp_path / "x.png", picture)
    np.testing.assert_array_equal(np.asarray(returned).reshape(5, 7, channels), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")).reshape(5, 7, channels), picture)


@pytest.mark.parametrize("name", ["x", "png", ".png", "x.", "x.xyz", "x.psd", "x.ico", "x.icns", "x.h5"])
def test_save_looks_at_the_suffix_first(name, tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of \.bmp, .*\.png, .*\.webp\. Received: "):
        images.save(tmp_path / name, np.zeros((2, 2, 1), "uint8"))
    assert not list(tmp_path.iterdir())
    images.save(tmp_path / "x.PNG", np.zeros((2, 2, 1), "uint8"))


def test_a_picture_that_its_format_does_not_take(tmp_path):
    with pytest.raises(OSError, match=r"^/.* was not written, and any older file there is unchanged: ") as caught:
        images.save(tmp_path / "x.jpg", np.zeros((65_501, 1, 1), "uint8"))
    assert caught.value.errno is None and not list(tmp_path.iterdir())


def test_an_animation_shows_every_picture(tmp_path):
    pictures = [np.full((4, 6, 1), level, "uint8") for level in (0, 128, 255)]
    keras_gan.images.save_animation(tmp_path / "a.gif", pictures, milliseconds=50, scale=2)
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.n_frames, image.size, image.info["duration"], image.info["loop"]) == (3, (12, 8), 50, 0)
        for k, level in enumerate((0, 128, 255)):
            image.seek(k)
            assert np.asarray(image.convert("L"))[3, 3] == level


def test_side_by_side_puts_batches_next_to_each_other():
    gray, color = np.full((2, 2, 2, 1), -1.0), np.zeros((2, 4, 4, 3))
    clear = np.concatenate([np.full((2, 4, 4, 3), -1.0), np.full((2, 4, 4, 1), -1.0)], axis=-1)
    found = images.side_by_side([gray, clear, color], gap=2)
    assert found.shape == (2, 4, 16, 3)
    assert (found[:, :, :4] == -1).all() and (found[:, :, 4:6] == 1).all() and (found[:, :, 12:] == 0).all()
    # Transparent areas are white.
    assert (found[:, :, 6:10] == 1).all()
    assert images.side_by_side([gray, gray]).shape == (2, 2, 5, 1)
    with pytest.raises(ValueError, match="with the same n"):
        images.side_by_side([gray, color[:1]])
