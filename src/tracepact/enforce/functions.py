"""Functions in Python sources, found by reading; nothing of them is run."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tracepact.contracts import Problem
from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.problem_log import ProblemLog, Spot
from tracepact.types import SourceLocation

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_HOMES: Final = ("tracepact", "tracepact.enforce", "tracepact.enforce.decorator")
_REFUSALS: Final = ("pytest.skip", "pytest.fail", "pytest.xfail", "self.skipTest", "self.fail")
_SKIPPED: Final = frozenset(
    ("node_modules", "site-packages", "build", "dist", "target", "__pycache__")
)


@dataclass(frozen=True, slots=True)
class Decoration:
    """One `@contract(…)` as it is written; None stands for what is not written as a constant.

    Attributes:
        places: Of `contract` and `equation`, and of the decorator itself as "".
    """

    contract: str | None
    equation: str | None
    bind: dict[str, str] | None
    places: dict[str, SourceLocation]


@dataclass(frozen=True, slots=True)
class SourceFunction:
    """One function or method.

    A name that is assigned or imported may be one too: it has one decoration, which says nothing.

    Attributes:
        module: Name of its module, as far as folders with `__init__.py` tell.
        qualname: `function` or `Class.method`.
        parameters: Names in order.
        signature: Its parameters as they are written; empty where nothing is known.
        decorators: Every decorator as it is written.
        is_annotated: Whether each parameter but `self` and `cls` has a type.
        is_stub: Whether the body does nothing: it is empty, refuses, or skips.
    """

    module: str
    qualname: str
    parameters: tuple[str, ...]
    signature: str
    decorations: tuple[Decoration, ...]
    location: SourceLocation
    decorators: tuple[str, ...] = ()
    is_annotated: bool = False
    is_stub: bool = False

    @property
    def name(self) -> str:
        """Last part of the qualified name."""
        return self.qualname.rpartition(".")[2]

    @property
    def call(self) -> str:
        """How messages call it."""
        return f"{self.qualname}({', '.join(self.parameters)})"


def read_functions(path: Path) -> tuple[list[SourceFunction], list[Problem]]:
    """All functions of a file, or of every `*.py` in a folder and below, in sorted order.

    Functions inside functions are left out: nothing can import them. A file that is no Python
    becomes a problem.
    """
    functions: list[SourceFunction] = []
    problems: list[Problem] = []
    for file in source_files(path):
        log = ProblemLog(display_name(file))
        data = read_bytes(file, log)
        if data is not None:
            functions += parse_functions(file, data, log)
        problems += log.problems
    return functions, problems


def parse_functions(file: Path, data: bytes, log: ProblemLog) -> list[SourceFunction]:
    """All functions of a file whose content is known; a problem where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its author's concern, not of ours
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = getattr(error, "offset", None) or 1
        place = Spot(getattr(error, "lineno", None) or 1, offset)
        what = f"not Python: {getattr(error, 'msg', error)}"
        log.add(place, what, "it is left out; correct it")
        return []
    return _Reader(log.file, module_of(file), tree).functions


def module_of(file: Path) -> str:
    """The name that a file has as a module."""
    file = file.absolute()
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def source_files(path: Path, *suffixes: str) -> Iterator[Path]:
    """The file itself, or every file in a folder and below but what tools put there.

    Args:
        path: File or folder.
        suffixes: Of the files; `.py` by default.
    """
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        yield from (Path(folder, n) for n in sorted(names) if n.endswith(suffixes or (".py",)))


class _Reader:
    """The functions of one module, with what its imports call the decorator."""

    def __init__(self, file: str, module: str, tree: ast.Module) -> None:
        self.functions: list[SourceFunction] = []
        self._file = file
        self._module = module
        self._decorators: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = ((a.asname or a.name, a.name) for a in node.names)
                self._decorators.update(f"{n}.contract" for n, home in names if home in _HOMES)
            elif isinstance(node, ast.ImportFrom) and node.module in _HOMES:
                names = ((a.asname or a.name, a.name) for a in node.names)
                self._decorators.update(n for n, what in names if what == "contract")
        self._visit(tree.body, "")

    def _visit(self, body: list[ast.stmt], outer: str) -> None:
        for node in body:
            if isinstance(node, Definition):
                self.functions.append(self._function(node, outer))
            elif isinstance(node, ast.ClassDef):
                self._visit(node.body, f"{outer}{node.name}.")
            elif isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With):
                handlers = getattr(node, "handlers", [])
                more = (getattr(node, name, []) for name in ("orelse", "finalbody"))
                for each in (node.body, *(handler.body for handler in handlers), *more):
                    self._visit(each, outer)
            else:
                for name in _names_made_by(node):
                    unknown = Decoration(None, None, None, {})
                    place = self._place(node)
                    self.functions.append(
                        SourceFunction(self._module, outer + name, (), "", (unknown,), place)
                    )

    def _function(self, node: Definition, outer: str) -> SourceFunction:
        found = (self._decoration(each) for each in node.decorator_list)
        return SourceFunction(
            self._module,
            outer + node.name,
            _parameters(node.args),
            f"({ast.unparse(node.args)})",
            tuple(each for each in found if each is not None),
            self._place(node),
            tuple(ast.unparse(each) for each in node.decorator_list),
            _is_annotated(node),
            all(_does_nothing(each) for each in node.body),
        )

    def _decoration(self, node: ast.expr) -> Decoration | None:
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in self._decorators:
            return None
        given = dict(zip(("contract", "equation"), node.args, strict=False))
        given |= {each.arg: each.value for each in node.keywords if each.arg is not None}
        places = {"": self._place(node), **{name: self._place(at) for name, at in given.items()}}
        bind = _constant(given["bind"]) if "bind" in given else {}
        return Decoration(
            _text(given.get("contract")),
            _text(given.get("equation")),
            bind if isinstance(bind, dict) else None,
            places,
        )

    def _place(self, node: ast.expr | ast.stmt) -> SourceLocation:
        return SourceLocation(self._file, node.lineno, node.col_offset + 1)


def _parameters(given: ast.arguments) -> tuple[str, ...]:
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return tuple(each.arg for each in every if each is not None)


def _names_made_by(node: ast.stmt) -> list[str]:
    """What an assignment or an import defines."""
    if isinstance(node, ast.ImportFrom):
        return [each.asname or each.name for each in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [each.id for each in targets if isinstance(each, ast.Name)]


def _is_annotated(node: Definition) -> bool:
    given = node.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return all(a.annotation is not None for a in parameters if a.arg not in ("self", "cls"))


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()) | ast.Raise():
            return True
        case ast.Assert(test):
            return not any(isinstance(node, ast.Name) for node in ast.walk(test))
        case ast.Return(None | ast.Constant()):
            return True
        case ast.Expr(ast.Call(function)):
            return ast.unparse(function) in _REFUSALS
        case _:
            return False


def _constant(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _text(node: ast.expr | None) -> str | None:
    value = None if node is None else _constant(node)
    return value if isinstance(value, str) else None
