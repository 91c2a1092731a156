"""Conversion of existing image data."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gan import datasets
from keras_gan.datasets.order import find


def collect(dataset):
    batches = [b if isinstance(b, tuple) else (b,) for b in dataset]
    return [np.concatenate([np.asarray(b[i]) for b in batches]) for i in range(len(batches[0]))]


def to_bytes(images):
    return np.round(images * 127.5 + 127.5).astype(int)


X = np.random.default_rng(0).integers(0, 256, (20, 8, 6, 3), "uint8")
Y = np.arange(20) % 3


@pytest.fixture
def folder(tmp_path):
    """Two classes of 10 pictures, whose colors encode their numbers; those of the second are light."""
    for c, name in enumerate(("dark", "light")):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("RGB", (12, 12), (120 * c + 10 * i, i, 255)).save(tmp_path / name / f"{i}.png")
    return str(tmp_path)


# === image_dataset_from_directory ===


@pytest.mark.parametrize("label_mode", ["int", "binary", "categorical", None])
@pytest.mark.parametrize(("color_mode", "channels"), [("rgb", 3), ("grayscale", 1), ("rgba", 4)])
def test_a_directory_of_keras(folder, label_mode, color_mode, channels):
    options = {"image_size": (8, 8), "batch_size": 6, "label_mode": label_mode, "color_mode": color_mode}
    with_labels = label_mode is not None
    data = keras.utils.image_dataset_from_directory(folder, **options, shuffle=False, verbose=False)
    dataset = datasets.from_dataset(data, labels=with_labels)
    assert int(dataset.cardinality()) == 4 and not dataset.options().autotune.enabled
    images, *labels = collect(dataset)
    assert images.shape == (20, 8, 8, channels) and images.dtype == np.float32
    own = np.concatenate([np.asarray(b[0] if with_labels else b) for b in data])
    np.testing.assert_allclose(images, own / 127.5 - 1, atol=1e-6)
    assert -1 <= images.min() < -0.5 and images.max() - images.min() > 0.5
    if with_labels:
        assert labels[0].dtype == np.int32 and labels[0].tolist() == [0] * 10 + [1] * 10
        assert len(collect(datasets.from_dataset(data))) == 1
    else:
        with pytest.raises(ValueError, match=r"data must give \(images, labels\) with labels=True"):
            datasets.from_dataset(data, labels=True)


def test_a_directory_at_another_size(folder):
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(12, 12), batch_size=5, shuffle=False, verbose=False
    )
    images = to_bytes(collect(datasets.from_dataset(data, image_size=(4, 6)))[0])
    assert images.shape == (20, 4, 6, 3)
    assert (images[:, 2, 2] == [[120 * c + 10 * i, i, 255] for c in (0, 1) for i in range(10)]).all()


# === Arrays ===


@pytest.mark.parametrize("how", ["memory", "mapped", "first", "gray", "floats", "tensor"])
def test_arrays_come_in_an_order_that_is_set(how, tmp_path):
    x, expected = X, X.astype(int)
    if how == "mapped":
        np.save(tmp_path / "x.npy", X)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    elif how == "first":
        x = np.moveaxis(X, 3, 1).copy()
    elif how == "gray":
        x, expected = X[..., 0], X[..., :1].astype(int)
    elif how == "floats":
        x = (X / 127.5 - 1).astype("float32")
    elif how == "tensor":
        x = tf.constant(X)
    dataset = datasets.from_dataset((x, Y), batch_size=6, labels=True, seed=1)
    (order,) = find(dataset)
    order.begin(10)
    images, labels = collect(dataset)
    order.begin(10)
    permutation = order.draw()[:, 0]
    assert images.dtype == np.float32 and labels.dtype == np.int32 and len(dataset) == 4
    np.testing.assert_array_equal(to_bytes(images), expected[permutation])
    np.testing.assert_array_equal(labels, Y[permutation])
    order.begin(10)
    np.testing.assert_array_equal(images, collect(dataset)[0])
    order.begin(11)
    assert (images != collect(dataset)[0]).any()


def test_arrays_of_uint8_are_those_of_load():
    plain = datasets.from_dataset(X, seed=0)
    np.testing.assert_array_equal(np.sort(collect(plain)[0], axis=0), np.sort(np.float32(X) / 127.5 - 1, axis=0))
    assert [len(batch) for batch in plain] == [20]


@pytest.mark.parametrize("scaled", [False, True])
def test_arrays_at_another_size(scaled, monkeypatch):
    x = X / 255 if scaled else X
    images = to_bytes(collect(datasets.from_dataset(x, seed=1, image_size=4))[0])
    expected = {datasets.pictures.fit(image, (4, 4)).tobytes() for image in X}
    assert images.shape == (20, 4, 4, 3) and {image.astype("uint8").tobytes() for image in images} == expected
    monkeypatch.setattr(datasets.memory, "free", lambda: 20 * 4 * 4 * 3 - 1)
    with pytest.raises(ValueError, match=r"fit into memory at that size, 960 bytes\. Received: \(4, 4\)"):
        datasets.from_dataset(x, image_size=4)


# === Streams ===


class Sequence(keras.utils.PyDataset):
    def __init__(self, batches, **options):
        super().__init__(**options)
        self.batches, self.begun, self.ended = batches, 0, 0

    num_batches = property(lambda self: len(self.batches))

    def __getitem__(self, i):
        return self.batches[i]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


@pytest.mark.parametrize(
    ("low", "high", "given"),
    [(0, 255, None), (0, 1, None), (-1, 1, None), (0, 100, (0, 100))],
)
def test_ranges(low, high, given):
    x = (X / 255 * (high - low) + low).astype("float32")
    for data in (Sequence([x[:12], x[12:]]), tf.data.Dataset.from_tensor_slices(x).batch(12)):
        images = collect(datasets.from_dataset(data, data_range=given))[0]
        np.testing.assert_array_equal(to_bytes(images), X)
    x[15, 0, 0, 0] = high + 0.05 * (high - low)
    assert collect(datasets.from_dataset(Sequence([x[:12], x[12:]]), data_range=given))[0].max() == 1
    x[15, 0, 0, 0] = high + 0.2 * (high - low)
    with pytest.raises(
        tf.errors.OpError, match=r"images must lie in \[.*the range of data_range or of the first.*Pass data_range"
    ):
        collect(datasets.from_dataset(Sequence([x[:12], x[12:]]), data_range=given))


@pytest.mark.parametrize("labels", [Y, Y[:, None], Y.astype("float32"), np.eye(3)[Y], Y == 1, np.eye(3, dtype=bool)[Y]])
def test_labels(labels):
    data = Sequence([(X[:8], labels[:8]), (X[8:], labels[8:])])
    dataset = datasets.from_dataset(data, labels=True)
    images, found = collect(dataset)
    assert (
        len(dataset) == 2
        and found.dtype == np.int32
        and found.tolist() == (Y == 1 if labels.ndim == 1 and labels.dtype == bool else Y).tolist()
    )
    np.testing.assert_array_equal(to_bytes(images), X)
    # The first batch was checked before.
    assert data.begun == 2 and data.ended == 1


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_of_torch(first, workers):
    torch = pytest.importorskip("torch")
    x = torch.as_tensor(np.moveaxis(X, 3, 1) / 255 if first else X)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, torch.as_tensor(Y)), batch_size=6, num_workers=workers
    )
    dataset = datasets.from_dataset(loader, labels=True)
    assert len(dataset) == 4 and dataset.element_spec[0].shape.as_list() == [None, 8, 6, 3]
    for _ in range(2):
        images, labels = collect(dataset)
        np.testing.assert_array_equal(to_bytes(images), X)
        assert labels.tolist() == Y.tolist()


@pytest.mark.parametrize("kind", ["stream", "array"])
def test_it_trains(kind, make_image_gan):
    gray = X[:, :, :1].repeat(8, 2)[..., :1]
    data = Sequence([gray[:10], gray[10:]]) if kind == "stream" else gray
    gan = make_image_gan()
    history = gan.fit(
        datasets.from_dataset(data, **({} if kind == "stream" else {"batch_size": 10})), epochs=2, verbose=0
    )
    assert int(keras.ops.convert_to_numpy(gan.optimizer.iterations)) == 4
    assert all(np.isfinite(history.history["discriminator_loss"]))


# === What is refused ===


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (X[0, :, :, 0], {}, ValueError, r"Received: shape \(8, 6\)\. Put images into batches"),
        (X[0], {}, ValueError, r"Received: shape \(8, 6, 3\)\. Put images into batches"),
        (X[:0], {}, ValueError, "at least one image"),
        (np.zeros((3, 8, 8, 7)), {}, ValueError, r"1, 3 or 4 channels\. Received: shape \(3, 8, 8, 7\)"),
        # Resized in [0, 1], and standardized: neither is dark bytes.
        (
            np.linspace(-0.25, 1.25, 192).reshape(3, 8, 8, 1),
            {},
            ValueError,
            r"lie in \[0, 255\], \[0, 1\] or \[-1, 1\]",
        ),
        (
            np.linspace(-3.9, 3.3, 192).reshape(3, 8, 8, 1),
            {},
            ValueError,
            r"values from -3\.9 to 3\.3\. Pass data_range",
        ),
        (np.linspace(0, 1.15, 192).reshape(3, 8, 8, 1), {}, ValueError, r"values from 0\.0 to 1\.15\. Pass data_range"),
        (np.full((3, 8, 8, 1), 1000.0), {}, ValueError, r"values from 1000\.0 to 1000\.0\. Pass data_range"),
        (np.full((3, 8, 8, 1), np.nan), {}, ValueError, "values from nan to nan"),
        (np.full((3, 8, 8, 1), "x"), {}, TypeError, "arrays of numbers"),
        (X, {"labels": True}, ValueError, r"data must give \(images, labels\) with labels=True"),
        ((X, Y / 2), {"labels": True}, ValueError, r"labels must be integers >= 0.*Received: float64 of shape \(20,\)"),
        ((X, Y[:9]), {"labels": True}, ValueError, "labels must be integers"),
        ((X, np.ones((20, 3))), {"labels": True}, ValueError, "labels must be integers"),
        ((X, Y, Y), {}, ValueError, r"without weights. Received: \(images, labels, weights\)"),
        (Sequence([X]), {"batch_size": 4}, ValueError, "batch_size must be None for data that come in batches"),
        (Sequence([X]), {"seed": 4}, ValueError, "seed must be None for data that come in batches"),
        (Sequence([]), {}, ValueError, "at least one batch"),
        (Sequence([{"image": X, "label": Y}]), {}, TypeError, "Received: a dict of 'image', 'label'. Take both out"),
        (Sequence([X[0]]), {}, ValueError, "Put images into batches"),
        ((x for x in X), {}, TypeError, "can't be restarted for each epoch. Received: a generator"),
        ([[1, 2]], {}, TypeError, "Received: a list"),
        (None, {}, TypeError, "Received: a NoneType"),
        (X, {"data_range": (1, 0)}, ValueError, r"data_range must be \(low, high\)"),
        (X, {"data_range": 255}, ValueError, r"data_range must be \(low, high\)"),
        (X, {"image_size": 0}, ValueError, "image_size must be a positive integer"),
        (tf.data.Dataset.range(3).filter(lambda i: i > 0), {}, ValueError, "assert_cardinality"),
    ],
)
def test_what_is_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        datasets.from_dataset(data, **options)


def test_sizes_that_differ_later():
    with pytest.raises(tf.errors.OpError, match=r"images must have one shape.*\(8, 6, 3\) and \(6, 6, 3\)"):
        collect(datasets.from_dataset(Sequence([X, X[:, :6]])))
    assert collect(datasets.from_dataset(Sequence([X, X[:, :6]]), image_size=5))[0].shape == (40, 5, 5, 3)
