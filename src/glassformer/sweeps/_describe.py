"""Types in words: what a field takes, for errors and for ``glassformer show``."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

import annotated_types
from pydantic import AllowInfNan, BaseModel
from pydantic.fields import FieldInfo

from glassformer.sweeps._arrays import ArrayRule


def describe_field(field: FieldInfo) -> str:
    """Return what `field` takes, as in ``a number > 0``."""
    return describe(field.annotation, field.metadata)


def describe(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """Return the type `annotation` with its constraints in words."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return describe(arguments[0], [*arguments[1:], *metadata])
    for rule in metadata:
        if isinstance(rule, ArrayRule):
            return rule.words
    if origin in (typing.Union, types.UnionType):
        kept = [describe(argument, metadata) for argument in arguments if argument is not type(None)]
        if len(kept) != len(arguments):
            kept.append("none")
        return " or ".join(dict.fromkeys(kept))
    if origin is typing.Literal:
        names = ", ".join(repr(argument) for argument in arguments)
        return f"one of {names}" if len(arguments) > 1 else names
    if origin in (list, tuple, set, frozenset, dict) or annotation in (list, tuple, dict):
        return _collection(origin or annotation, arguments, metadata)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(repr(member.value) for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a table with {', '.join(annotation.model_fields)}"
    words = {bool: "true or false", int: "an integer", float: "a number", str: "text", type(None): "none"}
    plain = words.get(annotation, "") or str(getattr(annotation, "__name__", annotation))
    return _with_bounds(plain, metadata)


def _collection(kind: Any, arguments: tuple[Any, ...], metadata: list[Any] | tuple[Any, ...]) -> str:
    if kind is dict:
        return "a table"
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}: " + ", ".join(describe(argument) for argument in arguments)
    inside = describe(arguments[0]) if arguments else "values"
    return _with_bounds(f"a list (each {inside})", metadata)


def _with_bounds(plain: str, metadata: list[Any] | tuple[Any, ...]) -> str:
    bounds: list[str] = []
    for rule in _flatten(metadata):
        match rule:
            case annotated_types.Gt(gt=bound):
                bounds.append(f"> {bound}")
            case annotated_types.Ge(ge=bound):
                bounds.append(f">= {bound}")
            case annotated_types.Lt(lt=bound):
                bounds.append(f"< {bound}")
            case annotated_types.Le(le=bound):
                bounds.append(f"<= {bound}")
            case annotated_types.MultipleOf(multiple_of=step):
                bounds.append(f"a multiple of {step}")
            case annotated_types.MinLen(min_length=length):
                bounds.append(f"with at least {length} entries")
            case annotated_types.MaxLen(max_length=length):
                bounds.append(f"with at most {length} entries")
    text = f"{plain} {' and '.join(bounds)}" if bounds else plain
    infinite = any(isinstance(rule, AllowInfNan) and rule.allow_inf_nan for rule in metadata)
    return f"{text} (inf is allowed)" if infinite else text


def _flatten(metadata: list[Any] | tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for rule in metadata:
        if isinstance(rule, FieldInfo):  # inside a list, pydantic leaves the constraints wrapped
            flat.extend(_flatten(rule.metadata))
        elif isinstance(rule, annotated_types.GroupedMetadata):
            flat.extend(rule)
        else:
            flat.append(rule)
    return flat


def accepts_bool(annotation: Any) -> bool:
    """Whether true and false are meant to be values of `annotation`."""
    return _walk(annotation, lambda part: part is bool or isinstance(part, bool) or part in (Any, object))


def accepts_none(annotation: Any) -> bool:
    """Whether None is a value of `annotation` and the word "none" is not."""
    return _walk(annotation, lambda part: part is type(None)) and not _walk(annotation, lambda part: part == "none")


def _walk(annotation: Any, test: Any) -> bool:
    if isinstance(annotation, ArrayRule):
        return False
    if test(annotation):
        return True
    return any(_walk(argument, test) for argument in typing.get_args(annotation))
