"""Interrupted runs: real processes, killed at random moments, compared bit for bit with an uninterrupted run."""

import json
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gan
from keras_gan import datasets
from keras_gan.callbacks import BackupAndRestore

SCRIPTS = Path(__file__).parents[1] / "scripts"


def _start(folder, **options):
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable,
        str(SCRIPTS / "durability_run.py"),
        str(folder),
        json.dumps(options),
    ]
    # Background processes of a shell ignore SIGINT, and so would their children.
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_hear_all)


def _hear_all():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def heard():
    """Handles SIGINT in the tests' process, too."""
    before = signal.getsignal(signal.SIGINT)
    _hear_all()
    yield
    signal.signal(signal.SIGINT, before)


def _log(folder):
    return (folder / "log.txt").read_text()


def _wait_for_steps(process, folder):
    # A run that was killed after its last epoch has no step left.
    while "step" not in _log(folder).splitlines() and process.poll() is None:
        time.sleep(0.02)


def _finish(process, folder):
    assert process.wait(timeout=300) == 0, _log(folder)[-3000:]
    return json.loads(_log(folder).splitlines()[-1])


def _run(folder, **options):
    return _finish(_start(folder, **options), folder)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The result of an uninterrupted script, and the seconds from its first step to its end."""
    folder = tmp_path_factory.mktemp("unbroken")
    process = _start(folder, backup=False)
    _wait_for_steps(process, folder)
    start = time.time()
    return _finish(process, folder), time.time() - start


@pytest.mark.parametrize("save_freq", ["epoch", pytest.param(3, marks=pytest.mark.long)])
def test_killed_at_random_moments(save_freq, unbroken, tmp_path, rounds):
    """Each killed run resumes the one before; after a finished run, the next starts from scratch."""
    expected, seconds = unbroken
    rng = random.Random(str(save_freq))
    kills, run = 0, 0
    while True:
        folder = tmp_path / str(run)
        process = _start(folder, save_freq=save_freq)
        _wait_for_steps(process, folder)
        if kills == rounds(1, 12):
            break
        try:
            process.wait(timeout=rng.uniform(0, 0.7 * seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        else:
            assert _finish(process, folder) == expected
            run += 1
    assert _finish(process, folder) == expected
    assert not (folder / "backup").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, -2, marks=pytest.mark.long)]
)
def test_a_signal_saves_the_step_and_ends(number, code, unbroken, tmp_path):
    process = _start(tmp_path)
    _wait_for_steps(process, tmp_path)
    process.send_signal(number)
    assert process.wait(timeout=60) in (code, 130), _log(tmp_path)
    assert "Training ended at epoch" in _log(tmp_path) and "Run the same code again, with" in _log(tmp_path)
    (backup,) = (tmp_path / "backup").glob("epoch_*.keras")
    state = json.loads(zipfile.ZipFile(backup).read("state.json"))
    assert (state["batch"] or state["epoch"]) and backup.stem == f"epoch_{state['epoch']:06}_step_{state['batch']:08}"
    assert _run(tmp_path) == unbroken[0]


@pytest.mark.long
def test_a_long_run_takes_no_more_memory_and_is_traced_once(tmp_path):
    epochs, every, warm, growth = 200, 50, 60, 1.03
    script = [
        sys.executable,
        str(SCRIPTS / "durability_memory.py"),
        str(tmp_path),
        str(epochs),
        str(every),
    ]
    done = subprocess.run(script, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["traces"] == 1 and len(found["memory"]) == epochs
    # The first exports load libraries; the last one is in the last epoch.
    before, after = np.median(found["memory"][warm - 4 : warm]), np.median(found["memory"][-5:-1])
    assert 0.9 < after / before <= growth


# === In one process ===


class Cut(keras.callbacks.Callback):
    """Callback that ends training before a step, as a crash does."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise InterruptedError


def _state(gan):
    return [keras.ops.convert_to_numpy(v.value) for v in [*gan.variables, *gan.optimizer.variables]]


def _assert_equal(a, b):
    assert len(a) == len(b) > 10
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture
def shuffled(tmp_path):
    """A function that makes a small set, reshuffled in each epoch: 5 batches of images 8x8x1."""
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), "uint8")):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{i:02}.png")
    return lambda: datasets.load(f"folder:{tmp_path / 'pictures'}", 4, seed=1)


@pytest.fixture
def expected(shuffled, make_image_gan):
    """The state after four epochs."""
    gan = make_image_gan(3)
    gan.fit(shuffled(), epochs=4, verbose=0)
    return _state(gan)


