"""Gate 8: what a contract builds on exists, does not build on it, and keeps what it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tracepact.contracts import Contract, ContractRegistry, Equation, Shape, Terms
from tracepact.contracts.problem_log import did_you_mean, nearest, quoted
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Remedy, Rule
from tracepact.lint.source import LintFile
from tracepact.types import SourceLocation

_Said: TypeAlias = tuple[SourceLocation, str, str]
"""Place, message and hint."""

UNMET = Rule(
    id="COMPOSITION-001",
    severity="warning",
    name="unmet-assumption",
    what="A shape or constraint in `assumes` that nothing it depends on has in `guarantees`: the "
    "equation that `from_contract` and `from_equation` name, other equations of the file, the "
    "contracts of `depends_on` and of theirs. Texts are compared without their spaces. A contract "
    "that names nobody to depend on assumes it of its callers, and is left alone.",
    why="The parts are each correct, and do not fit together.",
    bad="depends_on: [norm-v1]  # which guarantees {y: {dims: [batch, hidden]}}\n"
    "assumes: {shapes: {y: {dims: [batch, seq, hidden]}}}",
    good="depends_on: [norm-v1]\nassumes: {shapes: {y: {dims: [batch, hidden]}}}",
)
UNKNOWN_DEPENDENCY = Rule(
    id="COMPOSITION-002",
    severity="warning",
    name="unknown-dependency",
    what="`depends_on` names a contract that is neither in this run, nor beside the file, nor "
    "shipped with tracepact.",
    why="What is assumed of it, nothing guarantees.",
    bad="metadata: {depends_on: [sofmax-kernel-v1]}",
    good="metadata: {depends_on: [softmax-kernel-v1]}",
)
CYCLE = Rule(
    id="COMPOSITION-003",
    severity="warning",
    name="circular-dependency",
    what="A contract depends on itself, directly or through others.",
    why="Each may assume what the other was to guarantee, and nothing is left to prove.",
    bad="metadata: {depends_on: [this-v1]}  # in this-v1.yaml",
    good="metadata: {depends_on: [base-v1]}",
)


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    yield from _dependencies(file, contract, project)
    for equation in (None, *contract.equations.values()):
        terms = (contract if equation is None else equation).assumes
        name = "" if equation is None else equation.name
        if terms is not None:
            for said in _unmet(file, contract, equation, terms, project):
                yield UNMET.at(*said, contract=contract.stem, equation=name)


def _unmet(
    file: LintFile, contract: Contract, equation: Equation | None, terms: Terms, project: Project
) -> Iterator[_Said]:
    """What nobody guarantees of the assumptions of an equation, or of the whole contract."""
    named = terms.from_contract or (contract.stem if terms.from_equation else "")
    if not named and not contract.metadata.depends_on:
        return
    given = _guaranteed(contract, equation, project, file)
    shapes = given
    if named:
        source = contract if named == contract.stem else project.contract(named, file.path)
        if source is None:
            message = f"assumes something of {quoted(named)}, which is not there"
            hint = "correct from_contract, or lint the folder that has it too"
            yield file.value(terms.location, "from_contract"), message, hint
            return
        if terms.from_equation not in ("", *source.equations):
            message = f"assumes something of {quoted(terms.from_equation)}, which is no equation"
            message += f" of {quoted(named)}"
            hint = did_you_mean(terms.from_equation, source.equations)
            yield file.value(terms.location, "from_equation"), message, hint
            return
        shapes = _promises(source, terms.from_equation, None)
        given = [*shapes, *given]
    for shape in terms.shapes:
        yield from _shape(shape, [one for promised in shapes for one in promised.shapes])
    stated = {_bare(clause.text) for promised in given for clause in promised.constraints}
    for clause in terms.constraints:
        if _bare(clause.text) not in stated:
            message = f"assumes {quoted(clause.text)}, which nothing it depends on guarantees"
            yield clause.location, message, "add it to guarantees of what provides it, or drop it"


def _shape(shape: Shape, promised: list[Shape]) -> Iterator[_Said]:
    same = [one for one in promised if one.name == shape.name]
    if not same:
        message = f"assumes a shape of {quoted(shape.name)}, which nothing it depends on guarantees"
        yield shape.location, message, did_you_mean(shape.name, {one.name for one in promised})
    elif not any(list(map(_bare, one.dims)) == list(map(_bare, shape.dims)) for one in same):
        dims = quoted(f"[{', '.join(same[0].dims)}]")
        message = f"assumes another shape of {quoted(shape.name)} than {dims}"
        yield shape.location, message, f"guaranteed at {same[0].location}; make the two agree"


def _guaranteed(
    contract: Contract, equation: Equation | None, project: Project, file: LintFile
) -> list[Terms]:
    """Promises of the other equations here, and of everything that the contract depends on."""
    found = _promises(contract, "", equation)
    pending, seen = list(contract.metadata.depends_on), {contract.stem}
    while pending:
        stem = pending.pop(0)
        other = project.contract(stem, file.path) if stem not in seen else None
        seen.add(stem)
        if other is not None:
            found += _promises(other, "", None)
            pending += other.metadata.depends_on
    return found


def _promises(contract: Contract, only: str, without: Equation | None) -> list[Terms]:
    """What the contract guarantees, and its equations; or one of these alone, or without one."""
    found = [contract.guarantees] if not only else []
    for equation in contract.equations.values():
        if equation is not without and only in ("", equation.name):
            found.append(equation.guarantees)
    return [terms for terms in found if terms is not None]


def _bare(text: str) -> str:
    return "".join(text.split())


def _dependencies(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    for index, stem in enumerate(contract.metadata.depends_on):
        path = _way_back(contract, stem, file, project)
        if project.contract(stem, file.path) is None:
            place = file.item("metadata", "depends_on", index)
            message = f"depends on {quoted(stem)}, which is not there"
            near = nearest(stem, _stems(project) - {contract.stem})
            question = f"did you mean {near!r}? " if near else ""
            yield UNKNOWN_DEPENDENCY.at(
                place,
                message,
                f"{question}correct the name, or lint the folder that has it too",
                contract=contract.stem,
                remedy=Remedy("replace", near) if near else None,
            )
        elif path:
            place = file.item("metadata", "depends_on", index)
            message = f"depends on itself: {' → '.join((contract.stem, *path))}"
            yield CYCLE.at(place, message, "remove one of these", contract=contract.stem)


def _stems(project: Project) -> set[str]:
    return {file.stem for file in project.files} | ContractRegistry.builtin().contracts.keys()


def _way_back(contract: Contract, start: str, file: LintFile, project: Project) -> list[str]:
    """Stems from one dependency back to the contract; empty where there is no way."""
    pending, seen = [[start]], {start}
    while pending:
        path = pending.pop(0)
        if path[-1] == contract.stem:
            return path
        found = project.contract(path[-1], file.path)
        for stem in () if found is None else found.metadata.depends_on:
            if stem not in seen:
                seen.add(stem)
                pending.append([*path, stem])
    return []


GATE = Gate(
    order=8,
    summary="What a contract builds on exists, does not build on it, and guarantees what it "
    "assumes; advisory.",
    rules=(UNMET, UNKNOWN_DEPENDENCY, CYCLE),
    check=_check,
)
