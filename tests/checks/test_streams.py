"""Streams of batches of all kinds: training, drawn batches, and checks of later batches."""

import itertools
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gan
from keras_gan.datasets.order import find

L = keras.layers
pandas = pytest.importorskip("pandas")


def noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


@pytest.fixture
def labelled_gan():
    condition = keras_gan.conditions.Labels(3)
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), 4, units=(4,), condition=condition),
        keras_gan.architectures.mlp_discriminator((2,), units=(4,), condition=condition),
        ema=None,
    )
    gan.compile(penalties=())
    return gan


class Batches(keras.utils.PyDataset):
    """Six batches of eight points, which record when they were requested and how many epochs ended."""

    def __init__(self, data, **options):
        super().__init__(**options)
        self.data, self.asked, self.ended = data, [], 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        self.asked.append(index)
        return self.data[8 * index : 8 * index + 8]

    def on_epoch_end(self):
        self.ended += 1


class Endless(Batches):
    """Infinite stream that is its own iterator, as some of Keras's."""

    def __iter__(self):
        return self

    def __next__(self):
        return self[0]


# === Training ===


def steps(gan, x, **options):
    before = int(gan.optimizer.iterations)
    logs = gan.fit(x, verbose=0, **options).history
    assert np.isfinite(logs["generator_loss"]).all()
    return int(gan.optimizer.iterations) - before


@pytest.mark.parametrize("kind", [Batches, Endless])
@pytest.mark.parametrize("make", [np.asarray, pandas.DataFrame, tf.constant])
def test_batches_by_index(make_gan, kind, make):
    gan, data = make_gan(), kind(make(noise(48, 2)))
    assert steps(gan, data, epochs=3) == 18
    assert data.ended >= 3
    assert len(gan.evaluate(data, verbose=0)) == 4
    held_out = kind(make(noise(48, 2)))
    assert steps(gan, noise(8, 2), validation_data=held_out) == 1 and 6 <= len(held_out.asked) <= 13


def test_batches_by_index_are_shuffled(make_gan):
    data = Batches(noise(48, 2))
    make_gan().fit(data, epochs=3, verbose=0)
    orders = np.reshape(data.asked[-18:], (3, 6))
    assert (np.sort(orders) == np.arange(6)).all() and len({tuple(order) for order in orders}) > 1
    data = Batches(noise(48, 2))
    make_gan().fit(data, epochs=3, verbose=0, shuffle=False)
    assert (np.reshape(data.asked[-18:], (3, 6)) == np.arange(6)).all()


def test_data_frames(make_gan, labelled_gan):
    x, y = pandas.DataFrame(noise(48, 2)), pandas.Series(np.arange(48) % 3)
    assert steps(make_gan(), x, batch_size=8) == 6
    assert steps(labelled_gan, x, y=y, batch_size=8) == 6
    assert steps(labelled_gan, ((x[i : i + 8], y[i : i + 8]) for i in range(0, 48, 8)), steps_per_epoch=6) == 6


