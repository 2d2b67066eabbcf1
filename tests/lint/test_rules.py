"""Every rule finds its bad example, with its place, and leaves its good example alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.bindings import load_bindings
from tracepact.evidence import load_evidence
from tracepact.lint.catalogue import catalogue, index, pages
from tracepact.lint.rule import Rule
from tracepact.lint.run import Report, all_rules, lint
from tracepact.lint.settings import read_settings

EXAMPLES = Path(__file__).parent / "examples"
PAGE = Path(__file__).parents[2] / "docs" / "lint.md"
PAGES = PAGE.with_suffix("")
GATES = list(all_rules())
RULES = [rule for rules in all_rules().values() for rule in rules]
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def run(folder: Path) -> Report:
    binding, sources = folder / "binding.yaml", folder / "src"
    return lint(
        [folder],
        read_settings(folder),
        bindings=load_bindings(binding) if binding.exists() else None,
        sources=(sources,) if sources.exists() else (),
        evidence=load_evidence(folder / "evidence.json", folder),
    )


@each_rule
def test_bad_example_is_found_inside_a_file(rule: Rule) -> None:
    found = [one for one in run(EXAMPLES / rule.id / "bad").open if one.rule.id == rule.id]
    assert found
    for finding in found:
        lines = Path(finding.location.file).read_text().splitlines()
        assert lines[finding.location.line - 1][(finding.location.column or 1) - 1 :].strip()
        assert finding.message


@each_rule
def test_good_example_has_no_finding_of_any_rule_but_warnings_of_others(rule: Rule) -> None:
    found = run(EXAMPLES / rule.id / "good").open
    assert [one for one in found if one.rule.id == rule.id or one.severity == "error"] == []


def test_examples_are_those_of_the_rules() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {rule.id for rule in RULES}


def test_ids_and_names_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)


def test_every_gate_and_rule_has_a_page_that_is_made_from_it() -> None:
    assert {path.name: path.read_text("utf-8") for path in PAGES.iterdir()} == pages()
    assert set(pages()) >= {f"{rule.id}.md" for rule in RULES} | {f"{name}.md" for name in GATES}
    assert index() in PAGE.read_text("utf-8")


def test_terminal_has_every_rule_too() -> None:
    assert all(f"### {rule.id} {rule.name}" in catalogue() for rule in RULES)
