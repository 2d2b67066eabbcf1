"""What the plugin collects, skips, shows and keeps."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

GOOD = """
@contract("softmax-kernel-v1", "softmax")
def softmax(*, x):
    ret = np.exp(x - x.max(axis=-1, keepdims=True))
    return ret / ret.sum(axis=-1, keepdims=True)
"""
NO_MAXIMUM = GOOD.replace("x - x.max(axis=-1, keepdims=True)", "x")
SUM = "Output sums to 1[kernels:softmax]"
NODE = f"binding.yaml::softmax-kernel-v1::softmax::{SUM}"

Project = Callable[..., None]
Run = Callable[..., pytest.RunResult]


def test_good_kernel_passes_every_obligation(project: Project, run: Run) -> None:
    project(GOOD)
    run().assert_outcomes(passed=6, skipped=5)  # the interface; no falsification test is here


def test_names_are_contract_equation_and_obligation(project: Project, run: Run) -> None:
    project(GOOD)
    result = run("--collect-only", "-q")
    lines = result.outlines
    assert NODE in lines
    assert "binding.yaml::softmax-kernel-v1::softmax::interface[kernels:softmax]" in lines
    shift = "A shift of a row changes nothing[kernels:softmax]"
    assert f"binding.yaml::softmax-kernel-v1::shift_invariance::{shift}" in lines


@pytest.mark.parametrize("select", [(NODE,), ("-k", "sums and softmax and not FALSIFY")])
def test_one_obligation_can_be_selected(
    project: Project, run: Run, select: tuple[str, ...]
) -> None:
    project(GOOD)
    result = run(*select)
    assert result.parseoutcomes()["passed"] == 1


def test_broken_kernel_is_shown_with_input_obligation_hint_and_snippet(
    project: Project, run: Run
) -> None:
    project(NO_MAXIMUM)
    result = run(NODE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "kernels:softmax breaks softmax-kernel-v1/softmax",
            "*Output sums to 1 (conservation)",
            "*abs(row_sums(ret) - 1) <= tol",
            "*softmax-kernel-v1.yaml:*:*",
            "*row_sums(ret)*nan*",
            "*A partial sum was lost*",
            "*x = np.*",
            "*ret = softmax(x=x.copy())",
        ]
    )
    result.stdout.no_fnmatch_line("*hypothesis/core*")


def test_snippet_of_a_failure_runs_and_measures_the_same(
    project: Project, run: Run, pytester: pytest.Pytester
) -> None:
    project(NO_MAXIMUM)
    lines = run(NODE).outlines
    start = next(i for i, line in enumerate(lines) if "to see it again" in line) + 1
    snippet = itertools.takewhile(lambda line: line[:4] in ("    ", ""), lines[start:])
    code = [line.removeprefix("    ") for line in snippet]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(code)],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "abs(row_sums(ret) - 1) <= tol is false" in done.stdout


def test_function_that_raises_is_a_failure_with_its_line(project: Project, run: Run) -> None:
    project(GOOD.replace("    ret = ", "    assert x.ndim == 1, 'rows only'\n    ret = "))
    result = run(NODE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*raised AssertionError: rows only*", "*kernels.py:*"])


def test_missing_decorator_fails_the_interface_test(project: Project, run: Run) -> None:
    project(GOOD.replace('@contract("softmax-kernel-v1", "softmax")\n', ""))
    result = run("-k", "interface")
    result.assert_outcomes(failed=1, deselected=10)
    result.stdout.fnmatch_lines(["*kernels:softmax is not decorated with its contract*"])


def test_pending_binding_is_skipped(project: Project, run: Run, pytester: pytest.Pytester) -> None:
    project(GOOD)
    path = pytester.path / "binding.yaml"
    path.write_text(path.read_text().replace("implemented", "pending"))
    result = run("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*the binding says pending*"])


def test_unknown_contract_fails_the_interface_test(project: Project, run: Run) -> None:
    project("def softmax(x): return x", contract="softmax-kernel-v2")
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*unknown contract 'softmax-kernel-v2'*did you mean*"])


# -- falsification tests, and evidence ----------------------------------------------------------

CITING = """
metadata: {kind: kernel}
equations:
  twice:
    formula: ret = 2 x
    domain: x [..., n]
    tolerance: 1.0e-6
proof_obligations:
  - {type: equivalence, property: Doubles, formal: ret == x + x, applies_to: twice}
falsification_tests:
  - {id: F-1, rule: Doubles, test: "test_own.py::test_one[a]", if_fails: look for 3}
  - {id: F-2, rule: Doubles, test: test_elsewhere}
