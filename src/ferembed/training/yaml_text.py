"""YAML in which 1e-3 is a number, as version 1.2 has it, and no key stands twice in a mapping."""

from __future__ import annotations

import re
from typing import Any

import yaml

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                message = f"{key.value!r} stands twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    pass


for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def load_yaml(text: str, source: str) -> Any:
    """The plain values of a YAML text.

    Raises
    ------
    ValueError
        If it is none: one sentence with the source and, where it is known, the line.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{source}{line}: not valid YAML: {error.problem}.") from error
    except yaml.reader.ReaderError as error:
        raise ValueError(f"{source}: not valid YAML: {error.reason}.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{source}: not valid YAML: {error}.") from error


def dump_yaml(value: Any) -> str:
    """Plain values as YAML that :func:`load_yaml` reads back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
