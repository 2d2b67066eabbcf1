"""Which module is which brick of which layer, by structure and configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from torch import nn

from tracepact.engines.torch.structure import (
    NormKind,
    is_inert,
    linear_size,
    linears,
    norm_kind,
    norm_size,
    text_config,
    unwrapped,
)
from tracepact.model.bricks import QK_NORM
from tracepact.types import BrickId

LAYER: Final = "Layer"
ATTENTION: Final = "Attention"
MLP: Final = "Mlp"
GATE_UP: Final = "GateUpProjection"
POSITION_EMBEDDING: Final = "PositionEmbedding"

_HEADS: Final = ("scaling", "head_dim", "num_heads", "num_attention_heads", "is_causal")
"""Attributes of which a module with heads has one."""


@dataclass(frozen=True, slots=True)
class MappedModule:
    """One module and what it computes.

    Attributes:
        name: Its path in the model.
        module: The module.
        brick: A `BrickId`, `QkNorm`, `Attention`, `Mlp`, `Layer`, or the module's class.
        layer: Index, None outside the stack.
        norm: What it computes, if it is a norm.
    """

    name: str
    module: nn.Module = field(repr=False)
    brick: str
    layer: int | None
    norm: NormKind | None = None


@dataclass(frozen=True, slots=True)
class LayerMap:
    """One layer of the stack.

    Attributes:
        index: From 0.
        name: Its path in the model.
        module: The module.
        attention: What has heads in it; None where that was not found.
        mlp: The feed-forward part; None where that was not found, or is no module of its own.
        window: Positions that its attention looks back at most; None: all.
        is_moe: Whether its feed-forward part has experts.
    """

    index: int
    name: str
    module: nn.Module = field(repr=False)
    attention: MappedModule | None
    mlp: MappedModule | None
    window: int | None
    is_moe: bool


@dataclass(frozen=True, slots=True)
class ModelMap:
    """What a model consists of.

    Attributes:
        family: `model_type` of its configuration, or its class.
        modules: In the order in which they are registered; containers are left out.
        layers: The stack.
        embedding: Of tokens.
        final_norm: After the last layer.
        lm_head: Makes logits.
        heads: Of queries, as the configuration says; None without one, and so on.
        kv_heads: Of keys and values.
        head_dim: Elements of a head.
        logit_softcap: Logits are this times tanh(logits / this).
        logit_scale: What the head's product is multiplied by.
    """

    family: str
    modules: tuple[MappedModule, ...]
    layers: tuple[LayerMap, ...]
    embedding: MappedModule | None
    final_norm: MappedModule | None
    lm_head: MappedModule | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    logit_softcap: float | None
    logit_scale: float

    def of(self, module: nn.Module) -> MappedModule | None:
        """What a module was mapped to; O(modules)."""
        return next((each for each in self.modules if each.module is module), None)


def map_model(model: nn.Module) -> ModelMap:
    """Map a model, wrapped or not.

    Returns:
        A map of every module that computes something. What is not known for sure is a custom
        brick by the name of its class.
    """
    model = unwrapped(model)
    return _Mapper(model).map()


class _Mapper:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.config = text_config(model)
        self.width = self._number("hidden_size")
        self.vocabulary = self._number("vocab_size")
        self.heads = self._number("num_attention_heads")
        self.kv_heads = self._number("num_key_value_heads") or self.heads
        head_dim = self._number("head_dim")
        if head_dim is None and self.heads and self.width:
            head_dim = self.width // self.heads
        self.head_dim = head_dim
        self.bricks: dict[nn.Module, str] = {}
        self.layer_of: dict[nn.Module, int] = {}

    def _number(self, name: str) -> int | None:
        value = getattr(self.config, name, None)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def map(self) -> ModelMap:
        stack, parent = self._stack()
        layers = [self._layer(index, layer) for index, layer in enumerate(stack)]
        head = self._head()
        final = self._final_norm(parent) if stack else None
        embedding = self._embedding()
        modules = tuple(self._mapped())
        of = {each.module: each for each in modules}
        names = {module: name for name, module in self.model.named_modules()}
        return ModelMap(
            family=str(getattr(self.config, "model_type", None) or type(self.model).__name__),
            modules=modules,
            layers=tuple(
                LayerMap(
                    index,
                    names[layer],
                    layer,
                    of.get(attention) if attention is not None else None,
                    of.get(mlp) if mlp is not None else None,
                    self._window(index, attention),
                    is_moe,
                )
                for index, (layer, (attention, mlp, is_moe)) in enumerate(
                    zip(stack, layers, strict=True)
                )
            ),
            embedding=of.get(embedding) if embedding is not None else None,
            final_norm=of.get(final) if final is not None else None,
            lm_head=of.get(head) if head is not None else None,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            logit_softcap=getattr(self.config, "final_logit_softcapping", None),
            logit_scale=self._logit_scale(),
        )

    # -- the stack ---------------------------------------------------------------------------

    def _stack(self) -> tuple[list[nn.Module], nn.Module]:
        """The list of layers with most parameters that have heads in them, and what holds it."""
        best: tuple[int, list[nn.Module], nn.Module] = (0, [], self.model)
        for parent in self.model.modules():
            for child in parent.children():
                if not isinstance(child, nn.ModuleList | nn.Sequential):
                    continue
                layers = list(child.children())
                if not layers or len({type(layer) for layer in layers}) > 1:
                    continue
                if self._attention(layers[0]) is None:
                    continue
                size = sum(p.numel() for p in child.parameters())
                if size > best[0]:
                    best = size, layers, parent
        return best[1], best[2]

    def _layer(
        self, index: int, layer: nn.Module
    ) -> tuple[nn.Module | None, nn.Module | None, bool]:
        for module in layer.modules():
            self.layer_of[module] = index
        self.bricks[layer] = LAYER
        attention = self._attention(layer)
        if attention is not None:
            self._name_attention(layer, attention)
        inside = set(attention.modules()) if attention is not None else set()
        mlp, is_moe = self._mlp(layer, inside)
        if mlp is not None:
            self.bricks[mlp] = MLP
            if not is_moe:
                self._name_mlp(mlp)
        self._name_loose(layer, inside | (set(mlp.modules()) if mlp is not None else set()))
        return attention, mlp, is_moe

    def _attention(self, layer: nn.Module) -> nn.Module | None:
        for module in layer.modules():
            if module is layer or not any(hasattr(module, name) for name in _HEADS):
                continue
            if sum(1 for _ in linears(module)) >= 2:
                return module
        return None

    def _name_attention(self, layer: nn.Module, attention: nn.Module) -> None:
        self.bricks[attention] = ATTENTION
        products = list(linears(attention))
        for _, module, _, _ in products:
            self.bricks[module] = BrickId.QkvProjection
        width = products[0][2]
        back = [module for _, module, _, out in products if out == width]
        elsewhere = any(
            size == (width, width)
            for module in layer.modules()
            if module not in set(attention.modules()) and (size := linear_size(module))
        )
        is_apart = len(products) == len(back) == 3 and elsewhere  # queries, keys and values only
        if back and len(products) >= 2 and not is_apart:
            self.bricks[back[-1]] = BrickId.OutputProjection
        for module in attention.modules():
            if norm_size(module) is not None:
                self.bricks[module] = QK_NORM

    def _mlp(self, layer: nn.Module, inside: set[nn.Module]) -> tuple[nn.Module | None, bool]:
        for module in layer.modules():
            if module is layer or module in inside or linear_size(module) is not None:
                continue
            if any(p.dim() == 3 for p in module.parameters()) or _has_experts(module):
                return module, True
            sizes = {(size_in, size_out) for _, _, size_in, size_out in linears(module)}
            if any((b, a) in sizes or (b, a // 2) in sizes or (b // 2, a) in sizes
                   for a, b in sizes if a != b):  # fmt: skip
                return module, False
        return None, False

    def _name_mlp(self, mlp: nn.Module) -> None:
        products = list(linears(mlp))
        width = products[0][2] if self.width is None else self.width
        into = [(name, module, out) for name, module, size, out in products if size == width]
        for _, module, _, out in products:
            if out == width:
                self.bricks[module] = BrickId.DownProjection
        if len(into) == 2 and into[0][2] == into[1][2]:
            # Structure cannot tell which of two is activated; the name says it, else the order.
            gate = next((module for name, module, _ in into if "gate" in name), into[0][1])
            for _, module, _ in into:
                is_gate = module is gate
                self.bricks[module] = BrickId.GateProjection if is_gate else BrickId.UpProjection
        elif len(into) == 1:
            down_in = next((size for _, _, size, out in products if out == width), None)
            is_fused = down_in is not None and into[0][2] == 2 * down_in
            self.bricks[into[0][1]] = GATE_UP if is_fused else BrickId.UpProjection
        for child in mlp.children():
            has_nothing = not any(True for _ in child.parameters())
            if has_nothing and not is_inert(child) and not any(True for _ in child.children()):
                self.bricks[child] = BrickId.Activation

    def _name_loose(self, layer: nn.Module, known: set[nn.Module]) -> None:
        """Norms, and products of layers without modules for their halves, as BERT's."""
        for module in layer.modules():
            size = linear_size(module)
            if module in known or module in self.bricks:
                continue
            if norm_size(module) is not None:
                self.bricks[module] = _norm_brick(module)
            elif size is not None and self.width is not None:
                wide = {(self.width, self.width): BrickId.OutputProjection}
                if size[0] == self.width and size[1] > self.width:
                    wide[size] = BrickId.UpProjection
                if size[1] == self.width and size[0] > self.width:
                    wide[size] = BrickId.DownProjection
                if size in wide:
                    self.bricks[module] = wide[size]

    def _window(self, index: int, attention: nn.Module | None) -> int | None:
        kinds = getattr(self.config, "layer_types", None)
        if kinds and index < len(kinds) and "sliding" not in str(kinds[index]):
            return None
        own = getattr(attention, "sliding_window", None)
        window = own if own is not None else self._number("sliding_window")
        return window if isinstance(window, int) else None

    # -- outside the stack -------------------------------------------------------------------

    def _embedding(self) -> nn.Module | None:
        tables = [m for m in self.model.modules() if isinstance(m, nn.Embedding)]
        for table in tables:
            self.bricks[table] = POSITION_EMBEDDING
        if not tables:
            return None
        named = [m for m in tables if m.num_embeddings == self.vocabulary]
        largest = max(named or tables, key=lambda m: m.num_embeddings)
        self.bricks[largest] = BrickId.Embedding
        return largest

    def _head(self) -> nn.Module | None:
        getter = getattr(self.model, "get_output_embeddings", None)
        head = getter() if callable(getter) else None
        if not isinstance(head, nn.Module) or linear_size(head) is None:
            return None
        self.bricks[head] = BrickId.LmHead
        return head

    def _final_norm(self, parent: nn.Module) -> nn.Module | None:
        norms = [child for child in parent.children() if norm_size(child) is not None]
        return norms[-1] if norms else None

    def _logit_scale(self) -> float:
        divisor = getattr(self.config, "logits_scaling", None)
        factor = getattr(self.config, "logit_scale", None)
        if isinstance(divisor, int | float) and divisor:
            return 1.0 / divisor
        return float(factor) if isinstance(factor, int | float) else 1.0

    # -- everything --------------------------------------------------------------------------

    def _mapped(self) -> Iterator[MappedModule]:
        kinds: dict[tuple[type, Any], NormKind | None] = {}
        for name, module in self.model.named_modules():
            brick = self.bricks.get(module)
            is_norm = norm_size(module) is not None
            if brick is None:
                if is_norm:
                    brick = _norm_brick(module)
                elif is_inert(module) or not _computes(module):
                    continue
                else:
                    brick = type(module).__name__
            kind = None
            if is_norm:
                key = type(module), norm_size(module)
                kind = kinds[key] if key in kinds else kinds.setdefault(key, norm_kind(module))
                if brick in (BrickId.RmsNorm, BrickId.LayerNorm):
                    brick = BrickId.LayerNorm if kind is NormKind.LAYER else BrickId.RmsNorm
                    if kind is None:
                        brick = type(module).__name__
            yield MappedModule(name, module, brick, self.layer_of.get(module), kind)


def _norm_brick(module: nn.Module) -> str:
    return BrickId.LayerNorm if isinstance(module, nn.LayerNorm) else BrickId.RmsNorm


def _has_experts(module: nn.Module) -> bool:
    return any(
        isinstance(child, nn.ModuleList)
        and len(child) > 1
        and all(sum(1 for _ in linears(expert)) >= 2 for expert in child)
        for child in module.children()
    )


def _computes(module: nn.Module) -> bool:
    """Whether a module does something by itself: it has no children, or weights beside them."""
    if isinstance(module, nn.ModuleList | nn.ModuleDict | nn.Sequential):
        return False
    has_children = any(True for _ in module.children())
    return not has_children or any(True for _ in module.parameters(recurse=False))
