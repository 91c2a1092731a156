import keras
import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of trained features for one test."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "keras_gan"


@pytest.fixture
def check_file_brings(make_image_gan, images, tmp_path, cache):
    """A function that checks that a GAN's file has all that its metrics need."""

    def check(*metrics):
        gan = make_image_gan()
        gan.compile(metrics=list(metrics), penalties=())
        found = gan.evaluate(images, verbose=0, return_dict=True)
        gan.save(tmp_path / "gan.keras")
        for path in cache.iterdir():
            path.unlink()
        loaded = keras.models.load_model(tmp_path / "gan.keras")
        assert loaded.evaluate(images, verbose=0, return_dict=True) == pytest.approx(found, rel=1e-5)
        assert not list(cache.iterdir())

    return check
