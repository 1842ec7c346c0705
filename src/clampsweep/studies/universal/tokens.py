"""The token sequences that everything is measured on: the table `TOKENS`. No torch.

Every domain has as many sequences, of as many tokens, spread evenly over its documents. A sequence
never crosses the end of a document, unless documents are shorter than a sequence: such are joined
to the short ones that follow, a blank line between them.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep.errors import UserError
from clampsweep.studies.universal.domains import Document
from clampsweep.tables import Column, Schema

DISCOVERY, CONFIRMATION = "discovery", "confirmation"

TOKENS = Schema(
    "universal tokens",
    {
        "domain": Column("str", "kind of text"),
        "seq_id": Column("int", "sequence of the domain, from 0, in the order of its documents"),
        "doc_id": Column("str", "document that its first token is of"),
        "block": Column("int", "block of neighbouring sequences, from 0: what bootstraps draw"),
        "split": Column("str", f"{DISCOVERY} (even blocks) or {CONFIRMATION} (odd blocks)"),
        "text": Column("str", "characters of the sequence's tokens"),
        "tokens": Column("tokens", "token ids, beginning with BOS if the model's prompts do"),
        "ends": Column(
            "tokens",
            "for each token, how many characters of `text` are complete at its end; 0 for BOS. A "
            "token that ends inside a character has the same as the one before it",
        ),
    },
    key=("domain", "seq_id"),
)

_BETWEEN = "\n\n"  # two short documents that are joined


class Cut(NamedTuple):
    """How documents are cut.

    Attributes:
        sequences: Number of sequences of each domain.
        context: Tokens of a sequence, BOS included.
        blocks: Blocks of each domain, at most as many as sequences.
        prepend_bos: Whether a sequence begins with BOS.
    """

    sequences: int
    context: int
    blocks: int
    prepend_bos: bool


class Encoded(NamedTuple):
    """Tokens of a text, and where they stand.

    Attributes:
        ids: Token ids.
        ends: Characters of the text that are complete at each token's end.
        inside: Whether a token begins inside a character.
    """

    ids: list[int]
    ends: Int[np.ndarray, " token"]
    inside: list[bool]


class Piece(NamedTuple):
    """A sequence without BOS: its document, characters, token ids, and ends in the characters."""

    doc_id: str
    text: str
    ids: list[int]
    ends: list[int]


def tokens(
    domains: Mapping[str, Sequence[Document]], tokenizer: Any, cut: Cut, where: str = "texts"
) -> pd.DataFrame:
    """The table `TOKENS`.

    Args:
        domains: The documents of each domain, by its name.
        tokenizer: The model's, of Hugging Face, a fast one.
        cut: How documents are cut.
        where: Place in the config, for messages.

    Raises:
        UserError: The tokenizer does not say where its tokens stand, or has no BOS and one is
            asked for, or a domain has too little text.
    """
    encode = functools.cache(encoder(tokenizer, where))  # each document is asked for twice
    begin = _begin(tokenizer, cut, where)
    rows = []
    for domain, documents in domains.items():
        every = list(pieces(documents, encode, cut.context - len(begin)))
        if len(every) < cut.sequences:
            raise _too_little(f"{where}.domains.{domain}", documents, encode, len(every), cut)
        for number in range(cut.sequences):
            piece = every[(2 * number + 1) * len(every) // (2 * cut.sequences)]
            block = number * cut.blocks // cut.sequences
            split = CONFIRMATION if block % 2 else DISCOVERY
            ids, ends = [*begin, *piece.ids], [*(0 for _ in begin), *piece.ends]
            rows.append((domain, number, piece.doc_id, block, split, piece.text, ids, ends))
    return pd.DataFrame(rows, columns=list(TOKENS.columns))


def _begin(tokenizer: Any, cut: Cut, where: str) -> list[int]:
    """The tokens that a sequence begins with."""
    if not cut.prepend_bos:
        return []
    if tokenizer.bos_token_id is None:
        raise UserError(
            f"{where}: the model's prepend_bos is true, but its tokenizer has no BOS token; set "
            "prepend_bos: false"
        )
    return [int(tokenizer.bos_token_id)]


def encoder(tokenizer: Any, where: str) -> Callable[[str], Encoded]:
    """A function from a text to its tokens and where they stand.

    The names of special tokens in a text are text, and what a tokenizer adds is left out.

    Args:
        tokenizer: Of Hugging Face, a fast one.
        where: Place in the config, for messages.

    Raises:
        UserError: It is not a fast one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"{where}: the model's tokenizer is not a fast one, so it does not say where in a text "
            "its tokens stand; use a model with a tokenizer.json"
        )
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.post_processor = None  # some take white space out of what tokens are said to span
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()

    def encode(text: str) -> Encoded:
        found = backend.encode(text, add_special_tokens=False)
        return Encoded(list(found.ids), *_places(found.offsets))

    return encode


def _places(
    offsets: Sequence[tuple[int, int]],
) -> tuple[Int[np.ndarray, " token"], list[bool]]:
    """Complete characters at each token's end, and whether it begins inside a character.

    Tokens that share a character are each said to span all of it: all but the last end inside.
    """
    spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    reached = np.maximum.accumulate(spans[:, 1], axis=0) if len(spans) else spans[:, 1]
    following = np.append(spans[1:, 0], reached[-1:])
    ends = np.maximum.accumulate(np.minimum(reached, following))
    inside = [False, *(spans[1:, 0] < reached[:-1]).tolist()] if len(spans) else []
    return ends, inside


def pieces(
    documents: Sequence[Document], encode: Callable[[str], Encoded], size: int
) -> Iterator[Piece]:
    """All sequences that documents give, one after the other; what is left over is dropped.

    A sequence begins where a character does.

    Args:
        documents: In order.
        encode: What `encoder` gives.
        size: Tokens of a sequence.
    """
    for document in joined(documents, encode, size):
        ids, ends, inside = encode(document.text)
        start = 0
        while start + size <= len(ids):
            if inside[start]:
                start += 1
                continue
            stop = start + size
            begin = int(ends[start - 1]) if start else 0
            own = (ends[start:stop] - begin).tolist()
            yield Piece(
                document.doc_id, document.text[begin : begin + own[-1]], ids[start:stop], own
            )
            start = stop


def joined(
    documents: Sequence[Document], encode: Callable[[str], Encoded], size: int
) -> Iterator[Document]:
    """Documents, those shorter than a sequence joined to the short ones that follow.

    Args:
        documents: In order.
        encode: What `encoder` gives.
        size: Tokens of a sequence.
    """
    held: list[Document] = []
    n_held = 0
    for document in documents:
        n_own = len(encode(document.text).ids)
        if n_own >= size:
            yield document
            continue
        held.append(document)
        n_held += n_own
        if n_held >= size:
            yield Document(held[0].doc_id, _BETWEEN.join(one.text for one in held))
            held, n_held = [], 0


def _too_little(
    where: str,
    documents: Sequence[Document],
    encode: Callable[[str], Encoded],
    n_found: int,
    cut: Cut,
) -> UserError:
    """The fault that a domain has too little text."""
    n_tokens = sum(len(encode(one.text).ids) for one in documents)
    return UserError(
        f"{where}: got {n_tokens:,} tokens in {len(documents)} documents, which give {n_found} "
        f"sequences of {cut.context} tokens; needed: {cut.sequences} sequences, "
        f"{cut.sequences * cut.context:,} tokens; add text, or lower texts.sequences or "
        "texts.context"
    )
