"""Exact values of expressions as they are written in a problem, such as `3(x + 1/2) - 4`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

TIMES, DIVIDED = "\u00d7", "\u00f7"

_SIGNS = {TIMES: "*", DIVIDED: "/", "^": "**"}

_FRACTION = re.compile(r"(\d+)/(\d+)")  # binds closer than the sign

_PRODUCT = re.compile(r"(?<=[\d)a-z])\s*(?=[a-z(])")  # without a sign, as in 3x and 2(x + 1)

_OPERATIONS: Mapping[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def value(text: str, variables: Mapping[str, Fraction] | None = None) -> Fraction:
    """Exact value of an expression.

    Args:
        text: Whole numbers, letters and brackets with `+`, `-`, `TIMES`, `DIVIDED`, `/` and `^`.
        variables: Values of letters.

    Raises:
        ValueError: The text is no such expression.
    """
    for sign, python in _SIGNS.items():
        text = text.replace(sign, python)
    text = _PRODUCT.sub("*", _FRACTION.sub(r"(\1/\2)", text.strip()))
    try:
        return _value(ast.parse(text, mode="eval").body, variables or {})
    except (SyntaxError, KeyError) as error:
        raise ValueError(f"{text!r} is no expression ({error})") from error


def holds(equation: str, name: str, at: Fraction) -> bool:
    """Whether both sides of an equation are equal where a letter has a value."""
    left, _, right = equation.partition("=")
    return value(left, {name: at}) == value(right, {name: at})


def _value(node: ast.expr, variables: Mapping[str, Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.Name(id=name):
            return variables[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, variables)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
            return _value(left, variables) ** power
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left, variables), _value(right, variables))
    raise ValueError(f"{ast.unparse(node)!r} is no expression")