def test_what_torch_holds(make_gan, make_image_gan, labelled_gan):
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    x, y = torch.from_numpy(noise(20, 2)), torch.arange(20) % 3

    class Points(data.Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, i):
            return x[i]

    gan = make_gan()
    for one in (x, x.double(), x.half(), x.bfloat16(), x.clone().requires_grad_()):
        assert steps(gan, one, batch_size=8) == 3
        assert steps(gan, (part for part in one.split(8)), steps_per_epoch=3) == 3
    bare = data.DataLoader(Points(), batch_size=8)
    for loader in (bare, data.DataLoader(data.TensorDataset(x, y), batch_size=8)):
        assert steps(gan, loader, epochs=2) == 6
        assert steps(gan, noise(8, 2), validation_data=loader) == 1
        assert len(gan.evaluate(loader, verbose=0)) == 4
    assert type(bare) is data.DataLoader and next(iter(bare)).shape == (8, 2)
    assert steps(gan, data.DataLoader(Points(), batch_size=8, collate_fn=lambda rows: np.stack(rows))) == 3
    assert steps(labelled_gan, data.DataLoader(data.TensorDataset(x, y), batch_size=8)) == 3
    bad = data.DataLoader(data.TensorDataset(x, torch.arange(20) // 5), batch_size=8)
    with pytest.raises(ValueError, match=r"^labels must lie in \[0, 3\)\. Received: labels from 1 to 3\."):
        labelled_gan.fit(bad, verbose=0)
    with pytest.raises(ValueError, match=r"\(4, 1, 8, 8\)\. Move the channels to the end"):
        make_image_gan().fit(torch.zeros(4, 1, 8, 8), verbose=0)


def test_sparse_and_ragged_batches(make_gan):
    gan = make_gan()
    for x in (tf.ragged.constant([[1.0, 2.0], [3.0]]), tf.sparse.from_dense(noise(4, 2))):
        for form in (x, tf.data.Dataset.from_tensors(x)):
            with pytest.raises(TypeError, match=f"x must be dense. Received: a {type(x).__name__}"):
                gan.fit(form, verbose=0)


def test_shapes_of_another_order(make_image_gan):
    gan = make_image_gan(channels=3)
    with pytest.raises(ValueError, match=r"Received: \(4, 3, 8, 8\)\. Move the channels to the end: numpy\.moveaxis"):
        gan.fit(noise(4, 3, 8, 8), verbose=0)
    with pytest.raises(ValueError, match=r"Received: \(8, 8, 3\)\. Put examples into batches"):
        gan.fit(tf.data.Dataset.from_tensor_slices(noise(4, 8, 8, 3)), verbose=0)
    with pytest.raises(TypeError, match=r"a dict of 'image' in their place\. Take the images out"):
        gan.fit(tf.data.Dataset.from_tensor_slices({"image": noise(4, 8, 8, 3)}).batch(2), verbose=0)


@pytest.mark.parametrize("shape", [None, (None, None, None, 1), (None, None, None, None)])
@pytest.mark.parametrize("pack", [1, 2])
def test_shapes_that_are_not_known(shape, pack):
    images = noise(16, 8, 8, 1)
    spec = tf.TensorSpec(shape)
    data = tf.data.Dataset.from_generator(lambda: (images[i : i + 4] for i in range(0, 16, 4)), output_signature=spec)
    data = data.apply(tf.data.experimental.assert_cardinality(4))
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), 4, width=2),
        keras_gan.architectures.dcgan_discriminator((8, 8, pack), width=2),
        pack=pack,
        ema=None,
    )
    gan.compile(augmentation=keras_gan.augmentation.DiffAugment(), penalties=[keras_gan.penalties.R1(1.0)])
    assert steps(gan, data, epochs=2) == 8
    assert len(gan.evaluate(data, verbose=0)) == 4


# === Drawn batches ===


def counted(n=40):
    """Returns a dataset with a buffer of 16, and a list of all that was drawn from its source."""
    drawn, x = [], noise(n, 2)

    def draw():
        for i in range(n):
            drawn.append(i)
            yield x[i]

    source = tf.data.Dataset.from_generator(draw, output_signature=tf.TensorSpec((2,)))
    return source.apply(tf.data.experimental.assert_cardinality(n)).shuffle(16, seed=0).batch(8), drawn


def test_the_first_pass_gives_each_example_once(make_gan):
    data, _ = counted()
    x, _ = make_gan()._check(data, None, None)
    expected = np.sort(noise(40, 2), axis=0)
    assert isinstance(x, tf.data.Dataset) and x.element_spec == data.element_spec and len(x) == 5
    for _ in range(2):
        np.testing.assert_array_equal(np.sort(np.concatenate(list(x)), axis=0), expected)


def test_an_order_begins_with_the_epoch(make_image_gan):
    data = keras_gan.datasets.load("digits", 500, split="test", image_size=8, seed=1)
    (order,) = find(data)
    gan = make_image_gan()
    # The check uses a pass outside of training; `fit` takes none of it.
    x, _ = gan._check(data, None, None)
    assert x is data
    order.begin(7)
    first = np.concatenate(list(x))
    order.begin(7)
    np.testing.assert_array_equal(first, np.concatenate(list(data)))


# === Later batches ===


def forms(x, y):
    pairs = [(x[i : i + 8], y[i : i + 8]) for i in range(0, len(x), 8)]

    class Pairs(Batches):
        def __getitem__(self, index):
            return pairs[index]

    return {
        "dataset": (tf.data.Dataset.from_tensor_slices((x, y)).batch(8), {}),
        "generator": (itertools.chain(pairs), {"steps_per_epoch": 6}),
        "by index": (Pairs(x), {"shuffle": False}),
    }


