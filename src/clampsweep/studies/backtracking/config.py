"""Makes an entry of the config's section `backtracking`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.config.requests import parse_decoding, parse_prompt_format, parse_seeds
from clampsweep.studies.backtracking.entry import (
    GIVEN,
    GRADES,
    WRITTEN,
    BacktrackingEntry,
    Causal,
    Chain,
    Pairs,
    Ranking,
    WrittenSource,
)

_TAKEN = (GIVEN, WRITTEN, *GRADES, "ablated", "figures")  # names of other folders and sources


def parse(context: Context) -> BacktrackingEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key = context.checker, context.key
    entry = {**checker.defaults("backtracking/entry"), **context.entry}
    model = checker.choose((*key, "model"), entry["model"], context.models, "model")
    if not model.d_mlp:
        raise checker.fault((*key, "model"), f"{model.name} has no neurons (d_mlp: 0)")
    chains = tuple(
        _chain(context, (*key, "chains", name), name, one) for name, one in entry["chains"].items()
    )
    written = _written(checker, (*key, "written"), entry.get("written"))
    if not chains and written is None and "given" not in entry:
        raise checker.fault(key, "has no traces; write one of chains, written, given")
    for name in ("rules", "sentences", "given"):
        _check_file(checker, (*key, name), entry.get(name))
    causal = {**checker.defaults("backtracking/causal"), **entry["causal"]}
    return BacktrackingEntry(
        name=context.name,
        model=model,
        rules=entry["rules"],
        sentences=entry["sentences"],
        chains=chains,
        written=written,
        given=entry.get("given"),
        ranking=Ranking(**{**checker.defaults("backtracking/ranking"), **entry["ranking"]}),
        causal=Causal(**{**causal, "sizes": tuple(sorted(causal["sizes"]))}),
        pairs=_pairs(checker, (*key, "pairs"), entry.get("pairs"), chains, written),
        seed=entry["seed"],
    )


def _chain(context: Context, key: Key, name: str, given: Mapping[str, Any]) -> Chain:
    """The model's own chains on a promptset."""
    checker = context.checker
    entry = {**checker.defaults("backtracking/chain"), **given}
    if name in _TAKEN:
        raise checker.fault(key, f"the name {name!r} is taken; choose another for the chain")
    decoding = parse_decoding(checker, (*key, "decoding"), entry["decoding"])
    sets, prompt_format = context.promptsets, parse_prompt_format(checker, key, entry)
    return Chain(
        name=name,
        promptset=checker.choose((*key, "promptset"), entry["promptset"], sets, "promptset"),
        prompt_format=prompt_format.kind,
        system_prompt=prompt_format.system,
        decoding=decoding,
        seeds=parse_seeds(checker, key, {**entry, "operation": "none"}, decoding),
        problems=entry.get("problems"),
    )


def _written(checker: Checker, key: Key, given: Mapping[str, Any] | None) -> WrittenSource | None:
    if given is None:
        return None
    entry = {**checker.defaults("backtracking/written"), **given}
    _check_file(checker, (*key, "file"), entry["file"])
    prompt_format = parse_prompt_format(checker, key, entry)
    return WrittenSource(
        entry["file"], entry["per_split"], prompt_format.kind, prompt_format.system
    )


def _pairs(
    checker: Checker,
    key: Key,
    given: Mapping[str, Any] | None,
    chains: tuple[Chain, ...],
    written: WrittenSource | None,
) -> Pairs | None:
    if given is None:
        return None
    entry = {**checker.defaults("backtracking/pairs"), **given}
    named = {chain.name: chain for chain in chains}
    chain = checker.choose((*key, "chain"), entry["chain"], named, "chain")
    if chain.decoding.method != "sample":
        raise checker.fault(
            (*key, "chain"),
            f"got {chain.name!r}, whose texts are greedy; name one with method: sample",
        )
    neurons = entry.get("neurons", chain.name)
    contrasts = dict.fromkeys([*named, *(GRADES if written else ())])
    checker.choose((*key, "neurons"), neurons, contrasts, "contrast")
    seeds = tuple(entry["seeds"])
    return Pairs(chain.name, neurons, entry["problems"], seeds, entry["random_sets"])


def _check_file(checker: Checker, key: Key, path: str | None) -> None:
    if path is not None and not Path(path).is_file():
        raise checker.fault(key, f"got {path!r}; no such file; correct the path")
