"""What is reported when a contract does not hold."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tracepact.types import SourceLocation

Verdict: TypeAlias = Literal["failed", "unbound", "error"]
"""The condition is false; a field it names was not handed in; its fields do not fit together."""

Role: TypeAlias = Literal["root", "consequence"]
"""Where a fault began, or what followed from it."""

HEADLINE = "TIER3: contract {kind} violated"


class CallSite(NamedTuple):
    """Where in the user's code a site was made."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Context:
    """Where in a model a check takes place; every part is optional."""

    layer: int | None = None
    brick: str | None = None
    trace: str | None = None
    step: int | None = None
    """Position of the forward pass in the sequence."""


NOWHERE = Context()


@dataclass(frozen=True, slots=True)
class Violation:
    """One condition of one contract that does not hold (or could not be tested).

    Attributes:
        contract: Stem of the contract.
        equation: Name of the equation.
        obligation: Property that is broken, in the contract's words.
        expression: The condition as written.
        measured: Numbers that the test looked at, by their text.
        kind: `postcondition`, `precondition` or `invariant`.
        verdict: `failed`, `unbound` or `error`.
        index: First offending element, if there is one.
        location: Where the check is in the user's code.
        source: Where the condition is in the contract file.
        layer: Index of the model's layer.
        brick: Name of the brick.
        trace: `MLT-01` … `MLT-05`, or None.
        step: Position of the forward pass.
        time_unix_ns: When it was found.
        explanation: Offending element and measured numbers, in one line.
        batch: Which sequence of the batch; None for a batch of one, or where it is unknown.
        request: Id of the request, where there is one.
        role: `root`, or `consequence` of one that came before it.
        cause: Where that one was, of a consequence.
        consequences: How many the same forward pass had, of a root.
    """

    contract: str
    equation: str
    obligation: str
    expression: str
    measured: dict[str, Any]
    kind: str
    verdict: Verdict
    index: tuple[int, ...] | None
    location: CallSite
    source: SourceLocation
    layer: int | None
    brick: str | None
    trace: str | None
    step: int | None
    time_unix_ns: int
    explanation: str
    batch: int | None = None
    request: str | None = None
    role: Role = "root"
    cause: str | None = None
    consequences: int = 0
    message: str = field(init=False)
    """The whole finding in one line for people."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", self._format())

    @property
    def place(self) -> str:
        """Layer, brick, trace, step, sequence and request, as far as they are known."""
        parts = [f"layer {self.layer}"] if self.layer is not None else []
        parts += [part for part in (self.brick, self.trace) if part]
        parts += [f"step {self.step}"] if self.step is not None else []
        parts += [f"sequence {self.batch}"] if self.batch is not None else []
        parts += [f"request {self.request}"] if self.request is not None else []
        return ", ".join(parts)

    def _format(self) -> str:
        if self.verdict == "failed":
            headline = HEADLINE.format(kind=self.kind)
        else:
            headline = f"TIER3: contract {self.kind} not checked ({self.verdict})"
        where = f" at {self.place}" if self.place else ""
        after = f"; a consequence of {self.cause}" if self.role == "consequence" else ""
        if self.consequences:
            after = f"; {self.consequences} consequence{'s' * (self.consequences > 1)} in this pass"
        return (
            f"{headline}{where}: {self.contract}/{self.equation} “{self.obligation}”: "
            f"{self.explanation} [{self.source}]{after}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data that every JSON parser reads: NaN and infinities become strings."""
        data = asdict(self)
        data["measured"] = {name: _json_safe(value) for name, value in self.measured.items()}
        data["location"] = self.location._asdict()
        return {name: _json_safe(value) for name, value in data.items()}


def _json_safe(value: Any) -> Any:
    if isinstance(value, np.generic):  # a layer counted with NumPy, for example
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
