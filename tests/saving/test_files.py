import os

import pytest

from keras_gan import saving


def test_what_is_written_reaches_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    done = []

    def fsync(descriptor):
        done.append(("fsync", os.fstat(descriptor).st_size))

    def replace(source, target, replace=os.replace):
        done.append(("replace", target))
        replace(source, target)

    monkeypatch.setattr(saving.atomic.os, "fsync", fsync)
    monkeypatch.setattr(saving.atomic.os, "replace", replace)
    with saving.replacing(tmp_path / "x.txt") as part:
        part.write_text("12345")
    assert done == [("fsync", 5), ("replace", tmp_path / "x.txt")]
    assert (tmp_path / "x.txt").read_text() == "12345"


@pytest.mark.parametrize("error", [OSError(28, "No space left"), OSError("broken data stream")])
def test_an_error_keeps_its_number_and_what_was_there(error, tmp_path):
    (tmp_path / "x.txt").write_text("before")
    with pytest.raises(OSError, match="was not written") as caught, saving.replacing(tmp_path / "x.txt") as part:
        part.write_text("half")
        raise error
    assert caught.value.errno == error.errno and "None" not in str(caught.value)
    assert str(caught.value).endswith(error.strerror or str(error))
    assert os.listdir(tmp_path) == ["x.txt"] and (tmp_path / "x.txt").read_text() == "before"
