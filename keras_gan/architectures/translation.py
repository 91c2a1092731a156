"""Networks that translate and enlarge images: U-Net and residual generators, and a patch discriminator."""

import functools

import keras
from keras import layers

from keras_gan.architectures.shapes import check_data_shape, halvings
from keras_gan.checks.values import check_bool, check_integer, check_number
from keras_gan.layers import InstanceNormalization, Residual

# A multiple of the stride, as in DCGAN, to avoid checkerboard artifacts.
_KERNEL, _STRIDE = 4, 2
_SLOPE = 0.2
# From the paper: the widest layers as multiples of the width, the most halvings, and the layers with dropout.
_WIDEST, _DEEPEST, _DROPPED = 8, 8, 3
# Maps each receptive field to its number of layers that halve the image.
_FIELDS = {16: 1, 34: 2, 70: 3}
_DOUBLINGS = {2: 1, 4: 2}


def unet_generator(source_shape, target_channels=None, width=64, dropout=0.0, scale=1, depth=None):
    """Builds the U-Net of pix2pix: down to a few pixels and up again, with a skip connection at each size.

    Instance normalization takes the place of batch normalization, whose statistics would make the output for an image
    depend on the other images of its batch. The first layer and maps of a single pixel have no normalization.

    Args:
        source_shape: Tuple `(height, width, channels)` with 1 to 4 channels; height and width, times `scale`, divisible
            by 4.
        target_channels: Int from 1 to 4. Defaults to None, those of the source.
        width: Int > 0, the number of filters of the first layer; each halving doubles them, up to eight times as many.
            Defaults to `64`, as in the paper.
        dropout: Float in [0, 1), the share of activations that is dropped in training, in the first three layers of the
            decoder; the paper has 0.5. Defaults to `0.0`.
        scale: Int > 0, how many times larger outputs are than sources, in each direction: sources are enlarged first,
            by repeating their pixels. Defaults to `1`.
        depth: Int > 0, how many times the output's height and width are halved. Defaults to None: they are halved until
            one of them is odd, at most eight times, as in the paper.

    Returns:
        `keras.Model`, images `(batch, height, width, channels)` in [-1, 1] to images
        `(batch, scale * height, scale * width, target_channels)` in [-1, 1].

    Raises:
        ValueError: If a number is out of range, or if `scale` times the height or the width is not divisible by 4 or
            can't be halved `depth` times.

    Example:

    ```python
    generator = keras_gan.architectures.unet_generator((64, 64, 1), target_channels=3, width=16)
    generator(np.zeros((2, 64, 64, 1))).shape  # (2, 64, 64, 3)
    ```

    Reference:
        [Isola et al., 2016](https://arxiv.org/abs/1611.07004), 6.1.1
    """
    source_shape, target_channels, width = _check(source_shape, target_channels, width)
    dropout = check_number("dropout", dropout, 0, 1, open_high=True)
    scale = check_integer("scale", scale)
    size = (scale * source_shape[0], scale * source_shape[1])
    halvings(size, "source_shape" if scale == 1 else "scale * source_shape")
    deepest = next(k for k in range(_DEEPEST, 0, -1) if not any(n % _STRIDE**k for n in size))
    depth = deepest if depth is None else check_integer("depth", depth, 1, deepest)
    filters = [width * min(2**stage, _WIDEST) for stage in range(depth)]
    inputs = x = keras.Input(source_shape, name="source")
    if scale > 1:
        x = layers.UpSampling2D(scale)(x)
    maps = []
    for stage, n in enumerate(filters):
        x = layers.Conv2D(n, _KERNEL, _STRIDE, padding="same")(x)
        if stage > 0:
            x = _normalize(x)
        maps.append(x)
        x = layers.LeakyReLU(_SLOPE)(x)
    x = layers.ReLU()(maps.pop())
    for stage, n in enumerate(reversed(filters[:-1])):
        x = _normalize(layers.Conv2DTranspose(n, _KERNEL, _STRIDE, padding="same")(x))
        if dropout and stage < _DROPPED:
            x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(layers.Concatenate()([x, maps.pop()]))
    return keras.Model(inputs, _last(layers.Conv2DTranspose, target_channels, _STRIDE)(x), name="generator")


