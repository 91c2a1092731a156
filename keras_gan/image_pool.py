"""A pool of fakes of earlier steps, for a discriminator."""

import keras
from keras import ops

from keras_gan import backend


class ImagePool(keras.layers.Layer):
    """Pool of fakes: a discriminator gets those of the current step, or earlier ones in their place.

    Until it is full, it stores and returns each image. Then, with probability one half, it returns the new image;
    otherwise it returns a random stored image, and stores the new one in its place. Images are processed one after the
    other, so that an earlier image of the same batch may be returned.

    Args:
        size: Int > 0, how many images to keep.
        shape: Tuple `(height, width, channels)`.

    Call arguments:
        fakes: Tensor `(batch, height, width, channels)`.
        seed: `keras.random.SeedGenerator`.

    Returns:
        Tensor like `fakes`, to use in their place.

    Attributes:
        images: `keras.Variable` `(size, height, width, channels)`.
        count: `keras.Variable`, an int, the number of stored images.

    Reference:
        [Shrivastava et al., 2016](https://arxiv.org/abs/1612.07828), 2.3
    """

    def __init__(self, size, shape):
        super().__init__(name="image_pool", autocast=False)
        self.size = size
        # All replicas make the same updates.
        self.images, self.count = (
            self.add_weight(each, "zeros", dtype, trainable=False, aggregation="only_first_replica", name=name)
            for name, each, dtype in (("images", (size, *shape), "float32"), ("count", (), "int32"))
        )
        self.built = True

    def call(self, fakes, seed):
        return backend.on_whole_batch(lambda fakes: self._exchange(fakes, seed), fakes)

    def _exchange(self, fakes, seed):
        n = ops.shape(fakes)[0]
        places = self.count.value + ops.arange(n, dtype="int32")
        is_new = places < self.size
        coin, place = ops.unstack(keras.random.uniform((n, 2), dtype="float32", seed=seed), 2, axis=1)
        goes_in = ops.logical_or(is_new, coin < 0.5)
        # A number just below 1 may round to 1.
        drawn = ops.minimum(ops.cast(place * self.size, "int32"), self.size - 1)
        places = ops.where(is_new, places, drawn)
        # For each fake, what its place held just before it was stored there, as an index into the concatenation of the
        # pool and the fakes.
        numbers = ops.arange(n, dtype="int32")
        before = self._last(places, places, ops.logical_and(goes_in, numbers[None] < numbers[:, None]))
        is_shown = ops.logical_or(is_new, ops.logical_not(goes_in))
        everything = ops.concatenate([self.images.value, ops.cast(fakes, "float32")])
        shown = ops.take(everything, ops.where(is_shown, self.size + numbers, before), axis=0)
        self.images.assign(
            ops.take(everything, self._last(ops.arange(self.size, dtype="int32"), places, goes_in[None]), axis=0)
        )
        self.count.assign(ops.minimum(self.count.value + n, self.size))
        return ops.cast(shown, fakes.dtype)

    def _last(self, wanted, places, counts):
        """Returns the content of places: the last fake that goes there and for which `counts` is True, or else the old
        content.

        Args:
            wanted: Tensor of ints `(m,)`, the places.
            places: Tensor of ints `(n,)`, the places of the fakes.
            counts: Bools `(m, n)`, or `(1, n)`.

        Returns:
            Tensor of ints `(m,)`, indices into the pool followed by the fakes.
        """
        numbers = self.size + ops.arange(ops.shape(places)[0], dtype="int32")
        matches = ops.logical_and(wanted[:, None] == places[None], counts)
        found = ops.max(ops.where(matches, numbers[None], -1), axis=1)
        return ops.where(found < 0, wanted, found)
