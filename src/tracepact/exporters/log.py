"""Violations as records of the standard library's logging."""

from __future__ import annotations

import logging

from tracepact.violation import Violation


class LogExporter:
    """Logs each violation at level ERROR with its facts as attributes of the record.

    The attributes are those of `Violation.to_dict` (`record.contract`, `record.measured`, …). What
    could not be checked is logged at WARNING, and what is a consequence of another violation at
    INFO: that one says how many there are.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self.logger = logger or logging.getLogger("tracepact")

    def export(self, violation: Violation) -> None:
        """Log the violation."""
        level = logging.ERROR if violation.verdict == "failed" else logging.WARNING
        if violation.role == "consequence":
            level = logging.INFO
        facts = violation.to_dict()
        message = facts.pop("message")  # a LogRecord has a `message` of its own
        self.logger.log(level, "%s", message, extra=facts)

    def close(self) -> None:
        """Nothing is held."""
