"""Overlapping tiles of an image, for a model that takes smaller ones."""

import numpy as np


def cut(image, size):
    """Cuts an image into tiles that overlap by at least a quarter.

    Args:
        image: Array `(height, width, channels)`. An image smaller than a tile is padded with the colors of
            its border.
        size: `(height, width)` of a tile.

    Returns:
        Array `(n, *size, channels)`, row by row.
    """
    around = [(0, max(0, n - own)) for n, own in zip(size, image.shape[:2], strict=True)]
    image = np.pad(image, [*around, (0, 0)], mode="edge")
    rows, columns = (_starts(own, n) for own, n in zip(image.shape[:2], size, strict=True))
    return np.stack([image[y : y + size[0], x : x + size[1]] for y in rows for x in columns])


def join(tiles, size, scale=1):
    """Joins the outputs for tiles. Where tiles overlap, the weight of a tile falls toward its border.

    Args:
        tiles: Array `(n, height, width, channels)`, floats, in the order of `cut`.
        size: `(height, width)` of the image that was cut.
        scale: Int, the ratio of the height and width of these tiles to those of the tiles that were cut. Defaults to
            `1`.

    Returns:
        Array `(scale * height, scale * width, channels)`, float32.
    """
    part = tiles.shape[1:3]
    whole = [max(scale * own, n) for own, n in zip(size, part, strict=True)]
    rows, columns = ([scale * k for k in _starts(own // scale, n // scale)] for own, n in zip(whole, part, strict=True))
    weights = np.outer(*(_ramp(n) for n in part))[:, :, None]
    total, weight = np.zeros((*whole, tiles.shape[3]), "float32"), np.zeros((*whole, 1), "float32")
    places = [(slice(y, y + part[0]), slice(x, x + part[1])) for y in rows for x in columns]
    for place, tile in zip(places, tiles, strict=True):
        total[place] += tile * weights
        weight[place] += weights
    return (total / weight)[: scale * size[0], : scale * size[1]]


def _starts(length, size):
    """Returns the start positions of tiles, ints, evenly spaced from 0 to the last that fits."""
    step = size - size // 4
    count = 1 - (size - length) // step
    return [round(i * (length - size) / max(1, count - 1)) for i in range(count)]


def _ramp(length):
    """Returns the weights along a side of a tile, float32: they rise over the first quarter, and fall over the last."""
    place = np.arange(length) + 0.5
    return np.minimum(np.minimum(place, place[::-1]) / (length / 4), 1).astype("float32")
