"""Layers that the architectures use, and that Keras lacks."""

import keras
from keras import ops

from keras_gan.checks.values import check_integer, check_number

__all__ = [
    "GroupedConv2D",
    "InstanceNormalization",
    "MinibatchStandardDeviation",
    "PixelNormalization",
    "Residual",
    "SpectralNormalization",
]


def __dir__():
    return __all__


@keras.saving.register_keras_serializable(package="keras_gan")
class SpectralNormalization(keras.layers.Wrapper):
    """Wrapper that divides the kernel of a layer by its largest singular value.

    `y = layer(x; W / sigma), sigma = max over u of ||W u|| with ||u|| = 1`

    `W` is the kernel as a matrix with one column per entry of its last axis. At each call with `training=True`, a power
    iteration tracks the kernel's top singular vectors while training changes the kernel; other calls use the first of
    these vectors unchanged, at almost no cost. It tracks 16 at once, where the paper tracks one: a single vector stays
    with the first singular value for many steps after the second has overtaken it. In short runs of small
    discriminators sigma was off by up to 27 % with one vector and by less than 1 % with 16, at about the same cost.
    Gradients flow through sigma with `u` and `W u / sigma` constant, as in the paper.

    Unlike `keras.layers.SpectralNormalization`, it never writes to the kernel: only the optimizer changes the layer's
    weights, on every backend. Sigma is computed in float32 under any dtype policy.

    Args:
        layer: `keras.layers.Dense`, `Conv2D`, `Conv2DTranspose` or `Embedding`.
        power_iterations: Int > 0, iterations per training call. Defaults to `1`.
        **kwargs: `name` and other arguments of `keras.layers.Layer`. The dtype defaults to the layer's own.

    Input and output shapes are those of `layer`.

    Raises:
        ValueError: If the layer is of the wrong type, or `power_iterations` is not a positive integer.

    Example:

    ```python
    conv = keras.layers.Conv2D(16, 3, strides=2, padding="same")
    layer = keras_gan.layers.SpectralNormalization(conv)
    layer(np.zeros((4, 8, 8, 3))).shape  # (4, 4, 4, 16)
    # A kernel of 2 on the diagonal becomes one of 1.
    dense = keras.layers.Dense(3, kernel_initializer=keras.initializers.Identity(2.0))
    y = keras_gan.layers.SpectralNormalization(dense)(np.ones((4, 3)))
    keras.ops.convert_to_numpy(y[0])  # [1.0, 1.0, 1.0]
    ```

    Reference:
        [Miyato et al., 2018](https://arxiv.org/abs/1802.05957)
    """

    _VECTORS = 16
    # Before the first step, from a random start, these iterations bring sigma within 1 %.
    _FIRST_ITERATIONS = 20

    def __init__(self, layer, power_iterations=1, **kwargs):
        kinds = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Embedding)
        if not isinstance(layer, kinds):
            raise ValueError(f"layer must be a Dense, Conv2D, Conv2DTranspose or Embedding layer. Received: {layer!r}.")
        power_iterations = check_integer("power_iterations", power_iterations)
        kwargs.setdefault("dtype", layer.dtype_policy)
        super().__init__(layer, **kwargs)
        self.power_iterations = power_iterations

    def build(self, input_shape=None):
        super().build(input_shape)
        rows, columns = self._matrix().shape
        options = {"dtype": "float32", "autocast": False, "trainable": False}
        # They depend only on the kernel, which the replicas share.
        options["aggregation"] = "only_first_replica"
        shape = columns, min(self._VECTORS, rows, columns)
        self.u = self.add_weight(shape=shape, initializer=self._first_u, name="u", **options)
        self.v = self.add_weight(shape=(columns, 1), initializer=self._first_v, name="v", **options)

    def call(self, inputs, training=False):
        sigma = self._sigma(training)
        if isinstance(self.layer, keras.layers.Embedding):
            outputs = self.layer(inputs)
            return outputs / ops.cast(sigma, outputs.dtype)
        # Linear in kernel and input: dividing the input has the effect of dividing the kernel, but not the bias.
        return self.layer(inputs / ops.cast(sigma, inputs.dtype))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}

    @property
    def _kernel(self):
        return self.layer.embeddings if isinstance(self.layer, keras.layers.Embedding) else self.layer.kernel

    def _matrix(self):
        kernel = ops.cast(self._kernel, "float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def _sigma(self, training):
        top = self.follow() if training else ops.convert_to_tensor(self.v)
        return ops.sqrt(ops.sum(ops.square(ops.matmul(self._matrix(), top))) + 1e-12)

    def follow(self):
        """Moves `u` and `v` toward the singular vectors of the current kernel, and returns `v`."""
        matrix = ops.stop_gradient(self._matrix())
        vectors = _power_iteration(matrix, ops.convert_to_tensor(self.u), self.power_iterations)
        top = _top_vector(matrix, vectors)
        self.u.assign(vectors)
        self.v.assign(top)
        return top

    def _first_u(self, shape, dtype=None):
        return _power_iteration(self._matrix(), keras.random.normal(shape, dtype=dtype), self._FIRST_ITERATIONS)

    def _first_v(self, shape, dtype=None):
        return _top_vector(self._matrix(), ops.convert_to_tensor(self.u))


@keras.saving.register_keras_serializable(package="keras_gan")
class MinibatchStandardDeviation(keras.layers.Layer):
    """Layer that appends how much the examples of a batch differ.

    A discriminator can thus detect a collapsed generator.

    `s = mean over features of sqrt(var over the group of x + 1e-8)`, one number per group of examples, appended as a
    feature at each position.

    A batch of n splits into `max(1, n // group_size)` groups, as equal in size as n allows; example i belongs to group
    `i mod groups`. Under `tf.distribute` the groups are of one replica's examples: the statistics are per replica.

    Args:
        group_size: Int > 1, how many examples to compare. Defaults to `4`.
        **kwargs: `name` and other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`.

    Output shape:
        `(batch, ..., channels + 1)`.

    Raises:
        ValueError: If `group_size` is not an integer > 1.

    Example:

    ```python
    layer = keras_gan.layers.MinibatchStandardDeviation()
    layer(np.zeros((8, 4, 4, 16))).shape  # (8, 4, 4, 17)
    y = keras_gan.layers.MinibatchStandardDeviation()(np.array([[1.0], [3.0], [1.0], [3.0]]))
    float(y[0, 1])  # 1.0
    ```

    Reference:
        [Karras et al., 2017](https://arxiv.org/abs/1710.10196)
    """

    def __init__(self, group_size=4, **kwargs):
        super().__init__(**kwargs)
        # A single example has no deviation.
        self.group_size = check_integer("group_size", group_size, 2)

    def call(self, inputs):
        n = ops.shape(inputs)[0]
        index = ops.arange(n)
        group = index % ops.maximum(n // self.group_size, 1)
        # Means over groups by a matrix, for batch sizes that a reshape can't divide.
        same = ops.cast(group[:, None] == group[None, :], "float32")
        mean = same / ops.sum(same, axis=1, keepdims=True)
        x = ops.reshape(ops.cast(inputs, "float32"), (n, -1))
        variance = ops.matmul(mean, ops.square(x - ops.matmul(mean, x)))
        deviation = ops.mean(ops.sqrt(variance + 1e-8), axis=1)
        deviation = ops.reshape(ops.cast(deviation, inputs.dtype), (n,) + (1,) * (len(inputs.shape) - 1))
        return ops.concatenate([inputs, ops.ones_like(inputs[..., :1]) * deviation], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "group_size": self.group_size}


@keras.saving.register_keras_serializable(package="keras_gan")
class PixelNormalization(keras.layers.Layer):
    """Layer that scales the feature vector of each pixel to unit mean square.

    `y = x / sqrt(mean over channels of x^2 + 1e-8)`

    Input and output shape:
        `(batch, ..., channels)`.

    Example:

    ```python
    layer = keras_gan.layers.PixelNormalization()
    layer(np.zeros((2, 4, 4, 16))).shape  # (2, 4, 4, 16)
    y = layer(np.array([[1.0, 7.0]]))  # the mean square is 25
    float(y[0, 1])  # 1.4
    ```

    Reference:
        [Karras et al., 2017](https://arxiv.org/abs/1710.10196)
    """

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8)
        return ops.cast(x, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="keras_gan")
class InstanceNormalization(keras.layers.Layer):
    """Layer that normalizes each channel of each image by its own mean and variance over the pixels.

    `y = gamma * (x - mean) / sqrt(var + epsilon) + beta`

    Training and inference are the same, and an image's output depends on no other image. Means are taken in float32,
    over one axis after the other, so that sums stay small enough for a device that adds in half precision.

    Args:
        epsilon: Float > 0. Defaults to `1e-5`.
        **kwargs: `name` and other arguments of `keras.layers.Layer`.

    Input and output shape:
        `(batch, height, width, channels)`.

    Raises:
        ValueError: If `epsilon` is out of range, or an image is a single pixel: minus its mean, it would be 0.

    Example:

    ```python
    layer = keras_gan.layers.InstanceNormalization()
    y = keras.ops.convert_to_numpy(layer(np.random.uniform(0, 9, (2, 8, 8, 3))))
    y.shape  # (2, 8, 8, 3)
    y[1, :, :, 2].std()  # 1.0
    np.abs(y.mean(axis=(1, 2))).max() < 1e-5  # True
    ```

    Reference:
        [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022)
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = check_number("epsilon", epsilon, 0, open_low=True)

    def build(self, input_shape):
        if len(input_shape) != 4 or tuple(input_shape[1:3]) == (1, 1):
            raise ValueError(
                "InstanceNormalization needs images (batch, height, width, channels) of more than one pixel. "
                f"Received: {tuple(input_shape)}."
            )
        self.gamma = self.add_weight((input_shape[-1],), "ones", name="gamma")
        self.beta = self.add_weight((input_shape[-1],), "zeros", name="beta")

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        x = x - _mean_of_pixels(x)
        scale = ops.rsqrt(_mean_of_pixels(ops.square(x)) + self.epsilon) * ops.cast(self.gamma, "float32")
        return ops.cast(x * scale + ops.cast(self.beta, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_gan")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalization whose scale and offset depend on the condition of samples.

    `y = (1 + scale(given)) * (x - mean) / sqrt(variance + epsilon) + offset(given)`

    `scale` and `offset` are embeddings of the condition: for labels a table with one row for each class, for vectors a
    dense layer without bias. Both start at zero, so that the layer starts as batch normalization. They are applied in
    float32 under mixed precision, too.

    Args:
        condition: `keras_gan.conditions.Condition` with an extra input, such as `Labels(10)`.
        momentum: As in `keras.layers.BatchNormalization`. Defaults to `0.99`.
        epsilon: As in `keras.layers.BatchNormalization`. Defaults to `1e-3`.
        synchronized: Bool, as in `keras.layers.BatchNormalization`. Defaults to False.
        **kwargs: `name` and other arguments of `keras.layers.Layer`.

    Input shape:
        A list: `x` `(batch, ..., channels)` and `given` `(batch, ...)`, such as labels `(batch,)`.

    Output shape:
        That of `x`.

    Raises:
        TypeError: If `condition` is of the wrong type.
        ValueError: If the condition has no extra input, or a number is out of range.

    Example:

    ```python
    layer = keras_gan.layers.ConditionalBatchNormalization(keras_gan.conditions.Labels(10))
    layer([np.zeros((2, 8, 8, 16)), np.array([3, 7])]).shape  # (2, 8, 8, 16)
    ```

    Reference:
        - [de Vries et al., 2017](https://arxiv.org/abs/1707.00683)
        - [Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637), in a generator
    """

    # It is called on [x, given].
    takes_given = True

    def __init__(self, condition, momentum=0.99, epsilon=1e-3, synchronized=False, **kwargs):
        if isinstance(condition, type) or not callable(getattr(condition, "embed", None)):
            raise TypeError(
                f"condition must be a keras_gan.conditions.Condition, such as Labels(10). Received: {condition!r}."
            )
        if condition.given_name is None:
            raise ValueError(f"condition must be one with an extra input, such as Labels(10). Received: {condition!r}.")
        super().__init__(**kwargs)
        self.condition = condition
        self.momentum = check_number("momentum", momentum, 0, 1)
        self.epsilon = check_number("epsilon", epsilon, 0, open_low=True)
        self.synchronized = synchronized

    def build(self, input_shape):
        shape, given_shape = input_shape
        # Half precision would round 1 + scale.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        self.normalization = keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            center=False,
            scale=False,
            synchronized=self.synchronized,
            dtype=dtype,
            name="normalization",
        )
        self.scale = self.condition.embed(shape[-1], "zeros", dtype=dtype, name="scale")
        self.offset = self.condition.embed(shape[-1], "zeros", dtype=dtype, name="offset")
        self.normalization.build(shape)
        self.scale.build(given_shape)
        self.offset.build(given_shape)

    def call(self, inputs, training=None):
        x, given = inputs
        y = self.normalization(x, training=training)
        # The same at each position.
        shape = (-1, *[1] * (len(x.shape) - 2), x.shape[-1])
        scale, offset = (ops.reshape(embed(given), shape) for embed in (self.scale, self.offset))
        return ops.cast(y * (1 + scale) + offset, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {
            **super().get_config(),
            "condition": keras.saving.serialize_keras_object(self.condition),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
        }

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "condition": keras.saving.deserialize_keras_object(config["condition"])})


