"""Finished parts of a batch, kept until the whole is there.

A killed job's parts are taken over by the next, also by that of another batch which wants some of
their rows (the config was mended, the batches are cut otherwise). A part that is damaged, or that
another model or other code made, is not.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.provenance import json_digest
from clampsweep.texts.tables import BATCH_GENERATIONS, BATCH_VECTORS

log = logging.getLogger(__name__)

_GENERATIONS, _VECTORS = ".generations.parquet", ".vectors.parquet"

_SAME = ("model", "code", "libraries")  # what must agree in a part that is taken over


class Scratch:
    """The parts of one batch.

    Args:
        folder: Named `<batch>-<code digest>`, beside those of other batches.
        keys: The batch's keys, in its order.
        provenance: Footer of the batch's tables.
    """

    def __init__(self, folder: Path, keys: Sequence[str], provenance: Mapping[str, object]):
        self._folder, self._keys, self._provenance = folder, keys, provenance

    def made(self, generations: Path, vectors: Path) -> bool:
        """Whether the batch's two files are there and whole, made by the same code and model."""
        try:
            keys = self._read(generations, BATCH_GENERATIONS)["key"]
            found = self._read(vectors, BATCH_VECTORS)["key"]
        except UserError:
            return False
        return set(keys) == set(self._keys) == set(found)

    def finished(self) -> set[str]:
        """Keys that are done, those included that are found in other batches' parts."""
        found: set[str] = set()
        for generations, _ in self._whole():
            found |= set(generations["key"])
        code = self._folder.name.rpartition("-")[2]
        for folder in sorted(self._folder.parent.glob(f"*-{code}")):
            for path in sorted(folder.glob(f"[!.]*{_GENERATIONS}")):
                missing = set(self._keys) - found
                if missing and folder != self._folder:
                    found |= self._borrow(path, missing)
        return found & set(self._keys)

    def _whole(self) -> Iterator[list[pd.DataFrame]]:
        """Tables of the batch's own parts; those that are damaged or foreign are removed."""
        for path in sorted(self._folder.glob(f"[!.]*{_GENERATIONS}")):
            try:
                yield self._frames(path)
            except UserError as fault:
                log.warning("a part is computed again: %s", fault)
                path.unlink(missing_ok=True)

    def _read(self, path: Path, schema: tables.Schema) -> pd.DataFrame:
        """A part's table; refused if another model, code or library made it."""
        made = tables.footer(path)
        for name in _SAME:
            if made.get(name) != self._provenance.get(name):
                raise UserError(f"{path}: made by another {name}")
        return tables.read(path, schema)

    def _frames(self, path: Path) -> list[pd.DataFrame]:
        """A part's two tables; refused if one is of other texts than the other."""
        frames = [self._read(each, schema) for each, schema in _pair(path)]
        if set(frames[0]["key"]) != set(frames[1]["key"]):
            raise UserError(f"{path}: its vectors are of other texts")
        return frames

    def _borrow(self, path: Path, wanted: set[str]) -> set[str]:
        """Copy the wanted rows of another batch's part; return their keys."""
        try:
            if not self._read(path, BATCH_GENERATIONS)["key"].isin(wanted).any():
                return set()
            frames = [
                frame[frame["key"].isin(wanted)].reset_index(drop=True)
                for frame in self._frames(path)
            ]
        except UserError as fault:  # or that batch has just been finished
            log.info("not taken over: %s", fault)
            return set()
        self.add(*frames)
        return set(frames[0]["key"])

    def add(self, generations: pd.DataFrame, vectors: pd.DataFrame) -> None:
        """Keep a part: its `BATCH_GENERATIONS` and `BATCH_VECTORS`."""
        name = json_digest(list(generations["key"]))[:16]
        path = self._folder / f"{name}{_GENERATIONS}"
        both = zip(_pair(path), (generations, vectors), strict=True)
        for (each, schema), frame in reversed(list(both)):  # generations last: they say it is whole
            tables.write(frame, each, schema, self._provenance)

    def join(self, generations: Path, vectors: Path) -> None:
        """Write the batch's two tables from its parts, rows in the batch's order.

        Raises:
            UserError: A part is missing, or the operating system refused.
        """
        rank = {key: at for at, key in enumerate(self._keys)}
        parts = list(self._whole())
        for at, path in ((1, vectors), (0, generations)):
            schema = _SCHEMAS[at]
            by = list(schema.key)
            each = [part[at] for part in parts]
            frame = pd.concat(each, ignore_index=True).drop_duplicates(by)
            if not set(self._keys) <= set(frame["key"]):
                raise UserError(f"{self._folder}: a part was removed meanwhile; run again")
            place = frame["key"].map(rank)
            frame = frame[place.notna()].assign(_rank=place).sort_values(["_rank", *by[1:]])
            tables.write(frame.drop(columns="_rank"), path, schema, self._provenance)

    def end(self, generations: Path, vectors: Path) -> None:
        """Put links to the finished batch in the place of its parts, until `clear`.

        If Snakemake was killed, nobody has recorded the job as complete, and the next run removes
        the batch's files to make them again: from these. What other versions of the code left of
        the batch goes.
        """
        for path in sorted(self._folder.parent.glob(f"{generations.stem}-*/*")):
            path.unlink(missing_ok=True)
        try:
            self._folder.mkdir(exist_ok=True)
            os.link(vectors, self._folder / f"whole{_VECTORS}")
            os.link(generations, self._folder / f"whole{_GENERATIONS}")
        except OSError as error:
            log.info("no links to the finished batch are kept: %s", error)
        for folder in self._folder.parent.glob(f"{generations.stem}-*"):
            with suppress(OSError):
                folder.rmdir()  # if it is empty


def clear(scratch: Path, is_done: Callable[[str], bool]) -> None:
    """Remove what is left of batches, and of models in training, that are done.

    Args:
        scratch: The folder of all parts.
        is_done: Tells it of a batch's id, or of a made model's.
    """
    for folder in scratch.glob("*-*"):
        if is_done(folder.name.rpartition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)


def kept(scratch: Path, code: str) -> set[str]:
    """Keys of the texts that a job of this code will find in parts of unfinished batches.

    Args:
        scratch: The folder of all parts.
        code: Code digest of the job.
    """
    found: set[str] = set()
    for path in scratch.glob(f"*-{code}/[!.]*{_GENERATIONS}"):
        with suppress(UserError):  # a damaged part is computed again
            found |= set(tables.read(path, BATCH_GENERATIONS)["key"])
    return found


_SCHEMAS = (BATCH_GENERATIONS, BATCH_VECTORS)


def _pair(generations: Path) -> list[tuple[Path, tables.Schema]]:
    """A part's two files and their schemas."""
    name = generations.name.removesuffix(_GENERATIONS)
    files = (generations, generations.with_name(f"{name}{_VECTORS}"))
    return list(zip(files, _SCHEMAS, strict=True))
