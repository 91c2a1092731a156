"""GANs at addresses that Keras reads and writes: the Hugging Face Hub, and TensorFlow's file systems."""

import shutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from keras.src.saving import saving_lib


class Hub:
    """A stand-in for `huggingface_hub`, whose repositories are folders."""

    def __init__(self, root):
        self.root = root

    def HfApi(self, **names):
        return self

    def create_repo(self, repo_id, exist_ok):
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        return types.SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, repo_id, folder_path, commit_message):
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def snapshot_download(self, repo_id, **names):
        return str(self.root / repo_id)


@pytest.fixture
def trained(make_gan, points):
    gan = make_gan(dropout=0.5)
    gan.fit(points[:64], verbose=0)
    return gan


def assert_same(a, b):
    for x, y in zip(a.variables, b.variables, strict=True):
        if "mean_metric" not in x.path:
            np.testing.assert_array_equal(ops.convert_to_numpy(x), ops.convert_to_numpy(y), err_msg=x.path)


def assert_trains_as(loaded, gan, points):
    """Both have the same weights and, as the next step shows, optimizers and random state."""
    assert_same(loaded, gan)
    for each in (loaded, gan):
        each.fit(points[:64], shuffle=False, verbose=0)
    assert_same(loaded, gan)


def test_the_hub(trained, points, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(saving_lib, "huggingface_hub", Hub(tmp_path / "hub"))
    # Twice: the second one replaces the first.
    trained.save("hf://user/gan")
    trained.save("hf://user/gan")
    assert list((tmp_path / "here").iterdir()) == []
    assert_trains_as(keras.models.load_model("hf://user/gan"), trained, points)


def test_a_file_system_of_tensorflow(trained, make_gan, points, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tf.io.gfile.makedirs("ram://test_addresses")
    for _ in range(2):
        trained.save("ram://test_addresses/gan.keras")
        trained.save_weights("ram://test_addresses/gan.weights.h5")
    assert list(tmp_path.iterdir()) == []
    other = make_gan(dropout=0.5, seed=1)
    other.load_weights("ram://test_addresses/gan.weights.h5")
    assert_same(other, trained)
    assert_trains_as(keras.models.load_model("ram://test_addresses/gan.keras"), trained, points)
