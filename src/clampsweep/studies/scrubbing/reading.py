"""Reads hypotheses from a file of YAML; a fault is named with file and key (docs/scrubbing.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.scrubbing.hypotheses import (
    BASELINE,
    CHANNELS,
    FIXED,
    PATTERNS,
    SKIP,
    UNSCRUBBED,
    Hypothesis,
    Listed,
    Term,
)
from clampsweep.studies.scrubbing.roles import LAYER_OF
from clampsweep.studies.scrubbing.samplers import UNCOND, parse_sampler

_WORD = rf"E|all|L0|L1|[01]\.\d+|(?:{'|'.join(LAYER_OF)})\d*"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,39}")

_NO_LOSS = ("name", "decoherent", "controls")  # keys that decide no loss

_KEYS = ("heads", "groups", "edit", "sampler", *_NO_LOSS)

_TERM_KEYS = ("of", "keep", "pattern")

_MOST_CONTROLS = 1000


def read(path: Path | str) -> Listed:
    """Hypotheses of a YAML file.

    Raises:
        UserError: It cannot be read, or `parse` refuses it.
    """
    return parse(read_yaml(path), str(path))


def parse(content: Mapping[str, Any], where: str) -> Listed:
    """Hypotheses, checked as far as that is possible without a model.

    Args:
        content: A mapping with the list `hypotheses`, and maybe the list of names `curve`.
        where: File, for messages.

    Raises:
        UserError: A fault, with its key.
    """
    _only(content, ("hypotheses", "curve"), where)
    listed = content.get("hypotheses")
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{where}: hypotheses: got {listed!r}; write a list of hypotheses")
    found = tuple(parse_one(one, f"{where}: hypotheses[{i}]") for i, one in enumerate(listed))
    names = [UNSCRUBBED]
    for one in found:
        for name in one.variants:
            if name in names:
                raise UserError(f"{one.where}.name: {name!r} stands here twice; choose another")
        names += one.variants
    if BASELINE not in names:
        raise UserError(
            f"{where}: hypotheses: none is named {BASELINE!r}; add the one that scrubs all "
            "inputs of the heads, which loss recovered is measured from"
        )
    curve = content.get("curve", [])
    if not isinstance(curve, list):
        raise UserError(
            f"{where}: curve: got {curve!r}; write a list of names from {BASELINE} to {UNSCRUBBED}"
        )
    for i, name in enumerate(curve):
        if name not in names:
            _unknown(name, names, f"{where}: curve[{i}]")
    return Listed(found, tuple(curve))


def check_fixed(listed: Listed, number: int) -> None:
    """Refuse a sampler `fixed` of an example that is not there.

    Args:
        listed: The hypotheses.
        number: Of examples.

    Raises:
        UserError: There is one.
    """
    for one in listed.hypotheses:
        if one.sampler.kind == "fixed" and int(one.sampler.of) >= number:
            raise UserError(
                f"{one.where}.sampler: got fixed({one.sampler.of}); there are examples 0 to "
                f"{number - 1}, see examples.number"
            )


def parse_one(content: Any, where: str) -> Hypothesis:
    """One hypothesis; see `parse`.

    Args:
        content: A mapping.
        where: File and place, for messages.
    """
    _only(content, _KEYS, where)
    name = content.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{where}.name: got {name!r}; write letters, digits, and . + _ - (40)")
    where = f"{where} ({name})"
    groups, edit = content.get("groups", []), content.get("edit", {})
    if not isinstance(groups, list):
        raise UserError(f"{where}.groups: got {groups!r}; write a list, an entry for each draw")
    if not groups and not edit:
        raise UserError(f"{where}: scrubs nothing; write groups of cells, or an edit")
    for i, group in enumerate(groups):
        _only(group, (*CHANNELS, SKIP), f"{where}.groups[{i}]")
        if not _listed(content.get("heads", [])) and set(group) & set(CHANNELS):
            raise UserError(f"{where}.heads: missing; write 'induction', or a list such as ['1.5']")
    _only(edit, None, f"{where}.edit")
    for word, pattern in edit.items():
        _word(word, f"{where}.edit")
        if pattern not in FIXED:
            _unknown(pattern, FIXED, f"{where}.edit.{word}")
    decoherent = content.get("decoherent", False)
    if not isinstance(decoherent, bool):
        raise UserError(f"{where}.decoherent: got {decoherent!r}; write true or false")
    return Hypothesis(
        name,
        tuple(_word(word, f"{where}.heads") for word in _listed(content.get("heads", []))),
        tuple(_group(one, f"{where}.groups[{i}]") for i, one in enumerate(groups)),
        dict(edit),
        parse_sampler(content.get("sampler", UNCOND.kind), f"{where}.sampler"),
        decoherent,
        _controls(content, f"{where}.controls"),
        {key: value for key, value in content.items() if key not in _NO_LOSS},
        where,
    )


def _controls(content: Mapping[str, Any], where: str) -> int:
    """Number of random hypotheses; an edit has none, as it is of a head and not of cells."""
    controls = content.get("controls", 0)
    if type(controls) is not int or not 0 <= controls <= _MOST_CONTROLS:
        raise UserError(
            f"{where}: got {controls!r}; write a number from 0 to {_MOST_CONTROLS}; 39 let "
            "a hypothesis be the best of 40"
        )
    if controls and content.get("edit"):
        raise UserError(
            f"{where}: got {controls} beside an edit; random hypotheses are of cells in groups, "
            "so leave out controls, or edit"
        )
    return controls


def _group(content: Any, where: str) -> dict[str, tuple[Term, ...]]:
    """Cells that share a draw."""
    if not content:
        raise UserError(f"{where}: scrubs nothing; write what is drawn, such as q: L0")
    for channel, terms in content.items():
        if not _listed(terms):
            raise UserError(f"{where}.{channel}: scrubs nothing; write what is drawn, or no key")
    return {
        channel: tuple(_term(one, f"{where}.{channel}") for one in _listed(terms))
        for channel, terms in content.items()
    }


def _term(content: Any, where: str) -> Term:
    """A word, or a mapping that says which part of it is drawn."""
    if not isinstance(content, dict):
        return Term(_words(content, where))
    _only(content, _TERM_KEYS, where)
    keep, pattern = content.get("keep"), content.get("pattern", "draw")
    if pattern not in PATTERNS:
        _unknown(pattern, PATTERNS, f"{where}.pattern")
    if pattern == "window" and keep is None:
        raise UserError(f"{where}.keep: missing; pattern: window is of the tokens that it keeps")
    if keep is not None and not _is_window(keep):
        raise UserError(
            f"{where}.keep: got {keep!r}; write two offsets of key from query, [from, to], none "
            "above 0, such as [-1, -1] for the token before"
        )
    words = _words(content.get("of"), f"{where}.of")
    if words[0] in ("E", "all") and (pattern != "draw" or keep is not None):
        raise UserError(
            f"{where}: got of: {'-'.join(words)} with a part that stays; the embedding has no "
            "attention, so write heads, such as L0, and E apart"
        )
    return Term(words, pattern, None if keep is None else (keep[0], keep[1]))


def _is_window(keep: Any) -> bool:
    whole = isinstance(keep, list) and [type(one) for one in keep] == [int, int]
    return whole and keep[0] <= keep[1] <= 0


def _words(content: Any, where: str) -> tuple[str, ...]:
    """`L0-prev1` as its parts."""
    if isinstance(content, float):
        raise UserError(f"{where}: got the number {content}; write heads in quotes: '{content}'")
    parts = tuple(content.split("-")) if isinstance(content, str) else (content,)
    for part in parts:
        if not isinstance(part, str) or not re.fullmatch(_WORD, part):
            raise UserError(
                f"{where}: got {content!r}; write E, L0, all, a role ({', '.join(LAYER_OF)}), the "
                "first head of a role (prev1), a head ('0.3'), or one less another (L0-prev)"
            )
    return parts


def _word(content: Any, where: str) -> str:
    """A word that stands for heads."""
    parts = _words(content, where)
    if len(parts) > 1 or parts[0] in ("E", "all"):
        raise UserError(f"{where}: got {content!r}; write a role, or a head in quotes")
    return parts[0]


def _listed(content: Any) -> Sequence[Any]:
    return content if isinstance(content, list) else [content]


def _only(content: Any, keys: Sequence[str] | None, where: str) -> None:
    """Refuse what is no mapping, or has other keys."""
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: got {content!r}; write keys with values")
    for key in content:
        if keys is not None and key not in keys:
            _unknown(key, keys, where)


def _unknown(word: Any, choices: Sequence[str], where: str) -> None:
    raise UserError(f"{where}: unknown {word!r}; choose among {', '.join(choices)}")
