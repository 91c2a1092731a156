"""A layer that gives images of two sets each other's colors."""

import keras
from keras import ops

from keras_gan import backend

_EPSILON = 1e-6


class ColorMatching(keras.layers.Layer):
    """Layer that measures the colors of two sets, and gives images of one set the colors of the other; this effect
    fades from step to step.

    Args:
        channels: Int > 0, of both sets.
        fading_steps: Int > 0, in how many steps the change of colors fades linearly.

    Call arguments:
        images: Pair of tensors `(batch, height, width, channels)`, one for each set, with the same number of images.
            Their colors are added to the measurement.

    Attributes:
        steps: `keras.Variable`, the number of calls.
        count: `keras.Variable`, the number of images seen of each set.
        mean: `keras.Variable` `(2, channels)`, of all images seen of each set.
        square: `keras.Variable` `(2, channels)`, the mean of squares.

    Reference:
        [Reinhard et al., 2001](https://doi.org/10.1109/38.946629), in RGB
    """

    def __init__(self, channels, fading_steps):
        super().__init__(name="color_matching", autocast=False)
        self.fading_steps = fading_steps
        # Its own steps, since a new `compile` resets those of the optimizer. All replicas make the same updates.
        self.steps, self.count, self.mean, self.square = (
            self.add_weight(shape, "zeros", "float32", trainable=False, aggregation="only_first_replica", name=name)
            for name, shape in (("steps", ()), ("count", ()), ("mean", (2, channels)), ("square", (2, channels)))
        )
        self.built = True

    def call(self, images):
        both = ops.cast(ops.stack(images, axis=1), "float32")
        moments = [ops.mean(each, axis=(2, 3)) for each in (both, ops.square(both))]
        backend.on_whole_batch(self._add, ops.stack(moments, axis=1))

    def _add(self, moments):
        self.steps.assign_add(1.0)
        self.count.assign_add(ops.cast(ops.shape(moments)[0], "float32"))
        for variable, of_images in zip((self.mean, self.square), ops.unstack(moments, 2, axis=1), strict=True):
            variable.assign_add(ops.sum(of_images - variable, axis=0) / self.count)
        return moments

    def recolor(self, images, first):
        """Gives images the colors of the other set: shifts and scales each channel to the mean and standard deviation
        of that set.

        Args:
            images: Tensor `(batch, height, width, channels)` of one set.
            first: Bool, whether the images are of the first set.

        Returns:
            Tensor like `images`: equal to them before the first call and after `fading_steps`.
        """
        deviations = ops.sqrt(ops.maximum(self.square - ops.square(self.mean), 0.0) + _EPSILON)
        old, new = (0, 1) if first else (1, 0)
        matched = (images - self.mean[old]) / deviations[old] * deviations[new] + self.mean[new]
        share = ops.maximum(0.0, 1.0 - self.steps / self.fading_steps)
        return images + share * (matched - images)
