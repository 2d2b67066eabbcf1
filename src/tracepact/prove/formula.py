"""The mathematical dialect of formulas: `softmax(x)_i = exp(x_i - max_j x_j) / sum_k exp(x_k)`.

A formula that defines results is parsed into the tree of predicates, with three additions: indexed
names, sums (maxima, …) over an index, and the operators `@` (matrix product, written as
juxtaposition) and `T`. Prose and relations are refused, with the place where they stop to be maths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from tracepact.predicate.ast import Binary, Call, Compare, Name, Node, Number, Unary, children
from tracepact.prove.proof import Undecidable

MAX_CHARACTERS: Final = 1_000
MAX_DEPTH: Final = 30

CONVERSIONS: Final = frozenset({"float16", "float32", "float64", "bfloat16"})
FUNCTIONS: Final = CONVERSIONS | {
    "abs", "argmax", "ceil", "exp", "floor", "log", "max", "mean", "min", "Phi", "round", "sign",
    "sqrt", "sum", "var", "where",
}  # fmt: skip
"""What a formula may call besides other equations."""

_TOKEN: Final = re.compile(
    r"""(?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*'?)
    | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%^<>()\[\],=;_|])""",
    re.VERBOSE,
)
_REDUCTION: Final = re.compile(r"(sum|max|min|mean)_([a-z])\Z")
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_CONSTANTS: Final = {"pi": 3.141592653589793, "inf": float("inf")}


@dataclass(frozen=True, slots=True)
class Indexed:
    """`x_ij`: indices name the last axes of a field."""

    id: str
    indices: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """An index as a number: `j == targets_i`."""

    index: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Over:
    """`sum_k …`: a reduction over one index."""

    function: str
    index: str
    body: Term
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class At:
    """`table[rows]`: rows of a table."""

    table: Term
    rows: Term
    offset: int = field(default=0, compare=False)


Term: TypeAlias = Node | Index | Indexed | Over | At


def walk_term(root: Term) -> Iterator[Term]:
    """The term and everything below it, predicates included."""
    stack: list[Term] = [root]
    while stack:
        node = stack.pop()
        yield node
        match node:
            case Over():
                stack.append(node.body)
            case At():
                stack += [node.table, node.rows]
            case Index() | Indexed():
                pass
            case _:
                stack += children(node)


@dataclass(frozen=True, slots=True)
class Definition:
    """One result of an equation.

    Attributes:
        name: Field that it defines; `ret` where the formula gives the equation itself a value.
        function: How other formulas call it; "" where they cannot.
        parameters: Of that function.
        indices: Of the result.
        body: Its value.
        is_step: Written with a prime: names in the body are values before the step.
    """

    name: str
    function: str
    parameters: tuple[str, ...]
    indices: str
    body: Term
    is_step: bool = False


def parse_definitions(text: str, known: frozenset[str]) -> tuple[Definition, ...]:
    """Parse a formula that defines results.

    Args:
        text: The formula.
        known: Names of fields; any other name is taken for prose.

    Raises:
        Undecidable: It defines nothing, or is no formula; says where.
    """
    text = " ".join(text.split())
    if not text:
        raise Undecidable("the equation has no formula")
    if len(text) > MAX_CHARACTERS:
        raise Undecidable(f"the formula is longer than {MAX_CHARACTERS} characters")
    return _Parser(text, known).definitions()


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int


class _Parser:
    def __init__(self, text: str, known: frozenset[str]) -> None:
        self.text = text
        self.known = set(known)
        self.tokens: list[_Token] = []
        self.position = 0
        self.depth = 0
        self.indices = ""
        self.is_step = False
        place = 0
        while place < len(text):
            if text[place] == " ":
                place += 1
                continue
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.error(f"unexpected {text[place]!r}", place)
            self.tokens.append(_Token(match.lastgroup or "", match[0], place))
            place = match.end()
        self.tokens.append(_Token("end", "", len(text)))

    def error(self, what: str, offset: int) -> Undecidable:
        return Undecidable(f"the formula is no definition: {what} at column {offset + 1}")

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def accept(self, *texts: str) -> _Token | None:
        token = self.token
        if token.kind != "end" and token.text in texts:
            self.position += 1
            return token
        return None

    def expect(self, text: str) -> None:
        if self.accept(text) is None:
            found = repr(self.token.text) if self.token.text else "the end"
            raise self.error(f"expected {text!r}, not {found}", self.token.offset)

    # -- definitions -------------------------------------------------------------------------

    def definitions(self) -> tuple[Definition, ...]:
        found = [self.definition()]
        while self.accept(";"):
            found.append(self.definition())
        if self.token.kind != "end":
            raise self.error(f"unexpected {self.token.text!r}", self.token.offset)
        return tuple(found)

    def definition(self) -> Definition:
        name = self.token
        if name.kind != "name":
            raise self.error("expected the name of a result", name.offset)
        self.position += 1
        parameters = self.parameters() if self.accept("(") else ()
        plain, _, indices = name.text.rpartition("_")
        if parameters:
            plain, indices = name.text, ""
            if self.accept("_"):
                indices = self.token.text
                self.position += 1
        elif name.text in self.known or not re.fullmatch("[i-nt]{1,3}", indices):
            plain, indices = name.text, ""
        if self.token.text in _COMPARISONS:
            raise self.error("it is a relation,", self.token.offset)
        self.expect("=")
        if parameters and plain in FUNCTIONS:
            hint = f"'{plain}' is a function already; write ret = {plain}(…)"
            raise self.error(hint, name.offset)
        self.indices = indices
        self.is_step = plain.endswith("'")
        body = self.expression()
        if self.token.text == "=":
            raise self.error("a second '='", self.token.offset)
        self.known.add("ret" if parameters else plain.rstrip("'"))
        return Definition(
            "ret" if parameters else plain.rstrip("'"),
            plain if parameters else "",
            parameters,
            indices,
            body,
            self.is_step,
        )

    def parameters(self) -> tuple[str, ...]:
        names = []
        while True:
            token = self.token
            if token.kind != "name":
                raise self.error("expected the name of a parameter", token.offset)
            names.append(token.text)
            self.known.add(token.text)
            self.position += 1
            if self.accept(")"):
                return tuple(names)
            self.expect(",")

    # -- expressions -------------------------------------------------------------------------

    def expression(self) -> Term:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} levels", self.token.offset)
        node = self.sum()
        if token := self.accept(*_COMPARISONS):
            node = Compare(token.text, node, self.sum(), token.offset)  # type: ignore[arg-type]
        self.depth -= 1
        return node

    def sum(self) -> Term:
        node = self.product()
        while token := self.accept("+", "-"):
            node = Binary(token.text, node, self.product(), token.offset)  # type: ignore[arg-type]
        return node

    def product(self) -> Term:
        node = self.unary()
        while True:
            offset = self.token.offset
            if token := self.accept("*", "/", "//", "%"):
                operator = token.text
            elif self.token.kind in ("name", "number") or self.token.text == "(":
                operator = "@"
            else:
                return node
            node = Binary(operator, node, self.unary(), offset)  # type: ignore[arg-type]

    def unary(self) -> Term:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} levels", self.token.offset)
        node: Term
        if token := self.accept("-"):
            node = Unary("-", self.unary(), token.offset)  # type: ignore[arg-type]
        else:
            node = self.power()
        self.depth -= 1
        return node

    def power(self) -> Term:
        node = self.atom()
        while token := self.accept("["):
            node = At(node, self.expression(), token.offset)
            self.expect("]")
        if token := self.accept("^", "**"):
            if self.token.text == "T":
                self.position += 1
                return Unary("T", node, token.offset)  # type: ignore[arg-type]
            exponent = self.unary()
            return Binary("**", node, exponent, token.offset)  # type: ignore[arg-type]
        return node

    def atom(self) -> Term:
        token = self.token
        self.position += token.kind != "end"
        if token.kind == "number":
            return Number(float(token.text), token.offset)
        if token.text == "(":
            node = self.expression()
            self.expect(")")
            return node
        if token.kind != "name":
            found = repr(token.text) if token.text else "the end"
            raise self.error(f"unexpected {found}", token.offset)
        return self.named(token)

    def named(self, token: _Token) -> Term:
        text = token.text
        if text not in self.known and (match := _REDUCTION.match(text)):
            return self.over(match[1], match[2], token)
        if self.token.text == "(" and self.token.offset == token.offset + len(text):
            self.position += 1
            return self.call(token)
        if text in self.known:
            return Call("old", (Name(text),)) if self.is_step else Name(text, token.offset)
        base, _, suffix = text.rpartition("_")
        if base in self.known and set(suffix) <= set(self.indices):
            if len(set(suffix)) < len(suffix):
                raise self.error(f"an index twice in {text!r}", token.offset)
            return Indexed(base, suffix, token.offset)
        if text in self.indices:
            return Index(text, token.offset)
        if text in _CONSTANTS:
            return Number(_CONSTANTS[text], token.offset)
        raise self.error(f"no field is called {text!r},", token.offset)

    def over(self, function: str, index: str, token: _Token) -> Term:
        if index in self.indices:
            raise self.error(f"the index {index!r} is taken", token.offset)
        outer, self.indices = self.indices, self.indices + index
        body = self.product()
        self.indices = outer
        return Over(function, index, body, token.offset)

    def call(self, token: _Token) -> Term:
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        return Call(token.text, tuple(arguments), token.offset)  # type: ignore[arg-type]
