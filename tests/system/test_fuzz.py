"""Broken and hostile files, by the thousand: each ends in a result or in one clear line.

No signal, no hang, no traceback, and only the requested file. Mutants are functions of their numbers; one that fails is
kept, and the message names it.
"""

import contextlib
import copy
import io
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gan
from keras_gan.export import latency

# Seconds for one file, and for a start, on a busy machine.
LIMIT, START = 120, 600
# Temporary files that TensorFlow and ONNX Runtime always make.
RUNTIMES_OWN = ("tmp/__autograph_generated_file", "tmp/.ses")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A small file of each kind."""
    folder = tmp_path_factory.mktemp("originals")
    keras.utils.set_random_seed(0)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 3), latent_dim=4, width=2),
        keras_gan.architectures.dcgan_discriminator((8, 8, 3), width=2),
        ema=0.9,
    )
    gan.compile(penalties=())
    gan.save(folder / "gan.keras")
    gan.export(folder / "g.tflite")
    gan.export(folder / "all.tflite", quantize="dynamic", sample=True, batch_sizes=(1, 2), output="uint8")
    gan.export(folder / "g.onnx")
    gan.export(folder / "saved")
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), "uint8")).save(folder / "pictures" / f"{i}.png")
    photo = Image.fromarray(rng.integers(0, 256, (24, 24, 3), "uint8"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix, options in {
        "jpg": {"exif": exif},
        "png": {},
        "gif": {"save_all": True, "append_images": [photo.rotate(90)]},
        "webp": {},
        "bmp": {},
    }.items():
        photo.save(folder / f"photo.{suffix}", **options)
    return folder


class Worker:
    """Process that is restarted when it has died."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def ask(self, *request):
        """Returns the answer, or None if the process died or timed out, and how it ended."""
        if self.process is None:
            self._start()
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self._answer()

    def _start(self):
        env = {**os.environ, "TMPDIR": str(self.folder / "tmp"), "TF_NUM_INTRAOP_THREADS": "1"}
        # The package's path, independent of the working folder.
        env["PYTHONPATH"] = str(Path(keras_gan.__file__).parent.parent)
        script = Path(__file__).parents[1] / "scripts" / "fuzz_worker.py"
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler=0", str(script)],
            cwd=self.folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True)
        self.reader.start()
        assert self._answer(START) == "ready"

    @staticmethod
    def _read(process, lines):
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def _answer(self, limit=LIMIT):
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            self.stop()
            return "hang", ""
        if line is not None:
            return json.loads(line)
        code = self.process.wait()
        self.stop()
        return f"exit code {code}", ""

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()
            # Unread input is lost with the process.
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process = None


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("worker"))
    (worker.folder / "tmp").mkdir()
    yield worker
    worker.stop()


# === Mutations ===


def mutate_bytes(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        if not content:
            break
        # Headers are at the start, and zip's directory at the end.
        place = rng.choice([rng.randrange(len(content)), rng.randrange(min(64, len(content)))])
        place = rng.choice([place, place, len(content) - 1 - place])
        match rng.choice(["flip", "flip", "number", "cut", "splice", "insert", "zeros"]):
            case "flip":
                content[place] ^= 1 << rng.randrange(8)
            case "number":
                content[place : place + 4] = rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1]).to_bytes(4, "little")
            case "cut":
                del content[place:]
            case "splice":
                other, n = rng.randrange(len(content)), rng.randrange(1, 64)
                content[place : place + n] = content[other : other + n]
            case "insert":
                content[place:place] = rng.randbytes(rng.randrange(1, 16))
            case "zeros":
                n = rng.randrange(1, 64)
                content[place : place + n] = bytes(len(content[place : place + n]))
    return bytes(content)


def places(value):
    """Lists all containers of a JSON value with their keys."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutate_json(text, rng):
    value = json.loads(text)
    for _ in range(rng.choice([1, 1, 2, 4])):
        found = list(places(value))
        container, key = rng.choice(found)
        other_container, other_key = rng.choice(found)
        numbers = [-1, 0, 1, 2, 7, 1.5, 2**15, 2**31, 1e308, float("nan")]
        words = ["", "x", "Lambda", "keras.layers", "os", "float16", "../x", "relu", "é\x00"]
        other = copy.deepcopy(other_container[other_key])
        if rng.random() < 0.15:
            del container[key]
        else:
            container[key] = rng.choice([None, True, rng.choice(numbers), rng.choice(words), [], {}, other])
    return json.dumps(value)


def mutate_keras(content, rng):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*members, "config.json", "config.json", "model.weights.h5"])
    compression = zipfile.ZIP_STORED
    match rng.choice(["raw", "member", "member", "json", "json", "json", "swap", "rename", "add", "compress"]):
        case "raw":
            return mutate_bytes(content, rng)
        case "member":
            members[name] = mutate_bytes(members[name], rng)
        case "json":
            members["config.json"] = mutate_json(members["config.json"], rng)
        case "swap":
            other = rng.choice(list(members))
            members[name], members[other] = members[other], members[name]
        case "rename":
            members[rng.choice(["../x", "/tmp/x", "assets/x", "config.json/"])] = members.pop(name)
        case "add":
            members[rng.choice(["../x", "/tmp/x", "assets/x"])] = rng.randbytes(9)
        case "compress":
            compression = zipfile.ZIP_DEFLATED
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


# === Properties ===


def tree(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


class Case:
    """Mutant in its own folder, under the worker's."""

    def __init__(self, worker, originals, tmp_path, seed):
        self.worker, self.originals, self.tmp_path, self.seed = worker, originals, tmp_path, seed
        self.rng = random.Random(seed)
        self.folder = worker.folder / "case"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def mutant(self, name, mutate):
        path = self.folder / name
        path.write_bytes(mutate((self.originals / name).read_bytes(), self.rng))
        return path

    def run(self, path, *request, written=()):
        before = tree(self.worker.folder)
        code, said = self.worker.ask(*request)
        # A killed process leaves its scratch folder; one that answers does not.
        own = RUNTIMES_OWN if code in (0, 1) else "tmp"
        news = {p for p in tree(self.worker.folder) - before if not p.startswith(own)}
        wanted = {f"case/{name}" for name in written} if code == 0 else set()
        if code not in (0, 1) or news != wanted or (request[0] == "cli" and code == 1 and said.count("\n") != 1):
            kept = self.tmp_path / f"{self.seed}-{path.name}"
            (shutil.copytree if path.is_dir() else shutil.copy)(path, kept)
            return f"{kept} by {request}: {code}, {said[-3000:]}; new files: {news}"
        return None


