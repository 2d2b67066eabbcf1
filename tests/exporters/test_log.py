"""Violations as log records."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import pytest

from tracepact.exporters import LogExporter
from tracepact.violation import Violation

Build = Callable[..., Violation]


def test_violation_is_an_error_with_its_message(
    violation: Build, caplog: pytest.LogCaptureFixture
) -> None:
    LogExporter().export(violation())
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("tracepact", logging.ERROR)
    assert record.getMessage() == violation().message


@pytest.mark.parametrize("verdict", ["unbound", "error"])
def test_what_was_not_checked_is_a_warning(
    violation: Build, caplog: pytest.LogCaptureFixture, verdict: str
) -> None:
    LogExporter().export(violation(verdict=verdict))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_record_has_every_fact_as_an_attribute(
    violation: Build, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = LogExporter()
    exporter.export(violation())
    exporter.close()
    facts = violation().to_dict()
    record = vars(caplog.records[0])
    assert {name: record[name] for name in facts if name != "message"} == {
        name: fact for name, fact in facts.items() if name != "message"
    }


def test_no_fact_hides_an_attribute_that_logging_sets() -> None:
    """Logging raises a KeyError then."""
    names = {field.name for field in dataclasses.fields(Violation)} - {"message"}
    own = set(vars(logging.makeLogRecord({}))) | {"asctime", "taskName"}
    assert names & own == set()


def test_percent_signs_of_a_predicate_are_no_format(
    violation: Build, caplog: pytest.LogCaptureFixture
) -> None:
    LogExporter().export(violation(explanation="x % 2 == 0 %s %d"))
    assert "x % 2 == 0 %s %d" in caplog.text


def test_logger_can_be_chosen(violation: Build, caplog: pytest.LogCaptureFixture) -> None:
    LogExporter(logging.getLogger("mine")).export(violation())
    assert [record.name for record in caplog.records] == ["mine"]
