"""A small project with a binding file, in which pytest runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml  # noqa: F401

# Each run forgets the modules that it imported; parts written in C do not survive that.
import tracepact.testing.items
import tracepact.testing.make
import tracepact.testing.run
import tracepact.testing.show  # noqa: F401

Run = Callable[..., pytest.RunResult]

BINDING = """\
bindings:
  - contract: {contract}
    equation: {equation}
    module_path: kernels
    function: {function}
    status: implemented
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run pytest in the project, with our plugin whether it is installed or not."""

    def run_pytest(*arguments: str) -> pytest.RunResult:
        pytester.syspathinsert()
        plugin = ("-p", "no:tracepact", "-p", "tracepact.testing.plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_inprocess(*plugin, "--tracepact-derandomize", *arguments)

    return run_pytest


@pytest.fixture
def project(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write `kernels.py` with a function, and a binding for it."""

    def write(
        source: str,
        *,
        contract: str = "softmax-kernel-v1",
        equation: str = "softmax",
        function: str = "softmax",
        own: str = "",
    ) -> None:
        head = "import numpy as np\nfrom tracepact import contract\nArray = np.ndarray\n\n"
        pytester.makepyfile(kernels=head + source)
        entry = BINDING.format(contract=contract, equation=equation, function=function)
        pytester.path.joinpath("binding.yaml").write_text(entry)
        ini = "[pytest]\n"
        if own:
            folder = pytester.path / "contracts"
            folder.mkdir(exist_ok=True)
            (folder / f"{contract}.yaml").write_text(own)
            ini += "tracepact_contracts = contracts\n"
        pytester.path.joinpath("pytest.ini").write_text(ini)

    return write
