"""Rewrites a generator for devices: the same function in float32, with operations that are fast there.

On a device, a transposed convolution is slower than an ordinary convolution that computes the same numbers, arranged as
channels, followed by a depth-to-space. A delegate is interrupted by each operation that it can't run. The copy of a
generator that is made here keeps its weights and its structure, but computes a few kinds of layers differently.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gan.keras_private import layers_of
from keras_gan.layers import GroupedConv2D

_BEFORE = "_keras_gan_before"
# Kernels are zero-padded to a multiple of their stride. Even when a 3x3 kernel is padded to 4x4, the rewritten layer is
# twice as fast on x86.
_MAX_GROWTH = 2


# Up to this integer, float16 is exact.
_MAX_CLASSES = 2048


def rebuild(generator, inputs, fast=True, accelerator=None):
    """Copies a generator under the float32 policy.

    Args:
        generator: Built `keras.Model`.
        inputs: Symbolic inputs, as `keras_gan.networks.symbolic_inputs` returns them.
        fast: Bool, whether layers may be replaced by others that are equal up to rounding. Defaults to True.
        accelerator: `"gpu"` to also replace layers that run on a CPU but not on a GPU. Defaults to None.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: If the generator computes in another dtype and can't be rebuilt from its configuration.
    """
    mixed = sorted({layer.compute_dtype for layer in layers_of(generator)} - {"float32"})
    if not mixed and not fast:
        return generator
    parts = layers_of(generator)
    parts += [part.condition for part in parts if hasattr(part, "condition")]
    classes = {keras.saving.get_registered_name(type(part)): type(part) for part in parts}
    try:
        config = _convert(keras.saving.serialize_keras_object(generator), _FAST if fast else {})
        copy = keras.saving.deserialize_keras_object(config, custom_objects=classes, safe_mode=False)
        copy(inputs)
        copy.set_weights(generator.get_weights())
        for layer in layers_of(copy):
            # The class is changed in place: some layers make their embedding only when they are built.
            if accelerator == "gpu" and type(layer) is keras.layers.Embedding:
                layer.__class__ = _FastEmbedding
    except Exception as error:
        if not mixed:
            # A subclassed model without a configuration is unchanged, only slower.
            return generator
        raise ValueError(
            "generator must be in float32, or be a model that can be rebuilt in float32: each layer needs get_config. "
            f"Received: a model that computes in {', '.join(mixed)} and can't be rebuilt: {error}"
        ) from error
    return copy


def _convert(config, classes):
    """Replaces classes in a serialized model, and all dtype policies by float32."""
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


# === Replacements of layers ===
#
# A tensor that was only rearranged, by a reshape or a depth-to-space, keeps a reference to the original. The layers
# that follow are applied to the original, so that the converter can fold them into the layer before. Unused operations
# are pruned.


def _lay_out(layout, before):
    """Applies a function that only rearranges numbers, with channels last and in the same order, and keeps a reference
    to its input."""
    y = layout(before)
    setattr(y, _BEFORE, (layout, before))
    return y


def _depth_to_space(stride, start, size):
    """Returns a function from `(batch, h, w, stride ** 2 * channels)` to `(batch, *size, channels)`, cropped."""
    (top, left), (height, width) = start, size

    def layout(before):
        y = before if stride == 1 else _to_space(before, stride)
        return y if tuple(y.shape[1:3]) == size else y[:, top : top + height, left : left + width]

    return layout


def _to_space(x, stride):
    """Applies depth-to-space to several images as to one tall image: LiteRT's GPU delegate gives zeros for several."""
    n, height, width, _ = x.shape
    if n in (None, 1):
        return tf.nn.depth_to_space(x, stride)
    y = tf.nn.depth_to_space(tf.reshape(x, (1, n * height, width, -1)), stride)
    return tf.reshape(y, (n, stride * height, stride * width, -1))