def _cut(gan, data, at, epochs=4, **options):
    with pytest.raises(InterruptedError):
        gan.fit(data, epochs=epochs, verbose=0, callbacks=[BackupAndRestore(**options), Cut(*at)])


def test_from_a_file_training_goes_on_as_if_it_had_not_stopped(shuffled, make_image_gan, expected, tmp_path):
    gan = make_image_gan(3)
    gan.fit(shuffled(), epochs=2, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / "gan.keras")])
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    loaded.fit(shuffled(), initial_epoch=2, epochs=4, verbose=0)
    _assert_equal(_state(loaded), expected)


@pytest.mark.parametrize(
    "broken", ["cut", "flipped", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("empty", "encrypted"))]
)
def test_a_damaged_backup_is_passed_over_for_the_one_before(
    broken, shuffled, make_image_gan, expected, tmp_path, caplog
):
    _cut(make_image_gan(3), shuffled(), (3, 1), backup_dir=tmp_path / "backup")
    first, last = sorted((tmp_path / "backup").glob("epoch_*.keras"))
    content = bytearray(last.read_bytes())
    directory = content.rfind(b"PK\x01\x02")
    content[directory + 8 if broken == "encrypted" else len(content) // 3] ^= 1
    last.write_bytes({"cut": content[: len(content) // 2], "empty": b""}.get(broken, content))
    gan = make_image_gan(3)
    history = gan.fit(shuffled(), epochs=4, verbose=0, callbacks=[BackupAndRestore(tmp_path / "backup")])
    assert f"{last} can't be read" in caplog.text
    _assert_equal(_state(gan), expected)
    assert history.epoch == [0, 1, 2, 3]
    first.parent.mkdir()
    for path in (first, last):
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"Received: .*backup, where all are damaged: .*\.keras\. Remove the folder"):
        make_image_gan(3).fit(shuffled(), verbose=0, callbacks=[BackupAndRestore(tmp_path / "backup")])


def test_other_settings_are_named_and_refused_or_forced(points, make_gan, tmp_path):
    def go(batch_size=32, force=False, **options):
        gan = make_gan(**options)
        gan.fit(points, batch_size=batch_size, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path, force=force)])

    _cut(make_gan(), points, (1, 0), epochs=2, backup_dir=tmp_path)
    changes = {
        r"loss: was NonSaturating, is Hinge": {"loss": "hinge"},
        r"discriminator_optimizer.learning_rate: was 0.0002, is 0.1": {
            "discriminator_optimizer": keras.optimizers.Adam(0.1, beta_1=0.5)
        },
        r"penalties.0.gamma: was None, is 3": {"penalties": [keras_gan.penalties.R1(3.0)]},
        r"steps per epoch .*: was 8, is 16": {"batch_size": 16},
        r"seed: was 0, is 5": {"seed": 5},
        r"discriminator.layers.3: was Dense, is Dropout": {"dropout": 0.5},
    }
    for message, change in changes.items():
        with pytest.raises(ValueError, match=f"(?s)same settings.*{message}.*force=True"):
            go(**change)
    assert len(list(tmp_path.glob("epoch_*.keras"))) == 1
    go(loss="hinge", force=True)
    assert not list(tmp_path.glob("epoch_*.keras"))


def test_new_logs_of_a_forced_run_are_means_of_their_own_steps(points, make_gan, tmp_path):
    _cut(make_gan(), points, (1, 5), epochs=2, backup_dir=tmp_path, save_freq=4)
    gan, own = make_gan(penalties=[keras_gan.penalties.R1(3.0)]), []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: own.append(dict(logs)))
    history = gan.fit(points, epochs=2, verbose=0, callbacks=[watch, BackupAndRestore(tmp_path, force=True)])
    assert history.epoch == [0, 1]
    assert [logs["r1"] > 0 for logs in own] == [False] * 4 + [True] * 4
    # The mean of the backup goes on: it moves little, unlike that of the first new step.
    assert 0 < abs(own[4]["discriminator_loss"] / own[3]["discriminator_loss"] - 1) < 0.3


def test_what_is_not_finite_is_not_kept(points, make_gan, tmp_path, caplog):
    gan = make_gan()

    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.generator.layers[0].bias.assign(np.full(16, np.nan))

    backup = BackupAndRestore(tmp_path / "backup")
    gan.fit(points, epochs=3, verbose=0, callbacks=[Break(), backup])
    assert "the last good one stays" in caplog.text
    kept = sorted((tmp_path / "backup").glob("epoch_*.keras"))
    assert [json.loads(zipfile.ZipFile(path).read("state.json"))["epoch"] for path in kept] == [1, 2]


