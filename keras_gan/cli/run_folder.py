"""The folder of a run: holds its options, and tells if the run can be resumed."""

import json
import os
import reprlib
import shlex

from keras_gan import saving
from keras_gan.checks.values import check_path, differences
from keras_gan.cli.common import SWITCHES

_OPTIONS, _REPORT = "options.json", "report.html"


class RunFolder:
    """Folder of a run. `options.json` has the options of the run; `report.html` is written last and marks its end.

    Args:
        path: Path of the folder; it need not exist.
        command: Dict of all options that define the run, in types that JSON keeps.

    Raises:
        ValueError: If the path is a URL, such as `gs://...`, or the folder holds something other than a run, or a run
            with different options. The message names these options.
        OSError: If the folder can't be read.
    """

    def __init__(self, path, command):
        self.path = check_path("--run-dir", path)
        self.options = {"command": command}
        if (self.path / _OPTIONS).is_file():
            self.options = json.loads((self.path / _OPTIONS).read_text("utf-8"))
            changed = differences(self.options["command"], command)
            if changed:
                listed = "; ".join(f"{_flag(name)} was {then}, is {now}" for name, then, now in changed)
                raise ValueError(
                    f"--run-dir must be a new folder or hold a run with the same options. Received: {self.path}, a run "
                    f"with other options: {listed}. Give the options of that run, or another folder."
                )
        elif self.path.exists() and (not self.path.is_dir() or any(map(_is_foreign, self.path.iterdir()))):
            raise ValueError(
                f"--run-dir must be a new or empty folder, or hold a run of this command. Received: {self.path}, which "
                "holds something else; nothing was overwritten. Give another folder."
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
        """Raises a ValueError if the folder can't be made, or files can't be written to it."""
        above = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise ValueError(f"--run-dir must be in a folder that you may write to. Received: {self.path}, in {above}.")

    def command_line(self):
        """Returns the command that began the run, without `--run-dir`."""
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
        """Adds facts to `options.json`; facts that it has already must not change.

        Raises:
            ValueError: If a fact differs from the one in the file.
        """
        for name, value in facts.items():
            value = json.loads(json.dumps(value))
            began = self.options.setdefault(name, value)
            if began != value:
                raise ValueError(
                    f"{name} must be the same as when the run in {self.path} began. Received: {reprlib.repr(value)}; "
                    f"it began with {reprlib.repr(began)}. Restore the data, or give another --run-dir."
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
    # Another worker may be writing this file, or a killed one may have left it.
    return path.name != f".part.{_OPTIONS}"


def _flag(name):
    return name if name == "source" else f"--{name.replace('_', '-')}"
