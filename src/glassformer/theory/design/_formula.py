"""Formulas in tau, read by a parser that knows numbers, tau, arithmetic and a list of functions, and runs nothing else."""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable

import numpy as np

from glassformer._core._errors import InvalidInputError, shorten
from glassformer._core._validation import FloatArray

_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS: dict[str, tuple[Callable[..., FloatArray], int]] = {
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "sqrt": (np.sqrt, 1),
    "sin": (np.sin, 1),
    "cos": (np.cos, 1),
    "tan": (np.tan, 1),
    "asin": (np.arcsin, 1),
    "acos": (np.arccos, 1),
    "atan": (np.arctan, 1),
    "tanh": (np.tanh, 1),
    "abs": (np.abs, 1),
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
}
_OPERATORS: dict[type[ast.operator], Callable[..., FloatArray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_LANGUAGE = f"numbers, tau, pi, e, + - * / ^, parentheses and {', '.join(_FUNCTIONS)}"
_LONGEST = 1000


def parse_formula(text: str) -> Callable[[FloatArray], FloatArray]:
    """Return the function of tau that `text` says; ``^`` and ``**`` are both powers.

    >>> parse_formula("0.8^tau")(np.arange(3.0)).round(2).tolist()
    [1.0, 0.8, 0.64]

    Raises
    ------
    InvalidInputError
        With the piece that is not understood.
    """
    if len(text) > _LONGEST:
        raise InvalidInputError(
            f"the formula has {len(text)} characters, but may have {_LONGEST}; pass a list or a file."
        )
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
        _check(tree, text)
    except SyntaxError as error:
        place = (error.text or "")[max((error.offset or 1) - 1, 0) :].strip()
        near = f" near {shorten(place.replace('**', '^'), 30)}" if place else ""
        raise InvalidInputError(
            f"the formula {shorten(text)} cannot be read{near}; write it with {_LANGUAGE}, as in 0.8^tau."
        ) from error
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"the formula {shorten(text)} is nested too deeply; pass a list or a file.") from error
    return functools.partial(_evaluate_all, tree)


def _check(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return
    elif isinstance(node, ast.Name):
        if node.id == "tau" or node.id in _CONSTANTS:
            return
        if node.id in _FUNCTIONS:
            raise _refusal(node, text, f"a function that needs its argument in parentheses, as in {node.id}(tau)")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _check(node.operand, text)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        _check(node.left, text)
        return _check(node.right, text)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        wanted = _FUNCTIONS[node.func.id][1]
        if len(node.args) != wanted or node.keywords:
            raise _refusal(node, text, f"called with {len(node.args)} arguments instead of {wanted}")
        for argument in node.args:
            _check(argument, text)
        return None
    elif isinstance(node, ast.Call):
        raise _refusal(node.func, text, "no known function")
    raise _refusal(node, text, "not understood")


def _refusal(node: ast.AST, text: str, why: str) -> InvalidInputError:
    piece = shorten(ast.unparse(node).replace(" ** ", "^"), 40)
    return InvalidInputError(f"the formula {shorten(text)} holds {piece}, which is {why}; write it with {_LANGUAGE}.")


def _evaluate_all(tree: ast.AST, tau: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):  # what is not finite is refused by the caller, with its lag
        return np.array(np.broadcast_to(_evaluate(tree, tau), np.shape(tau)), dtype=np.float64)


def _evaluate(node: ast.AST, tau: FloatArray) -> FloatArray:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return np.float64(node.value)  # type: ignore[return-value]  # never an integer: 9^9^9 must not fill the memory
    if isinstance(node, ast.Name):
        return tau if node.id == "tau" else np.float64(_CONSTANTS[node.id])  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand, tau)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluate(node.left, tau), _evaluate(node.right, tau))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id][0](*(_evaluate(argument, tau) for argument in node.args))
