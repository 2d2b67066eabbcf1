"""Mistakes of decorators and bindings are found in the source, which is not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.bindings import Bindings, load_bindings
from tracepact.contracts import ContractRegistry
from tracepact.enforce.functions import read_functions
from tracepact.enforce.propose import propose_entries, render_entries
from tracepact.enforce.static import check_sources

BUILTIN = ContractRegistry.builtin()
NONE = Bindings(path=None)


def found(tmp_path: Path, source: str, bindings: Bindings = NONE) -> list[str]:
    file = tmp_path / "kernels.py"
    file.write_text(source)
    functions, unread = read_functions(tmp_path)
    problems = unread + check_sources(functions, bindings, BUILTIN)
    return [str(each).removeprefix(f"{tmp_path}/") for each in problems]


def bound(tmp_path: Path, function: str = "softmax", status: str = "implemented") -> Bindings:
    path = tmp_path / "binding.yaml"
    path.write_text(
        "bindings:\n  - {contract: softmax-kernel-v1, equation: softmax, module_path: kernels, "
        f"function: {function}, status: {status}}}\n"
    )
    return load_bindings(path)


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("import tracepact as tp", "tp.contract"),
        ("import tracepact", "tracepact.contract"),
        ("from tracepact import contract", "contract"),
        ("from tracepact.enforce import contract as held", "held"),
    ],
)
def test_unknown_contract_is_found_however_the_decorator_is_imported(
    tmp_path: Path, imports: str, decorator: str
) -> None:
    source = f'{imports}\n\n@{decorator}("softmax-kernal-v1", "softmax")\ndef f(x): ...\n'
    (problem,) = found(tmp_path, source)
    assert problem.startswith(f"kernels.py:3:{len(decorator) + 3}: unknown contract ")
    assert "did you mean 'softmax-kernel-v1'?" in problem


def test_decorator_of_another_library_is_left_alone(tmp_path: Path) -> None:
    assert found(tmp_path, 'from other import contract\n@contract("a", "b")\ndef f(x): ...\n') == []


def test_unknown_equation_is_found(tmp_path: Path) -> None:
    decorator = '@tp.contract("softmax-kernel-v1", equation="sofmax")'
    source = f"import tracepact as tp\n{decorator}\ndef f(x): ..."
    (problem,) = found(tmp_path, source)
    assert problem.startswith("kernels.py:2:44: contract 'softmax-kernel-v1' has no equation")
    assert "did you mean 'softmax'?" in problem


def test_name_that_is_no_parameter_is_found_and_bind_is_honoured(tmp_path: Path) -> None:
    source = (
        "import tracepact as tp\n\n"
        "class Model:\n"
        '    @tp.contract("softmax-kernel-v1", "softmax"{bind})\n'
        "    async def f(self, logits): ...\n"
    )
    problems = found(tmp_path, source.format(bind=""))
    assert len(problems) == 2
    assert all(p.startswith("kernels.py:4:6: ") for p in problems)
    assert "looks at 'x', which is no parameter of Model.f(self, logits)" in problems[0]
    assert found(tmp_path, source.format(bind=', bind={"x": "logits"}')) == []
    assert found(tmp_path, source.format(bind=", bind=NAMES")) == []


def test_function_that_looks_like_an_equation_is_found_once_it_is_undecorated(
    tmp_path: Path,
) -> None:
    (problem,) = found(tmp_path, "def softmax(x, axis=-1): ...\n")
    assert problem == (
        "kernels.py:1:1: softmax(x, axis) has name and parameters of softmax-kernel-v1/softmax, "
        'undecorated; write @contract("softmax-kernel-v1", "softmax") above it, or bind it'
    )
    assert found(tmp_path, "def softmax(logits): ...\n") == []


def test_bound_function_without_its_decorator_is_found(tmp_path: Path) -> None:
    bindings = bound(tmp_path)
    (problem,) = found(tmp_path, "\ndef softmax(x): ...\n", bindings)
    assert problem.startswith("kernels.py:2:1: softmax is bound to softmax-kernel-v1/softmax")
    decorator = '@tp.contract("softmax-kernel-v1", "softmax")'
    decorated = f"import tracepact as tp\n{decorator}\ndef softmax(x): ..."
    assert found(tmp_path, decorated, bindings) == []
    assert found(tmp_path, "def softmax(x): ...", bound(tmp_path, status="pending")) == []


def test_bound_function_that_is_not_there_is_found(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "def softmax2(logits): ...\n", bound(tmp_path))
    assert problem.startswith("binding.yaml:2:5: kernels:softmax is called implemented, but is not")
    assert "did you mean 'softmax2'?" in problem


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import softmax\n",
        "import tracepact as tp\nsoftmax = tp.contract('softmax-kernel-v1', 'softmax')(_softmax)\n",
        "try:\n    import fast\nexcept ImportError:\n    from slow import softmax\n",
    ],
)
def test_bound_name_that_is_imported_or_assigned_is_there(tmp_path: Path, source: str) -> None:
    assert found(tmp_path, f"def other(): ...\n{source}", bound(tmp_path)) == []


def test_bound_function_is_missed_in_a_module_without_functions(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "from __future__ import annotations\n", bound(tmp_path))
    assert "kernels:softmax is called implemented, but is not there" in problem


def test_file_that_is_no_python_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n")
    problems = found(tmp_path, "def softmax(x): ...\n")
    assert problems[0].startswith("broken.py:1:7: not Python")
    assert len(problems) == 2


def test_nothing_is_run(tmp_path: Path) -> None:
    assert found(tmp_path, "raise SystemExit('this ran')\n") == []


def test_warning_of_a_source_is_not_ours(tmp_path: Path) -> None:
    assert found(tmp_path, "x = '\\d'\n") == []


def test_functions_have_the_names_that_an_import_would_use(tmp_path: Path) -> None:
    package = tmp_path / "pkg" / "sub"
    package.mkdir(parents=True)
    (tmp_path / "pkg/__init__.py").touch()
    (package / "__init__.py").write_text("def a(): ...\n")
    (package / "m.py").write_text(
        "class C:\n    class D:\n        def b(self): ...\n"
        "if True:\n    def c():\n        def d(): ...\n"
        "try:\n    import fast\nexcept ImportError:\n    def e(): ...\nfinally:\n    def f(): ...\n"
    )
    (tmp_path / "pkg/.venv").mkdir()
    (tmp_path / "pkg/.venv/x.py").write_text("def e(): ...\n")
    functions, _ = read_functions(tmp_path)
    assert [(f.module, f.qualname) for f in functions] == [
        ("pkg.sub", "a"),
        ("pkg.sub.m", "C.D.b"),
        ("pkg.sub.m", "c"),
        ("pkg.sub.m", "e"),
        ("pkg.sub.m", "f"),
    ]


def test_proposals_load_as_bindings_and_name_unbound_functions(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(
        "import tracepact as tp\n"
        "def softmax(x): ...\n"
        '@tp.contract("rmsnorm-kernel-v1", "rmsnorm", bind=B)\n'
        "def norm(y): ...\n"
        "def other(x): ...\n"
    )
    functions, _ = read_functions(tmp_path)
    entries = propose_entries(functions, NONE, BUILTIN)
    path = tmp_path / "binding.yaml"
    path.write_text("bindings:\n" + render_entries(entries))
    bindings = load_bindings(path)
    assert bindings.problems == ()
    assert [(e.function, e.equation, e.status) for e in bindings.entries] == [
        ("softmax", "softmax", "pending"),
        ("norm", "rmsnorm", "implemented"),
    ]
    assert propose_entries(functions, bindings, BUILTIN) == []


def test_signature_is_proposed_whole_and_an_unknown_equation_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(
        "import tracepact as tp\n"
        "def softmax(x, /, axis=-1, *, out=None, **more): ...\n"
        "class Model:\n    def softmax(self, *x, y): ...\n"
        '@tp.contract("softmax-kernel-v1", "softmx")\n'
        "def other(x): ...\n"
    )
    functions, _ = read_functions(tmp_path)
    assert [each.signature for each in functions[:2]] == [
        "(x, /, axis=-1, *, out=None, **more)",
        "(self, *x, y)",
    ]
    (entry,) = propose_entries(functions, NONE, BUILTIN)
    assert entry["signature"] == "(x, /, axis=-1, *, out=None, **more)"
