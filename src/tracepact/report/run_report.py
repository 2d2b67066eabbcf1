"""The data of one run; the terminal and the JSON document show the same."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tracepact.model import kv_cache
from tracepact.model.quantisation import QuantisationRecord
from tracepact.model.summary import TraceRow
from tracepact.profiling import BrickProfile, PhaseProfile, ProfileReport
from tracepact.profiling.profile_check import PROFILING_CONTRACT
from tracepact.violation import Violation


def is_timing(violation: Violation) -> bool:
    """Whether a violation is about times, which other load on the machine can cause."""
    return violation.contract == PROFILING_CONTRACT and violation.equation != kv_cache.EQUATION[1]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run of a model did and found.

    Attributes:
        model: Path of the model file.
        architecture: As the file names it.
        engine: What ran it.
        prompt: Text that the model continued, after its chat template.
        text: What it wrote.
        token_ids: The same as ids.
        stop_reason: Why it ended.
        load_s: Seconds to load.
        weight_bytes: Memory of the weights.
        tokens_per_s: Decoded tokens a second, tracing included.
        gb_per_s: Bytes that decoding moved over the time of its bricks.
        bandwidth_gb_per_s: What this machine's memory was measured to give.
        checks: Conditions tested.
        is_on: Whether there was anything to check at all, by traces and policy.
        overhead_ratio: Time spent on tracing over the time of the model itself.
        profile: Bricks by phase.
        is_valid_profile: Whether bricks cover as much of the wall time as the contract asks.
        traces: The five traces.
        compared: Tensors against those of the reference file.
        violations: In the order in which they were found; repeats beyond the cap are only counted.
        suppressed: Repeats that were only counted.
        faults: Errors inside tracepact, by place.
        fault_planted: What `--inject` did, or None.
    """

    model: str
    architecture: str
    engine: str
    prompt: str
    text: str
    token_ids: list[int]
    stop_reason: str
    load_s: float
    weight_bytes: int
    tokens_per_s: float
    gb_per_s: float
    bandwidth_gb_per_s: float
    checks: int
    is_on: bool
    overhead_ratio: float
    profile: ProfileReport
    is_valid_profile: bool
    traces: list[TraceRow]
    compared: list[QuantisationRecord]
    violations: list[Violation]
    suppressed: int
    faults: dict[str, int]
    fault_planted: str | None

    @property
    def failed(self) -> list[Violation]:
        """Violations proper: not those that could not be checked."""
        return [v for v in self.violations if v.verdict == "failed"]

    @property
    def timing_violations(self) -> list[Violation]:
        """Those about times: budgets of bricks and the sanity of the profile."""
        return [v for v in self.failed if is_timing(v)]

    @property
    def numeric_violations(self) -> list[Violation]:
        """All others."""
        return [v for v in self.failed if not is_timing(v)]

    @property
    def unchecked(self) -> list[Violation]:
        """Conditions that could not be tested."""
        return [v for v in self.violations if v.verdict != "failed"]

    @property
    def checked_nothing(self) -> bool:
        """Whether checks were wanted and none could run: no contract fits what the model does."""
        return self.is_on and not self.checks

    @property
    def phase(self) -> PhaseProfile:
        """The decode phase, or the prefill where nothing was decoded."""
        return self.profile.decode if self.profile.decode.passes else self.profile.prefill

    @property
    def bricks(self) -> tuple[BrickProfile, ...]:
        """Bricks of that phase, the longest first."""
        return self.phase.bricks

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; numbers that are not finite become null."""
        data = {
            "model": self.model,
            "architecture": self.architecture,
            "engine": self.engine,
            "prompt": self.prompt,
            "text": self.text,
            "tokens": len(self.token_ids),
            "token_ids": self.token_ids,
            "stop_reason": self.stop_reason,
            "load_s": self.load_s,
            "weight_bytes": self.weight_bytes,
            "tokens_per_s": self.tokens_per_s,
            "gb_per_s": self.gb_per_s,
            "bandwidth_gb_per_s": self.bandwidth_gb_per_s,
            "checks": self.checks,
            "overhead_ratio": self.overhead_ratio,
            "bricks": [asdict(brick) for brick in self.bricks],
            "coverage": self.phase.coverage,
            "is_valid_profile": self.is_valid_profile,
            "traces": [asdict(row) for row in self.traces],
            "compared": [asdict(record) for record in self.compared],
            "violations": [v.to_dict() for v in self.violations],
            "numeric_violations": len(self.numeric_violations),
            "timing_violations": len(self.timing_violations),
            "suppressed_violations": self.suppressed,
            "faults": self.faults,
            "fault_planted": self.fault_planted,
        }
        return {name: _finite(value) for name, value in data.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