def residual_generator(source_shape, target_channels=None, width=64, blocks=None, separable=False):
    """Builds the residual generator of CycleGAN: down to a quarter, a chain of residual blocks, and up again.

    Unlike the paper, it pads with zeros, not with reflections, and strided and transposed convolutions have 4x4
    kernels, multiples of their stride.

    Args:
        source_shape: Tuple `(height, width, channels)` with 1 to 4 channels; height and width divisible by 4.
        target_channels: Int from 1 to 4. Defaults to None, those of the source.
        width: Int > 0, the number of filters at full size; each of the two halvings doubles them. Defaults to `64`,
            as in the paper.
        blocks: Int > 0, how many residual blocks. Defaults to None, as in the paper: 6 up to 128 pixels, 9 above.
        separable: Bool, whether convolutions are separable, for phones: they filter each channel by itself, and mix
            channels pixel by pixel. This takes a ninth of the multiply-adds at the paper's width, and an eighth at a
            third of that width. The first convolution, which has few input channels, stays an ordinary one, with a
            kernel of 3 pixels in place of 7; the last one has a kernel of 5 in place of 7, which runtimes compute
            much faster. Maps are enlarged by repeating pixels. Defaults to False.

    Returns:
        `keras.Model`, images `(batch, height, width, channels)` in [-1, 1] to images
        `(batch, height, width, target_channels)` in [-1, 1].

    Raises:
        ValueError: If a number is out of range, `separable` is not a bool, or height or width is not divisible by 4.

    Example:

    ```python
    generator = keras_gan.architectures.residual_generator((32, 32, 3), width=16, blocks=2)
    generator(np.zeros((2, 32, 32, 3))).shape  # (2, 32, 32, 3)
    ```

    Reference:
        - [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), 7.2
        - [Johnson et al., 2016](https://arxiv.org/abs/1603.08155)
        - [Howard et al., 2017](https://arxiv.org/abs/1704.04861): separable convolutions
    """
    source_shape, target_channels, width = _check(source_shape, target_channels, width)
    halvings(source_shape, "source_shape")
    blocks = (6 if max(source_shape[:2]) <= 128 else 9) if blocks is None else check_integer("blocks", blocks)
    check_bool("separable", separable)
    # XNNPACK is fast for depthwise kernels of up to 5 pixels: one of 7 at full size took longer than all other layers.
    kind, first, last = (layers.SeparableConv2D, 3, 5) if separable else (layers.Conv2D, 7, 7)
    inputs = keras.Input(source_shape, name="source")
    x = layers.ReLU()(_normalize(layers.Conv2D(width, first, padding="same")(inputs)))
    for n in (2 * width, 4 * width):
        x = layers.ReLU()(_normalize(kind(n, _KERNEL, _STRIDE, padding="same")(x)))
    for _ in range(blocks):
        x = Residual([*_convolution(kind, 4 * width, x), layers.ReLU(), *_convolution(kind, 4 * width, x)])(x)
    for n in (2 * width, width):
        if separable:
            # Channels are mixed, and become fewer, where the map is small.
            x = layers.UpSampling2D(_STRIDE)(layers.Conv2D(n, 1)(x))
            x = layers.DepthwiseConv2D(3, padding="same")(x)
        else:
            x = layers.Conv2DTranspose(n, _KERNEL, _STRIDE, padding="same")(x)
        x = layers.ReLU()(_normalize(x))
    return keras.Model(inputs, _last(kind, target_channels, 1, last)(x), name="generator")


def super_resolution_generator(source_shape, scale, width=32, blocks=4):
    """Builds a generator that enlarges images: it adds a learned residual to the bilinearly enlarged source.

    As in EDSR, the residual blocks have no normalization, which would take away contrast. They work at the source's
    size, where a convolution costs a fourth or a sixteenth of one at the target's size. Transposed convolutions follow,
    each of which doubles the size. The last convolution starts at zero: untrained, the generator enlarges bilinearly.
    The sum is clipped to [-1, 1].

    Args:
        source_shape: Tuple `(height, width, channels)` with 1 to 4 channels.
        scale: 2 or 4, how many times larger outputs are than sources, in each direction.
        width: Int > 0, the number of filters. Defaults to `32`, half as many as in SRGAN and in EDSR's
            baseline: a fourth of the time, for training without a GPU.
        blocks: Int > 0, how many residual blocks. Defaults to `4`; SRGAN and EDSR's baseline have 16. Four take less
            time, for training without a GPU.

    Returns:
        `keras.Model`, images `(batch, height, width, channels)` in [-1, 1] to images
        `(batch, scale * height, scale * width, channels)` in [-1, 1].

    Raises:
        ValueError: If a number is out of range, or `scale` is neither 2 nor 4.

    Example:

    ```python
    generator = keras_gan.architectures.super_resolution_generator((32, 32, 3), scale=2, width=16)
    generator(np.zeros((2, 32, 32, 3))).shape  # (2, 64, 64, 3)
    ```

    Reference:
        - [Ledig et al., 2016](https://arxiv.org/abs/1609.04802): SRGAN
        - [Lim et al., 2017](https://arxiv.org/abs/1707.02921): EDSR
    """
    source_shape, channels, width = _check(source_shape, None, width)
    scale = check_integer("scale", scale)
    if scale not in _DOUBLINGS:
        raise ValueError(f"scale must be 2 or 4. Received: {scale!r}.")
    blocks = check_integer("blocks", blocks)
    inputs = keras.Input(source_shape, name="source")
    convolution = functools.partial(layers.Conv2D, width, 3, padding="same")
    x = convolution()(inputs)
    for _ in range(blocks):
        x = Residual([convolution(), layers.ReLU(), convolution()])(x)
    for _ in range(_DOUBLINGS[scale]):
        x = layers.ReLU()(layers.Conv2DTranspose(width, _KERNEL, _STRIDE, padding="same")(x))
    # The outputs are computed in float32, for the reason given in `_last`.
    details = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros", dtype="float32")(x)
    enlarged = layers.UpSampling2D(scale, interpolation="bilinear", dtype="float32")(inputs)
    outputs = layers.Activation("hard_tanh", dtype="float32")(layers.Add(dtype="float32")([details, enlarged]))
    return keras.Model(inputs, outputs, name="generator")


