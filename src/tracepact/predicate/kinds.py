"""What may stand where in a tree, whichever dialect it came from.

Texts compare with `dtype(x)` and tuples with `shape(x)`; everything else is about numbers. Python
would take most mixtures without a word: a text counts as true, and so does `sum(ret)`.
"""

from __future__ import annotations

from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Node,
    Number,
    Text,
    Tuple,
    Unary,
    children,
    walk,
)
from tracepact.predicate.errors import PredicateError
from tracepact.predicate.functions import FUNCTIONS


def is_truth(node: Node) -> bool:
    """Whether an expression yields truth values, not numbers; fields count as numbers."""
    match node:
        case Compare() | Logical() | Unary("not"):
            return True
        case Call(function):
            return FUNCTIONS[function].is_truth
        case _:
            return False


def check_kinds(root: Node, text: str) -> None:
    """Refuse texts and shapes that are not compared with their like.

    Raises:
        PredicateError: Shows the first one.
    """
    _check_numeric((root,), text)
    for node in walk(root):
        match node:
            case Compare("==" | "!=", left, right) if _kind(left) == _kind(right):
                continue
        _check_numeric(children(node), text)


def check_claim(node: Node, text: str) -> None:
    """Refuse numbers where a truth value is needed; a lone name passes, it may be a truth value.

    Raises:
        PredicateError: Shows the part that is a number.
    """
    match node:
        case Logical(_, operands):
            for operand in operands:
                check_claim(operand, text)
        case Unary("not", operand):
            check_claim(operand, text)
        case _ if _is_number(node):
            reason = "this is a number, not a claim"
            raise _error(node, text, reason, "compare it with something, as in … <= 1")


def _is_number(node: Node) -> bool:
    match node:
        case Number(value):
            return value not in (0.0, 1.0)
        case Call("where" | "old"):
            return False
        case Binary() | Unary() | Call():
            return not is_truth(node)
        case _:
            return False


def _kind(node: Node) -> str:
    match node:
        case Text() | Call("dtype"):
            return "text"
        case Tuple() | Call("shape", (_,)):
            return "shape"
        case _:
            return "number"


def _check_numeric(nodes: tuple[Node, ...], text: str) -> None:
    for node in nodes:
        match _kind(node):
            case "text":
                hint = 'compare a dtype with a text: dtype(x) == "float32"'
                raise _error(node, text, "a text is not a number", hint)
            case "shape":
                hint = "compare a shape with a shape, shape(x) == (2, 3), or take shape(x)[0]"
                raise _error(node, text, "a shape is not a number", hint)


def _error(node: Node, text: str, reason: str, hint: str) -> PredicateError:
    # Slots, which have no place in a text, appear only after lowering.
    return PredicateError(reason, text, getattr(node, "offset", 0), hint=hint)
