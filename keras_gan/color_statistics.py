"""Means and standard deviations of the colors of two sets of images."""

import keras
from keras import ops

from keras_gan import backend

_EPSILON = 1e-6


class ColorStatistics(keras.layers.Layer):
    """Mean and standard deviation of each channel, over all images seen so far.

    Args:
        channels: Int > 0.

    Call arguments:
        images: Tensor `(batch, height, width, channels)`, to count in.

    Attributes:
        steps: `keras.Variable`, the number of calls.
        count: `keras.Variable`, the number of images seen.
        mean: `keras.Variable` `(channels,)`.
        square: `keras.Variable` `(channels,)`, the mean of squares.
    """

    def __init__(self, channels):
        super().__init__(name="color_statistics", autocast=False)
        # All replicas make the same updates.
        self.steps, self.count, self.mean, self.square = (
            self.add_weight(shape, "zeros", "float32", trainable=False, aggregation="only_first_replica", name=name)
            for name, shape in (("steps", ()), ("count", ()), ("mean", (channels,)), ("square", (channels,)))
        )
        self.built = True

    def call(self, images):
        images = ops.cast(images, "float32")
        moments = [ops.mean(each, axis=(1, 2)) for each in (images, ops.square(images))]
        backend.on_whole_batch(self._add, ops.stack(moments, axis=1))

    def _add(self, moments):
        self.steps.assign_add(1.0)
        self.count.assign_add(ops.cast(ops.shape(moments)[0], "float32"))
        for variable, of_images in zip((self.mean, self.square), ops.unstack(moments, 2, axis=1), strict=True):
            variable.assign_add(ops.sum(of_images - variable, axis=0) / self.count)
        return moments

    def deviation(self):
        """Returns the standard deviation of each channel `(channels,)`."""
        return ops.sqrt(ops.maximum(self.square - ops.square(self.mean), 0.0) + _EPSILON)


def match(images, old, new):
    """Gives images other colors: shifts and scales each channel to another mean and standard deviation.

    Args:
        images: Tensor `(batch, height, width, channels)`.
        old: `ColorStatistics` of the set that the images come from.
        new: `ColorStatistics` of the set whose colors they get.

    Returns:
        Tensor like `images`.

    Reference:
        [Reinhard et al., 2001](https://doi.org/10.1109/38.946629), in RGB
    """
    return (images - old.mean) / old.deviation() * new.deviation() + new.mean
