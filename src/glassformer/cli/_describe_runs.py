"""``list`` and ``show``."""

from __future__ import annotations

import textwrap
from typing import Any

from glassformer.cli._values import jsonable, print_json, print_table

WIDTH = 120


def list_runs(as_json: bool) -> None:
    """Print every run with its summary, from the table alone."""
    from glassformer.sweeps._registry import entries

    table = entries()
    if as_json:
        print_json({"runs": [{"name": name, "summary": summary} for name, summary in table.items()]})
        return
    print_table("runs", ["name", "summary"], list(table.items()))
    print(f"next: glassformer show {next(iter(table))}")


def show_run(name: str, as_json: bool) -> None:
    """Print everything about one run."""
    from glassformer._core._citations import cite
    from glassformer.sweeps._arrays import ALLOWED
    from glassformer.sweeps._registry import find

    spec = find(name)
    fields = _field_rows(spec)
    sources = cite(spec.citations)
    expected = [
        {
            "quantity": entry.label,
            "value": entry.value,
            "tolerance": entry.tolerance,
            "scale": entry.scale or "every",
            "source": entry.source,
        }
        for entry in spec.expected
    ]
    if as_json:
        print_json(
            {
                "name": name,
                "summary": spec.summary,
                "help": spec.long_help,
                "settings": fields,
                "scales": {scale: dict(settings) for scale, settings in spec.scales.items()},
                "expected": expected,
                "citations": [source.text for source in sources],
                "notes": spec.notes,
                "figure": spec.plot is not None,
            }
        )
        return
    print(f"{name}: {spec.summary}")
    for text in (spec.long_help, spec.notes):
        if text:
            print(f"\n{textwrap.fill(text.strip(), WIDTH, replace_whitespace=False, break_on_hyphens=False)}")
    arrays = any(ALLOWED in f["takes"] for f in fields)
    rows = [
        (
            f["key"],
            f["takes"].replace(f"{ALLOWED}, with", "an array of").replace(ALLOWED, "an array"),
            "(drawn)" if f["drawn"] else _short(f["default"]),
            f["meaning"],
        )
        for f in fields
    ]
    print()
    print_table("settings", ["key", "takes", "default", "meaning"], rows)
    if arrays:
        print(f"{ALLOWED}.")
    for scale, settings in spec.scales.items():
        listed = ", ".join(f"{key} = {_short(value)}" for key, value in settings.items()) or "the defaults"
        print(f"--scale {scale}: {listed}")
    if expected:
        print()
        cells = [
            (str(e["quantity"]), f"{e['value']:.6g} ± {e['tolerance']:.2g}", str(e["scale"]), str(e["source"]))
            for e in expected
        ]
        print_table("expected", ["quantity", "value", "scale", "source"], cells)
    for source in sources:
        print(source.text)
    print(f"next: glassformer run {name}")


def _field_rows(spec: Any) -> list[dict[str, Any]]:
    from glassformer.sweeps._describe import describe_field
    from glassformer.sweeps._prepare import needs_seed

    rows = []
    for key, field in spec.config.model_fields.items():
        drawn = key == "seed" and needs_seed(spec.config)
        default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
        if hasattr(default, "model_dump"):
            default = default.model_dump()
        rows.append(
            {
                "key": key,
                "takes": describe_field(field),
                "default": "required" if field.is_required() and not drawn else jsonable(default),
                "drawn": drawn,
                "meaning": field.description or "",
            }
        )
    return rows


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple) and len(value) > 4:
        return f"{len(value)} values, {_short(value[0])} to {_short(value[-1])}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
