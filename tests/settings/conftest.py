import numpy as np
import pytest
import tensorflow as tf


def _batches(*shapes):
    rng = np.random.default_rng(0)
    parts = tuple(rng.uniform(-1, 1, (20, *shape)).astype("float32") for shape in shapes)
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(4)


@pytest.fixture
def images():
    """20 images 8x8x3 in batches of 4."""
    return _batches((8, 8, 3))


@pytest.fixture
def pairs():
    """20 pairs in batches of 4, 16x16x1 and 16x16x3."""
    return _batches((16, 16, 1), (16, 16, 3))
