"""The layer: policy, counters and exporters, shared by every producer."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from tracepact.contracts import Condition, ContractRegistry
from tracepact.core import Stat
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import Exporter, LogExporter
from tracepact.tracing.limiter import Limiter
from tracepact.tracing.native import native_state, site_class
from tracepact.tracing.policy import Mode, Policy
from tracepact.tracing.site import Site
from tracepact.violation import NOWHERE, CallSite, Context, Violation

_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_logger = logging.getLogger("tracepact")


class ContractTracingLayer:
    """Checks the fields of spans against the contracts of a registry.

    Args:
        registry: Contracts to check against.
        exporters: Where violations go; the standard log by default.
        policy: Mode and sampling; by default what the environment variable `TRACEPACT` says.

    Attributes:
        violations: Violations found so far, exported or not.
        faults: Errors inside tracepact, by place; each kind is logged once and never raised.
    """

    def __init__(
        self,
        registry: ContractRegistry,
        exporters: Iterable[Exporter] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.registry = registry
        self.exporters = [LogExporter()] if exporters is None else list(exporters)
        self.policy = policy if policy is not None else Policy.from_environment()
        # A core that was asked for and is not there is a mistake, not a fallback.
        self.native_state = native_state(self.policy)
        self._checks = 0
        self._check_ns = 0
        self.violations = 0
        self.faults: Counter[str] = Counter()
        self._limiter = Limiter(self.policy.keep_first, self.policy.repeats_per_second)
        self._lock = threading.RLock()

    @property
    def checks(self) -> int:
        """Conditions tested so far."""
        native = self.native_state
        return self._checks if native is None else self._checks + native.checks

    @property
    def check_ns(self) -> int:
        """Time spent in checks; natively an estimate, which leaves checks of plain numbers out."""
        native = self.native_state
        return self._check_ns if native is None else self._check_ns + native.check_ns

    @property
    def suppressed(self) -> int:
        """Violations that were counted but not exported, because they repeat earlier ones."""
        return sum(self._limiter.suppressed.values())

    @property
    def is_on(self) -> bool:
        """Whether anything is checked at all."""
        return self.policy.mode is not Mode.OFF

    def site(
        self,
        contract: str,
        equation: str,
        *,
        preconditions: bool = False,
        context: Context = NOWHERE,
        also: Mapping[str, Stat] | None = None,
    ) -> Site:
        """Resolve a call site; do this once, outside the hot path.

        Args:
            contract: Stem of the contract.
            equation: Name of the equation.
            preconditions: Check the equation's preconditions too, before its postconditions.
            context: Place in a model, for violations.
            also: Statistics wanted of fields anyhow, from the same pass.

        Raises:
            ConfigError: The registry has no such contract or equation; says what is near.
        """
        self.registry.equation(contract, equation)
        conditions = [
            *((self.registry.preconditions(contract, equation) or ()) if preconditions else ()),
            *(self.registry.postconditions(contract, equation) or ()),
        ]
        self.note_unusable(contract, equation)
        return self.site_over(contract, equation, conditions, context=context, also=also)

    def site_if_known(
        self, contract: str, equation: str, *, also: Mapping[str, Stat] | None = None
    ) -> Site:
        """A site that only measures where the registry has no such equation.

        For producers with fixed equations, such as the model tracer, over any registry.
        """
        conditions = self.registry.postconditions(contract, equation) or ()
        self.note_unusable(contract, equation)
        return self.site_over(contract, equation, conditions, also=also)

    def site_over(
        self,
        contract: str,
        equation: str,
        conditions: Sequence[Condition],
        *,
        context: Context = NOWHERE,
        also: Mapping[str, Stat] | None = None,
    ) -> Site:
        """A site that checks these conditions, wherever they come from."""
        make = site_class(self.native_state)
        return make(self, contract, equation, conditions, caller(), context=context, also=also)

    def note_unusable(self, contract: str, equation: str) -> None:
        """Count clauses of an equation that nothing checks as faults."""
        for problem in self.registry.unusable(contract, equation):
            self.fault(f"{contract}/{equation}", ConfigError(str(problem)))

    def admits(self, caller: Hashable = None) -> bool:
        """Whether the next check of this caller runs, by mode and sampling."""
        if self.policy.mode is Mode.OFF:
            return False
        try:
            return self.policy.sampler.admit(caller)
        except Exception as error:
            self.fault("sampler", error)
            return True

    def count_check(self, conditions: int, duration_ns: int) -> None:
        """Count conditions that were tested, and what that cost."""
        with self._lock:
            self._checks += conditions
            self._check_ns += duration_ns
            try:
                self.policy.sampler.spend(duration_ns)
            except Exception as error:
                self.fault("sampler", error)

    def take(self, other: ContractTracingLayer) -> None:
        """Add what another layer counted."""
        with self._lock:
            self._checks += other.checks
            self._check_ns += other.check_ns
            self.faults += other.faults

    def report(self, violations: Sequence[Violation]) -> None:
        """Export violations, capped for repeats.

        Raises:
            ContractViolation: The policy is `raise`; carries the first one.
        """
        for violation in violations:
            self._export(violation)
        if self.policy.mode is Mode.RAISE and violations:
            raise ContractViolation(violations[0])

    def _export(self, violation: Violation) -> None:
        key = (
            violation.contract,
            violation.equation,
            violation.expression,
            violation.verdict,
            violation.location,
            violation.layer,
            violation.brick,
        )
        once = None if violation.verdict == "failed" else 1
        with self._lock:
            self.violations += violation.verdict == "failed"
            admitted = self._limiter.admit(key, limit=once)
        if not admitted:
            return
        for exporter in self.exporters:
            try:
                exporter.export(violation)
            except Exception as error:
                self.fault(f"exporter {type(exporter).__name__}", error)

    def fault(self, where: str, error: Exception) -> None:
        """Count an error inside tracepact; log its first occurrence."""
        key = f"{where}: {type(error).__name__}"
        with self._lock:
            self.faults[key] += 1
            is_first = self.faults[key] == 1
        if is_first:
            with contextlib.suppress(Exception):  # a handler may be what is at fault
                _logger.warning("tracepact: fault in %s: %s", where, error, exc_info=error)

    def close(self) -> None:
        """Flush and close the exporters."""
        for exporter in self.exporters:
            try:
                exporter.close()
            except Exception as error:
                self.fault(f"exporter {type(exporter).__name__}", error)


def caller() -> CallSite:
    """The innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return CallSite("<unknown>", 0)
    return CallSite(frame.f_code.co_filename, frame.f_lineno)
