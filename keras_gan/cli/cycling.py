"""The task of `train` for two sets of images: a translation in both directions and the files of its run."""

import shlex

from keras_gan import images
from keras_gan.checks import first_examples
from keras_gan.cli import report
from keras_gan.cli.common import load_cycle
from keras_gan.cli.source import COMPARED
from keras_gan.cli.translating import EXPORTED, Translation, export_for_phones
from keras_gan.cli.unpaired import Unpaired
from keras_gan.settings import UnpairedSettings, for_unpaired

_SHOWN = 8
_BACK = "translator_to_a.tflite"


class Cycle(Translation):
    """A translation between two sets of images.

    Args:
        args: Namespace of the command line.
    """

    takes = ()
    choices = UnpairedSettings

    def __init__(self, args):
        self._args = args
        self.source = Unpaired(args)
        self.title = f"A translation between {self.source.title}"

    def settings(self, minutes):
        return for_unpaired(self.source.shape, self.source.shape, *self.source.counts, minutes)

    def start(self, path):
        return load_cycle(path)

    def export(self, model, run_dir):
        a, b = first_examples(self.source.held_out, COMPARED)
        return {
            name: export_for_phones(model, run_dir / name, to=to, data=data)
            for name, to, data in ((EXPORTED, "b", a), (_BACK, "a", b))
        }

    def show(self, model, run_dir, features):
        held_out = first_examples(self.source.held_out, _SHOWN)
        a, b = self.source.names
        stacks = []
        for there, names, real in (("b", (a, b), held_out[0]), ("a", (b, a), held_out[1])):
            both = [images.signed(image, model.generator_ab) for image in model.there_and_back(real, to=there)]
            pictures = dict(zip(("held-out image", f"as {names[1]}", "back"), [real, *both], strict=True))
            stacks.append(f"<p>Held-out images of {report.text(names[0])}, their translations to ")
            stacks.append(f"{report.text(names[1])}, and the translations back.</p>{report.stacks(pictures)}")
        return "\n".join(stacks), []

    def commands(self, gan_file):
        again = super().commands(gan_file)[1:]
        a, b = self.source.names
        return [
            (f"Translate a folder of images of {a} to {b}:", f"keras-gan translate {gan_file} IMAGES OUTPUTS"),
            (f"And of {b} to {a}:", f"keras-gan translate {gan_file} IMAGES OUTPUTS --to a"),
            *again,
        ]

    def _data(self):
        return shlex.join(["--unpaired", *self._args.unpaired])
