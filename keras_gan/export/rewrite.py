"""A generator for devices: the same function in float32, of operations that run fast there.

On a device a transposed convolution is slower than the convolution that gives the same numbers as channels, which a
depth-to-space then lays out; and what a delegate can't run interrupts it. The copy of a generator that is made here
keeps its weights and its structure, and computes layers of a few kinds in another way.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gan.layers import GroupedConv2D

_SHUFFLE = "_keras_gan_shuffle"
# A kernel is filled with zeros up to a multiple of its stride. From 3x3 to 4x4 at stride 2 still pays: 2.3 times as fast
# on x86.
_MAX_GROWTH = 2


def rebuild(generator, inputs, fast=True):
    """Copies a generator under the float32 policy.

    Args:
        generator: Built `keras.Model`.
        inputs: Symbolic inputs, as `keras_gan.checks.symbolic_inputs` returns them.
        fast: Bool, whether layers may compute in another way what is the same up to rounding. Defaults to True.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: If the generator computes in another dtype and can't be rebuilt from its configuration.
    """
    mixed = sorted({layer.compute_dtype for layer in generator._flatten_layers()} - {"float32"})
    if not mixed and not fast:
        return generator
    classes = {keras.saving.get_registered_name(type(layer)): type(layer) for layer in generator._flatten_layers()}
    try:
        config = _convert(keras.saving.serialize_keras_object(generator), _FAST if fast else {})
        copy = keras.saving.deserialize_keras_object(config, custom_objects=classes, safe_mode=False)
        copy(inputs)
        copy.set_weights(generator.get_weights())
    except Exception as error:
        if not mixed:
            # A subclassed model that has no configuration runs as it is, only slower.
            return generator
        raise ValueError(
            "generator must be in float32, or be a model that can be rebuilt in float32: each layer needs get_config. "
            f"Received: a model that computes in {', '.join(mixed)} and can't be rebuilt: {error}"
        ) from error
    return copy


def _convert(config, classes):
    """A serialized model with other classes and no dtype policy but float32."""
    if isinstance(config, (list, tuple)):
        return [_convert(item, classes) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return {**config, "config": {"name": "float32"}}
    name = config.get("registered_name") or config.get("class_name")
    if isinstance(name, str) and name in classes:
        registered = keras.saving.get_registered_name(classes[name])
        config = {**config, "module": None, "class_name": classes[name].__name__, "registered_name": registered}
    return {key: _convert(value, classes) for key, value in config.items()}


# === What layers become ===
#
# A tensor that was laid out by a depth-to-space remembers what it was before, so that the layers that follow can be
# applied there, where the converter folds them into the convolution. What nobody uses is pruned.


class _Shuffle:
    """A depth-to-space and a crop: from `(batch, h, w, stride ** 2 * channels)` to `(batch, *size, channels)`."""

    def __init__(self, stride, start, size):
        self.stride, self.start, self.size = stride, start, size

    def __call__(self, before):
        y = before if self.stride == 1 else tf.nn.depth_to_space(before, self.stride)
        if self.size != tuple(y.shape[1:3]):
            (top, left), (height, width) = self.start, self.size
            y = y[:, top : top + height, left : left + width]
        setattr(y, _SHUFFLE, (self, before))
        return y


def _transposed(x, kernel, stride, start, size):
    """A transposed convolution as a convolution with one output channel for each phase of the stride.

    In one dimension, with `m = ceil(k / stride)` and the kernel filled with zeros to `m * stride` taps, output
    `q * stride + p` is the sum over a of `x[q - m + 1 + a] * kernel[p + stride * (m - 1 - a)]`, a convolution with m
    taps for each phase p.

    Args:
        x: Tensor `(batch, h, w, channels)`.
        kernel: Tensor `(k, l, filters, channels)`.
        stride: Int.
        start: Tuple, the first row and column of the full result that are kept.
        size: Tuple, how many are kept.

    Returns:
        The phases as channels `(batch, h', w', stride ** 2 * filters)`, and the `_Shuffle` that lays them out.
    """
    filters, channels = kernel.shape[2:]
    m, n = (-(-k // stride) for k in kernel.shape[:2])
    fill = [[0, m * stride - kernel.shape[0]], [0, n * stride - kernel.shape[1]], [0, 0], [0, 0]]
    taps = tf.reshape(tf.pad(kernel, fill), (m, stride, n, stride, filters, channels))
    taps = tf.transpose(tf.reverse(taps, (0, 2)), (0, 2, 5, 1, 3, 4))
    taps = tf.reshape(taps, (m, n, channels, stride * stride * filters))
    phases = tf.nn.conv2d(x, taps, 1, [[0, 0], [m - 1, m - 1], [n - 1, n - 1], [0, 0]])
    return phases, _Shuffle(stride, start, size)


def _finish(layer, phases, shuffle):
    """The bias and the activation of a convolution, then its layout."""
    if layer.use_bias:
        phases = phases + tf.tile(layer.bias, (shuffle.stride**2,))
    if layer.activation in _ELEMENTWISE:
        return shuffle(layer.activation(phases))
    return layer.activation(shuffle(phases))


_ELEMENTWISE = {
    keras.activations.linear,
    keras.activations.relu,
    keras.activations.leaky_relu,
    keras.activations.sigmoid,
    keras.activations.tanh,
}


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastConv2DTranspose(keras.layers.Conv2DTranspose):
    def call(self, inputs):
        stride = self.strides[0]
        growth = math.prod(-(-k // stride) * stride / k for k in self.kernel_size)
        exact = self.strides == (stride, stride) and self.dilation_rate == (1, 1) and self.output_padding is None
        if not exact or growth > _MAX_GROWTH or self.data_format != "channels_last":
            return super().call(inputs)
        beyond = [max(k - stride, 0) for k in self.kernel_size]
        same = self.padding == "same"
        start = tuple(b // 2 if same else 0 for b in beyond)
        size = tuple(n * stride + (0 if same else b) for n, b in zip(inputs.shape[1:3], beyond, strict=True))
        return _finish(self, *_transposed(inputs, ops.convert_to_tensor(self.kernel), stride, start, size))


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastUpSampling2D(keras.layers.UpSampling2D):
    def call(self, inputs):
        stride = self.size[0]
        if self.interpolation != "nearest" or self.size != (stride, stride) or self.data_format != "channels_last":
            return super().call(inputs)
        return tf.nn.depth_to_space(tf.concat([inputs] * stride**2, axis=-1), stride)


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastGroupedConv2D(keras.layers.Conv2D):
    """Devices have an operation for all groups at once."""

    def convolution_op(self, inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate)


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastBatchNormalization(keras.layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        shuffle, before = getattr(inputs, _SHUFFLE, (None, None))
        if before is None or self.axis not in (-1, 3):
            return super().call(inputs, training=training, mask=mask)
        scale = tf.math.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            scale *= self.gamma
        offset = -self.moving_mean * scale
        if self.center:
            offset += self.beta
        n = (shuffle.stride**2,)
        return shuffle(before * tf.tile(scale, n) + tf.tile(offset, n))


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastReLU(keras.layers.ReLU):
    def call(self, inputs):
        shuffle, before = getattr(inputs, _SHUFFLE, (None, None))
        return super().call(inputs) if before is None else shuffle(super().call(before))


_FAST = {
    "Conv2DTranspose": _FastConv2DTranspose,
    "UpSampling2D": _FastUpSampling2D,
    "BatchNormalization": _FastBatchNormalization,
    "ReLU": _FastReLU,
    keras.saving.get_registered_name(GroupedConv2D): _FastGroupedConv2D,
}
