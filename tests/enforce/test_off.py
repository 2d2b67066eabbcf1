"""Where checks are off, a decorator returns the very thing that it is put on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys

opened = []
sys.addaudithook(lambda event, details: event == "open" and opened.append(str(details[0])))
import tracepact as tp

def function(x):
    return x

class Model:
    def method(self):
        return 1

same = [
    tp.contract("no-such-contract", "nothing", bind={"x": "y"})(function) is function,
    tp.contract("softmax-kernel-v1", "softmax")(function) is function,
]
for make in (tp.requires, tp.ensures):
    same.append(make("this is no predicate", tol="none")(function) is function)
before = dict(vars(Model))
same.append(tp.invariant("nor is this")(Model) is Model and dict(vars(Model)) == before)
shared = classmethod(function)
same.append(tp.contract("softmax-kernel-v1", "softmax")(shared) is shared)
data = ".yaml", ".yml", ".toml"
read = [name for name in opened if name.endswith(data) or "contracts-" in name]
print(all(same), hasattr(function, "__tracepact__"), read)
"""


def output(*options: str, **variables: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in ("TRACEPACT", "PYTHONOPTIMIZE")}
    run = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        env={**kept, **variables},
    )
    return run.stdout.strip() or run.stderr


def test_optimised_python_returns_the_function_before_any_contract_is_read() -> None:
    assert output("-O") == "True False []"


@pytest.mark.parametrize("optimise", ["", "1"])
def test_policy_off_returns_the_function_before_any_contract_is_read(optimise: str) -> None:
    assert output(TRACEPACT="off", PYTHONOPTIMIZE=optimise) == "True False []"


def test_otherwise_the_contract_is_looked_up() -> None:
    assert "unknown contract 'no-such-contract'" in output()
