"""Training in several processes on this machine: real processes, real gRPC."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="callbacks that save need TensorFlow in several processes"
)
LOCAL = {"diversity", "discriminator_gradient_norm", "generator_gradient_norm"}


def _ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("localhost", 0))
        return [s.getsockname()[1] for s in sockets]


def _start(folder, rank=0, addresses=None, last_step=-1):
    folder.mkdir(exist_ok=True)
    env = dict(os.environ)
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(folder), str(last_step)]
    if addresses is not None:
        task = {"type": "worker", "index": rank}
        env["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    log = (folder / f"log_{rank}.txt").open("w")
    return subprocess.Popen(command, env=env, stdout=log, stderr=log)


def _two(folder, last_step=-1, dies=None):
    addresses = [f"localhost:{port}" for port in _ports(2)]
    return [_start(folder, i, addresses, last_step if dies in (None, i) else -2) for i in range(2)]


def _finish(processes, folder):
    results = []
    for i, process in enumerate(processes):
        code = process.wait(timeout=300)
        text = (folder / f"log_{i}.txt").read_text()
        assert code == 0, text[-3000:]
        results.append(json.loads(text.splitlines()[-1]))
    return results


def _weights(folder, rank=0):
    arrays = np.load(folder / f"weights_{rank}.npz")
    return [arrays[name] for name in arrays.files]


def _assert_close(a, b, atol=1e-5):
    assert len(a) == len(b) > 10
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, atol=atol)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """One process alone and two together, side by side."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    runs = [_start(one)], _two(two)
    return one, two, _finish(runs[0], one), _finish(runs[1], two)


def test_two_processes_train_as_one_does(unbroken):
    one, two, alone, together = unbroken
    _assert_close(_weights(two, 0), _weights(one))
    _assert_close(_weights(two, 1), _weights(two, 0), atol=0)
    for result in together:
        for name in set(alone[0]["history"]) - LOCAL:
            np.testing.assert_allclose(result["history"][name], alone[0]["history"][name], atol=1e-5, err_msg=name)


def test_one_process_writes(unbroken):
    _, two, _, together = unbroken
    assert [result["chief"] for result in together] == [True, False]
    # One header and one line an epoch: a second writer would have doubled or torn them.
    assert len((two / "log.csv").read_text().splitlines()) == 5
    loaded = keras.models.load_model(two / "last.keras")
    for weight, expected in zip(loaded.get_weights(), _weights(two), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_killed_worker_and_the_same_command_again(unbroken, tmp_path):
    """Dies in the third epoch; started again, both go on from the second's backup to the unbroken run's end."""
    processes = _two(tmp_path, last_step=12, dies=1)
    assert processes[1].wait(timeout=300) == -9
    start = time.time()
    # The other learns of it when it next waits for the dead: it ends with an error, not with a result.
    with contextlib.suppress(subprocess.TimeoutExpired):
        processes[0].wait(timeout=120)
    print(f"the survivor ended after {time.time() - start:.0f} s with {processes[0].poll()}")
    assert processes[0].poll() != 0
    processes[0].kill()
    processes[0].wait()
    assert (tmp_path / "backup").is_dir() and not (tmp_path / "weights_0.npz").exists()
    _finish(_two(tmp_path, last_step=-2), tmp_path)
    for rank in (0, 1):
        _assert_close(_weights(tmp_path, rank), _weights(unbroken[1]), atol=1e-6)
    assert not (tmp_path / "backup").exists()