def check_keras(case):
    path = case.mutant("gan.keras", mutate_keras)
    out = case.folder / "out"
    command, written = case.rng.choice(
        [(["sample", path, "--count", "2", "--out", f"{out}.npy"], ["out.npy"])] * 6
        + [(["evaluate", path, "--data", f"folder:{case.originals / 'pictures'}", "--features", "none"], [])]
        + [(["export", path, f"{out}.tflite"], ["out.tflite", "out.tflite.md"])]
    )
    return case.run(path, "cli", [str(a) for a in command], written=written)


def check_images(case):
    paths = [case.mutant(f"photo.{s}", mutate_bytes) for s in case.rng.sample(["jpg", "png", "gif", "webp", "bmp"], 3)]
    return case.run(case.folder, "images", [str(paths[0].parent), case.rng.choice(["raise", "skip"])])


def check_runtimes(case):
    if case.rng.random() < 0.2:
        path = case.folder / "saved"
        shutil.copytree(case.originals / "saved", path)
        part = path / case.rng.choice(["saved_model.pb", "saved_model.pb", "variables/variables.index"])
        part.write_bytes(mutate_bytes(part.read_bytes(), case.rng))
    else:
        path = case.mutant(case.rng.choice(["g.tflite", "all.tflite", "g.tflite", "g.onnx"]), mutate_bytes)
    problem = case.run(path, "measure", [str(path), "[[1], 0.001, null]"])
    if problem is None or "traceback" in problem or "new files: set()" not in problem:
        return problem
    # It crashed, or did not end, in `measure`. `benchmark` reports that.
    try:
        keras_gan.export.benchmark(path, threads=(1,), seconds=0.001)
    except ValueError as error:
        if str(path) in str(error):
            return None
        return f"{problem}; {error}"
    return None


@pytest.mark.parametrize(
    ("check", "short", "long"),
    [(check_keras, 14, 1000), (check_images, 8, 400), (check_runtimes, 10, 600)],
    ids=["keras", "images", "runtimes"],
)
def test_mutants(check, short, long, rounds, worker, originals, tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "_PATIENCE", LIMIT)
    problems = [check(Case(worker, originals, tmp_path, seed)) for seed in range(rounds(short, long))]
    problems = [problem for problem in problems if problem]
    assert not problems, f"{len(problems)} mutants failed:\n" + "\n\n".join(problems[:20])


def test_the_originals_are_whole(worker, originals, tmp_path):
    """The unmutated files pass; otherwise the tests above would test little."""
    case = Case(worker, originals, tmp_path, seed=0)
    photos = case.folder / "photos"
    photos.mkdir()
    shutil.copy(originals / "gan.keras", case.folder)
    shutil.copy(originals / "photo.jpg", photos)
    command = ["sample", str(case.folder / "gan.keras"), "--count", "2", "--out", str(case.folder / "out.npy")]
    assert worker.ask("cli", command) == [0, ""]
    assert worker.ask("images", [str(photos), "raise"]) == [0, ""]
    for name in ("g.tflite", "all.tflite", "g.onnx", "saved"):
        assert worker.ask("measure", [str(originals / name), "[[1], 0.001, null]"])[0] == 0


def test_a_crash_a_traceback_and_a_stray_file_are_seen(worker, originals, tmp_path):
    case = Case(worker, originals, tmp_path, seed=0)
    path = Path(shutil.copy(originals / "gan.keras", case.folder))
    assert "traceback" in case.run(path, "cli", [3])
    sample = ["sample", str(path), "--count", "2", "--out", str(case.folder / "out.npy")]
    assert "new files: {'case/out.npy'}" in case.run(path, "cli", sample, written=["other.npy"])
    worker.process.kill()
    assert "exit code -9" in case.run(path, "cli", sample)
