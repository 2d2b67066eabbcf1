"""Where an engine lets others watch it: every operation of a model goes through a probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from tracepact.engines.reference.kv_cache import KvCache
    from tracepact.types import Array


class Probe(Protocol):
    """Sees every operation of a forward pass.

    Order of calls: `begin_forward`, then per layer `residual(…, "input")`, the layer's `run`s and
    `residual(…, "output")`, then the `run`s of the head, `kv_cache`, `end_forward`. A forward pass
    that raises gets no `end_forward`. Sampling is a `run` outside of a forward pass.
    """

    def begin_forward(self, position: int, tokens: int) -> None:
        """A forward pass of `tokens` tokens starts; the first one is at `position`."""

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        """Call `kernel(**inputs)` and return its result, which the model continues with."""

    def residual(self, layer: int, point: str, value: Array) -> None:
        """The residual stream [tokens, d] at the "input" or "output" of a layer."""

    def kv_cache(self, cache: KvCache) -> None:
        """The cache after every layer has written its keys and values."""

    def end_forward(self) -> None:
        """The forward pass is over."""


class NullProbe:
    """Tracing off: runs the kernels and looks at nothing.

    Args:
        enforced: The kernels check themselves, by the contracts that they are decorated with. If
            False the engine calls what is below their contracts, and leaves out the inputs which
            only a check would read.
    """

    enforced = True

    def __init__(self, *, enforced: bool = True) -> None:
        self.enforced = enforced

    def begin_forward(self, position: int, tokens: int) -> None:
        """Does nothing."""

    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array:
        """`kernel(**inputs)`."""
        return kernel(**inputs)

    def residual(self, layer: int, point: str, value: Array) -> None:
        """Does nothing."""

    def kv_cache(self, cache: KvCache) -> None:
        """Does nothing."""

    def end_forward(self) -> None:
        """Does nothing."""


PROBE_OFF: Final = NullProbe()
"""The probe of a model that nobody watches."""


def is_self_checking(probe: Probe) -> bool:
    """Whether kernels are to check themselves, because this probe checks none of them."""
    return isinstance(probe, NullProbe) and probe.enforced
