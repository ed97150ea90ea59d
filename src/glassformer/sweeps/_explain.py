"""From pydantic's list of complaints to one sentence: what, the value, what is allowed, what next."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from glassformer._core._errors import InvalidInputError, shorten
from glassformer.sweeps._describe import describe_field

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# A misspelt key also makes the right one missing, so unknown keys are reported first.
_ORDER = {"extra_forbidden": 0, "missing": 1}


class _Place(NamedTuple):
    """Where in the configuration a complaint points."""

    path: tuple[int | str, ...]
    models: tuple[type[BaseModel], ...]
    field: FieldInfo | None

    @property
    def name(self) -> str:
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
        return text

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(part for part in self.path if isinstance(part, str))


def explain(error: ValidationError, name: str, kind: type[BaseModel]) -> InvalidInputError:
    """Return the one sentence about the first thing that is wrong with the configuration of run `name`."""
    problems = sorted(error.errors(include_url=False), key=lambda problem: _ORDER.get(problem["type"], 2))
    first = problems[0]
    location, given = first["loc"], first["input"]
    see = f"`glassformer show {name}` explains every key"
    if first["type"] == "extra_forbidden":
        return _unknown_key(location, given, name, kind, see)
    place = _locate(location, kind)
    if first["type"] == "missing" and isinstance(location[-1], str):
        needs = f": {describe_field(place.field)}" if place.field is not None else ""
        return InvalidInputError(
            f"{place.name} is missing, but {name} needs it{needs}; add --set {place.name}=VALUE; {see}."
        )
    # A field that takes several types complains once for each of them.
    same = [problem for problem in problems if _locate(problem["loc"], kind).key == place.key]
    for problem in same:
        own = problem.get("ctx", {}).get("error")
        if isinstance(own, InvalidInputError):
            return _with_words(own, same, given)
    if place.field is None:
        reason = re.sub(r"^Value error, ", "", first["msg"])
        return InvalidInputError(f"the configuration of {name} cannot be used: {reason}; {see}.")
    allowed = describe_field(place.field)
    if any(isinstance(part, int) for part in place.path) and len(same) == 1:
        allowed = f"an entry of {allowed}"
    if first["type"] == "finite_number":
        allowed = allowed.replace("a number", "a finite number")
    reason = f" ({first['ctx']['error']})" if first["type"] == "value_error" else ""
    guess = _near(given, _quoted(allowed)) if isinstance(given, str) else ""
    if isinstance(given, list | tuple) and allowed.startswith(("a number", "a finite number", "an integer")):
        guess = "; for several values use `glassformer sweep`"
    return InvalidInputError(f"{place.name} is {shorten(given)}, but must be {allowed}{reason}{guess}; {see}.")


def _unknown_key(
    location: tuple[int | str, ...], given: Any, name: str, kind: type[BaseModel], see: str
) -> InvalidInputError:
    parent, key = _locate(location[:-1], kind), str(location[-1])
    known = list(dict.fromkeys(field for model in parent.models for field in model.model_fields))
    owner = f"{name}: {parent.name}" if parent.name else name
    return InvalidInputError(
        f"{owner} has no key {key!r} (given as {shorten(given)}{_near(key, known)}); "
        f"its keys are {', '.join(known) or 'none'}; {see}."
    )


def _with_words(own: InvalidInputError, same: Sequence[ErrorDetails], given: Any) -> InvalidInputError:
    """Add the words that are allowed beside an array, for a field that takes either."""
    words = next((problem["ctx"]["expected"] for problem in same if problem["type"] == "literal_error"), "")
    if not words or not isinstance(given, str) or "." in given:  # a path was meant
        return own
    return InvalidInputError(f"{str(own).rstrip('.')}; or the word {words}{_near(given, _quoted(words)) or '.'}")


def _locate(location: Sequence[int | str], kind: type[BaseModel]) -> _Place:
    """Follow `location` through nested tables, leaving out the names of union members that pydantic puts there."""
    path: list[int | str] = []
    models: tuple[type[BaseModel], ...] = (kind,)
    field: FieldInfo | None = None
    for part in location:
        if isinstance(part, int):
            path.append(part)
            continue
        holder = next((model for model in models if part in model.model_fields), None)
        if holder is not None:
            path.append(part)
            field = holder.model_fields[part]
            models = tuple(_models_in(field.annotation))
    return _Place(tuple(path), models, field)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]


def _near(word: str, known: list[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def _quoted(words: str) -> list[str]:
    return re.findall(r"'([^']*)'", words)
