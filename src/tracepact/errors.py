"""Every exception that tracepact raises on purpose.

Mistakes made before a run are `ConfigError`s. What is found *during* a run is a
`Violation`, and becomes an exception (`ContractViolation`) only under the policy `raise`.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracepact.violation import Violation


class TracepactError(Exception):
    """Base of every exception that tracepact raises on purpose; all of them can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default unpickling passes the message to `__init__`, which here takes other things.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ConfigError(TracepactError, ValueError):
    """A mistake in a contract, a setting or a call; says what, where and what to do next."""


class MissingExtraError(ConfigError):
    """An optional library is not installed; the message names the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional library; install it with: "
            f"pip install 'tracepact[{extra}]'"
        )


class ModelFileError(TracepactError):
    """A model file cannot be used: truncated, malformed, inconsistent or of an unknown kind."""


class ContractViolation(TracepactError, AssertionError):  # noqa: N818 - the field's term
    """A contract does not hold and the policy is `raise`. `violation` has the facts."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation
