"""What a study file may hold, in words, made from the keys themselves: help, a page, a JSON schema, a template."""

import textwrap
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from implicitbias.study import keys

TABLES: dict[str, type[BaseModel]] = {
    "": keys.Study,
    "[[grid]]": keys.Grid,
    "[[claim]]": keys.Claim,
    "control of a claim": keys.Control,
    "[[figure]]": keys.Figure,
}
_SIMPLE = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "value"}
WIDTH = 100
INTRODUCTION = (
    "A study file is TOML: data, optimizers and grids, the product of which are the runs; claims that the runs are "
    "judged by; and figures. An axis is a value, a list of values, { from = 0, to = 9 } for a range of integers with "
    "both ends, or { from = 0.1, to = 10, count = 5, log = true } for five real numbers from the one to the other, "
    "both exact, each the same multiple of the last (without log they are the same distance apart). "
    'zip = [["n", "d"]] in a table advances the lists n and d together instead of taking their product.'
)


def _type(annotation, axes: bool) -> str:
    """A type in words; a list of a grid is an axis."""
    origin, parts = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
    if origin is Literal:
        return " or ".join(f'"{part}"' for part in parts)
    if origin in (Union, UnionType):
        words = dict.fromkeys(_type(part, axes) for part in parts)
        return "number" if set(words) == {"number", "integer"} else " or ".join(words)
    if origin is list:
        inner = _type(parts[0], False)
        return f"axis: {inner}" if axes and get_origin(parts[0]) is not list else f"list of {inner}"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "table"
    return _SIMPLE[annotation]


def rows(model: type[BaseModel]) -> list[dict[str, str]]:
    """The keys of a table: name, type, default ("" for none, "required"), unit, what it means, an example."""
    found = []
    for name, field in model.model_fields.items():
        default = field.default
        if default is PydanticUndefined:
            words = "required"
        else:
            plain = default[0] if model is keys.Grid and isinstance(default, list) and default else default
            words = "" if plain in (None, [], {}, "") else _toml(plain)
        found.append(
            {
                "key": name,
                "type": _type(field.annotation, model is keys.Grid),
                "default": words,
                "unit": field.json_schema_extra["unit"],
                "meaning": field.description,
                "example": f"{name} = {field.examples[0]}",
            }
        )
    return found