def test_only_its_own_files_are_removed(points, make_gan, tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    make_gan().fit(points, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_that_early_stopping_ended_stays_ended(points, make_gan, tmp_path):
    def callbacks(*more):
        stop = keras.callbacks.EarlyStopping("diversity", mode="max", patience=1, baseline=1e9)
        return [stop, BackupAndRestore(tmp_path, delete_checkpoint=False), *more]

    first, again = make_gan(), make_gan()
    first.fit(points, epochs=9, verbose=0, callbacks=callbacks())
    history = again.fit(points, epochs=9, verbose=0, callbacks=callbacks())
    assert 1 <= len(history.epoch) == len(first.history.epoch) < 9
    _assert_equal(_state(again), _state(first))
    # And a restored GAN starts at the given epoch.
    assert again.fit(points, epochs=2, verbose=0).epoch == [0, 1]


@pytest.mark.parametrize("place", ["a file", "no folder"])
def test_a_folder_that_can_not_be_written_is_told_before_the_first_step(place, points, make_gan, tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" if place == "a file" else tmp_path / "file" / "backup"
    gan = make_gan()
    with pytest.raises(OSError, match="backup_dir must be a writable folder"):
        gan.fit(points, verbose=0, callbacks=[BackupAndRestore(folder)])
    assert int(gan.optimizer.iterations) == 0


def test_a_full_disk_leaves_the_last_backup_and_the_checkpoint(points, make_gan, tmp_path):
    """Simulates the disk by a limit on file sizes: both end a write with an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Fill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))

    gan = make_gan()
    gan.save(tmp_path / "gan.keras")
    content = (tmp_path / "gan.keras").read_bytes()
    try:
        with pytest.raises(
            OSError, match=r"backup.epoch_\d+_step_\d+.keras was not written, and any older file there is unchanged"
        ):
            gan.fit(points, epochs=3, verbose=0, callbacks=[Fill(), BackupAndRestore(tmp_path / "backup")])
        with pytest.raises(OSError, match=r"gan.keras was not written"):
            gan.save(tmp_path / "gan.keras")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "gan.keras").read_bytes() == content
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["gan.keras"]
    states = [zipfile.ZipFile(p).read("state.json") for p in sorted((tmp_path / "backup").glob("epoch_*"))]
    assert [json.loads(state)["epoch"] for state in states] == [1, 2]


def test_signals_are_the_users_again_after_training(heard, points, make_gan, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    gan = make_gan()
    gan.fit(points, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    _cut(gan, points, (0, 1), backup_dir=tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    # Python handles signals only in the main thread.
    thread = threading.Thread(
        target=gan.fit, args=(points,), kwargs={"verbose": 0, "callbacks": [BackupAndRestore(tmp_path)]}
    )
    steps = int(gan.optimizer.iterations)
    thread.start()
    thread.join()
    assert int(gan.optimizer.iterations) == steps + 8


@pytest.mark.parametrize("at", [(1, 4), pytest.param((2, 2), marks=pytest.mark.long)])
def test_several_steps_an_execution(at, make_image_gan, shuffled, tmp_path):
    def make():
        gan = make_image_gan(3)
        gan.compile(steps_per_execution=2, penalties=())
        return gan

    straight, resumed = make(), make()
    straight.fit(shuffled(), epochs=3, verbose=0)
    _cut(make(), shuffled(), at, epochs=3, backup_dir=tmp_path / "backup", save_freq=2)
    history = resumed.fit(
        shuffled(), epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path / "backup", save_freq=2)]
    )
    _assert_equal(_state(resumed), _state(straight))
    assert history.history == straight.history.history


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_saves_a_second_ends_at_once_and_a_late_one_waits(number, heard, points, make_gan, tmp_path):
    class Send(keras.callbacks.Callback):
        def __init__(self, times, late=False):
            super().__init__()
            self.times, self.late, self.seen = times, late, 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1
            for _ in range(0 if self.late else self.times):
                signal.raise_signal(number)

        def on_train_end(self, logs=None):
            signal.raise_signal(number)

    gan = make_gan()
    error = (SystemExit, KeyboardInterrupt)
    with pytest.raises(error, match="at once" if number == signal.SIGINT else None):
        gan.fit(points, verbose=0, callbacks=[Send(2), BackupAndRestore(tmp_path)])
    assert not list(tmp_path.glob("epoch_*"))
    late = Send(1, late=True)
    with pytest.raises(error, match="its own end" if number == signal.SIGINT else None):
        gan.fit(points, verbose=0, callbacks=[late, BackupAndRestore(tmp_path)])
    assert late.seen == 8
    once = Send(1)
    with pytest.raises(error, match="Run the same code again" if number == signal.SIGINT else "143"):
        gan.fit(points, verbose=0, callbacks=[once, BackupAndRestore(tmp_path / "backup")])
    (backup,) = (tmp_path / "backup").glob("epoch_*.keras")
    assert once.seen == 1 and backup.stem == "epoch_000000_step_00000001"


def test_a_stop_while_batches_are_passed_over_leaves_a_gan_that_trains(make_image_gan, shuffled, expected, tmp_path):
    _cut(make_image_gan(3), shuffled(), (2, 3), backup_dir=tmp_path / "backup", save_freq=3)
    gan = make_image_gan(3)
    _cut(gan, shuffled(), (2, 1), backup_dir=tmp_path / "backup", save_freq=3)
    assert int(gan.optimizer.iterations) == 13
    gan.fit(shuffled(), epochs=4, verbose=0, callbacks=[BackupAndRestore(tmp_path / "backup", save_freq=3)])
    _assert_equal(_state(gan), expected)
    assert gan.fit(shuffled(), epochs=1, verbose=0).epoch == [0]
    assert int(gan.optimizer.iterations) == 25


class Keeper(keras.callbacks.Callback):
    """Callback with state of all kinds that are kept, and of one that is not."""

    def __init__(self, seen):
        super().__init__()
        self.seen, self.counts, self.kinds, self.pair = seen, {}, set(), (0, 0.0)
        self.array = np.zeros(3)

    def on_epoch_begin(self, epoch, logs=None):
        self.counts[epoch] = self.counts.get(epoch, 0) + 1

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.pair[0], batch))
        self.kinds.add(batch)
        self.pair = (self.pair[0] + 1, np.float64(0.5))
        self.array += 1


@pytest.mark.parametrize("at", [(2, 0), (2, 4)])
def test_what_other_callbacks_remember(at, make_image_gan, shuffled, tmp_path):
    def callbacks():
        return [
            Keeper([]),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
            keras.callbacks.ReduceLROnPlateau("discriminator_loss", mode="min", min_delta=10.0, patience=1),
        ]

    def fit(gan, *more, **options):
        gan.fit(shuffled(), epochs=4, verbose=0, callbacks=[*more, BackupAndRestore(tmp_path / "backup", **options)])

    straight, resumed = make_image_gan(3), make_image_gan(3)
    unbroken = callbacks()
    fit(straight, *unbroken, save_freq=3)
    with pytest.raises(InterruptedError):
        fit(make_image_gan(3), *callbacks(), Cut(*at), save_freq=3)
    seen, again = [], callbacks()
    again[0].seen = seen
    fit(resumed, *again, save_freq=3)
    _assert_equal(_state(resumed), _state(straight))
    for name in ("counts", "kinds", "pair"):
        assert getattr(again[0], name) == getattr(unbroken[0], name)
    assert seen == unbroken[0].seen and all(type(x) is tuple for x in seen)
    assert again[2].min_delta == unbroken[2].min_delta


def test_rates_that_moved_are_no_other_settings(points, make_gan, tmp_path):
    gan = make_gan()
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    with pytest.raises(InterruptedError):
        gan.fit(points, epochs=3, verbose=0, callbacks=[halve, Cut(1, 3), BackupAndRestore(tmp_path)])
    gan.fit(points, epochs=3, verbose=0, callbacks=[halve, BackupAndRestore(tmp_path)])
    assert int(gan.optimizer.iterations) == 24


def test_backup_and_restore_says_where_it_works(points, make_gan, tmp_path):
    gan = make_gan()
    with pytest.raises(ValueError, match=r"must be in the list of callbacks of a keras_gan model's fit"):
        gan.fit(points, verbose=0, callbacks=keras.callbacks.CallbackList([BackupAndRestore(tmp_path)], model=gan))
    with pytest.raises(ValueError, match="save_freq"):
        BackupAndRestore(tmp_path, save_freq=0)


def test_a_link_is_followed(make_gan, tmp_path):
    (tmp_path / "link.keras").symlink_to(tmp_path / "gan.keras")
    make_gan().save(tmp_path / "link.keras")
    assert (tmp_path / "link.keras").is_symlink() and (tmp_path / "gan.keras").stat().st_size > 1000
