"""What an equation's domain says about its inputs: shapes, whole numbers, infinities.

A domain is prose (`x [..., n], n >= 1, of finite numbers and -inf`). Only what is in brackets right
behind a name is read as a shape; a field without one is a number, or a row where predicates or
formulas take it for an array.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tracepact.predicate.ast import Binary, Call, Compare, Name
from tracepact.prove.formula import At, Index, Indexed, walk_term
from tracepact.prove.proof import Undecidable

_SHAPED: Final = re.compile(
    r"([A-Za-z_]\w*(?:\s*\([^()]*\))?(?:\s*,\s*[A-Za-z_]\w*(?:\s*\([^()]*\))?)*)\s*\[([^\[\]]*)\]"
)
_DIMENSION: Final = re.compile(
    r"\.\.\.|(?:\d{1,6}|[A-Za-z_]\w*)(?:\s*\*\s*(?:\d{1,6}|[A-Za-z_]\w*))*(?:\s*/\s*[1-9]\d{0,5})?",
    re.ASCII,
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_ROWS: Final = ("len", "size", "all", "any", "argmax", "argmin", "norm", "std", "sum", "count")
_MAX_TRIED: Final = 20_000

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Input:
    """One field that a case has to fill.

    Attributes:
        name: Of the field.
        dims: Names or numbers of its axes; an axis `...` stands for any number of rows.
        is_whole: Whether it takes whole numbers only.
        has_infinity: Whether its domain has -inf.
        is_finite: Whether its domain has no infinity but -inf, and no NaN.
        dtype: Storage that the domain names; "" where any will do.
    """

    name: str
    dims: tuple[str, ...] = ()
    is_whole: bool = False
    has_infinity: bool = False
    is_finite: bool = False
    dtype: str = ""

    @property
    def has_rows(self) -> bool:
        """Whether it may have any number of rows."""
        return "..." in self.dims

    @property
    def own_dims(self) -> tuple[str, ...]:
        """Axes without the rows."""
        return tuple(dim for dim in self.dims if dim != "...")


def words(text: str) -> frozenset[str]:
    """Names in a domain that cannot be prose: with a shape, an underscore or a comparison.

    Names of dimensions are left out.
    """
    found = set(re.findall(r"[A-Za-z]\w*_\w+", text))
    found |= set(re.findall(r"([A-Za-z_]\w*)\s*(?:[<>=]|in [\[(])", text))
    sizes_ = set[str]()
    for match in _SHAPED.finditer(text):
        found |= set(_NAME.findall(re.sub(r"\([^()]*\)", "", match[1])))
        sizes_ |= set(_NAME.findall(match[2]))
    return frozenset(found - sizes_)


def read_inputs(names: Iterable[str], domain: str, trees: Iterable[Any]) -> tuple[Input, ...]:
    """What is known of the fields of these names.

    Args:
        names: Fields.
        domain: Prose.
        trees: Predicates and formulas that use them.
    """
    shapes: dict[str, tuple[str, ...]] = {}
    for match in _SHAPED.finditer(domain):
        dims = tuple(dim.strip() for dim in match[2].split(",") if dim.strip())
        if all(
            re.fullmatch(r"\.\.\.|[A-Za-z]\w*|\d+|\d*\s*\*?\s*\w+|\w+\s*/\s*\d+", d) for d in dims
        ):
            for name in _NAME.findall(re.sub(r"\([^()]*\)", "", match[1])):
                shapes[name] = dims
    wholes, ranks = set[str](), dict[str, int]()
    for node in (node for tree in trees for node in walk_term(tree)):
        _observe(node, wholes, ranks)
    return tuple(
        Input(
            name=name,
            dims=shapes.get(
                _plain(name), tuple(f"{name}_{k}" for k in range(ranks.get(_plain(name), 0)))
            ),
            is_whole=_plain(name) in wholes or _is_whole(_plain(name), domain),
            has_infinity="-inf" in _part_about(_plain(name), domain),
            is_finite="finite" in (_part_about(_plain(name), domain) or domain),
            dtype="float16" if "float16" in _part_about(_plain(name), domain) else "",
        )
        for name in sorted(set(names))
    )


def _plain(name: str) -> str:
    """`x` for `old(x)`."""
    return name.removeprefix("old(").removesuffix(")")


def _is_whole(name: str, domain: str) -> bool:
    """Whether `whole numbers` follows the name, before the next shape."""
    own = rf"\b{re.escape(name)}\b\s*(?:\[[^\]]*\])?[^;\[]*\bwhole\b"
    return re.search(own, domain) is not None


def _part_about(name: str, domain: str) -> str:
    parts = re.split(r";", domain)
    return " ".join(part for part in parts if re.search(rf"\b{re.escape(name)}\b", part))


def _observe(node: Any, wholes: set[str], ranks: dict[str, int]) -> None:
    def rank(name: str, least: int) -> None:
        ranks[name] = max(ranks.get(name, 0), least)

    match node:
        case Binary("//" | "%", left, right):
            wholes.update(side.id for side in (left, right) if isinstance(side, Name))
        case Compare("<", Name(name), Call("shape" | "len")):
            wholes.add(name)
        case Binary("@", Name(left), Name(right)):
            rank(left, 1)
            rank(right, 1)
        case Compare(_, Index(), Indexed(name, indices)):
            wholes.add(name)
            rank(name, len(indices))
        case Indexed(name, indices):
            rank(name, len(indices))
        case At(Name(table), Name(rows)):
            wholes.add(rows)
            rank(rows, 1)
            rank(table, 2)
        case Call("shape", (Name(name), *_)):
            rank(name, 1)
        case Call(function, arguments) if function.startswith("row_"):
            for name in names_in(arguments):
                rank(name, 1)
        case Call(function, (Name(name),)) if function in _ROWS or function in ("min", "max"):
            rank(name, 1 if function not in ("all", "any") else 0)


def names_in(nodes: Iterable[Any]) -> Iterator[str]:
    """Fields that trees name."""
    for node in (node for root in nodes for node in walk_term(root)):
        if isinstance(node, Name | Indexed):
            yield node.id


def sizes(inputs: Iterable[Input], bound: int) -> list[dict[str, tuple[int, ...]]]:
    """Every way to shape the inputs so that each has at most `bound` elements, small ones first.

    Rows of `...` are left out: one row is as good as many. Dimensions like `H * hd` and `hd/2`
    follow from the others.

    Raises:
        Undecidable: There are too many.
    """
    inputs = list(inputs)
    letters = sorted({n for one in inputs for dim in one.own_dims for n in _NAME.findall(dim)})
    found: list[tuple[int, dict[str, tuple[int, ...]]]] = []
    tried = 0

    def extend(extent: dict[str, int]) -> None:
        """Give the next letter every size; letters without one count as 1 meanwhile."""
        nonlocal tried
        tried += 1
        if tried > _MAX_TRIED:
            raise Undecidable("the inputs have too many shapes")
        for one in inputs:
            if math.prod(_least(one, extent)) > bound:
                return
        if len(extent) < len(letters):
            for size in range(1, bound + 1):
                extend({**extent, letters[len(extent)]: size})
            return
        if all(_fits(dim, extent) for one in inputs for dim in one.own_dims):
            found.append((sum(extent.values()), {one.name: _least(one, extent) for one in inputs}))

    extend({})
    return [shapes for _, shapes in sorted(found, key=lambda pair: pair[0])]


def _least(one: Input, extent: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an input, where letters that have no size yet count as 1."""
    shape = []
    for dim in one.own_dims:
        product, _, divisor = dim.partition("/")
        sizes_ = (factor.strip() for factor in product.split("*"))
        size = math.prod(int(f) if f.isdigit() else extent.get(f, 1) for f in sizes_)
        shape.append(size // int(divisor or 1))
    return tuple(shape)


def _fits(dim: str, extent: Mapping[str, int]) -> bool:
    """Whether `hd/2` is a whole number."""
    product, _, divisor = dim.partition("/")
    whole = Input("", (product,))
    return not divisor or _least(whole, extent)[0] % int(divisor) == 0