def _toml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def page() -> str:
    """All keys as a page of text."""
    lines = [textwrap.fill(INTRODUCTION, WIDTH), ""]
    for table, model in TABLES.items():
        lines += [table or "The file", textwrap.fill(" ".join(model.__doc__.split()), WIDTH) if table else "", ""]
        for row in rows(model):
            facts = ", ".join(filter(None, [row["type"], row["unit"], _default(row)]))
            lines += [f"  {row['key']}  ({facts})"]
            lines += textwrap.wrap(row["meaning"], WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
            lines += [f"      {row['example']}", ""]
    return "\n".join(line for line in lines)


def _default(row: dict[str, str]) -> str:
    return row["default"] if row["default"] in ("", "required") else f"default {row['default']}"


def markdown() -> str:
    """The same as a Markdown page."""
    lines = ["# The study file", "", INTRODUCTION, "", "Made by `implicitbias help study --markdown`.", ""]
    for table, model in TABLES.items():
        lines += [f"## {f'`{table}`' if table.startswith('[') else table.capitalize() or 'The file'}", ""]
        lines += [" ".join(model.__doc__.split()), ""] if table else []
        lines += ["| key | type | default | unit | meaning | example |", "| --- | --- | --- | --- | --- | --- |"]
        for row in rows(model):
            cells = [f"`{row['key']}`", row["type"], row["default"], row["unit"], row["meaning"], f"`{row['example']}`"]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def json_schema() -> dict:
    """A JSON schema of study files, for editors."""
    from implicitbias.flows import KINDS
    from implicitbias.geometry import FAMILIES

    schema = keys.Study.model_json_schema()
    definitions = schema["$defs"]
    definitions["Range"] = {
        "type": "object", "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}},
        "required": ["from", "to"], "additionalProperties": False,
    }  # fmt: skip
    definitions["Spaced"] = {
        "type": "object", "properties": {
            "from": {"type": "number"}, "to": {"type": "number"},
            "count": {"type": "integer", "minimum": 2, "maximum": keys.LONGEST_RANGE}, "log": {"type": "boolean"},
        }, "required": ["from", "to", "count"], "additionalProperties": False,
    }  # fmt: skip
    for name, item in definitions["Grid"]["properties"].items():
        if name != "zip":
            items = next(part for part in item.pop("anyOf", [item]) if "items" in part).get("items")
            item.pop("type", None), item.pop("items", None), item.pop("default", None)
            axes = [{"$ref": f"#/$defs/{kind}"} for kind in ("Range", "Spaced")]
            item["anyOf"] = [items, {"type": "array", "items": items}, *axes]
    figure = definitions["Figure"]["properties"]["y"]
    figure["anyOf"] = [{"type": "string"}, {"type": "array", "items": figure.pop("items"), "minItems": 1}]
    figure.pop("type"), figure.pop("minItems", None)
    for name, kinds in (("data", FAMILIES), ("optimizer", KINDS)):
        schema["properties"][name]["additionalProperties"] = {
            "type": "object", "properties": {"kind": {"enum": sorted(kinds)}}, "additionalProperties": True,
        }  # fmt: skip
    for name in ("grid", "claim", "figure"):
        items = schema["properties"][name].pop("items")
        schema["properties"][name].pop("type"), schema["properties"][name].pop("minItems", None)
        schema["properties"][name]["anyOf"] = [{"type": "array", "items": items}, items]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def template() -> str:
    """A small study to begin with: it runs as it is, and names every other key in a comment."""

    def others(model: type[BaseModel], used: set[str]) -> list[str]:
        return [
            line
            for row in rows(model)
            if row["key"] not in used
            for line in (*_comment(row["meaning"], row["unit"]), f"# {row['example']}")
        ]

    used = {"title", "data", "optimizer", "grid", "claim", "figure", "question"}
    return "\n".join(
        [
            "# `implicitbias help study` explains every key; `implicitbias run` with this file runs it.",
            'title = "Which direction do Adam and SGD take?"',
            'question = "Does the batch size decide where Adam goes?"',
            *others(keys.Study, used),
            "",
            "# Data: a family, its parameters, and a seed for each data set. `implicitbias list gaussian` shows them.",
            "[data.gaussian]",
            "n = 10",
            "d = 50",
            "seed = { from = 0, to = 2 }",
            "",
            "# Optimizers, with their hyper-parameters. `implicitbias list adam` shows them.",
            "[optimizer.adam]",
            "beta2 = [0.95, 0.999]",
            "lr = { eta = 0.1, a = 0.5 }",
            "",
            "[optimizer.sgd]",
            "lr = 0.1",
            "",
            "# The runs: the product of these axes with the data and the optimizers.",
            "[[grid]]",
            'batch = [1, 5, "n"]',
            "steps = 20_000",
            *others(keys.Grid, {"batch", "steps", "lr"}),
            "",
            "# What is judged.",
            "[[claim]]",
            'says = "SGD goes to the l2 max-margin direction at every batch size"',
            'measure = "inc_cos_l2"',
            'where = { optimizer = "sgd" }',
            "at_least = 0.99",
            *others(keys.Claim, {"says", "measure", "where", "at_least"}),
            "",
            "[[figure]]",
            'title = "Where they end"',
            'x = "batch"',
            'y = ["inc_cos_l2", "inc_cos_linf"]',
            'hue = "method"',
            *others(keys.Figure, {"title", "x", "y", "hue"}),
            "",
        ]
    )


def _comment(says: str, unit: str) -> list[str]:
    return textwrap.wrap(says + f" ({unit})" * bool(unit), WIDTH, initial_indent="## ", subsequent_indent="## ")
