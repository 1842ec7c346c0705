"""Text to tokens and back, behind the text that stands before. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clampsweep.errors import UserError, shown, whole_numbers


def decode(tokenizer: Any, ids: Sequence[int], *, special: bool = False) -> str:
    """Text of token ids that stand at the beginning, spaces as generated.

    Args:
        tokenizer: Hugging Face's.
        ids: Token ids.
        special: Whether special tokens are written out; else they are left out.
    """
    return str(
        tokenizer.decode(
            list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False
        )
    )


def decode_after(tokenizer: Any, before: Sequence[int], ids: Sequence[int]) -> str:
    """Text of token ids behind those of a whole text: special tokens left out.

    Args:
        tokenizer: Hugging Face's.
        before: Tokens of the text before. If no text comes of them, the ids stand first.
        ids: Token ids.
    """
    if not decode(tokenizer, before):
        return decode(tokenizer, ids)
    return behind_letter(tokenizer)(ids)


def behind_letter(tokenizer: Any, *, special: bool = False) -> Callable[[Sequence[int]], str]:
    """A function from token ids to their text in the middle of a text.

    A tokenizer of SentencePiece's kind leaves out the space that the first token begins with, and
    one of WordPiece's kind the mark that the token goes on a word. So the ids are read behind a
    letter, which takes the part of the text before: read behind that text itself, they would
    depend on whether its last character is whole.

    Args:
        tokenizer: Hugging Face's.
        special: Whether special tokens are written out; else they are left out.
    """
    letter = tokenizer("a", add_special_tokens=False).input_ids
    known = decode(tokenizer, letter, special=special)

    def read(ids: Sequence[int]) -> str:
        text = decode(tokenizer, [*letter, *ids], special=special)
        if known and text.startswith(known):
            return text.removeprefix(known)
        return decode(tokenizer, ids, special=special)

    return read


def check_ids(ids: Sequence[int], tokenizer: Any, n_rows: int) -> None:
    """Refuse tokens of a prompt that the model has no row for.

    Args:
        ids: Token ids of the prompt.
        tokenizer: Hugging Face's.
        n_rows: Number of tokens that the model knows.

    Raises:
        UserError: There is such a token.
    """
    for at in ids:
        if at >= n_rows:
            token = tokenizer.convert_ids_to_tokens(at)
            raise UserError(
                f"a prompt holds {token!r}, token {at} of the tokenizer, but the model has only "
                f"rows 0 to {n_rows - 1}; take it out of the prompt"
            )


def check_sequences(what: str, given: Any, n_vocab: int, n_ctx: int) -> list[list[int]]:
    """Token ids of some sequences, as lists of Python's own numbers; equal objects stay one.

    Args:
        what: Their name, as messages begin.
        given: What a caller of the library gave: lists, arrays or tensors of token ids.
        n_vocab: Number of tokens that the model knows.
        n_ctx: Most tokens that the model reads.

    Raises:
        TypeError: They are no sequences of token ids.
        ValueError: One is empty or longer than the context, or a token is not the model's.
    """
    remedy = "write lists of token ids, [model.encode(text)]"
    if isinstance(given, str) or not hasattr(given, "__len__"):
        raise TypeError(f"{what}: got {shown(given)}; {remedy}")
    known: dict[int, list[int]] = {}  # by the object's id: rows of one prompt share it
    sequences = list(given)  # holds them, so that no two have the same id
    for number, sequence in enumerate(sequences):
        if id(sequence) not in known:
            own = whole_numbers(sequence)
            if own is None:
                raise TypeError(f"{what}[{number}]: got {shown(sequence)}; {remedy}")
            _check_sequence(f"{what}[{number}]", own, n_vocab, n_ctx)
            known[id(sequence)] = own
    return [known[id(sequence)] for sequence in sequences]


def _check_sequence(what: str, ids: Sequence[int], n_vocab: int, n_ctx: int) -> None:
    if not ids:
        raise ValueError(f"{what}: got no tokens; write one at least")
    if len(ids) > n_ctx:
        raise ValueError(f"{what}: got {len(ids)} tokens; the model reads {n_ctx}, shorten it")
    if wrong := [at for at in (min(ids), max(ids)) if not 0 <= at < n_vocab]:
        raise ValueError(f"{what}: got token {wrong[0]}; the model's are 0 to {n_vocab - 1}")
