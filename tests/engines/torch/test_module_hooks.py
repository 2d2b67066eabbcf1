"""Claims about what is called after modules, in either way that there is."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp
from tracepact.core import native_core

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402
from watched import Watched, generate  # noqa: E402

from tracepact.engines.torch import module_hooks  # noqa: E402
from tracepact.engines.torch.module_hooks import ModuleHooks  # noqa: E402

SLOT = "_compiled_call_impl"


@pytest.fixture(params=["quick", "ordinary"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "quick" and native_core() is None:
        pytest.skip("the Python core has PyTorch's own hooks only")
    if request.param == "ordinary":
        monkeypatch.setattr(module_hooks, "_is_asked", lambda: False)
    return request.param


def seen_by(module: Any) -> tuple[list[Any], Any]:
    seen: list[Any] = []

    def hook(of: Any, arguments: Any, output: Any) -> None:
        assert of is module
        seen.append((arguments[0].clone(), output.clone()))

    return seen, hook


def watch(module: Any, hook: Any, way: str) -> Any:
    hooks = ModuleHooks(module, is_quick=way == "quick", sees_arguments=True)
    handle = hooks.add(hook)
    assert (SLOT in module.__dict__) == (way == "quick")
    return handle


def test_hook_sees_what_goes_in_and_what_comes_out_until_it_is_removed(way: str) -> None:
    module = torch.nn.Linear(3, 2)
    seen, hook = seen_by(module)
    handle = watch(module, hook, way)
    x = torch.ones(1, 3)
    ret = module(x)
    assert torch.equal(ret, module.forward(x))
    assert [(torch.equal(a, x), torch.equal(b, ret)) for a, b in seen] == [(True, True)]
    handle.remove()
    module(x)
    assert len(seen) == 1
    assert SLOT not in module.__dict__
    assert not module._forward_hooks


def test_hooks_are_called_in_order_and_one_may_take_itself_off(way: str) -> None:
    module, calls = torch.nn.Identity(), []
    hooks = ModuleHooks(module, is_quick=way == "quick", sees_arguments=True)
    first = hooks.add(lambda *_: (calls.append("first"), first.remove())[0])
    hooks.add(lambda *_: calls.append("second"))
    module(1)
    module(2)
    assert calls == ["first", "second", "second"]


def test_what_others_hooks_make_of_the_result_is_seen(way: str) -> None:
    module = torch.nn.Identity()
    module.register_forward_hook(lambda *_: torch.zeros(2))
    seen, hook = seen_by(module)
    watch(module, hook, way)
    assert torch.equal(module(torch.ones(2)), torch.zeros(2))
    assert torch.equal(seen[0][1], torch.zeros(2))


@pytest.mark.parametrize("scope", ["module", "all modules"])
def test_what_others_make_of_the_input_is_seen(way: str, scope: str) -> None:
    module = torch.nn.Identity()
    seen, hook = seen_by(module)
    handle = watch(module, hook, way)
    register = (
        module.register_forward_pre_hook
        if scope == "module"
        else torch.nn.modules.module.register_module_forward_pre_hook
    )
    theirs = register(lambda _, given: (given[0] * 2,) if isinstance(given[0], torch.Tensor) else 0)
    try:
        for _ in range(2):
            assert torch.equal(module(torch.ones(2)), 2 * torch.ones(2))
    finally:
        theirs.remove()
    module(torch.ones(2))
    handle.remove()
    module(torch.ones(2))
    assert [a.sum() for a, _ in seen] == [4, 4, 2]
    assert SLOT not in module.__dict__
    assert not module._forward_hooks


def test_error_of_the_module_goes_on_and_no_hook_is_called(way: str) -> None:
    module = torch.nn.Linear(3, 2)
    seen, hook = seen_by(module)
    watch(module, hook, way)
    with pytest.raises(RuntimeError, match="shapes"):
        module(torch.ones(1, 4))
    assert seen == []


def test_error_of_a_hook_goes_on(way: str) -> None:
    module = torch.nn.Identity()
    watch(module, lambda *_: 1 // 0, way)
    with pytest.raises(ZeroDivisionError):
        module(torch.ones(1))


REGISTRATIONS = [
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
]


@pytest.mark.parametrize("name", REGISTRATIONS)
@pytest.mark.parametrize("scope", ["module", "all modules"])
def test_hooks_of_others_run_as_they_do_in_a_module_that_is_not_watched(
    way: str, name: str, scope: str
) -> None:
    def calls_of(module: Any) -> list[str]:
        calls: list[str] = []
        everywhere = torch.nn.modules.module
        of_all = getattr(everywhere, name.replace("register_", "register_module_"))
        handle = (getattr(module, name) if scope == "module" else of_all)(
            lambda *_: calls.append(name)
        )
        try:
            module(torch.ones(3, requires_grad=True)).sum().backward()
        finally:
            handle.remove()
        module(torch.ones(3))
        return calls

    module = torch.nn.Linear(3, 2)
    wanted = calls_of(module)
    assert wanted == [name]
    seen: list[Any] = []
    watch(module, lambda *_: seen.append(None), way)
    module(torch.ones(3))
    assert calls_of(module) == wanted
    assert len(seen) == 3


def test_hooks_that_others_put_in_another_dict_run(way: str) -> None:
    module, calls = torch.nn.Identity(), []
    watch(module, lambda *_: None, way)
    module(torch.ones(1))
    module._backward_hooks = type(module._backward_hooks)()
    module._forward_hooks = type(module._forward_hooks)()
    module.register_forward_hook(lambda *_: calls.append("theirs"))
    module(torch.ones(1))
    assert calls == ["theirs"]


def test_forward_that_is_replaced_while_a_module_is_watched_is_called(way: str) -> None:
    module = torch.nn.Identity()
    watch(module, lambda *_: None, way)
    module.forward = lambda given: given * 3
    assert torch.equal(module(torch.ones(1)), torch.full((1,), 3.0))
    assert torch.equal(module(given=torch.ones(1)), torch.full((1,), 3.0))
    del module.forward
    assert torch.equal(module(torch.ones(1)), torch.ones(1))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_graph_that_is_traced_names_its_modules_as_ever(way: str) -> None:
    class Outer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    def nodes(module: Any) -> list[str]:
        return [
            node.scopeName()
            for node in torch.jit.trace(module, torch.ones(1, 3)).inlined_graph.nodes()
        ]

    module = Outer()
    wanted = nodes(module)
    assert any("inner" in name for name in wanted)
    watch(module.inner, lambda *_: None, way)
    assert nodes(module) == wanted


def test_call_of_another_pytorch_is_made_as_it_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if native_core() is None:
        pytest.skip("of the native core")
    calls: list[str] = []

    def call(self: Any, *given: Any, **options: Any) -> Any:
        calls.append("another")
        return self.forward(*given, **options)

    monkeypatch.setattr(torch.nn.Module, "_call_impl", call)
    module_hooks._is_known.cache_clear()
    try:
        module = torch.nn.Identity()
        watch(module, lambda *_: None, "quick")
        module(1)
    finally:
        module_hooks._is_known.cache_clear()
    assert calls == ["another"]


def test_module_that_was_compiled_in_place_keeps_its_call() -> None:
    module = torch.nn.Identity()
    module.__dict__[SLOT] = theirs = module._call_impl
    hooks = ModuleHooks(module, is_quick=True, sees_arguments=True)
    hooks.add(lambda *_: None).remove()
    assert module.__dict__[SLOT] is theirs


def test_module_that_is_compiled_while_it_is_watched_keeps_its_call(way: str) -> None:
    module = torch.nn.Identity()
    handle = watch(module, lambda *_: None, way)
    module.__dict__[SLOT] = theirs = module._call_impl
    handle.remove()
    assert module.__dict__[SLOT] is theirs


def test_copy_of_a_watched_module_is_not_watched(way: str) -> None:
    if way == "ordinary":
        pytest.skip("PyTorch copies its own hooks")
    module = torch.nn.Linear(3, 2)
    seen, hook = seen_by(module)
    watch(module, hook, way)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(torch.ones(3)), module.forward(torch.ones(3)))
        assert SLOT not in twin.__dict__
    assert seen == []


def test_input_that_others_change_while_a_model_is_traced_is_no_alarm(way: str) -> None:
    model = families.build("llama")
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        norm = model.model.layers[1].input_layernorm
        norm.register_forward_pre_hook(lambda _, given: (given[0] * 1.5,))
        generate(model)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def test_fault_of_a_hook_that_is_registered_while_a_model_is_traced_is_found(way: str) -> None:
    model = families.build("llama")
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        norm = model.model.layers[1].input_layernorm
        norm.register_forward_hook(lambda _, given, ret: ret * float("nan"))
        generate(model, 2)
    root = watched.violations[0]
    # PyTorch calls hooks in the order in which they were registered, so ours would be before it.
    brick = "RmsNorm" if way == "quick" else "QkvProjection"
    assert (root.layer, root.brick, root.role) == (1, brick, "root")
