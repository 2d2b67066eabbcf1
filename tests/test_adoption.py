"""What other projects take over for their CI does what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PAGE = (ROOT / "docs" / "ci.md").read_text()
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
BAD = "equations: {e: {domain: x}}\n"
GOOD = "metadata: {version: 1.0.0, references: [r], kind: pattern}\nequations: {e: {formula: y}}\n"
COMMAND = "from tracepact.cli.app import main; main()"


def lint_step(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the action that lints, as a runner does."""
    tools = folder / "tools"
    tools.mkdir()
    call = tools / "tracepact"
    call.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{COMMAND}" "$@"\n')
    call.chmod(0o755)
    step = next(one for one in ACTION["runs"]["steps"] if one.get("name") == "Lint")
    defaults = {name: value["default"] for name, value in ACTION["inputs"].items()}
    values = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: (defaults | inputs)[m[1]], text)
        for name, text in step["env"].items()
    }
    environment = os.environ | values | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def contract(folder: Path, text: str, stem: str = "own-v1") -> None:
    (folder / "contracts").mkdir(exist_ok=True)
    (folder / "contracts" / f"{stem}.yaml").write_text(text)


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@needs_bash
def test_action_fails_with_annotations_and_a_report(tmp_path: Path) -> None:
    contract(tmp_path, BAD)
    done = lint_step(tmp_path)
    assert done.returncode == 1, done.stderr
    assert "::error file=contracts/own-v1.yaml,line=1," in done.stdout
    assert '"version": "2.1.0"' in (tmp_path / "tracepact.sarif").read_text()


@needs_bash
def test_action_passes_options_and_several_paths_and_needs_no_report(tmp_path: Path) -> None:
    contract(tmp_path, GOOD)
    contract(tmp_path, BAD, "other-v1")
    done = lint_step(tmp_path, sarif="", args="--select PV-AUD", paths="contracts/own-v1.yaml\n.")
    assert done.returncode == 0, done.stderr
    assert "::warning" in done.stdout
    assert not (tmp_path / "tracepact.sarif").exists()


@needs_bash
def test_inputs_of_the_action_are_never_run_and_mistakes_are_told_once(tmp_path: Path) -> None:
    done = lint_step(tmp_path, paths='$(touch x) `touch x`; touch x "', args="")
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tools"]
    assert done.stderr.count("does not exist") == 1


def test_no_step_of_the_action_puts_an_input_into_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_hooks_lint_contracts_and_no_binding_files() -> None:
    hooks: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [one["id"] for one in hooks] == ["tracepact-lint", "tracepact-lint-fix"]
    for hook in hooks:
        assert shlex.split(hook["entry"])[:2] == ["tracepact", "lint"]
        for name, taken in {
            "contracts/a-v1.yaml": True,
            "src/x/contracts/deep/a.yml": True,
            "contracts/binding.yaml": False,
            "contracts/a.yaml.txt": False,
            "my_contracts/a.yaml": False,
        }.items():
            found = re.search(hook["files"], name) and not re.search(hook["exclude"], name)
            assert bool(found) is taken, name


def test_page_says_every_input_of_the_action_and_only_hooks_that_exist() -> None:
    for name, value in ACTION["inputs"].items():
        assert (
            f"| `{name}` | {'`' + value['default'] + '`' if value['default'] else 'none'} |" in PAGE
        )
    hooks = {one["id"] for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {one["id"] for one in SNIPPETS[0]["repos"][0]["hooks"]} <= hooks
    step = SNIPPETS[1]["jobs"]["lint"]["steps"][-1]
    assert set(step["with"]) <= set(ACTION["inputs"])


def test_gitlab_snippet_writes_the_report_that_it_uploads(tmp_path: Path) -> None:
    contract(tmp_path, BAD)
    job = SNIPPETS[2]["contracts"]
    call = shlex.split(job["script"][1])
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *call[1:]],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (call[0], done.returncode) == ("tracepact", 1)
    assert (tmp_path / job["artifacts"]["reports"]["codequality"]).is_file()
