"""The task of `train --degrade`: super-resolution, a translation that enlarges images."""

import shlex

from keras_gan.cli.degraded import Degraded
from keras_gan.cli.translating import Translation


class Enlargement(Translation):
    """A translation of small images to large ones, learned from large images.

    Args:
        args: Namespace of the command line.
    """

    takes = ("degrade",)

    def __init__(self, args):
        self._args = args
        self.source = Degraded(args)
        self.title = f"Super-resolution of {self.source.title} by a factor of {args.degrade}"

    def _data(self):
        return shlex.join(["--data", self.source.name, "--degrade", str(self._args.degrade)])
