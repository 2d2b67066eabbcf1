"""`tracepact doctor --model`: which module of a model is which brick."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracepact.cli.options import Format, print_json

if TYPE_CHECKING:
    from tracepact.engines.torch.mapping import MappedModule, ModelMap


def show_model(path: Path, format_: Format) -> None:
    """Map a model, print the map."""
    from tracepact.engines.torch.load import load_structure
    from tracepact.engines.torch.mapping import map_model

    mapped = map_model(load_structure(path))
    if format_ is Format.JSON:
        print_json(_as_dict(path, mapped))
    else:
        _print(path, mapped)


def _row(mapped: MappedModule) -> dict[str, Any]:
    from tracepact.engines.torch.bricks import equation_of

    equation = equation_of(mapped)
    return {
        "module": mapped.name,
        "class": type(mapped.module).__name__,
        "brick": str(mapped.brick),
        "layer": mapped.layer,
        "contract": None if equation is None else "/".join(equation),
    }


def _as_dict(path: Path, mapped: ModelMap) -> dict[str, Any]:
    return {
        "model": str(path),
        "family": mapped.family,
        "layers": len(mapped.layers),
        "heads": mapped.heads,
        "kv_heads": mapped.kv_heads,
        "head_dim": mapped.head_dim,
        "windows": [layer.window for layer in mapped.layers],
        "modules": [_row(each) for each in mapped.modules],
    }


def _print(path: Path, mapped: ModelMap) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    windows = [layer.window for layer in mapped.layers if layer.window is not None]
    sizes = [f"{len(mapped.layers)} layers"]
    sizes += [f"{mapped.heads} heads ({mapped.kv_heads} of keys)"] if mapped.heads else []
    sizes += [f"head size {mapped.head_dim}"] if mapped.head_dim else []
    sizes += [f"window {max(windows)}"] if windows else []
    console.print(f"{path}\n{mapped.family}: {', '.join(sizes)}\n")
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "module", "brick", "checked by"):
        table.add_column(heading, overflow="fold")
    for layers, module in _alike(mapped):
        row = _row(module)
        checked_by = (row["contract"] or "").replace("/", " ")  # where a line may break
        table.add_row(layers, _short(row["module"], module.layer), row["brick"], checked_by)
    console.print(table)


def _alike(mapped: ModelMap) -> list[tuple[str, MappedModule]]:
    """Modules, those of layers that consist of the same once: (layers, module of the first)."""
    kinds: dict[tuple[tuple[str, str], ...], list[int]] = {}
    by_layer: dict[int, list[MappedModule]] = {}
    for each in mapped.modules:
        if each.layer is not None:
            by_layer.setdefault(each.layer, []).append(each)
    for layer, modules in by_layer.items():
        shape = tuple((_short(each.name, layer), str(each.brick)) for each in modules)
        kinds.setdefault(shape, []).append(layer)
    shown = {layers[0]: layers for layers in kinds.values()}
    rows = []
    for each in mapped.modules:
        if each.layer is None:
            rows.append(("", each))
        elif each.layer in shown:
            rows.append((_ranges(shown[each.layer]), each))
    return rows


def _ranges(numbers: list[int]) -> str:
    """`0-3, 5`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _short(name: str, layer: int | None) -> str:
    """The name without what leads to its layer."""
    parts = name.split(".")
    if layer is None or str(layer) not in parts:
        return name
    return ".".join(parts[parts.index(str(layer)) + 1 :]) or "(the layer)"
