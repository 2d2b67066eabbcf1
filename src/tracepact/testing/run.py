"""One property test: Hypothesis looks for an input for which a claim does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis.errors import FailedHealthCheck, Flaky, Unsatisfiable

from tracepact.testing.claim import BrokenError, Claim
from tracepact.testing.inputs import CannotTestError
from tracepact.testing.simplify import simplified


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard Hypothesis tries.

    Attributes:
        max_examples: Inputs that meet the preconditions.
        derandomize: The same inputs in every run.
    """

    max_examples: int = 50
    derandomize: bool = False


def run_claim(claim: Claim, name: str, effort: Effort) -> str:
    """Try to refute a claim.

    Args:
        claim: The claim.
        name: Of the test; Hypothesis keeps what it found under it.
        effort: How hard to try.

    Returns:
        What was done, in a few words.

    Raises:
        BrokenError: Refuted; carries the simplest input that was found.
        CannotTestError: No input meets the preconditions.
    """

    def holds(inputs: Mapping[str, Any]) -> None:
        if not claim.admits(inputs):
            reject()
        claim.try_on(inputs)

    # What @given itself uses to tell parametrised tests apart, in its database and its seeds.
    holds._hypothesis_internal_add_digest = name.encode()  # type: ignore[attr-defined]
    profile = settings.get_profile(settings.get_current_profile_name())
    configured = settings(
        profile,
        max_examples=effort.max_examples,
        derandomize=effort.derandomize or profile.derandomize,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[phase for phase in profile.phases if phase is not Phase.explain],
        suppress_health_check=[
            check for check in HealthCheck if check is not HealthCheck.filter_too_much
        ],
    )
    try:
        configured(given(claim.inputs.strategy())(holds))()
    except BrokenError as error:
        raise simplified(claim, error) from error.__cause__
    except (Unsatisfiable, FailedHealthCheck):
        raise CannotTestError(_rejected(claim)) from None
    except Flaky as error:
        broken = next((e for e in _below(error) if isinstance(e, BrokenError)), None)
        if broken is None:
            raise
        raise broken from broken.__cause__
    if not claim.can_fail:
        raise CannotTestError("its formal holds whatever the function returns, and tests nothing")
    how = (
        "its formal"
        if claim.is_formal
        else f"{claim.obligation.type}: {claim.condition.expression}"
    )
    return f"{claim.tried} inputs, {how}"


def _rejected(claim: Claim) -> str:
    if not claim.rejected:
        return "Hypothesis found no input; give a strategy with @tracepact.testing.strategy"
    ((expression, _),) = claim.rejected.most_common(1)
    subject = claim.subject
    return (
        f"too few inputs meet the precondition {expression!r}. Give some in conftest.py with "
        f'@tracepact.testing.strategy("{subject.contract.stem}", "{subject.called.name}")'
    )


def _below(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    stack: list[BaseException | None] = [error]
    while stack:
        each = stack.pop()
        if each is None or each in found:
            continue
        found.append(each)
        stack += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return found