"""


@pytest.fixture
def twice(project: Project, pytester: pytest.Pytester) -> None:
    project(
        "def twice(x: Array): return 2 * x",
        contract="twice-v1",
        equation="twice",
        function="twice",
        own=CITING,
    )
    pytester.makepyfile(
        test_own="""
        import pytest
        @pytest.mark.parametrize("case", ["a", "b"])
        def test_one(case):
            assert case == "a"
        """
    )


@pytest.mark.usefixtures("twice")
def test_falsification_test_has_the_result_of_the_cited_test(run: Run) -> None:
    result = run("-v", "-rs")
    result.stdout.fnmatch_lines(
        [
            "binding.yaml::twice-v1::twice::Doubles?kernels:twice? PASSED*",
            "test_own.py::test_one?a? PASSED*",
            "test_own.py::test_one?b? FAILED*",
            "binding.yaml::twice-v1::twice::F-1 PASSED*",
            "binding.yaml::twice-v1::twice::F-2 SKIPPED*",
            "*it cites test_elsewhere, which was not collected*",
        ]
    )


@pytest.mark.usefixtures("twice")
def test_falsification_test_fails_with_the_cited_test_and_says_what_that_means(
    run: Run, pytester: pytest.Pytester
) -> None:
    path = pytester.path / "contracts" / "twice-v1.yaml"
    path.write_text(path.read_text().replace("test_one[a]", "test_one"))
    result = run("-k", "F-1 or test_one")
    result.assert_outcomes(failed=2, passed=1, deselected=3)
    result.stdout.fnmatch_lines(["*F-1 cites a test that failed:*", "*if it fails: look for 3*"])


@pytest.mark.usefixtures("twice")
def test_evidence_says_what_ran_and_on_which_files_it_rests(
    run: Run, pytester: pytest.Pytester
) -> None:
    run()
    content = json.loads((pytester.path / ".tracepact" / "evidence.json").read_text())
    by_test = {each["test"]: each for each in content["results"]}
    doubles = by_test["binding.yaml::twice-v1::twice::Doubles[kernels:twice]"]
    assert doubles["kind"] == "property"
    assert doubles["outcome"] == "passed"
    assert doubles["detail"] == "50 inputs, its formal"
    assert doubles["files"] == ["binding.yaml", "contracts/twice-v1.yaml", "kernels.py"]
    assert by_test["test_own.py::test_one[a]"]["kind"] == "test"
    assert by_test["binding.yaml::twice-v1::twice::F-1"]["outcome"] == "passed"
    assert "binding.yaml::twice-v1::twice::F-2" not in by_test
    assert "test_own.py::test_one[b]" not in by_test


@pytest.mark.usefixtures("twice")
def test_collecting_writes_no_evidence(run: Run, pytester: pytest.Pytester) -> None:
    run("--collect-only")
    assert not (pytester.path / ".tracepact").exists()


# -- when the plugin is on ----------------------------------------------------------------------


def test_no_tracepact_collects_nothing(project: Project, run: Run) -> None:
    project(GOOD)
    assert run("--no-tracepact").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_named_paths_alone_are_collected_unless_the_plugin_is_asked_for(
    project: Project, run: Run, pytester: pytest.Pytester
) -> None:
    project(GOOD)
    pytester.makepyfile(test_own="def test_one(): pass")
    run("test_own.py").assert_outcomes(passed=1)
    run("test_own.py", "--tracepact").assert_outcomes(passed=7, skipped=5)


def test_asking_for_it_without_a_binding_file_is_a_mistake(run: Run) -> None:
    result = run("--tracepact")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*has no binding.yaml*tracepact bind --propose*"])


def test_project_without_bindings_imports_neither_numpy_nor_hypothesis(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_own="""
        import sys
        def test_nothing_heavy_is_loaded():
            loaded = {name for name in sys.modules if name.startswith("tracepact.")}
            assert loaded <= {
                "tracepact.config", "tracepact.testing", "tracepact.testing.hooks",
                "tracepact.testing.plugin",
            }
            assert not {"numpy", "hypothesis"} & set(sys.modules)
        """
    )
    no = [
        part for name in ("tracepact", "hypothesispytest", "cov") for part in ("-p", f"no:{name}")
    ]
    result = pytester.runpytest_subprocess(*no, "-p", "tracepact.testing.plugin")
    result.assert_outcomes(passed=1)


# -- bounded harnesses --------------------------------------------------------------------------

HARNESS = """
kani_harnesses:
  - {id: K-1, obligation: Doubles, bound: 2, strategy: exhaustive}
"""
PROVER = """
import sys, types
def run_harness(registry, contract, harness, *, function, equation):
    assert (function(3), equation) == (6, "twice")
    return types.SimpleNamespace(
        outcome="{outcome}", method="enumeration", detail="9 cases", counterexample="twice(x=1)"
    )
sys.modules["tracepact.prove"] = types.SimpleNamespace(run_harness=run_harness)
"""


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize(
    ("outcome", "shown"),
    [("proved", "PASSED"), ("refuted", "FAILED"), ("undecided", "SKIPPED")],
)
def test_bounded_harness_passes_only_when_it_is_proved(
    run: Run, pytester: pytest.Pytester, outcome: str, shown: str
) -> None:
    path = pytester.path / "contracts" / "twice-v1.yaml"
    path.write_text(CITING + HARNESS)
    pytester.makeconftest(PROVER.format(outcome=outcome))
    result = run("-v", "--tracepact-bounded", "-k", "K-1")
    result.stdout.fnmatch_lines([f"*::twice::K-1?kernels:twice? {shown}*"])
    evidence = json.loads((pytester.path / ".tracepact" / "evidence.json").read_text())
    (only,) = evidence["results"]
    assert (only["kind"], only["outcome"]) == ("bounded", shown.lower())
    if outcome == "refuted":
        result.stdout.fnmatch_lines(["kernels:twice refutes 'Doubles'", "*9 cases*", "twice(x=1)"])


@pytest.mark.usefixtures("twice")
def test_bounded_harnesses_run_only_when_asked_for(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "contracts" / "twice-v1.yaml").write_text(CITING + HARNESS)
    run("-k", "K-1").assert_outcomes(deselected=6)
