"""Size checks shared by the architectures."""

import keras

from keras_gan.checks.values import check_integer


def check_data_shape(name, shape, ranks):
    """Returns the shape as a tuple.

    Raises:
        ValueError: If the number of entries is not in `ranks` (1 for `(features,)`, 3 for `(height, width, channels)`),
            if an entry is not a positive integer, or if only images are allowed and Keras's image data format is
            `"channels_first"`.
    """
    if ranks == (3,) and keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"{name} is (height, width, channels), and Keras's image data format must be 'channels_last'. "
            "Received: 'channels_first'. Call keras.config.set_image_data_format('channels_last')."
        )
    forms = " or ".join({1: "(features,)", 3: "(height, width, channels)"}[rank] for rank in ranks)
    try:
        sizes = tuple(check_integer(name, n) for n in shape)
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) not in ranks:
        raise ValueError(f"{name} must be {forms}, of positive integers. Received: {shape!r}.")
    return sizes


def halvings(image_shape, name="image_shape"):
    """Counts how many times to halve an image: until its shorter side is about 4 pixels, or earlier if a side becomes
    odd. Errors name the argument `name`.

    Raises:
        ValueError: If height or width is not divisible by 4.
    """
    height, width = image_shape[:2]
    if height % 4 or width % 4:
        raise ValueError(
            f"{name} must have height and width divisible by 4, to be halved at least twice. Received: {height} x "
            f"{width}."
        )
    n = 2
    while height % 2 ** (n + 1) == 0 and width % 2 ** (n + 1) == 0 and min(height, width) // 2**n > 4:
        n += 1
    return n
