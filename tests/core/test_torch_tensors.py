"""Claims about measuring PyTorch's tensors where they lie, by both cores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracepact.core import measure
from tracepact.core.arrays import as_array

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")

DTYPES = [
    "float64", "float32", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool",
]  # fmt: skip


def numbers() -> Any:
    return torch.arange(-30, 30).reshape(3, 4, 5)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x[..., ::2],
        lambda x: x.permute(2, 0, 1),
        lambda x: x[1:, :0],
        lambda x: x[0, 0, 0],
        lambda x: x.expand(2, 3, 4, 5),
    ],
    ids=["whole", "strided", "permuted", "empty", "number", "expanded"],
)
def test_tensor_is_measured_like_its_numbers(dtype: str, view: Any) -> None:
    tensor = view(numbers().to(getattr(torch, dtype)))
    expected = np.asarray(tensor.double().numpy())
    found = measure(tensor)
    assert found.count == expected.size
    assert found.nonfinite_count == 0
    if expected.size:
        assert (found.min, found.max) == (expected.min(), expected.max())
        assert found.sum == pytest.approx(expected.sum(), rel=1e-6)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_values_that_are_not_finite_are_counted(dtype: str) -> None:
    tensor = numbers().to(getattr(torch, dtype))
    tensor[0, 1, 2], tensor[2, 0, 0], tensor[2, 3, 4] = float("nan"), float("inf"), -float("inf")
    found = measure(tensor)
    assert (found.nan_count, found.posinf_count, found.neginf_count) == (1, 1, 1)


@pytest.mark.usefixtures("core")
def test_parameter_with_a_gradient_is_read_in_place() -> None:
    parameter = torch.nn.Parameter(torch.ones(4))
    assert measure(parameter).sum == 4
    with torch.no_grad():
        parameter[2] = 5.0
    assert measure(parameter).sum == 8
    assert parameter.requires_grad


@pytest.mark.usefixtures("core")
def test_negative_view_has_the_sign_that_torch_shows() -> None:
    tensor = torch._neg_view(torch.tensor([1.0, 2.0]))
    assert measure(tensor).sum == -3


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    "tensor",
    [
        lambda: torch.ones(2, device="meta"),
        lambda: torch.ones(2, dtype=torch.complex64),
        lambda: torch.ones(2, 2).to_sparse(),
    ],
    ids=["meta", "complex", "sparse"],
)
def test_tensor_without_numbers_to_read_is_refused(tensor: Any) -> None:
    with pytest.raises(TypeError):
        measure(tensor())


def test_array_of_bfloat16_shares_memory() -> None:
    tensor = torch.zeros(3, dtype=torch.bfloat16)
    array = as_array(tensor)
    tensor[1] = 2.0
    assert array.dtype.name == "bfloat16"
    assert array.tolist() == [0.0, 2.0, 0.0]
