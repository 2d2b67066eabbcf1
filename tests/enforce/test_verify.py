"""What a binding claims is held against the function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tracepact.bindings import Bindings, load_bindings
from tracepact.contracts import ContractRegistry
from tracepact.enforce.functions import read_functions
from tracepact.enforce.propose import propose_entries
from tracepact.enforce.verify import verify_binding
from tracepact.errors import ConfigError

BUILTIN = ContractRegistry.builtin()
SOURCE = """
import tracepact as tp

@tp.contract("softmax-kernel-v1", "softmax")
def softmax(x, *, axis=-1): ...

class Model:
    @staticmethod
    @tp.contract("softmax-kernel-v1", "softmax")
    def softmax(x): ...
    @classmethod
    @tp.contract("softmax-kernel-v1", "softmax")
    def make(cls, x, **more): ...

def bare(x): ...
def renamed(logits): ...
constant = 3

class Sampler:
    @classmethod
    @tp.contract("softmax-kernel-v1", "softmax")
    def softmax(cls: type[dict[str, int]], /, x, *rest, axis=-1, **more): ...
"""

Verify = Callable[..., list[str]]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Verify]:
    package = tmp_path / "demo_verified"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(SOURCE)
    (package / "broken.py").write_text("raise RuntimeError('at import')")
    (package / "leaves.py").write_text("raise SystemExit(0)")
    (package / "lazy.py").write_text("def __getattr__(name): raise RuntimeError('lazy')")
    (package / "lacks.py").write_text("import demo_verified_dependency.part")
    monkeypatch.syspath_prepend(tmp_path)

    def verify(target: str = "demo_verified", **fields: str) -> list[str]:
        entry = {
            "contract": "softmax-kernel-v1",
            "equation": "softmax",
            "module_path": "demo_verified.kernels",
            "function": "softmax",
            "status": "implemented",
        } | fields
        path = tmp_path / "binding.yaml"
        lines = "".join(f'    {name}: "{value}"\n' for name, value in entry.items())
        path.write_text(f"target: {target}\nbindings:\n  -\n{lines}")
        bindings = load_bindings(path)
        (binding,) = bindings.entries
        found = verify_binding(binding, bindings, BUILTIN)
        return [str(each).removeprefix(f"{tmp_path}/binding.yaml:4:5: ") for each in found]

    yield verify
    for name in [name for name in sys.modules if name.startswith("demo_verified")]:
        del sys.modules[name]


def test_true_claim_has_nothing_against_it(verify: Verify) -> None:
    assert verify() == []
    assert verify(signature="(x, *, axis: int = -1) -> Array") == []
    assert verify(signature="def softmax(x, *, axis=-1)") == []
    assert verify(function="Model.softmax") == []
    assert verify(function="Model.make", signature="(cls, x, **more)") == []


def test_signatures_that_are_proposed_are_true(verify: Verify, tmp_path: Path) -> None:
    functions, _ = read_functions(tmp_path)
    proposed = propose_entries(functions, Bindings(path=None), BUILTIN)
    assert [entry["function"] for entry in proposed] == [
        "softmax", "Model.softmax", "Model.make", "Sampler.softmax",
    ]  # fmt: skip
    assert proposed[3]["signature"] == ("(cls: type[dict[str, int]], /, x, *rest, axis=-1, **more)")
    assert [verify(**entry) for entry in proposed] == [[], [], [], []]


def test_contract_and_equation_have_to_exist(verify: Verify) -> None:
    assert verify(contract="softmax-kernal-v1")[0].startswith(
        "unknown contract 'softmax-kernal-v1'; did you mean 'softmax-kernel-v1'?"
    )
    assert "has no equation 'softmx'; did you mean 'softmax'?" in verify(equation="softmx")[0]


@pytest.mark.parametrize("function", ["missing", "constant", "Model.missing", "softmax.x"])
def test_function_that_is_called_implemented_has_to_exist(verify: Verify, function: str) -> None:
    (problem,) = verify(function=function)
    assert f"{function} is called implemented, but is not there" in problem
    assert verify(function=function, status="pending") == []
    assert verify(function=function, status="not_implemented") == []


def test_function_has_to_carry_the_decorator_of_that_equation(verify: Verify) -> None:
    (problem,) = verify(function="bare")
    assert problem == (
        "demo_verified.kernels:bare is not decorated with its contract; "
        'write @contract("softmax-kernel-v1", "softmax") above it'
    )
    assert verify(function="bare", status="pending") == []
    assert len(verify(contract="log-softmax-v1", equation="log_softmax")) == 1


def test_undecorated_function_has_to_have_the_parameters(verify: Verify) -> None:
    problems = verify(function="renamed", status="pending")
    assert len(problems) == 2
    assert "looks at 'x', which is no parameter of renamed(logits)" in problems[0]


def test_signature_has_to_be_that_of_the_function(verify: Verify) -> None:
    (problem,) = verify(signature="(x, dim)")
    assert problem.endswith("signature names x, dim; the function has x, axis")
    (problem,) = verify(signature="fn softmax(x: &Tensor) -> Tensor")
    assert "is not Python's; write it as" in problem


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("demo::kernels", "is no Python module; write package.module"),
        ("os", "os is outside of the package 'demo_verified'"),
        ("demo_verified.missing", "cannot be imported: No module named"),
        ("demo_verified.broken", "cannot be imported: at import"),
        ("demo_verified.leaves", "cannot be imported: SystemExit 0"),
        ("demo_verified.lazy", "cannot be imported: lazy"),
    ],
)
def test_module_that_cannot_be_used_is_said(verify: Verify, module: str, message: str) -> None:
    (problem,) = verify(module_path=module)
    assert message in problem


@pytest.mark.parametrize("status", ["pending", "not_implemented"])
def test_module_that_is_not_written_yet_is_nothing_against_an_open_claim(
    verify: Verify, status: str
) -> None:
    assert verify(module_path="demo_verified.missing", status=status) == []
    assert verify(module_path="demo_verified.missing.deep", status=status) == []
    (problem,) = verify(module_path="demo_verified.lacks", status=status)
    assert "No module named 'demo_verified_dependency'" in problem
    (problem,) = verify("demo_absent", module_path="demo_absent.kernels", status=status)
    assert "No module named 'demo_absent'" in problem


def test_nobody_can_tell_while_decorators_are_off(
    verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPACT", "off")
    with pytest.raises(ConfigError, match="decorators are off"):
        verify()
