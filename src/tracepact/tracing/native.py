"""The native half of sites: opens spans and checks fields without entering Python."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tracepact.core import native_core
from tracepact.tracing.policy import Always, EveryNth, Mode, Policy
from tracepact.tracing.site import Site

if TYPE_CHECKING:
    from tracepact.core import _native


def site_class(state: _native.LayerState | None) -> type[Site]:
    """The class of the sites of a layer with that state."""
    return Site if state is None else _native_site()


def native_state(policy: Policy) -> _native.LayerState | None:
    """What native sites need to know of a policy; None under the Python core."""
    native = native_core()
    if native is None:
        return None
    state: _native.LayerState = native.LayerState()
    sampler = policy.sampler
    # A subclass may decide otherwise, so only the very types count.
    every = 1 if type(sampler) is Always else sampler.n if type(sampler) is EveryNth else 0
    state.configure(policy.mode is Mode.OFF, every)
    return state


@cache
def _native_site() -> type[Site]:
    from tracepact.core import _native  # noqa: PLC0415 - only where it was selected

    class NativeSite(_native.Site, Site):
        """A site whose `check` and spans pass healthy fields in C.

        What C cannot answer, and all that fails, goes to the methods of `Site`.
        """

        def __init__(self, *arguments: Any, **options: Any) -> None:
            Site.__init__(self, *arguments, **options)
            state = self.tracing_layer.native_state
            assert state is not None, "only a layer of the native core makes such sites"
            self._bind(state, self.plan.native, len(self.conditions), bool(self.copied))

    NativeSite.__name__ = NativeSite.__qualname__ = "Site"
    return NativeSite