def patch_discriminator(shape, width=64, receptive_field=None, normalize=True):
    """Builds the discriminator of pix2pix, PatchGAN: a logit for each of many overlapping patches.

    Instance normalization takes the place of batch normalization, so that an image's logits depend on it alone. It also
    removes the mean color of an image, so that the discriminator can't tell green seas from blue ones. With pairs, the
    reconstruction loss corrects colors. Without pairs, use `normalize=False`.

    Args:
        shape: Tuple `(height, width, channels)` of the input. For `Pix2Pix`, the number of channels is that of source
            and target together; for `GAN` and `CycleGAN`, it is that of one image.
        width: Int > 0, the number of filters of the first layer; each further layer doubles them, up to eight times
            as many. Defaults to `64`, as in the paper.
        receptive_field: 16, 34 or 70, the side in pixels of the patch that a logit sees. Defaults to None: the largest
            one that is no larger than the shorter side and whose layers can halve height and width without remainder.
        normalize: Bool, whether there is instance normalization. Defaults to True.

    Returns:
        `keras.Sequential`, images `(batch, height, width, channels)` to a map of logits `(batch, rows, columns, 1)`.

    Raises:
        ValueError: If a number is out of range, if `normalize` is not a bool, if the image is smaller than a patch, or
            if height and width can't be halved without remainder as often as the layers do: once, twice or three times.

    Example:

    ```python
    discriminator = keras_gan.architectures.patch_discriminator((64, 64, 6), width=16)
    discriminator(np.zeros((2, 64, 64, 6))).shape  # (2, 16, 16, 1)
    ```

    Reference:
        [Isola et al., 2016](https://arxiv.org/abs/1611.07004), 6.1.2
    """
    shape = check_data_shape("shape", shape, ranks=(3,))
    width = check_integer("width", width)
    check_bool("normalize", normalize)
    side = min(shape[:2])
    if receptive_field is None:
        fields = [f for f, n in _FIELDS.items() if f <= side and not any(size % _STRIDE**n for size in shape[:2])]
        receptive_field = max(fields, default=min(_FIELDS))
    receptive_field = check_integer("receptive_field", receptive_field)
    if receptive_field not in _FIELDS or receptive_field > side:
        raise ValueError(
            "receptive_field must be 16, 34 or 70, and at most the shorter side of the image. "
            f"Received: receptive_field={receptive_field!r}, shape={shape}."
        )
    strided = _FIELDS[receptive_field]
    if any(n % _STRIDE**strided for n in shape[:2]):
        raise ValueError(
            f"shape must have height and width divisible by {_STRIDE**strided} for receptive_field={receptive_field}. "
            f"Received: {shape}."
        )
    chain = [keras.Input(shape, name="image")]
    for stage in range(strided + 1):
        stride = _STRIDE if stage < strided else 1
        chain.append(layers.Conv2D(width * min(2**stage, _WIDEST), _KERNEL, stride, padding="same"))
        if normalize and stage > 0:
            chain.append(InstanceNormalization())
        chain.append(layers.LeakyReLU(_SLOPE))
    chain.append(layers.Conv2D(1, _KERNEL, padding="same", dtype="float32"))
    return keras.Sequential(chain, name="discriminator")


def _check(source_shape, target_channels, width):
    source_shape = check_data_shape("source_shape", source_shape, ranks=(3,))
    if source_shape[2] > 4:
        raise ValueError(f"source_shape must have 1 to 4 channels. Received: {source_shape}.")
    target_channels = source_shape[2] if target_channels is None else target_channels
    return source_shape, check_integer("target_channels", target_channels, 1, 4), check_integer("width", width)


def _convolution(kind, filters, like):
    """Returns the layers of a convolution that keeps the size of a map, with normalization."""
    convolution = kind(filters, 3, padding="same")
    return [convolution] if _is_pixel(like) else [convolution, InstanceNormalization()]


def _normalize(x):
    return x if _is_pixel(x) else InstanceNormalization()(x)


def _is_pixel(x):
    # A single pixel minus its mean would be 0, so it is not normalized.
    return tuple(x.shape[1:3]) == (1, 1)


def _last(kind, channels, stride, kernel=_KERNEL):
    # Outputs in float32: in bfloat16 they would be off by up to a quarter of a level of 8-bit images.
    return kind(channels, kernel, stride, padding="same", activation="tanh", dtype="float32")
