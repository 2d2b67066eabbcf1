"""Elements for z3: exact numbers, infinities and NaN, and terms over real and whole unknowns.

What is not a number (0/0, the root of a negative one) is not a real number either, so every such
operation leaves a *side condition*; nothing counts as proved unless these hold too. exp, log and
sqrt are unknowns of their own about which true facts are stated, so that a proof is sound, while a
counterexample may not be one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np
import z3

from tracepact.prove.algebra import Operations
from tracepact.prove.proof import Undecidable

_MAX_EXPONENT: Final = 1_100
_MAX_POWER: Final = 8
_MAX_BITS: Final = 20_000
_MAX_FACTS: Final = 40
_SIGN_TIMEOUT_MS: Final = 200


def _is_exact(value: Any) -> bool:
    return isinstance(value, (int, Fraction)) and not isinstance(value, bool)


def _refuse_long(value: Any, times: int = 1) -> None:
    """Stop before numbers of a hostile formula fill the memory."""
    if times * max(n.bit_length() for n in value.as_integer_ratio()) > _MAX_BITS:
        raise Undecidable(f"a number of more than {_MAX_BITS} bits")


def _is_special(value: Any) -> bool:
    """An infinity or NaN; all other numbers are exact."""
    return isinstance(value, float)


def exact(value: float) -> Any:
    """A number as written: 0.1 is one tenth."""
    if not math.isfinite(value):
        return float(value)
    return Fraction(int(value)) if float(value).is_integer() else Fraction(repr(float(value)))


def term(value: Any) -> Any:
    """Anything but an infinity or NaN as a term of z3."""
    if isinstance(value, (bool, np.bool_)):
        return z3.BoolVal(bool(value))
    if _is_exact(value):
        return z3.RealVal(str(Fraction(value)))
    if _is_special(value):
        raise Undecidable(f"{value} depends on a condition that is not known")
    return value


class Terms:
    """The arithmetic of `Algebra` over these elements.

    Attributes:
        facts: What is true of the unknowns that were made on the way.
        sides: What has to hold so that every operation has a number as its result.
        assumed: What is known of the inputs; decides the sign of an unknown beside an infinity.
    """

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.sides: list[Any] = []
        self.assumed: list[Any] = []
        self._powers: list[tuple[Any, Any]] = []
        self._roots: list[tuple[Any, Any]] = []
        own = {
            "+": self._add, "-": lambda a, b: self._add(a, self._negative(b)),
            "*": self._times, "/": self._over, "//": self._whole_quotient, "%": self._remainder,
            "**": self._power, "neg": self._negative, "not": _not, "and": _and, "or": _or,
            "where": self._where, "abs": self._absolute, "sqrt": self._root, "exp": self._exp,
            "log": self._log, "floor": _floor, "sign": self._sign,
            "max": partial(self._extreme, ">="), "min": partial(self._extreme, "<="),
            "isfinite": lambda a: not _is_special(a), "isnan": _is_nan,
            "isinf": lambda a: _is_special(a) and not _is_nan(a),
            **{symbol: partial(self._compare, symbol) for symbol in _COMPARE},
        }  # fmt: skip
        counts = {"neg": 1, "not": 1, "abs": 1, "sqrt": 1, "exp": 1, "log": 1, "floor": 1,
                  "sign": 1, "isfinite": 1, "isnan": 1, "isinf": 1, "where": 3}  # fmt: skip
        self.operations: Operations = {
            name: np.frompyfunc(compute, int(counts.get(name, 2)), 1)  # type: ignore[call-overload]
            for name, compute in own.items()
        }

    def number(self, value: float) -> Any:
        """A literal, exactly."""
        return exact(value)

    # -- arithmetic --------------------------------------------------------------------------

    def _add(self, left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        if _is_special(left) or _is_special(right):
            specials = [value for value in (left, right) if _is_special(value)]
            return sum(specials)
        if _is_exact(left) and _is_exact(right):
            return left + right
        if _is_exact(left) and not left:
            return right
        if _is_exact(right) and not right:
            return left
        return term(left) + term(right)

    def _negative(self, value: Any) -> Any:
        return -_number(value)

    def _times(self, left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        if _is_special(left) or _is_special(right):
            if all(_is_special(v) or _is_exact(v) for v in (left, right)):
                return float(left) * float(right)
            one, other = (left, right) if _is_special(left) else (right, left)
            return float(one) * self._sign_of(other)
        if _is_exact(left) and _is_exact(right):
            _refuse_long(left)
            _refuse_long(right)
            return left * right
        for one, other in ((left, right), (right, left)):
            if _is_exact(one) and one in (0, 1):
                return other if one else one
        return term(left) * term(right)

    def _over(self, left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        if _is_special(right):
            if _is_nan(right) or _is_special(left):
                return math.nan
            return Fraction(0)
        if _is_exact(right):
            if right:
                return self._times(left, 1 / Fraction(right))
            if _is_special(left) or _is_exact(left):
                return math.nan if not left or _is_nan(left) else math.copysign(math.inf, left)
        if _is_special(left):
            return float(left) * self._sign_of(right)
        self.sides.append(term(right) != 0)
        return _real(term(left)) / _real(term(right))

    def _sign_of(self, unknown: Any) -> int:
        """1 or -1, where what is assumed decides it."""
        for sign, opposite in ((1, unknown <= 0), (-1, unknown >= 0)):
            solver = z3.Solver()
            solver.set("timeout", _SIGN_TIMEOUT_MS)
            solver.add(*self.assumed, *self.facts, opposite)
            if solver.check() == z3.unsat:
                return sign
        raise Undecidable("an infinity beside an unknown of either sign")

    def _whole_quotient(self, left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        if z3.is_int(left) and z3.is_int(right):
            self.sides.append(right != 0)
            return z3.If(right > 0, left / right, (-left) / (-right))
        return _floor(self._over(left, right))

    def _remainder(self, left: Any, right: Any) -> Any:
        quotient = self._whole_quotient(left, right)
        return self._add(left, self._negative(self._times(right, quotient)))

    def _power(self, base: Any, exponent: Any) -> Any:
        base, exponent = _number(base), _number(exponent)
        if not _is_exact(exponent) or _is_special(base):
            raise Undecidable("a power whose exponent is an unknown")
        if exponent == Fraction(1, 2):
            return self._root(base)
        if exponent.denominator != 1:
            raise Undecidable(f"the power {exponent}")
        if _is_exact(base) and abs(exponent) <= _MAX_EXPONENT and base:
            _refuse_long(base, abs(int(exponent)))
            return Fraction(base) ** int(exponent)
        if not 0 <= exponent <= _MAX_POWER:
            raise Undecidable(f"the power {exponent}")
        found: Any = Fraction(1)
        for _ in range(int(exponent)):
            found = self._times(found, base)
        return found

    # -- conditions --------------------------------------------------------------------------

    def _compare(self, symbol: str, left: Any, right: Any) -> Any:
        left, right = _number(left), _number(right)
        compute = _COMPARE[symbol]
        if all(_is_special(value) or _is_exact(value) for value in (left, right)):
            return bool(compute(left, right))
        for value, other in ((left, 0.0), (right, 0.0)):
            if _is_special(value):  # the other is some finite number
                pair = (value, other) if value is left else (other, value)
                return bool(compute(*pair))
        return compute(term(left), term(right))

    def _where(self, condition: Any, yes: Any, no: Any) -> Any:
        condition = truth(condition)
        if isinstance(condition, bool):
            return yes if condition else no
        if all(isinstance(v, (bool, np.bool_, z3.BoolRef)) for v in (yes, no)):
            return z3.If(condition, term(yes), term(no))
        return z3.If(condition, _real(term(_number(yes))), _real(term(_number(no))))

    def _extreme(self, symbol: str, left: Any, right: Any) -> Any:
        if _is_nan(left) or _is_nan(right):
            return math.nan
        return self._where(self._compare(symbol, left, right), _number(left), _number(right))

    def _absolute(self, value: Any) -> Any:
        value = _number(value)
        if _is_special(value) or _is_exact(value):
            return abs(value)
        return z3.If(value >= 0, value, -value)

    def _sign(self, value: Any) -> Any:
        above, below = (
            self._compare(">", value, Fraction(0)),
            self._compare("<", value, Fraction(0)),
        )
        return self._where(above, Fraction(1), self._where(below, Fraction(-1), Fraction(0)))

    # -- functions that are not rational -----------------------------------------------------

    def _root(self, value: Any) -> Any:
        value = _number(value)
        if _is_special(value):
            return math.sqrt(value) if value > 0 else math.nan
        if _is_exact(value):
            if value < 0:
                return math.nan
            top, bottom = (math.isqrt(n) for n in Fraction(value).as_integer_ratio())
            if Fraction(top, bottom) ** 2 == value:
                return Fraction(top, bottom)
        value = z3.simplify(_real(term(value)))
        for known, root in self._roots:
            if known.eq(value):
                return root
        root = z3.FreshReal("root")
        self.facts += [root >= 0, z3.Implies(value >= 0, root * root == value)]
        self.sides.append(value >= 0)
        self._roots.append((value, root))
        return root

    def _exp(self, value: Any) -> Any:
        value = _number(value)
        if _is_special(value):
            return math.inf if value > 0 else math.nan if _is_nan(value) else Fraction(0)
        if _is_exact(value) and value == 0:
            return Fraction(1)
        value = z3.simplify(_real(term(value)))
        for known, power in self._powers:
            if known.eq(value):
                return power
        power = z3.FreshReal("exp")
        self._learn(value, power)
        return power

    def _log(self, value: Any) -> Any:
        value = _number(value)
        if _is_special(value):
            return value if value > 0 else math.nan
        if _is_exact(value):
            if value <= 0:
                return math.nan if value else -math.inf
            if value == 1:
                return Fraction(0)
        value = z3.simplify(_real(term(value)))
        for logarithm, known in self._powers:
            if known.eq(value):
                return logarithm
        logarithm = z3.FreshReal("log")
        self.sides.append(value > 0)
        self._learn(logarithm, value, z3.Implies, value > 0)
        return logarithm

    def _learn(self, exponent: Any, power: Any, when: Any = None, condition: Any = None) -> None:
        """State what is true of `power == exp(exponent)`; of a logarithm where there is one."""
        facts = [
            power > 0,
            power >= 1 + exponent,
            (exponent <= 0) == (power <= 1),
            (exponent == 0) == (power == 1),
        ]
        for other, known in self._powers:
            # A logarithm of what is not positive says nothing: see `sides`.
            ordered = (exponent <= other) == (power <= known)
            facts.append(z3.Implies(z3.And(power > 0, known > 0), ordered))
        self.facts += facts if when is None else [when(condition, fact) for fact in facts]
        self._powers.append((exponent, power))
        if len(self._powers) > _MAX_FACTS:
            raise Undecidable(f"more than {_MAX_FACTS} exponentials and logarithms")


_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _is_nan(value: Any) -> bool:
    return _is_special(value) and math.isnan(value)


def _real(value: Any) -> Any:
    return z3.ToReal(value) if z3.is_int(value) else value


def _number(value: Any) -> Any:
    """Truth values are 1 and 0 in arithmetic."""
    if isinstance(value, (bool, np.bool_)):
        return Fraction(int(value))
    if isinstance(value, z3.BoolRef):
        return z3.If(value, z3.RealVal(1), z3.RealVal(0))
    return value


def truth(value: Any) -> Any:
    """An element as a condition: True, False or a term."""
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, z3.BoolRef):
        return value
    if _is_exact(value) or _is_special(value):
        return bool(value)
    return value != 0


def _not(value: Any) -> Any:
    value = truth(value)
    return not value if isinstance(value, bool) else z3.Not(value)


def _and(left: Any, right: Any) -> Any:
    left, right = truth(left), truth(right)
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return z3.And(left, right)


def _or(left: Any, right: Any) -> Any:
    return _not(_and(_not(left), _not(right)))


def _floor(value: Any) -> Any:
    value = _number(value)
    if _is_special(value):
        return value
    if _is_exact(value):
        return Fraction(math.floor(value))
    return value if z3.is_int(value) else z3.ToReal(z3.ToInt(value))
