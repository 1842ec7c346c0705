"""YAML 1.2, strictly: scalars by its core schema; a key given twice is refused in a line.

PyYAML knows YAML 1.1 only, where 010 is 8, 1:30 is 90, 1e5 and 08 are text, and no is false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
        UserError: No such file, not YAML, a key given twice; with line and column.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
        content = yaml.load(text, _StrictLoader)
        yaml.safe_load(text)  # as Snakemake will, which does not catch what ends this
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: cannot read the config: {error.strerror}; correct the name or make the file"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot read the config: {error.strerror}") from error
    except UnicodeDecodeError as error:
        place = _place(error.object[: error.start].decode("utf-8"))
        raise UserError(f"{path}{place}: not valid YAML: not UTF-8; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line, column, words = _explained(error, text.splitlines())
        raise UserError(f"{path}, line {line}, column {column}: not valid YAML: {words}") from error
    except yaml.reader.ReaderError as error:
        place = _place(text[: error.position])
        raise UserError(
            f"{path}{place}: not valid YAML: a character that does not print; remove it"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path}: not valid YAML: {error}; put what is neither number nor date in quotes"
        ) from error
    if content is None:
        raise UserError(f"{path}: the file is empty; expected keys with values")
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys with values, got {type(content).__name__}")
    return content


def _place(before: str) -> str:
    """Where a file goes on after a text, as in a message."""
    lines = before.split("\n")
    return f", line {len(lines)}, column {len(lines[-1]) + 1}"


# A pattern of PyYAML's words, and what is wrong and helps. {0} is the pattern's group; {there} is
# where the fault was noticed, if the message is of where what is faulty begins.
_REMEDIES = (
    (r"found character '\\t'", "a tab; write spaces in its place"),
    (r"found character (.*) that cannot", "a value cannot begin with {0}; put it in quotes"),
    (r"mapping values .* again", "a second ': ' in one value; put the value in quotes"),
    (
        "mapping values",
        "no key can stand here; begin the line where its neighbours begin, and look whether the "
        "line before has its ': '",
    ),
    ("expected ':'", "a ': ' is missing after this key"),
    ("quoted scalar.*unexpected", "a quote opens here and is not closed; close it"),
    (
        r"flow (?:sequence|mapping).*expected ',' or '(.)'",
        "a bracket opens here and is not closed; write '{0}' at its end, or the ',' that is "
        "missing before {there}",
    ),
    (
        "block end>.*<scalar>",
        "text after a closing quote; is a quote before it not closed, or one inside the text? "
        "Put such a text in quotes of the other kind",
    ),
    (r"block end>.*'([\]}},])'", "a '{0}' that nothing opened; remove it"),
    (
        "block end>",
        "the line is indented like none above it; begin it where the lines of its kind begin",
    ),
    ("another document", "'---' begins a second document; remove it"),
    ("escape character", "a backslash in double quotes; use single quotes"),
    ("scanning an? (?:alias|anchor)", "a name must follow '*' and '&'; put a plain text in quotes"),
)


def _explained(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Line and column, from 1, of a fault in YAML, and what is wrong and helps."""
    mark = error.problem_mark or error.context_mark
    problem = f"{error.context or ''} {error.problem}"
    line, column = (mark.line, mark.column) if mark else (0, 0)
    there = f"line {line + 1}, column {column + 1}"
    if "mapping values" in problem:
        before = lines[line][:column]
        if re.search(r":\s", before):
            problem += " again"
        else:
            column = len(before) - len(before.lstrip())
    elif error.context_mark and re.search("quoted scalar.*unexpected|flow|expected ':'", problem):
        line, column = error.context_mark.line, error.context_mark.column
    for pattern, words in _REMEDIES:
        if found := re.search(pattern, problem):
            return line + 1, column + 1, words.format(*found.groups(), there=there)
    return line + 1, column + 1, str(error.problem)


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


def as_list(scalar: str | float) -> str:
    """How a list of one value is written; of words with commas between them, a list of these."""
    words = scalar.split(",") if isinstance(scalar, str) else [scalar]
    items = words if len(words) == 1 else [_typed(str(word).strip()) for word in words]
    return str(yaml.dump(items, Dumper=_Dumper, default_flow_style=True, width=10**6)).strip()
