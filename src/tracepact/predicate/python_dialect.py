"""The Python dialect: `all(isfinite(ret)) and abs(row_sums(ret) - 1) <= tol`.

A precedence-climbing parser over a closed grammar. It never evaluates anything; text length, node
count and nesting are bounded, so a hostile contract costs a bounded amount of time and memory.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import NamedTuple

from tracepact.predicate.ast import (
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Node,
    Number,
    Text,
    Tuple,
    Unary,
    walk,
)
from tracepact.predicate.errors import PredicateError
from tracepact.predicate.functions import FUNCTIONS, FunctionKind

MAX_CHARACTERS = 2_000
MAX_NODES = 400
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%<>()\[\],])
    )""",
    re.VERBOSE,
)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_ARITHMETIC = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}
_KEYWORDS = frozenset({"and", "or", "not", "in"})
_CONSTANTS = {
    "true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0,
    "inf": math.inf, "nan": math.nan, "pi": math.pi,
}  # fmt: skip


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int


def parse(text: str) -> Node:
    """Parse one expression.

    Raises:
        PredicateError: The text is not an expression of this dialect; `offset` says where.
    """
    if len(text) > MAX_CHARACTERS:
        raise PredicateError(
            f"a predicate of {len(text)} characters is too long",
            text,
            0,
            hint=f"at most {MAX_CHARACTERS} characters; split it into several",
        )
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokenise()
        self.position = 0
        self.nodes = 0
        self.depth = 0

    def parse(self) -> Node:
        node = self._or()
        if self._peek().kind != "end":
            raise self._unexpected()
        return node

    # -- tokens ------------------------------------------------------------------------------

    def _tokenise(self) -> list[_Token]:
        tokens = []
        position = 0
        end = len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                position += len(self.text[position:]) - len(self.text[position:].lstrip())
                raise self._error(f"unexpected character {self.text[position]!r}", position)
            kind = match.lastgroup or ""
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            position = match.end()
        tokens.append(_Token("end", "", end))
        return tokens

    def _peek(self) -> _Token:
        return self.tokens[self.position]

    def _next(self) -> _Token:
        token = self.tokens[self.position]
        self.position += token.kind != "end"
        return token

    def _accept(self, *texts: str) -> _Token | None:
        token = self._peek()
        if token.text in texts and token.kind in ("operator", "name"):
            return self._next()
        return None

    def _expect(self, *texts: str) -> _Token:
        token = self._accept(*texts)
        if token is None:
            wanted = " or ".join(repr(t) for t in texts)
            raise self._unexpected(f"expected {wanted}")
        return token

    # -- errors and bounds -------------------------------------------------------------------

    def _error(self, reason: str, offset: int, hint: str = "") -> PredicateError:
        return PredicateError(reason, self.text, offset, hint=hint)

    def _unexpected(self, hint: str = "") -> PredicateError:
        token = self._peek()
        what = "unexpected end" if token.kind == "end" else f"unexpected {token.text!r}"
        return self._error(what, token.offset, hint)

    def _count(self, offset: int, *repeated: Node) -> int:
        """Count a node, and whole subtrees that are about to stand in the tree once more."""
        self.nodes += 1 + sum(1 for node in repeated for _ in walk(node))
        if self.nodes > MAX_NODES:
            raise self._error("too many terms", offset, f"at most {MAX_NODES}; split the predicate")
        return offset

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            offset = self._peek().offset
            raise self._error("nested too deeply", offset, f"at most {MAX_DEPTH} levels")

    # -- grammar -----------------------------------------------------------------------------

    def _or(self) -> Node:
        self._deeper()
        offset = self._peek().offset
        operands = [self._and()]
        while self._accept("or"):
            operands.append(self._and())
        self.depth -= 1
        return join("or", operands, self._count(offset))

    def _and(self) -> Node:
        offset = self._peek().offset
        operands = [self._not()]
        while self._accept("and"):
            operands.append(self._not())
        return join("and", operands, offset)

    def _not(self) -> Node:
        token = self._accept("not")
        if token is None:
            return self._comparison()
        self._deeper()
        node = Unary("not", self._not(), self._count(token.offset))
        self.depth -= 1
        return node

    def _comparison(self) -> Node:
        offset = self._peek().offset
        left = self._sum(0)
        parts: list[Node] = []
        while token := self._accept(*_COMPARISONS):
            right = self._sum(0)
            repeated = (left,) if parts else ()
            place = self._count(token.offset, *repeated)
            parts.append(Compare(token.text, left, right, place))
            left = right
        if self._peek().text == "in" or (self._peek().text == "not" and self._follows("in")):
            parts.append(self._membership(left))
        return join("and", parts, offset) if parts else left

    def _follows(self, text: str) -> bool:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)].text == text

    def _membership(self, left: Node) -> Node:
        negated = self._accept("not")
        offset = self._expect("in").offset
        opening = self._expect("[", "(")
        low = self._sum(0)
        self._expect(",")
        high = self._sum(0)
        closing = self._expect("]", ")")
        lower = Compare(">=" if opening.text == "[" else ">", left, low, self._count(offset))
        place = self._count(offset, left, left)
        upper = Compare("<=" if closing.text == "]" else "<", left, high, place)
        inside = Logical("and", (lower, upper), self._count(offset))
        return Unary("not", inside, self._count(offset)) if negated else inside

    def _sum(self, level: int) -> Node:
        node = self._unary()
        while True:
            token = self._peek()
            own = _ARITHMETIC.get(token.text, 0) if token.kind == "operator" else 0
            if own <= level:
                return node
            self._next()
            node = Binary(token.text, node, self._sum(own), self._count(token.offset))

    def _unary(self) -> Node:
        token = self._peek()
        if token.text in ("-", "+") and token.kind == "operator":
            self._next()
            self._deeper()
            operand = self._unary()
            self.depth -= 1
            if token.text == "+":
                return operand
            if isinstance(operand, Number):
                return Number(-operand.value, token.offset)
            return Unary("-", operand, self._count(token.offset))
        return self._power()

    def _power(self) -> Node:
        base = self._atom()
        token = self._accept("**")
        if token is None:
            return base
        self._deeper()
        exponent = self._unary()
        self.depth -= 1
        return Binary("**", base, exponent, self._count(token.offset))

    def _atom(self) -> Node:
        token = self._next()
        offset = self._count(token.offset)
        if token.kind == "number":
            return self._number(token)
        if token.kind == "text":
            return Text(token.text[1:-1], offset)
        if token.kind == "name" and token.text not in _KEYWORDS:
            if self._accept("("):
                return self._subscript(self._call(token))
            if token.text in _CONSTANTS:
                return Number(_CONSTANTS[token.text], offset)
            return Name(token.text, offset)
        if token.text == "(":
            return self._parenthesised(offset)
        self.position -= token.kind != "end"
        raise self._unexpected("expected a name, a number, a function or '('")

    def _number(self, token: _Token) -> Number:
        following = self._peek()
        if following.kind in ("name", "number") and following.offset == token.offset + len(
            token.text
        ):
            raise self._error(f"'{token.text}{following.text}' is not a number", token.offset)
        return Number(float(token.text.replace("_", "")), token.offset)

    def _parenthesised(self, offset: int) -> Node:
        items: list[Node] = []
        is_tuple = False
        while not self._accept(")"):
            items.append(self._or())
            if self._peek().text == ")":
                continue
            self._expect(",", ")")
            is_tuple = True
        if is_tuple or not items:
            return Tuple(tuple(items), offset)
        return items[0]

    def _call(self, name: _Token) -> Node:
        arguments: list[Node] = []
        while not self._accept(")"):
            arguments.append(self._or())
            if self._peek().text != ")":
                self._expect(",", ")")
        if name.text == "close":
            self._count(name.offset, *arguments[1:2])
        return make_call(name.text, tuple(arguments), name.offset, self.text)

    def _subscript(self, node: Node) -> Node:
        bracket = self._accept("[")
        if bracket is None:
            return node
        if not (isinstance(node, Call) and node.function == "shape" and len(node.arguments) == 1):
            raise self._error("only shape(x) can be indexed", bracket.offset)
        axis = self._unary()
        self._expect("]")
        return make_call("shape", (*node.arguments, axis), node.offset, self.text)