def _phases(x, kernel, stride):
    """Computes a transposed convolution as a convolution with an output channel for each phase of the stride.

    In one dimension, with `m = ceil(k / stride)` and the kernel zero-padded to `m * stride` taps, output `q * stride +
    p` is the sum over `a` of `x[q - m + 1 + a] * kernel[p + stride * (m - 1 - a)]`, a convolution with `m` taps for
    each phase `p`.

    Args:
        x: Tensor `(batch, h, w, channels)`.
        kernel: Tensor `(k, l, filters, channels)`.
        stride: Int.

    Returns:
        The whole result, `(batch, h + m - 1, w + n - 1, stride ** 2 * filters)`, before its depth-to-space.
    """
    filters, channels = kernel.shape[2:]
    m, n = (-(-k // stride) for k in kernel.shape[:2])
    fill = [[0, m * stride - kernel.shape[0]], [0, n * stride - kernel.shape[1]], [0, 0], [0, 0]]
    taps = tf.reshape(tf.pad(kernel, fill), (m, stride, n, stride, filters, channels))
    taps = tf.transpose(tf.reverse(taps, (0, 2)), (0, 2, 5, 1, 3, 4))
    taps = tf.reshape(taps, (m, n, channels, stride * stride * filters))
    return tf.nn.conv2d(x, taps, 1, [[0, 0], [m - 1, m - 1], [n - 1, n - 1], [0, 0]])


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
        y = _phases(inputs, ops.convert_to_tensor(self.kernel), stride)
        if self.use_bias:
            y += tf.tile(self.bias, (stride**2,))
        layout = _depth_to_space(stride, start, size)
        if self.activation in _ELEMENTWISE:
            return _lay_out(layout, self.activation(y))
        return self.activation(_lay_out(layout, y))


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastUpSampling2D(keras.layers.UpSampling2D):
    def call(self, inputs):
        stride = self.size[0]
        if self.data_format != "channels_last":
            return super().call(inputs)
        if self.interpolation == "nearest" and self.size == (stride, stride):
            return _to_space(tf.concat([inputs] * stride**2, axis=-1), stride)
        size = [n * factor for n, factor in zip(inputs.shape[1:3], self.size, strict=True)]
        return _resize(inputs, size, self.interpolation)


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastResizing(keras.layers.Resizing):
    def call(self, inputs):
        plain = not (self.crop_to_aspect_ratio or self.pad_to_aspect_ratio or self.antialias)
        if not plain or inputs.shape.rank != 4 or self.data_format != "channels_last":
            return super().call(inputs)
        return tf.cast(_resize(inputs, (self.height, self.width), self.interpolation), self.compute_dtype)


def _resize(x, size, interpolation):
    """Resizes `(batch, h, w, channels)`; devices lack a bicubic filter, so it is a matrix for each axis."""
    if interpolation in ("nearest", "bilinear"):
        return tf.image.resize(x, size, interpolation)
    with tf.init_scope():
        matrices = [
            ops.convert_to_numpy(ops.image.resize(np.eye(n, dtype="float32")[..., None], (m, n), interpolation))[..., 0]
            for n, m in zip(x.shape[1:3], size, strict=True)
        ]
    y = tf.matmul(tf.transpose(x, (0, 2, 3, 1)), matrices[0].T)
    y = tf.matmul(tf.transpose(y, (0, 3, 2, 1)), matrices[1].T)
    return tf.transpose(y, (0, 1, 3, 2))


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastGroupNormalization(keras.layers.GroupNormalization):
    """Group normalization without a fifth axis, which GPUs lack."""

    def call(self, inputs):
        if self.axis not in (-1, inputs.shape.rank - 1):
            return super().call(inputs)
        size = inputs.shape[-1] // self.groups
        x = tf.reshape(inputs, (-1, math.prod(inputs.shape[1:-1]), self.groups, size))
        x -= tf.reduce_mean(x, (1, 3), keepdims=True)
        x *= tf.math.rsqrt(tf.reduce_mean(tf.square(x), (1, 3), keepdims=True) + self.epsilon)
        y = tf.reshape(x, (-1, *inputs.shape[1:]))
        y = y * ops.convert_to_tensor(self.gamma) if self.scale else y
        return y + ops.convert_to_tensor(self.beta) if self.center else y


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastGroupedConv2D(keras.layers.Conv2D):
    """Grouped convolution as one operation, which devices have."""

    def convolution_op(self, inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate)


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastReshape(keras.layers.Reshape):
    def call(self, inputs):
        # If the input has more than two axes, the reshape could mix channels with positions.
        return super().call(inputs) if inputs.shape.rank > 2 else _lay_out(super().call, inputs)


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastBatchNormalization(keras.layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        layout, before = getattr(inputs, _BEFORE, (None, None))
        if before is None or self.axis not in (-1, inputs.shape.rank - 1):
            return super().call(inputs, training=training, mask=mask)
        # As a constant: the converter does not fold an operation that repeats a small tensor many times.
        with tf.init_scope():
            mean, variance = ops.convert_to_numpy(self.moving_mean), ops.convert_to_numpy(self.moving_variance)
            gamma = ops.convert_to_numpy(self.gamma) if self.scale else 1.0
            beta = ops.convert_to_numpy(self.beta) if self.center else 0.0
        scale = gamma / np.sqrt(variance + self.epsilon)
        offset = beta - mean * scale
        repeats = before.shape[-1] // inputs.shape[-1]
        return _lay_out(layout, before * np.tile(scale, repeats) + np.tile(offset, repeats))


@keras.saving.register_keras_serializable(package="keras_gan")
class _FastReLU(keras.layers.ReLU):
    def call(self, inputs):
        layout, before = getattr(inputs, _BEFORE, (None, None))
        return super().call(inputs) if before is None else _lay_out(layout, super().call(before))


class _FastEmbedding(keras.layers.Embedding):
    """Embedding as a one-hot vector, exact in half precision, times the table: GPUs can't look up float16."""

    def call(self, inputs):
        if self.input_dim > _MAX_CLASSES:
            return super().call(inputs)
        index = tf.reshape(tf.cast(inputs, "float32"), (*inputs.shape, 1))
        one_hot = tf.nn.relu(1 - tf.abs(index - np.arange(self.input_dim, dtype="float32")))
        return tf.matmul(one_hot, ops.convert_to_tensor(self.embeddings))


_FAST = {
    "Conv2DTranspose": _FastConv2DTranspose,
    "UpSampling2D": _FastUpSampling2D,
    "Resizing": _FastResizing,
    "GroupNormalization": _FastGroupNormalization,
    "BatchNormalization": _FastBatchNormalization,
    "ReLU": _FastReLU,
    "Reshape": _FastReshape,
    keras.saving.get_registered_name(GroupedConv2D): _FastGroupedConv2D,
}
