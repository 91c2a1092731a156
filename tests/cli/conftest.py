import pytest

import keras_gan
from keras_gan import pace


@pytest.fixture
def measured(monkeypatch):
    """The pace of a machine that another test measures."""
    monkeypatch.setattr(pace, "measure", lambda *args, **options: pace.Pace(start=1.0, step=1.0, epoch_end=1.0))
    monkeypatch.setattr(keras_gan.metrics.features, "steps_within", lambda seconds, shape: 100)