def join(operator: str, operands: list[Node], offset: int) -> Node:
    """`and` or `or` over operands, flattened; a single operand stays as it is."""
    flat: list[Node] = []
    for operand in operands:
        if isinstance(operand, Logical) and operand.operator == operator:
            flat.extend(operand.operands)
        else:
            flat.append(operand)
    return flat[0] if len(flat) == 1 else Logical(operator, tuple(flat), offset)


def make_call(name: str, arguments: tuple[Node, ...], offset: int, text: str) -> Node:
    """Check a call against the closed list and build it; `close` becomes a comparison.

    Raises:
        PredicateError: Unknown function, or a wrong number or kind of arguments.
    """
    if name == "close":
        if len(arguments) != 3:
            raise PredicateError("close takes 3 arguments: close(a, b, tol)", text, offset)
        left, right, tolerance = arguments
        distance = Call("abs", (Binary("-", left, right, offset),), offset)
        scale = Call("max", (Number(1.0, offset), Call("abs", (right,), offset)), offset)
        return Compare("<=", distance, Binary("*", tolerance, scale, offset), offset)
    function = FUNCTIONS.get(name)
    if function is None:
        known = [*FUNCTIONS, "close"]
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise PredicateError(
            f"unknown function '{name}'",
            text,
            offset,
            hint=f"{meant}known: {', '.join(sorted(known))}",
        )
    if not function.minimum <= len(arguments) <= function.maximum:
        span = f"{function.minimum} to {function.maximum} arguments"
        if function.minimum == function.maximum:
            span = f"{function.minimum} argument{'s' * (function.minimum > 1)}"
        raise PredicateError(f"{name} takes {span}, not {len(arguments)}", text, offset)
    if function.kind is FunctionKind.META and not isinstance(arguments[0], Name):
        raise PredicateError(f"{name} takes the name of a field", text, offset)
    if name == "shape" and len(arguments) == 2 and not _is_whole(arguments[1]):
        raise PredicateError("an axis is a whole number, as in shape(x)[-1]", text, offset)
    return Call(name, arguments, offset)


def _is_whole(node: Node) -> bool:
    return isinstance(node, Number) and node.value.is_integer()
