"""Claims about architectures: small random GGUF files, which say nothing and break nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp

pytest.importorskip("gguf", reason="needs tracepact[engine]")
sys.path.insert(0, str(Path(__file__).parent))

import contexts as models
import gguf_families as families
from contexts import Watched, engine

pytestmark = pytest.mark.usefixtures("core")

ABORTED = frozenset({"gemma2", "gpt2"})
"""On these graphs the fork's library ends the process, whether it is watched or not."""


@pytest.fixture(params=models.packages())
def package(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("family", families.FAMILIES)
def test_healthy_model_of_any_family_raises_no_alarm(
    package: str, family: str, kind: str, tmp_path: Path
) -> None:
    if package == "ik_llama_cpp" and family in ABORTED:
        pytest.skip("the library cannot run it")
    path = families.write(tmp_path / "model.gguf", family, kind)
    options: dict[str, Any] = {"n_seq_max": 4, "positions": 1024}
    if package == "llama_cpp":
        options["kv_unified"] = True
    watched = Watched()
    steps = 200 if kind == "Q8_0" else 20
    with (
        engine(package, path, **options) as seen,
        tp.trace(seen.context, layer=watched.layer) as tracer,
    ):
        prompts = [10 + i for i in range(12)]
        assert seen.decode(prompts, 0, [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3) == 0
        for step in range(steps):
            tokens = [(17 * step + 5 * i) % families.VOCABULARY for i in range(4)]
            assert seen.decode(tokens, 3 + step, [0, 1, 2, 3], outputs=(0, 1, 2, 3)) == 0
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    rows = {row.trace: row for row in tracer.summary.rows()}
    assert all(row.records and row.checks for row in rows.values())
    assert tracer.summary.checks[None] > steps, "norms are held against their contract"
    layers = {each.layer for each in tracer.last.activations}
    assert layers == {None, *range(families.LAYERS)}
