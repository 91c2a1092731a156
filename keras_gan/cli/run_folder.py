"""The folder of a run: its options, and whether it can go on."""

import json
import os
import shlex

from keras_gan import saving
from keras_gan.checks.values import check_path
from keras_gan.cli.common import SWITCHES

_OPTIONS, _REPORT = "options.json", "report.html"


class RunFolder:
    """The folder of a run. `options.json` says what the run is, `report.html`, written last, that it is finished.

    Args:
        path: Path of the folder; it need not exist.
        command: Dict of all options that decide what the run is, as JSON has them.

    Raises:
        ValueError: If the path is an address, such as `gs://...`, or the folder holds something else, or a run of other
            options, which are named.
        OSError: If it can't be read.
    """

    def __init__(self, path, command):
        self.path = check_path("--run-dir", path)
        self.options = {"command": command}
        if (self.path / _OPTIONS).is_file():
            self.options = json.loads((self.path / _OPTIONS).read_text("utf-8"))
            then = self.options["command"]
            names = [name for name in {**then, **command} if then.get(name) != command.get(name)]
            if names:
                listed = "; ".join(f"{_flag(n)} {then.get(n)} then, {command.get(n)} now" for n in names)
                raise ValueError(
                    f"--run-dir must be a new folder or hold a run of the same options. Received: {self.path}, a run "
                    f"of others: {listed}. Give those of the run, or another folder."
                )
        elif self.path.exists() and (not self.path.is_dir() or any(map(_is_foreign, self.path.iterdir()))):
            raise ValueError(
                f"--run-dir must be a new folder or hold a run of this command. Received: {self.path}, which holds "
                "something else; nothing was overwritten."
            )

    @property
    def has_backup(self):
        return any((self.path / "backup").glob("epoch_*.keras"))

    @property
    def is_finished(self):
        return (self.path / _REPORT).is_file()

    @property
    def report(self):
        return self.path / _REPORT

    def check_writable(self):
        """Raises a ValueError if the folder can't be written, or made."""
        above = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise ValueError(f"--run-dir must be in a folder that you may write to. Received: {self.path}, in {above}.")

    def command_line(self):
        """Returns the command that began the run, without its folder."""
        words = ["keras-gan", "train"]
        for name, value in self.options["command"].items():
            if name == "source":
                words.insert(2, value)
            elif value is False and name in SWITCHES:
                words.append(f"--no-{name}")
            elif value is not False:
                values = value if isinstance(value, list) else [value]
                words += [_flag(name)] if value is True else [_flag(name), *map(str, values)]
        return shlex.join(words)

    def note(self, **facts):
        """Adds facts to `options.json`; those that stand already must be the same.

        Raises:
            ValueError: If one is another than it was.
        """
        for name, value in facts.items():
            value = json.loads(json.dumps(value))
            if self.options.setdefault(name, value) != value:
                raise ValueError(
                    f"{name} must be what the run in {self.path} began with. Received: others. Restore the data, or "
                    "give another --run-dir."
                )
        self.path.mkdir(parents=True, exist_ok=True)
        with saving.replacing(self.path / _OPTIONS) as part:
            part.write_text(json.dumps(self.options, indent=2) + "\n", encoding="utf-8")

    def clean(self):
        """Removes the backups of a finished run."""
        for path in (self.path / "backup").glob("epoch_*.keras"):
            path.unlink()
        folder = self.path / "backup"
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _is_foreign(path):
    # What another worker, or one that was killed, has just begun to write.
    return path.name != f".part.{_OPTIONS}"


def _flag(name):
    return name if name == "source" else f"--{name.replace('_', '-')}"
