"""YAML 1.2, strictly: scalars by its core schema; a key given twice is refused in a line.

PyYAML knows YAML 1.1 only, where 010 is 8, 1:30 is 90, 1e5 and 08 are text, and no is false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clampsweep.errors import UserError

# Tag, pattern, and the characters that a scalar of it may begin with ("" is the empty scalar).
_CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),  # of YAML 1.1; configs may use it
)


class _StrictLoader(yaml.SafeLoader):
    """YAML loader that reads scalars as YAML 1.2, and refuses a key given twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # of its own, not SafeLoader's


class _Dumper(yaml.SafeDumper):
    """YAML dumper that quotes what either version of YAML would not read as text."""


for _tag, _pattern, _first in _CORE_SCHEMA:
    for _class in (_StrictLoader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first
        )


def _mapping_without_duplicates(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool | None):
            raise yaml.MarkedYAMLError(
                problem=f"a key must be a single word, got {key!r}",
                problem_mark=key_node.start_mark,
            )
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} stands here twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _whole_number(loader: _StrictLoader, node: yaml.ScalarNode) -> int:
    digits = str(loader.construct_scalar(node))
    return int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10))


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates
)
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Content of a YAML config file.

    Raises:
        UserError: No such file, not YAML, a key given twice; with the line.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, _StrictLoader)
            file.seek(0)
            yaml.safe_load(file)  # as Snakemake will, which does not catch what ends this
    except OSError as error:
        raise UserError(f"{path}: cannot read the config: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValueError as error:
        raise UserError(
            f"{path}: not valid YAML: {error}; put what is neither number nor date in quotes"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys with values, got {type(content).__name__}")
    return content


def read_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake makes of `--config`, read as in a file: it leaves all in sections as words.

    Whether a word was in quotes is lost, so what is not in a section, the names to run, stays.
    """
    return {key: _typed(part) if isinstance(part, dict) else part for key, part in config.items()}


def _typed(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _typed(part) for key, part in content.items()}
    if isinstance(content, list):
        return [_typed(part) for part in content]
    if not isinstance(content, str):
        return content
    loader = _StrictLoader("")
    tag = loader.resolve(yaml.ScalarNode, content, (True, False))  # type: ignore[no-untyped-call]
    return loader.construct_object(yaml.ScalarNode(tag, content))


def yaml_text(content: dict[str, Any]) -> str:
    """A config as YAML that `read_yaml` reads as it is, keys in their order."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
