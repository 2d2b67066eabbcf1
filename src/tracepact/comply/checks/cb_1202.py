"""CB-1202: functions that matter are under a contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from tracepact.comply.check import Check, Verdict, count, judged, percent, skipped
from tracepact.comply.project import Project, contracts_of
from tracepact.enforce.functions import SourceFunction
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1202",
    severity="error",
    name="critical-function-without-contract",
    what="A public function whose name says forward, backward, optimizer, checkpoint, loss, "
    "gradient, sampling, kv_cache, tokenize, quantize, kernel, dispatch, softmax, matmul, gemm or "
    "batch is named by no binding and no decorator.",
    why="These are the functions whose mistakes change what a model says without any error.",
    bad="def softmax(x): ...\n\n",
    good="import tracepact as tp\n\n\n"
    '@tp.contract("softmax-kernel-v1", "softmax")\ndef softmax(x): ...',
    language="python",
)

_CRITICAL: Final = re.compile(
    r"(?:^|_)(?:forward|backward|optimi[sz]er?|checkpoint|loss|losses|grad|gradient|sample|sampler"
    r"|sampling|kv_cache|(?:de)?tokeni[sz]er?|(?:de)?quanti[sz]e[dr]?|kernel|dispatch|softmax"
    r"|matmul|gemm|batch)s?(?:_|$)"
)
_ATTRIBUTES: Final = re.compile(r"(?:\w+\.)*(?:property|cached_property|overload|abstractmethod)")


def _run(project: Project) -> Verdict:
    named_so = [function for function in project.functions if _is_critical(function)]
    critical = [function for function in named_so if not _is_left_out(project, function)]
    if not critical:
        return skipped("no public function has a name that says it is critical")
    bound = {
        (entry.module_path, entry.function)
        for entry in project.claims
        if _equation_exists(project, entry.contract, entry.equation)
    }
    without = [
        function
        for function in critical
        if (function.module, function.qualname) not in bound
        and not any(_equation_exists(project, *each) for each in contracts_of(function))
    ]
    named = len(critical) - len(without)
    share = percent(named, len(critical))
    summary = f"{named} of {count(len(critical), 'critical function')} named by a contract"
    if left_out := len(named_so) - len(critical):
        summary += f", {left_out} left out by `not-critical`"
    enough = share >= project.threshold("min-named-percent")
    return judged(summary, () if enough else _findings(project, without, share))


def _findings(project: Project, without: list[SourceFunction], share: float) -> Iterator[Finding]:
    least = project.threshold("min-named-percent")
    for function in without:
        yield RULE.at(
            function.location,
            f"no contract names {function.call}; {share:.0f} % are named, {least:g} % asked for",
            "bind it, or decorate it with @contract",
        )


def _is_critical(function: SourceFunction) -> bool:
    is_public = not any(part.startswith("_") for part in function.qualname.split("."))
    is_real = bool(function.signature) and not function.is_stub
    plain = not any(map(_ATTRIBUTES.fullmatch, function.decorators))
    return is_public and is_real and plain and bool(_CRITICAL.search(function.name.lower()))


def _is_left_out(project: Project, function: SourceFunction) -> bool:
    return any(fnmatchcase(function.qualname, each) for each in project.settings.not_critical)


def _equation_exists(project: Project, contract: str, equation: str) -> bool:
    known = project.registry.contracts.get(contract)
    return known is not None and equation in known.equations


CHECK = Check(
    rule=RULE,
    title="critical functions have contracts",
    fails="less than `min-named-percent` of them are named by an equation that exists; "
    "what `not-critical` lists is left out, and counted in the summary",
    warns="",
    skips="there is no such function",
    run=_run,
)