@pytest.mark.parametrize("form", ["dataset", "generator", "by index"])
def test_a_bad_label_later_is_told_with_its_range(labelled_gan, form):
    y = np.arange(48) % 3
    assert steps(labelled_gan, forms(noise(48, 2), y)["dataset"][0]) == 6
    y[-1] = 7
    weights = labelled_gan.get_weights()
    data, options = forms(noise(48, 2), y)[form]
    with pytest.raises(ValueError, match=r"^labels must lie in \[0, 3\)\. Received: labels from 0 to 7\."):
        labelled_gan.fit(data, verbose=0, **options)
    # Five batches are trained on; TensorFlow may also count the step without a batch.
    assert 11 <= int(labelled_gan.optimizer.iterations) <= 12
    assert any((a != b).any() for a, b in zip(weights, labelled_gan.get_weights(), strict=True))
    data, _ = forms(noise(48, 2), y)[form]
    if form != "generator":
        with pytest.raises(ValueError, match=r"^labels must lie in \[0, 3\)"):
            labelled_gan.evaluate(data, verbose=0)
        with pytest.raises(ValueError, match=r"^labels must lie in \[0, 3\)"):
            labelled_gan.fit(noise(8, 2), np.arange(8) % 3, validation_data=data, verbose=0)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.arange(8) % 3 + 1, ValueError, r"from 1 to 3\. Classes are counted from 0: .* subtract 1\.$"),
        (np.arange(8), ValueError, r"from 0 to 7\. For labels up to 7, use Labels\(8\)\.$"),
        (np.arange(8) % 3 - 1, ValueError, r"from -1 to 1\.$"),
        (np.arange(8) % 3 * 1.0, TypeError, r"dtype float64\. Cast them: labels\.astype"),
        (np.arange(8, dtype="float32")[:, None] % 3, TypeError, r"dtype float32\. Cast them"),
        (np.arange(8) % 2 == 0, TypeError, r"dtype bool\. Cast them"),
        (np.linspace(0, 1, 8), TypeError, r"dtype float64\. For numbers that are not classes, .* Vector\(1\)\.$"),
        (np.array(["cat", "dog"] * 4), TypeError, r"dtype <U3\. Convert names .* numpy\.unique"),
        (np.array(["cat", "dog"] * 4, object), TypeError, r"dtype object\. Convert names"),
        (np.eye(3)[np.arange(8) % 3], ValueError, r"shape \(8, 3\)\. Convert one-hot labels .* numpy\.argmax"),
        (np.tri(8, 3), ValueError, r"shape \(8, 3\)\. For rows of zeros and ones with several .* Vector\(3\)\.$"),
        (np.full((8, 3), 0.2), ValueError, r"shape \(8, 3\)\.$"),
    ],
)
def test_labels_of_another_kind(labelled_gan, labels, error, message):
    with pytest.raises(error, match=message):
        labelled_gan.fit(noise(8, 2), labels, verbose=0)


def test_bright_pictures_are_warned_of(make_image_gan, caplog):
    gan = make_image_gan()
    with caplog.at_level(logging.WARNING, "keras_gan"):
        gan.fit(noise(8, 8, 8, 1), verbose=0)
        assert not caplog.records
        for form in (lambda x: x, lambda x: tf.data.Dataset.from_tensor_slices(x).batch(8)):
            gan.fit(form(np.abs(noise(8, 8, 8, 1))), verbose=0)
            (record,) = caplog.records
            assert "rescale them with x * 2 - 1" in record.message and "[-1, 1]" in record.message
            caplog.clear()
    assert int(gan.optimizer.iterations) == 3
    with pytest.raises(ValueError, match=r"x must lie in \[-1, 1\].*from .* to 1\.\d+"):
        gan.fit(np.abs(noise(8, 8, 8, 1)) * 1.5, verbose=0)


@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 1, 6)])
def test_noise_as_pytorch_has_it(shape):
    generator = keras.Sequential([keras.Input(shape), L.Flatten(), L.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), L.Dense(1)])
    with pytest.raises(ValueError, match=r"Let it begin with keras\.Input\(\(6,\)\) and .*Reshape\(\(1, 1, 6\)\)\."):
        keras_gan.GAN(generator, discriminator)
