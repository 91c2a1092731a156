"""`keras-gan translate`."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan import cli


def picture(height, width, channels=3, seed=0):
    """A smooth picture."""
    few = np.random.default_rng(seed).integers(0, 256, (3, 3, channels), "uint8")
    return np.asarray(Image.fromarray(few.squeeze()).resize((width, height), Image.Resampling.BICUBIC))


def save_negative(path, channels=3, scale=1):
    """Saves a translation of 16x16 that turns light into dark."""
    chain = [keras.layers.UpSampling2D(scale)] if scale > 1 else []
    last = keras.layers.Conv2D(channels, 1, activation="linear")
    generator = keras.Sequential([keras.Input((16, 16, channels)), *chain, last])
    last.set_weights([-np.eye(channels).reshape(1, 1, channels, channels), np.zeros(channels)])
    side = 16 * scale
    discriminator = keras.Sequential([keras.Input((side, side, 2 * channels)), keras.layers.Conv2D(1, 3)])
    keras_gan.Pix2Pix(generator, discriminator).save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_negative(tmp_path_factory.mktemp("models") / "negative.keras")


def translate(*argv):
    return cli.main(["translate", *map(str, argv)])


def fails(capsys, *argv):
    capsys.readouterr()
    assert translate(*argv) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[-1].startswith("keras-gan translate: ")
    return err.splitlines()[-1]


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("scale", [1, 2])
def test_ways_to_fit(scale, model, tmp_path):
    image = picture(40, 20)
    Image.fromarray(image).save(tmp_path / "tall.png")
    path = model if scale == 1 else save_negative(tmp_path / "larger.keras", scale=2)
    expected = {"crop": resized(image[10:30], 16, 16), "pad": resized(image, 16, 8), "stretch": resized(image, 16, 16)}
    for fit, wanted in expected.items():
        assert translate(path, tmp_path / "tall.png", tmp_path / f"{fit}.png", "--fit", fit) == 0
        np.testing.assert_array_equal(read(tmp_path / f"{fit}.png"), 255 - wanted.repeat(scale, 0).repeat(scale, 1))
    # What enlarges keeps the whole picture.
    expected = expected["crop"] if scale == 1 else image
    assert translate(path, tmp_path / "tall.png", tmp_path / "default.png") == 0
    np.testing.assert_array_equal(read(tmp_path / "default.png"), 255 - expected.repeat(scale, 0).repeat(scale, 1))


def save_blur(path, kernel):
    """Saves a translation of 16x16 whose output is the mean of its surroundings, and gray beyond the border."""
    generator = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.DepthwiseConv2D(kernel, padding="same")])
    generator.layers[0].set_weights([np.full((kernel, kernel, 3, 1), 1 / kernel**2), np.zeros(3)])
    discriminator = keras.Sequential([keras.Input((16, 16, 6)), keras.layers.Conv2D(1, 3)])
    keras_gan.Pix2Pix(generator, discriminator).save(path)
    return path


def test_padding_goes_on_with_the_border(tmp_path):
    path = save_blur(tmp_path / "blur.keras", 9)
    Image.new("RGB", (5, 100), (200, 200, 200)).save(tmp_path / "strip.png")
    assert translate(path, tmp_path / "strip.png", tmp_path / "out.png", "--fit", "pad") == 0
    found = read(tmp_path / "out.png")
    assert found.shape == (16, 1, 3) and (found[4:12] == 200).all()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 40), (90, 61), (9, 33), (5, 7)])
def test_tiles_give_each_pixel_its_own(height, width, model, tmp_path):
    image = picture(height, width)
    Image.fromarray(image).save(tmp_path / "in.png")
    larger = save_negative(tmp_path / "larger.keras", scale=2)
    for path, scale in ((model, 1), (larger, 2)):
        assert translate(path, tmp_path / "in.png", tmp_path / f"{scale}.png", "--fit", "tile") == 0
        found = read(tmp_path / f"{scale}.png")
        np.testing.assert_array_equal(found, 255 - image.repeat(scale, 0).repeat(scale, 1))


def test_tiles_hide_their_borders(tmp_path, capsys, monkeypatch):
    path = save_blur(tmp_path / "blur.keras", 3)
    Image.new("RGB", (100, 80), (200, 200, 200)).save(tmp_path / "in.png")
    assert translate(path, tmp_path / "in.png", tmp_path / "out.png", "--fit", "tile") == 0
    seams = np.abs(read(tmp_path / "out.png")[1:-1, 1:-1].astype(int) - 200).max()
    # A tile's own border is off by a third of 200 - 127.5, 24, of which an eighth is left, in each direction.
    assert 0 < seams <= 6
    monkeypatch.setattr("keras_gan.cli.translate._MAX_PIXELS", 7999)
    message = fails(capsys, path, tmp_path / "in.png", tmp_path / "new.png", "--fit", "tile")
    assert "in.png (its output would have 8,000 pixels; the limit is 7,999)" in message


def test_a_picture_of_many_tiles_shows_progress(model, tmp_path, capsys):
    Image.fromarray(picture(16, 6000)).save(tmp_path / "wide.png")
    assert translate(model, tmp_path / "wide.png", tmp_path / "out.png", "--fit", "tile") == 0
    assert "500/500" in capsys.readouterr().err


def test_a_folder_keeps_its_names_and_what_is_bad_is_named(model, tmp_path, capsys):
    for k in range(20):
        path = tmp_path / "in" / "ab"[k % 2] / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(20, 30, seed=k)).save(path)
    out = tmp_path / "out"
    assert translate(model, tmp_path / "in", out, "--batch-size", "3", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["count"] == 20 and "20/20" in captured.err
    names = {p.relative_to(out).as_posix() for p in out.rglob("*.*")}
    assert names == {f"{'ab'[k % 2]}/{k}.png" for k in range(20)}
    # Each is that of its own source.
    expected = 255 - keras_gan.datasets.decode.read(tmp_path / "in" / "b" / "7.jpg", (16, 16), 3)
    np.testing.assert_array_equal(read(out / "b" / "7.png"), expected)
    (tmp_path / "in" / "a" / "0.jpg").write_bytes(b"\xff\xd8\xff no more")
    Image.fromarray(picture(20, 30)).save(tmp_path / "in" / "scan.tif")
    message = fails(capsys, model, tmp_path / "in", tmp_path / "second")
    assert "2 of 21 images were not translated" in message and "scan.tif (none of BMP" in message
    assert "a/0.jpg (not an image, or of an unsupported format)" in message
    assert len(list((tmp_path / "second").rglob("*.png"))) == 19


def test_nothing_is_overwritten_unasked(model, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for k in range(3):
        Image.fromarray(picture(16, 16, seed=k)).save(tmp_path / "in" / f"{k}.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.png").write_text("precious")
    message = fails(capsys, model, tmp_path / "in", tmp_path / "out")
    assert "out/1.png, which is there already. Give --overwrite" in message
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["1.png"]
    assert translate(model, tmp_path / "in", tmp_path / "out", "--overwrite") == 0
    np.testing.assert_array_equal(read(tmp_path / "out" / "1.png"), 255 - picture(16, 16, seed=1))


def test_files_and_folders_of_one_image(model, tmp_path):
    image = picture(24, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    # Lies on its side: a viewer turns it by a quarter.
    Image.fromarray(image).save(tmp_path / "photo.jpg", exif=exif, quality=100, subsampling=0)
    assert translate(model, tmp_path / "photo.jpg", tmp_path / "new", "--fit", "pad") == 0
    found = read(tmp_path / "new" / "photo.png")
    upright = resized(np.rot90(image, -1).copy(), 11, 16)
    assert found.shape == (11, 16, 3) and np.abs(found.astype(int) - (255 - upright)).max() <= 6
    assert translate(model, tmp_path / "photo.jpg", tmp_path / "one.jpg") == 0
    with Image.open(tmp_path / "one.jpg") as written:
        assert (written.format, written.size) == ("JPEG", (16, 16))


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_are_the_models(channels, tmp_path):
    path = save_negative(tmp_path / "model.keras", channels)
    image = picture(16, 16, 4)
    Image.fromarray(image).save(tmp_path / "clear.png")
    assert translate(path, tmp_path / "clear.png", tmp_path / "out.png") == 0
    expected = keras_gan.datasets.decode.read(tmp_path / "clear.png", None, channels)
    np.testing.assert_array_equal(read(tmp_path / "out.png"), 255 - expected.squeeze())


def test_what_can_not_be_translated(model, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.fromarray(picture(16, 16)).save(tmp_path / "in" / "a.png")
    Image.fromarray(picture(16, 16)).save(tmp_path / "x.png")
    source = tmp_path / "in"
    before = sorted(tmp_path.rglob("*"))
    assert "does not exist" in fails(capsys, model, tmp_path / "none", tmp_path / "out")
    for out in (source, source / "out"):
        assert "OUT must not lie in IN" in fails(capsys, model, source, out, "--overwrite")
    assert "OUT must be a folder if IN is a folder" in fails(capsys, model, source, tmp_path / "x.png", "--overwrite")
    assert "a file other than IN" in fails(capsys, model, tmp_path / "x.png", tmp_path / "x.png", "--overwrite")
    assert "must end in one of .bmp" in fails(capsys, model, tmp_path / "x.png", tmp_path / "y.xyz")
    assert "must be a .keras file" in fails(capsys, tmp_path / "x.png", tmp_path / "x.png", tmp_path / "y.png")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    message = fails(capsys, tmp_path / "other.keras", tmp_path / "x.png", tmp_path / "y.png")
    assert "which holds a Sequential" in message
    (tmp_path / "other.keras").unlink()
    assert sorted(tmp_path.rglob("*")) == before
    Image.fromarray(picture(16, 16)).save(source / "a.jpg")
    assert "names differ only in the suffix" in fails(capsys, model, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
