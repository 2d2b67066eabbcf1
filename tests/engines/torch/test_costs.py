"""Claims about what a module costs, counted from shapes and types."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")

from tracepact.engines.torch.costs import module_cost  # noqa: E402
from tracepact.types import BrickId  # noqa: E402

nn = torch.nn


def cost_of(brick: str, module: Any, x: Any) -> Any:
    mapped: Any = SimpleNamespace(module=module, brick=brick)
    return module_cost(mapped, (x,), module(x))


@pytest.mark.parametrize(("dtype", "width"), [(torch.float32, 4), (torch.bfloat16, 2)])
@pytest.mark.parametrize("tokens", [1, 5])
def test_product_reads_its_weight_once(dtype: Any, width: int, tokens: int) -> None:
    cost = cost_of(
        BrickId.UpProjection, nn.Linear(8, 24, dtype=dtype), torch.ones(1, tokens, 8, dtype=dtype)
    )
    assert cost.bytes_moved == width * (8 * 24 + 24 + tokens * (8 + 24))
    assert cost.flops == 2 * 8 * 24 * tokens


def test_norm_reads_its_weights_and_moves_its_rows() -> None:
    cost = cost_of(BrickId.LayerNorm, nn.LayerNorm(8), torch.ones(1, 3, 8))
    assert cost.bytes_moved == 4 * (2 * 8 + 2 * 3 * 8)


@pytest.mark.parametrize(
    ("brick", "module", "x"),
    [
        (BrickId.Embedding, lambda: nn.Embedding(10, 4), lambda: torch.tensor([[1]])),
        ("Custom", lambda: nn.Identity(), lambda: torch.ones(1, 2)),
        (BrickId.UpProjection, lambda: nn.Identity(), lambda: torch.ones(1, 2)),
    ],
)
def test_unknown_work_has_no_cost(
    brick: str, module: Callable[[], Any], x: Callable[[], Any]
) -> None:
    assert cost_of(brick, module(), x()) is None


def test_module_called_by_keyword_has_no_cost() -> None:
    mapped: Any = SimpleNamespace(module=nn.Linear(2, 2), brick=BrickId.UpProjection)
    assert module_cost(mapped, (), torch.ones(1, 2)) is None
    assert module_cost(mapped, (torch.ones(1, 2),), (torch.ones(1, 2),)) is None