@keras.saving.register_keras_serializable(package="keras_gan")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with `groups`, as one convolution per group.

    Same arguments, weights and outputs. With TensorFlow on a CPU, Keras compiles each grouped convolution with XLA, and
    a training step through it takes 60 to 100 times as long as through this layer.

    Input shape:
        `(batch, height, width, channels)`, with `channels` divisible by `groups`.

    Output shape:
        `(batch, new_height, new_width, filters)`.

    Example:

    ```python
    layer = keras_gan.layers.GroupedConv2D(16, 3, padding="same", groups=4)
    layer(np.zeros((2, 8, 8, 8))).shape  # (2, 8, 8, 16)
    layer.kernel.shape  # (3, 3, 2, 16)
    ```
    """

    def convolution_op(self, inputs, kernel):
        channels = -1 if self.data_format == "channels_last" else 1
        inputs, kernels = ops.split(inputs, self.groups, axis=channels), ops.split(kernel, self.groups, axis=-1)
        convolve = super().convolution_op
        return ops.concatenate([convolve(x, k) for x, k in zip(inputs, kernels, strict=True)], axis=channels)


@keras.saving.register_keras_serializable(package="keras_gan")
class Residual(keras.layers.Layer):
    """Residual block: the sum of two chains of layers.

    `y = residual(x) + shortcut(x)`

    Args:
        residual: List of layers, the residual path. If there is a `ConditionalBatchNormalization` among them, the block
            is called on `[x, given]`, and passes `given` on to that layer.
        shortcut: List of layers that map the input to the same shape. Defaults to `()`, the identity.
        **kwargs: `name` and other arguments of `keras.layers.Layer`.

    Input shape:
        That of the paths' first layers, such as `(batch, height, width, channels)`.

    Output shape:
        That of the residual path's last layer.

    Example:

    ```python
    block = keras_gan.layers.Residual(
        [keras.layers.ReLU(), keras.layers.Conv2D(32, 3, padding="same")],
        shortcut=[keras.layers.Conv2D(32, 1)],
    )
    block(np.zeros((2, 8, 8, 16))).shape  # (2, 8, 8, 32)
    ```

    Reference:
        [He et al., 2015](https://arxiv.org/abs/1512.03385)
    """

    def __init__(self, residual, shortcut=(), **kwargs):
        super().__init__(**kwargs)
        self.residual = list(residual)
        self.shortcut = list(shortcut)

    @property
    def takes_given(self):
        return any(map(takes_given, [*self.residual, *self.shortcut]))

    def build(self, input_shape):
        start, given = input_shape if self.takes_given else (input_shape, None)
        for path in (self.residual, self.shortcut):
            shape = start
            for layer in path:
                before = [shape, given] if takes_given(layer) else shape
                # A loaded layer is built already.
                if not layer.built:
                    layer.build(before)
                shape = layer.compute_output_shape(before)

    def call(self, inputs):
        x, given = inputs if self.takes_given else (inputs, None)
        y = x
        for layer in self.residual:
            x = layer([x, given] if takes_given(layer) else x)
        for layer in self.shortcut:
            y = layer([y, given] if takes_given(layer) else y)
        return x + y

    def compute_output_shape(self, input_shape):
        shape, given = input_shape if self.takes_given else (input_shape, None)
        for layer in self.residual:
            shape = layer.compute_output_shape([shape, given] if takes_given(layer) else shape)
        return shape

    def get_config(self):
        paths = {
            name: [keras.saving.serialize_keras_object(layer) for layer in getattr(self, name)]
            for name in ("residual", "shortcut")
        }
        return {**super().get_config(), **paths}

    @classmethod
    def from_config(cls, config):
        paths = {
            name: [keras.saving.deserialize_keras_object(layer) for layer in config[name]]
            for name in ("residual", "shortcut")
        }
        return super().from_config({**config, **paths})


def takes_given(layer):
    """Returns whether a layer is called on `[x, given]`, with the condition of samples, and not on `x`."""
    return getattr(layer, "takes_given", False)


def _mean_of_pixels(x):
    return ops.mean(ops.mean(x, axis=1, keepdims=True), axis=2, keepdims=True)


def _power_iteration(matrix, vectors, n):
    """Multiplies vectors by `W^T W` `n` times, and makes them orthonormal after each time."""
    for _ in range(n):
        vectors, _ = ops.qr(ops.matmul(ops.transpose(matrix), ops.matmul(matrix, vectors)))
    return vectors


def _top_vector(matrix, vectors):
    """Returns the unit vector `(columns, 1)` that a matrix stretches most, among those in the span of orthonormal
    vectors.

    Not by an eigendecomposition, since TensorFlow's raises if a network has diverged to NaN.
    """
    responses = ops.matmul(matrix, vectors)
    power = ops.matmul(ops.transpose(responses), responses)
    # The 4096th power of the matrix, after scaling, projects onto the first eigenvector. Nothing underflows: the
    # largest entry of a positive semidefinite matrix is on its diagonal, and (1/16) ** 8 is still far above the
    # smallest float32.
    for _ in range(4):
        power = power / (ops.max(power) + 1e-30)
        for _ in range(3):
            power = ops.matmul(power, power)
    column = ops.take(power, ops.argmax(ops.diagonal(power)), axis=1)
    top = ops.matmul(vectors, ops.expand_dims(column, 1))
    return top / (ops.sqrt(ops.sum(ops.square(top))) + 1e-30)
