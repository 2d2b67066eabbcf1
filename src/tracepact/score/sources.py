"""What contracts cite and bindings name, looked up in sources; nothing of them is run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import Contract, Problem
from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.problem_log import ProblemLog, quoted
from tracepact.enforce.functions import SourceFunction, parse_functions, source_files
from tracepact.score.blanking import LEAN, blanked
from tracepact.score.citations import Citation, citations
from tracepact.score.rust import rust_functions

_DEFINED: Final = re.compile(rb"\b(?:def|fn)\s+(\w+)")
_NEVER_RUN: Final = re.compile(
    r"(?:[\w.]+\.)?(?:skip(?:\(.*)?|skipif\((?:condition=)?(?:True|1)\b.*)"
)
_THEOREM: Final = re.compile(r"^(?:theorem|lemma)\s+([\w.']+)", re.MULTILINE)
_UNPROVED: Final = re.compile(r"\b(?:sorry|admit)\b|\A\s*:\s*True\s*:=")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a citation does not count.

    Attributes:
        kind: The test is not there; it has no such cases; or it is there and tests nothing.
        message: Continues a sentence that ends with the citation.
        hint: What to do next.
    """

    kind: Literal["missing", "caseless", "empty"]
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The functions and theorems of a source tree that somebody asked about.

    Attributes:
        functions: Functions in Python and Rust by their last name.
        proved: Lean theorems whose text has no `sorry`, by their last name.
        problems: Files that may define what is asked for, and cannot be read.
    """

    functions: dict[str, list[SourceFunction]]
    proved: frozenset[str]
    problems: tuple[Problem, ...] = ()

    def test(self, citation: Citation) -> SourceFunction | None:
        """The test that a citation names; None if there is none.

        Its file is compared from the end, as far as the citation has folders.
        """
        wanted = Path(citation.file).parts
        for function in self.functions.get(citation.name, ()):
            file = Path(function.location.file).absolute()
            # A module inside a Rust file is no part of the name that is read.
            named = function.qualname == citation.qualname or file.suffix == ".rs"
            if not wanted or (named and file.parts[-len(wanted) :] == wanted):
                return function
        return None

    def fault(self, citation: Citation) -> Fault | None:
        """Why a citation does not count; None if it does, as far as reading can tell."""
        function = self.test(citation)
        if function is None:
            others = sorted(each.location.file for each in self.functions.get(citation.name, ()))
            hint = f"it is in {others[0]}" if others else "write it, or correct the name"
            return Fault("missing", "which is not there", hint)
        if citation.variant and not ({*function.parameters} - {"self"} or function.decorators):
            message = f"which has no cases such as {quoted(citation.variant)}"
            return Fault("caseless", message, "cite it without brackets")
        if function.is_stub or any(map(_NEVER_RUN.fullmatch, function.decorators)):
            message = f"which tests nothing ({function.location})"
            return Fault("empty", message, "write its body, and let it run")
        return None

    def bound(self, entry: Binding) -> SourceFunction | None:
        """The function that a binding names; None if there is none."""
        for function in self.functions.get(entry.function.rpartition(".")[2], ()):
            module = f".{function.module}"
            same = module.endswith(f".{entry.module_path}") or entry.module_path.endswith(module)
            if function.qualname == entry.function and same:
                return function
        return None


def read_sources(
    roots: Path | Iterable[Path], contracts: Iterable[Contract], bindings: Bindings
) -> Sources:
    """Look up what contracts cite and bindings name, in files, or folders and below.

    Every `*.py`, `*.rs` and `*.lean` file is read; of the first two kinds those that define one of
    the names are parsed.
    """
    roots = [roots] if isinstance(roots, Path) else list(roots)
    names = {entry.function.rpartition(".")[2] for entry in bindings.entries}
    for contract in contracts:
        texts = [test.test for test in contract.falsification_tests]
        texts += [harness.harness for harness in contract.harnesses]
        names.update(citation.name for text in texts for citation in citations(text))
    functions: dict[str, list[SourceFunction]] = {}
    proved: set[str] = set()
    problems: list[Problem] = []
    files = (file for root in roots for file in source_files(root, ".py", ".rs", ".lean"))
    for file in dict.fromkeys(files):
        log = ProblemLog(display_name(file))
        data = read_bytes(file, log) or b""
        if file.suffix == ".lean":
            proved |= _proved(data)
        elif not names.isdisjoint(
            each.decode("utf-8", "replace") for each in _DEFINED.findall(data)
        ):
            read = rust_functions(data, log.file) if file.suffix == ".rs" else None
            for function in parse_functions(file, data, log) if read is None else read:
                functions.setdefault(function.name, []).append(function)
        problems += log.problems
    return Sources(functions, frozenset(proved), tuple(problems))


def _proved(data: bytes) -> set[str]:
    text = blanked(data, LEAN).decode("utf-8", "replace")
    heads = list(_THEOREM.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head[1].rpartition(".")[2]
        for head, end in zip(heads, ends, strict=False)  # no head, but one end
        if not _UNPROVED.search(text[head.end() : end])
    }
