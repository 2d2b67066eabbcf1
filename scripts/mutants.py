"""Print docs/mutants.md: which obligation of the library finds which broken kernel.

python scripts/mutants.py > docs/mutants.md
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kernels"))

from killing import broken_obligations, falsification_id
from mutants import MUTANTS

_HEAD = """\
# Mutants

Kernels that were broken on purpose, one fault each, as they break in practice. Each is called with
lawful arguments under the contract of the library that its sound twin keeps; the table says which
obligations it breaks, and the falsification test of each. `tests/kernels/mutants.py` has the
kernels. Made by `python scripts/mutants.py`; a test keeps it current.

| fault | contract and equation | killed by |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page; a mutant that nobody finds is said to survive."""
    lines = []
    for mutant in MUTANTS.values():
        found = broken_obligations(mutant, mutant.function)
        killers = [f"{name} ({falsification_id(mutant, name)})" for name in found]
        place = f"`{mutant.contract}` `{mutant.equation}`"
        lines.append(f"| {mutant.fault} | {place} | {'; '.join(killers) or '**survives**'} |\n")
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
