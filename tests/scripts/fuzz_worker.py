"""Reads mutated files, one after the other, as a user of the package would: run by test_fuzz.py.

Each line on stdin is JSON: the action and its arguments. Each answer is a line of JSON: the exit code and the output.
"""

import contextlib
import io
import json
import os
import sys
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_gan import cli, datasets
from keras_gan.export import isolated


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    isolated._bound_memory()
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(attempt(*json.loads(line))), file=answers, flush=True)


def attempt(action, arguments):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = ACTIONS[action](arguments)
    except BaseException:
        return "traceback", traceback.format_exc()
    return code, said.getvalue()


def measure(arguments):
    # The code that `benchmark` runs in a separate process.
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        isolated.main(*arguments)
    return int("error" in json.loads(out.getvalue().splitlines()[-1]))


def load_images(arguments):
    folder, on_error = arguments
    try:
        for _ in datasets.load(f"folder:{folder}", 4, image_size=8, on_error=on_error):
            pass
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


ACTIONS = {"cli": cli.main, "measure": measure, "images": load_images}

if __name__ == "__main__":
    main()
