"""Features of InceptionV3."""

import keras
from keras import ops

from keras_gan.saving.home import keras_home

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{_FILE}"


def inception_v3(weights="imagenet"):
    """Returns a function that computes InceptionV3's pooled features and the probabilities of ImageNet's classes.

    The function itself resizes images to 299x299, bilinearly and with antialiasing, and gives gray images three equal
    channels. The weights are Keras's and not those of the 2015 graph that papers use, and the resizing differs: Frechet
    and kernel distances are near published ones but not equal, so compare them only with each other.

    A saved GAN stores the argument `weights`, not the weights themselves.

    Args:
        weights: `"imagenet"`, or the path of a file of Keras weights of the whole network, with its classifier.
            Defaults to `"imagenet"`, which is downloaded once, 96 MB, into Keras's cache.

    Returns:
        `InceptionV3`, a function from images `(batch, height, width, channels)` in [-1, 1], with 1 or 3 channels, to a
        dict of `features` `(batch, 2048)` and `probabilities` `(batch, 1000)`.

    Raises:
        OSError: If the weights are neither cached nor can be downloaded; the message says which file to put where.

    Example:

    ```python
    # Random weights, without a connection to the internet: inception_v3() downloads those of ImageNet.
    keras.applications.InceptionV3(weights=None).save_weights("random.weights.h5")
    features = keras_gan.metrics.features.inception_v3("random.weights.h5")
    found = features(np.zeros((2, 28, 28, 1)))
    found["features"].shape  # (2, 2048)
    found["probabilities"].shape  # (2, 1000)
    # In a GAN: gan.compile(metrics=[keras_gan.metrics.FrechetDistance(features)])
    ```

    Reference:
        - [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567)
        - [Parmar et al., 2022](https://arxiv.org/abs/2104.11222), the effect of resizing on the Frechet distance
    """
    return InceptionV3(weights)


@keras.saving.register_keras_serializable(package="keras_gan")
class InceptionV3:
    """Features of `inception_v3`. Not a layer: Keras would write its weights into every checkpoint of a GAN.

    Args:
        weights: As for `inception_v3`.

    Attributes:
        data_range: Tuple, the range of images that it takes, `(-1, 1)`.

    Call arguments:
        images: Tensor `(batch, height, width, channels)` in [-1, 1], with 1 or 3 channels.

    Returns:
        Dict of `features` `(batch, 2048)` and `probabilities` `(batch, 1000)`, float32.

    Raises:
        OSError: If the weights are neither cached nor can be downloaded.
        ValueError: From a call, if these are not such images.

    Example:

    ```python
    photos = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3))
    low, high = keras_gan.metrics.features.InceptionV3.data_range
    images = low + (high - low) * photos / 255
    images.shape  # (2, 64, 64, 3)
    # keras_gan.metrics.features.inception_v3()(images)["features"] has the shape (2, 2048).
    ```
    """

    data_range = (-1, 1)

    def __init__(self, weights="imagenet"):
        self.weights = str(weights)
        policy = keras.config.dtype_policy()
        # Distances in half precision would not be comparable with others.
        keras.config.set_dtype_policy("float32")
        try:
            network = keras.applications.InceptionV3(weights=self.weights)
        except Exception as error:
            raise OSError(
                f"The weights of InceptionV3, {self.weights!r}, could not be read or downloaded: {error} "
                f"On a machine with internet access, download {_URL} and put it into {keras_home() / 'models'}, or "
                "pass weights='PATH/TO/THE/FILE'. Without the weights, load_model(..., compile=False) loads a GAN that "
                "was saved with this metric."
            ) from error
        finally:
            keras.config.set_dtype_policy(policy)
        outputs = {"features": network.get_layer("avg_pool").output, "probabilities": network.output}
        self._model = keras.Model(network.input, outputs)

    def __call__(self, images):
        if len(images.shape) != 4 or images.shape[-1] not in (1, 3):
            raise ValueError(
                "InceptionV3 takes images (batch, height, width, channels) with 1 or 3 channels. "
                f"Received: shape {tuple(images.shape)}."
            )
        images = ops.cast(images, "float32")
        if images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        return self._model(ops.image.resize(images, (299, 299), "bilinear", antialias=True), training=False)

    def get_config(self):
        return {"weights": self.weights}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
