"""The command `keras-gan`. It is outside the package, to silence and speed up TensorFlow before its import."""

import os
import sys


def main():
    """Runs `keras_gan.cli.main` on the command line, and returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Off by default on processors without AVX-512, and without it convolutions take up to twice as long there.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow writes notes to stderr during its import, before it reads any setting.
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        from keras_gan import cli
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
