"""Turns a failed validation of a recipe into sentences that name the file, the line and the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import PydanticCustomError


class RecipeError(ValueError):
    """A recipe cannot be used as it is; the sentence says where and what would be right."""


def wrong(field: str, message: str) -> PydanticCustomError:
    """What a validator raises to name a field, dotted and as it is seen from where the validator stands."""
    return PydanticCustomError("recipe", "{message}", {"message": message, "field": field})


def explain(error: ValidationError, values: Any, text: str = "", source: str = "the recipe") -> str:
    """One sentence for each field of ``values`` that failed, with its line in ``text`` where it stands there."""
    root = yaml.compose(text) if text else None
    problems = error.errors()
    return "\n".join(_sentence(each, values, root, source) for each in problems if not _follows(each, problems))


_WORDS = {
    "int_type": "input should be a whole number",
    "float_type": "input should be a number",
    "bool_type": "input should be true or false",
    "string_type": "input should be text",
    "tuple_type": "input should be a list",
    "dict_type": "input should be a mapping",
    "model_type": "input should be a mapping of fields",
    "model_attributes_type": "input should be a mapping of fields",
}


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a list is only too short because items of it, of which others speak, are wrong."""
    place = problem["loc"]
    within = any(each["loc"][: len(place)] == place for each in problems if len(each["loc"]) > len(place))
    return bool(problem["type"] == "too_short" and within)


def _sentence(problem: Any, values: Any, root: yaml.Node | None, source: str) -> str:
    named = problem["type"] == "recipe"
    path, line = _locate(values, root, (*problem["loc"], *(problem["ctx"]["field"].split(".") if named else ())))
    where = f"{source}, line {line}" if line else source
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no field {path!r}."
    message = _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    given = problem["input"]
    shown = "" if named or isinstance(given, dict | list) or problem["type"] == "missing" else f" (got {given!r})"
    sentence = f"{where}: {path or 'recipe'}: {message[:1].lower() + message[1:].rstrip('.')}{shown}"
    return sentence if sentence.endswith("?") else f"{sentence}."


def _locate(values: Any, root: yaml.Node | None, loc: Sequence[Any]) -> tuple[str, int | None]:
    """The dotted field and the 1-based line of a location; parts that pydantic adds for unions are left out."""
    node, names, line = root, [], None
    for place, part in enumerate(loc, start=1):
        inside, value = _item(values, part)
        tag = isinstance(values, dict) and values.get("name") == part
        if not inside and (tag or place < len(loc)):
            continue
        names.append(str(part))
        values, child = value, _child(node, part)
        if child is not None:
            node, line = child[1], child[0].start_mark.line + 1
    return ".".join(names), line


def _item(values: Any, part: Any) -> tuple[bool, Any]:
    if isinstance(values, dict):
        return part in values, values.get(part)
    if isinstance(values, list | tuple) and str(part).isdigit() and int(part) < len(values):
        return True, values[int(part)]
    return False, None


def _child(node: yaml.Node | None, part: Any) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and str(part).isdigit() and int(part) < len(node.value):
        return node.value[int(part)], node.value[int(part)]
    return None
