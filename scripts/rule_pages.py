"""Write the pages of the documentation that the rules of lint and the checks of comply make."""

from __future__ import annotations

from pathlib import Path

from tracepact.comply import catalogue as comply
from tracepact.lint import catalogue as lint

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Write a page for each gate, rule and check, and the tables that lead to them."""
    for name, pages in (("lint", lint.pages()), ("comply", comply.pages())):
        folder = DOCS / name
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.md"):
            old.unlink()
        for file, text in pages.items():
            (folder / file).write_text(text)
    _replace_end(DOCS / "lint.md", "## Gates and rules\n", lint.index())
    _replace_end(
        DOCS / "comply.md",
        "## Thresholds\n",
        f"{comply.thresholds()}\n## Checks\n\n{comply.index()}",
    )


def _replace_end(page: Path, heading: str, text: str) -> None:
    before, found, _ = page.read_text().partition(heading)
    assert found, f"{page} has no heading {heading!r}"
    page.write_text(f"{before}{heading}\n{text}")


if __name__ == "__main__":
    main()
