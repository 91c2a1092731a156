"""The table of Keras's layers in export/README.md, which LiteRT runs on a GPU. As a script, it writes the table."""

import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as L

from keras_gan import priors
from keras_gan.conditions import Unconditional
from keras_gan.export import convert, gpu, gpu_driver, rewrite, tasks

README = Path(__file__).parents[2] / "export" / "README.md"
_BLOCK = re.compile(r"(?<=<!-- layers -->\n).*?(?=<!-- end of layers -->)", re.DOTALL)
_INPUT = 6
MAP, ROW, VECTOR, VOLUME = (4, 4, 8), (8, 6), (24,), (4, 4, 4, 3)


class WithItself(L.Layer):
    """Self-attention of a sequence."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        return self.layer(x, x) if isinstance(self.layer, L.MultiHeadAttention) else self.layer([x, x])


def activation(name):
    return lambda: L.Activation(name)


# Name, layer and input shape of each.
LAYERS = {
    "Dense": (lambda: L.Dense(5), VECTOR),
    "EinsumDense": (lambda: L.EinsumDense("abc,cd->abd", output_shape=(None, 5)), ROW),
    "Conv1D": (lambda: L.Conv1D(5, 3), ROW),
    "Conv2D": (lambda: L.Conv2D(5, 3, padding="same"), MAP),
    "Conv2D with groups": (lambda: L.Conv2D(8, 3, groups=2), MAP),
    "DepthwiseConv2D": (lambda: L.DepthwiseConv2D(3), MAP),
    "SeparableConv2D": (lambda: L.SeparableConv2D(8, 3), MAP),
    "Conv1DTranspose": (lambda: L.Conv1DTranspose(5, 4, 2), ROW),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(5, 4, 2, "same", activation="relu"), MAP),
    "Conv2DTranspose with a rectangular stride": (lambda: L.Conv2DTranspose(5, 4, (2, 1), activation="relu"), MAP),
    "Conv3D": (lambda: L.Conv3D(5, 3), VOLUME),
    "Conv3DTranspose": (lambda: L.Conv3DTranspose(5, 4, 2), VOLUME),
    "BatchNormalization": (lambda: L.BatchNormalization(), MAP),
    "LayerNormalization": (lambda: L.LayerNormalization(), MAP),
    "GroupNormalization": (lambda: L.GroupNormalization(2), MAP),
    "RMSNormalization": (lambda: L.RMSNormalization(), MAP),
    "UnitNormalization": (lambda: L.UnitNormalization(), MAP),
    "SpectralNormalization": (lambda: L.SpectralNormalization(L.Conv2D(5, 3)), MAP),
    **{
        f"UpSampling2D {name}": (lambda name=name: L.UpSampling2D(interpolation=name), MAP)
        for name in ("nearest", "bilinear", "bicubic", "lanczos3")
    },
    "UpSampling1D": (lambda: L.UpSampling1D(2), ROW),
    **{
        f"Resizing {name}": (lambda name=name: L.Resizing(7, 9, name), MAP)
        for name in ("nearest", "bilinear", "bicubic")
    },
    "ZeroPadding2D": (lambda: L.ZeroPadding2D(1), MAP),
    "Cropping2D": (lambda: L.Cropping2D(1), MAP),
    "AveragePooling2D": (lambda: L.AveragePooling2D(2), MAP),
    "MaxPooling2D": (lambda: L.MaxPooling2D(), MAP),
    "GlobalAveragePooling2D": (lambda: L.GlobalAveragePooling2D(), MAP),
    "PReLU": (lambda: L.PReLU(), MAP),
    "LeakyReLU": (lambda: L.LeakyReLU(), MAP),
    **{
        name: (activation(name), MAP)
        for name in (
            "relu",
            "elu",
            "selu",
            "gelu",
            "silu",
            "sigmoid",
            "tanh",
            "hard_tanh",
            "softplus",
            "softmax",
            "mish",
            "glu",
        )
    },
    "log_softmax": (activation("log_softmax"), MAP),
    "Reshape": (lambda: L.Reshape((8, 4, 4)), MAP),
    "Permute": (lambda: L.Permute((3, 1, 2)), MAP),
    "RepeatVector": (lambda: L.RepeatVector(3), VECTOR),
    "MultiHeadAttention": (lambda: WithItself(L.MultiHeadAttention(2, 4)), ROW),
    "Attention of one tensor": (lambda: WithItself(L.Attention()), ROW),
    "LSTM with unroll=True": (lambda: L.LSTM(4, unroll=True), ROW),
    "GRU with unroll=True": (lambda: L.GRU(4, unroll=True), ROW),
    "LSTM": (lambda: L.LSTM(4), ROW),
    "GRU": (lambda: L.GRU(4), ROW),
}


def survey():
    """Tries each layer, and returns the table."""
    whole, refused = [], []
    for name, (make, shape) in LAYERS.items():
        keras.utils.set_random_seed(0)
        try:
            _prove(make(), shape)
            whole.append(f"`{name}`")
        except ValueError as error:
            reason = re.sub(r"^.*\(on [^:]*\): |; leave accelerator out.*| Leave accelerator out.*", "", str(error))
            refused.append(f"| `{name}` | {reason.strip()} |")
    return "\n".join(["| | |", "|---|---|", f"| run entirely on the GPU | {', '.join(whole)} |", *refused]) + "\n"


def _prove(layer, shape):
    generator = keras.Sequential([keras.Input((_INPUT,)), L.Dense(int(np.prod(shape))), L.Reshape(shape), layer])
    task = tasks.Generation(priors.Normal(_INPUT), Unconditional())
    fast = rewrite.rebuild(generator, task.symbolic_inputs(), accelerator="gpu")
    signatures = task.signatures(fast, (1,))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.tflite"
        path.write_bytes(convert.to_tflite(fast, signatures, accelerator="gpu"))
        found = gpu.prove(path, signatures, None)
        assert found.driver, "the survey needs a Vulkan driver"
        assert gpu.check_rules(path).whole, "the rules refuse what the driver runs"


@pytest.mark.long
@pytest.mark.skipif(not gpu_driver.candidates(), reason="needs Vulkan: apt-get install chromium")
def test_the_table_is_what_the_driver_says():
    assert _BLOCK.search(README.read_text()).group() == survey()


if __name__ == "__main__":
    README.write_text(_BLOCK.sub(lambda _: survey(), README.read_text()))
