"""Pictures, as a file or an image set gives them, as one array."""

import keras
import numpy as np


def fit(image, size):
    """Crops the center of an image to the shape of `size` and resizes it.

    Args:
        image: Array `(height, width, channels)`, uint8.
        size: `(height, width)`, or None to leave it as it is.

    Returns:
        Array of that size, uint8.
    """
    if size is None or image.shape[:2] == size:
        return image
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(height / size[0], width / size[1])
    crop_height, crop_width = (max(1, round(n * scale)) for n in size)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    image = image[top : top + crop_height, left : left + crop_width]
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    resized = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.LANCZOS))
    return resized.reshape(*size, -1)


def collect(images, n, title, describe):
    """Stacks images into one array, with a progress bar if there are many.

    Args:
        images: Iterable of at most `n` arrays `(height, width, channels)`, uint8.
        n: Int.
        title: String, printed above the progress bar.
        describe: Function from the number of an image to its name in an error.

    Returns:
        Array `(count, height, width, channels)`, uint8, or None if there are no images.

    Raises:
        ValueError: If the images differ in shape, or do not fit into memory.
    """
    stacked, count = None, 0
    progress = keras.utils.Progbar(n, unit_name="image") if n >= 5000 else None
    if progress:
        print(title)
    for image in images:
        if stacked is None:
            try:
                stacked = np.empty((n, *image.shape), "uint8")
            except MemoryError as error:
                raise ValueError(
                    f"image_size must be given, such as 64: {n:,} images of {image.shape} do not fit into memory."
                ) from error
        if image.shape != stacked.shape[1:]:
            raise ValueError(
                f"image_size must be given, such as 64, for images of different sizes. Received: {stacked.shape[1:]} "
                f"({describe(0)}) and {image.shape} ({describe(count)})."
            )
        stacked[count] = image
        count += 1
        if progress and count % 1000 == 0 and count < n:
            progress.update(count)
    if progress:
        progress.update(n)
    return None if stacked is None else stacked[:count]
