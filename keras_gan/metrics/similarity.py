"""Measures of similarity for paired images: PSNR and SSIM."""

import math

import keras
import numpy as np
from keras import ops

from keras_gan.metrics.base import FeatureMetric, in_range

# As in the paper.
_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


class _MeanOfPairs(FeatureMetric):
    """Mean of `measure` over images and their targets, with pixels in [0, 1]."""

    directions = ("max",)

    def __init__(self, name=None, dtype=None):
        super().__init__(None, name or type(self).__name__.lower(), dtype)

    def create_variables(self, size):
        self._sum = self.add_weight((), "zeros", name="sum")
        self._count = self.add_weight((), "zeros", name="count")

    def accumulate(self, real, fake):
        real, fake = (ops.clip(in_range(ops.cast(x, "float32"), (0, 1)), 0.0, 1.0) for x in (real, fake))
        measured = self.measure(real, fake)
        self._sum.assign_add(ops.sum(measured))
        self._count.assign_add(ops.cast(ops.shape(measured)[0], "float32"))

    def compute(self):
        count = float(ops.convert_to_numpy(self._count))
        return None if count == 0 else [float(ops.convert_to_numpy(self._sum)) / count]

    def measure(self, real, fake):
        """Measures pairs.

        Args:
            real: Tensor of targets `(batch, height, width, channels)`, float32 in [0, 1].
            fake: Tensor of images, of the same shape.

        Returns:
            Tensor `(batch,)`.
        """
        raise NotImplementedError

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_gan")
class PSNR(_MeanOfPairs):
    """Peak signal-to-noise ratio of outputs against their targets, in decibels. Higher is better.

    Mean over images of `-10 log10(mean((x_i - y_i)^2))`, with pixels in [0, 1]. Pixels from 0 to 255 would give the
    same PSNR. An image that equals its target counts as 100 dB. Pass images in [-1, 1]; in `compile`, those of a
    generator that ends in a sigmoid are mapped from [0, 1]. Values outside of the range are clipped.

    Args:
        name: String. Defaults to `"psnr"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of targets `(batch, height, width, channels)`.
        fake: Tensor of outputs, of the same shape.

    Returns:
        From `result()`: float, in decibels, at most 100; NaN before the first batch.

    Example:

    ```python
    metric = keras_gan.metrics.PSNR()
    metric.update_state(np.zeros((2, 8, 8, 3)), np.full((2, 8, 8, 3), 0.2))
    metric.result()  # 20.0
    ```
    """

    values = ("psnr",)

    def measure(self, real, fake):
        error = ops.mean(ops.square(real - fake), axis=(1, 2, 3))
        return -10 / math.log(10) * ops.log(ops.maximum(error, 1e-10))


@keras.saving.register_keras_serializable(package="keras_gan")
class SSIM(_MeanOfPairs):
    """Structural similarity of outputs and their targets, 1 where they are equal.

    The mean over images, channels and windows of
    `(2 m_x m_y + 0.01^2) (2 s_xy + 0.03^2) / ((m_x^2 + m_y^2 + 0.01^2) (s_x^2 + s_y^2 + 0.03^2))`, with means,
    variances and covariance of pixels in [0, 1] under a Gaussian window of 11 pixels, with a standard deviation of 1.5.
    If a side of the image is shorter, the window is as long as that side. Windows lie within the image. Pass
    images as for `PSNR`.

    Args:
        name: String. Defaults to `"ssim"`.
        dtype: As for any `keras.metrics.Metric`.

    Call arguments:
        real: Tensor of targets `(batch, height, width, channels)`.
        fake: Tensor of outputs, of the same shape.

    Returns:
        From `result()`: float in [-1, 1]; NaN before the first batch.

    Example:

    ```python
    metric = keras_gan.metrics.SSIM()
    images = np.random.uniform(-1, 1, (2, 16, 16, 3))
    metric.update_state(images, images)
    metric.result()  # 1.0
    ```

    Reference:
        [Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)
    """

    values = ("ssim",)

    def measure(self, real, fake):
        rows, columns = (_window(n) for n in real.shape[1:3])
        count = ops.shape(real)[0]

        def blur(x):
            # Channels become examples: the window is the same for all.
            x = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, *real.shape[1:3], 1))
            return ops.conv(ops.conv(x, rows[:, None, None, None]), columns[None, :, None, None])

        mean_x, mean_y = blur(real), blur(fake)
        xx, yy, xy = blur(real * real) - mean_x**2, blur(fake * fake) - mean_y**2, blur(real * fake) - mean_x * mean_y
        c1, c2 = _K1**2, _K2**2
        similar = (2 * mean_x * mean_y + c1) * (2 * xy + c2) / ((mean_x**2 + mean_y**2 + c1) * (xx + yy + c2))
        return ops.mean(ops.reshape(similar, (count, -1)), axis=1)


def _window(size):
    n = min(_WINDOW, size)
    weights = np.exp(-((np.arange(n) - (n - 1) / 2) ** 2) / (2 * _SIGMA**2))
    return ops.convert_to_tensor((weights / weights.sum()).astype("float32"))
