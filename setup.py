"""The native core; everything else about the build is in pyproject.toml."""

import os
import sys
from glob import glob

import numpy
from setuptools import Distribution, Extension, setup

sys.path.insert(0, "src")  # the hook that guards this wheel is in it
from tracepact.build_hook.setuptools import finalize


class GuardedDistribution(Distribution):
    """Where tracepact is not installed yet, setuptools finds no entry point of it."""

    def finalize_options(self):
        """Add the guard to what installed entry points add."""
        super().finalize_options()
        finalize(self)


_SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1"]
sanitizing = os.environ.get("TRACEPACT_SANITIZE") == "1"

native = Extension(
    "tracepact.core._native",
    sources=sorted(glob("native/*.c")),
    depends=sorted(glob("native/*.h")),
    include_dirs=["native", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    # No -ffast-math: NaN, Inf and the order of sums are what this project is about.
    extra_compile_args=[
        "-std=gnu11",
        "-O3",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
        "-Wno-missing-field-initializers",
        *(_SANITIZE if sanitizing else []),
    ],
    extra_link_args=["-pthread", *(_SANITIZE[:1] if sanitizing else [])],
    optional=True,  # where it cannot be built the Python core serves
)

setup(ext_modules=[native], distclass=GuardedDistribution)
