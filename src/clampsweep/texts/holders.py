"""Which pinned group of keys, a batch or a shard, holds each key: those on disk come first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping


class Holders:
    """Gives each key that is wanted a group: one that is finished, one begun, or a new one.

    Args:
        pinned: Keys of each group that was on disk at the start; asked for when first needed.
        finished: Whether a group's files are there.
    """

    def __init__(
        self, pinned: Callable[[], Mapping[str, frozenset[str]]], finished: Callable[[str], bool]
    ):
        self._pinned, self._finished = pinned, finished
        self._holder: dict[str, str] = {}
        self._wanted: set[str] = set()

    def missing(self, wanted: Collection[str]) -> set[str]:
        """Keys that no group holds, now that those on disk have been looked at.

        A pinned group that is not finished is taken up again only if all of its keys are wanted and
        none of them is held by another group.
        """
        self._wanted |= set(wanted)
        unheld = set(wanted) - set(self._holder)
        for finished in (True, False):
            for group, keys in self._pinned().items():
                if not unheld & keys or self._finished(group) != finished:
                    continue
                if finished or (keys <= self._wanted and not keys & set(self._holder)):
                    self.add(group, unheld & keys)
                    unheld -= keys
        return unheld

    def add(self, group: str, keys: Iterable[str]) -> None:
        """Let a group hold keys."""
        self._holder.update(dict.fromkeys(keys, group))

    def of(self, keys: Iterable[str]) -> list[str]:
        """The groups that hold some keys, sorted."""
        return sorted({self._holder[key] for key in keys})
