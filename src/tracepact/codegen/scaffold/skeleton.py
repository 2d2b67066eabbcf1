"""The skeleton: an implementation whose every method is decorated, and still to be written."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.codegen.layout import call
from tracepact.codegen.quoting import quoted
from tracepact.codegen.scaffold.interface import ANY, Interface, Method
from tracepact.codegen.scaffold.protocol import formula_of, parameter_list
from tracepact.codegen.scaffold.text import docstring, imported, signature, titled, with_text


def render_skeleton(interface: Interface, package: str = "") -> str:
    """Source of the module with the implementation.

    Args:
        interface: From `derive_interface`.
        package: Package that the module is put into; empty for none.
    """
    stem = interface.contract.stem
    mentioned = sorted({*(interface.types - {ANY}), interface.name}, key=str.lower)
    origin = f"{package}.{interface.protocol_module}" if package else interface.protocol_module
    about = (
        "Begun by `tracepact scaffold`; yours from here on. Every call is checked against the "
        "contract; type checkers compare the class to the protocol."
    )
    typing = ["TYPE_CHECKING", *(["Any"] if ANY in interface.types else [])]
    head = [
        docstring(f"Implementation of {titled(interface.contract)}.", [("", [about])], 0),
        "",
        "from __future__ import annotations",
        "",
        f"from typing import {', '.join(typing)}",
        "",
        "import tracepact as tp",
        "",
        imported(origin, mentioned),
        "",
        "",
        f"class {interface.implementation}:",
        docstring(f"Equations of {stem}.", [], 4),
    ]
    for method in interface.methods:
        head += ["", *_method(stem, method)]
    instance = f"_: {interface.name} = {interface.implementation}()"
    tail = ["", "", "if TYPE_CHECKING:", f"    {instance}"]
    return "\n".join([*head, *tail]) + "\n"


def _method(stem: str, method: Method) -> Iterator[str]:
    arguments = [quoted(stem), quoted(method.equation.name)]
    if method.bind:
        pairs = ", ".join(f"{quoted(field)}: {quoted(to)}" for field, to in method.bind.items())
        arguments.append(f"bind={{{pairs}}}")
    yield from call("@tp.contract", arguments, indent=4)
    yield signature(method.name, parameter_list(method), method.result_type, 4)
    yield docstring(formula_of(method), [], 8)
    what = f"{stem}/{method.equation.name}: {formula_of(method)}"
    yield with_text("raise NotImplementedError", what, 8)
