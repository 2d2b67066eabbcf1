"""Claims about the registry."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tracepact.contracts import Contract, ContractRegistry, Problem, conditions, registry
from tracepact.errors import ConfigError

SOFTMAX = """\
equations:
  softmax:
    preconditions: ["size(x) > 0"]
    postconditions: ["all(ret >= 0)", "abs(row_sums(ret) - 1) <= tol"]
    tolerance: 1e-6
  log_softmax:
    formula: log(softmax(x))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good contract."""
    (tmp_path / "softmax-kernel-v1.yaml").write_text(SOFTMAX)
    return tmp_path


def test_folder_gives_its_contracts_by_stem(folder: Path) -> None:
    loaded = ContractRegistry.load(folder)
    assert list(loaded.contracts) == ["softmax-kernel-v1"]
    assert loaded.problems == ()


def test_single_file_can_be_loaded(folder: Path) -> None:
    loaded = ContractRegistry.load(str(folder / "softmax-kernel-v1.yaml"))
    assert list(loaded.contracts) == ["softmax-kernel-v1"]


def test_missing_folder_gives_an_empty_registry(tmp_path: Path) -> None:
    loaded = ContractRegistry.load(tmp_path / "gone")
    assert not loaded.contracts
    assert loaded.problems == ()
    assert loaded.postconditions("softmax-kernel-v1", "softmax") is None


@pytest.mark.parametrize("name", ["nul\0character", "x" * 5_000])
def test_impossible_path_gives_a_problem(tmp_path: Path, name: str) -> None:
    loaded = ContractRegistry.load(tmp_path / name)
    assert "cannot be read" in loaded.problems[0].message


def test_dangling_link_gives_a_problem(folder: Path) -> None:
    (folder / "a.yaml").symlink_to("gone")
    loaded = ContractRegistry.load(folder)
    assert list(loaded.contracts) == ["softmax-kernel-v1"]
    assert "cannot be read" in loaded.problems[0].message


def test_of_two_files_with_the_same_stem_the_first_counts(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/softmax-kernel-v1.yml").write_text("metadata: {version: 2.0.0}")
    loaded = ContractRegistry.load(folder)
    assert loaded.contracts["softmax-kernel-v1"].metadata.version == ""
    (problem,) = loaded.problems
    assert problem.location.file.endswith("sub/softmax-kernel-v1.yml")
    assert problem.message == "a second contract 'softmax-kernel-v1'"


def test_contracts_are_read_only(folder: Path) -> None:
    with pytest.raises(TypeError):
        ContractRegistry.load(folder).contracts["x"] = None  # type: ignore[index]


def test_problems_list_everything_in_order_of_place(folder: Path) -> None:
    (folder / "a.yaml").write_text("equations:\n  f:\n    postconditions: [ret >]\nodd: 1\n")
    (folder / "b.yaml").write_text("]")
    found = [str(problem) for problem in ContractRegistry.load(folder).problems]
    places = [text.removeprefix(f"{folder}/").split(" ")[0] for text in found]
    assert places == ["a.yaml:3:27:", "a.yaml:4:1:", "b.yaml:1:1:"]


def test_postconditions_are_compiled_with_the_tolerance(folder: Path) -> None:
    found = ContractRegistry.load(folder).postconditions("softmax-kernel-v1", "softmax")
    assert found is not None
    assert [condition.expression for condition in found] == [
        "all(ret >= 0)",
        "abs(row_sums(ret) - 1) <= tol",
    ]
    assert {condition.tolerance for condition in found} == {1e-6}


def test_preconditions_are_compiled(folder: Path) -> None:
    found = ContractRegistry.load(folder).preconditions("softmax-kernel-v1", "softmax")
    assert found is not None
    assert [condition.expression for condition in found] == ["size(x) > 0"]


def test_equation_without_conditions_has_none_of_them(folder: Path) -> None:
    loaded = ContractRegistry.load(folder)
    assert loaded.postconditions("softmax-kernel-v1", "log_softmax") == ()
    assert loaded.preconditions("softmax-kernel-v1", "log_softmax") == ()


@pytest.mark.parametrize("key", [("softmax-kernel-v1", "gone"), ("gone", "softmax")])
def test_unknown_equation_has_no_conditions(folder: Path, key: tuple[str, str]) -> None:
    loaded = ContractRegistry.load(folder)
    assert loaded.postconditions(*key) is None
    assert loaded.preconditions(*key) is None


def test_predicates_are_compiled_once_by_any_number_of_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    start = threading.Barrier(8)

    def counted(*arguments: object) -> object:
        calls.append(arguments)
        return conditions.compile_conditions(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(registry, "compile_conditions", counted)
    loaded = ContractRegistry.load(folder)

    def ask(_: int) -> object:
        start.wait()
        return loaded.postconditions("softmax-kernel-v1", "softmax")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len(calls) == 1
    assert all(answer is answers[0] for answer in answers)


def test_nothing_is_compiled_before_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "compile_conditions", None)
    assert ContractRegistry.load(folder).contracts


def test_equation_is_found(folder: Path) -> None:
    loaded = ContractRegistry.load(folder)
    assert loaded.equation("softmax-kernel-v1", "softmax").tolerance == 1e-6


def test_unknown_contract_is_an_error_with_the_nearest_name(folder: Path) -> None:
    with pytest.raises(ConfigError) as error:
        ContractRegistry.load(folder).equation("softmax-v1", "softmax")
    assert str(error.value) == (
        "unknown contract 'softmax-v1'; did you mean 'softmax-kernel-v1'? known: softmax-kernel-v1"
    )


def test_unknown_equation_is_an_error_with_the_known_names(folder: Path) -> None:
    with pytest.raises(ConfigError) as error:
        ContractRegistry.load(folder).equation("softmax-kernel-v1", "softmx")
    assert str(error.value) == (
        "contract 'softmax-kernel-v1' has no equation 'softmx'; "
        "did you mean 'softmax'? known: log_softmax, softmax"
    )


def test_budget_comes_from_the_roofline_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roofline = SimpleNamespace(derive_budget=lambda found, hardware: (found, hardware))
    monkeypatch.setitem(sys.modules, "tracepact.profiling.roofline", roofline)
    loaded = ContractRegistry.load(folder)
    assert loaded.derive_budget("hardware") == (loaded, "hardware")  # type: ignore[arg-type,comparison-overlap]


def test_registry_can_be_built_of_contracts(folder: Path) -> None:
    contracts: list[Contract] = list(ContractRegistry.load(folder).contracts.values())
    problems: list[Problem] = []
    assert list(ContractRegistry(contracts, problems).contracts) == ["softmax-kernel-v1"]
    assert not ContractRegistry().contracts


def test_builtin_is_loaded_once() -> None:
    assert ContractRegistry.builtin() is ContractRegistry.builtin()


def test_builtin_has_every_shipped_file() -> None:
    library = Path(registry.__file__).with_name("library")
    assert set(ContractRegistry.builtin().contracts) == {f.stem for f in library.glob("*.yaml")}
