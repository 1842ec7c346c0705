"""Sequences of tokens, held against what Hugging Face's tokenizers decode themselves."""

from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.universal.domains import Document
from clampsweep.studies.universal.tokens import (
    CONFIRMATION,
    DISCOVERY,
    TOKENS,
    Cut,
    encoder,
    joined,
    pieces,
    tokens,
)
from tiny import BOS, tiny_tokenizer
from tokenizer_kinds import KINDS

# Those whose tokens are bytes or characters of the text, so that decoding gives it back.
EXACT = ("GPT-2", "Llama 3", "Llama 2", "Metaspace, first", "Metaspace, always", "Metaspace, never",
         "Gemma")  # fmt: skip
SMALL = Cut(sequences=3, context=8, blocks=3, prepend_bos=False)


def complete(tokenizer, ids) -> int:
    """Characters that some first tokens of a text are, by decoding; an unfinished one is none."""
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return len(text.rstrip("\ufffd"))


@pytest.mark.parametrize("kind", KINDS)
def test_token_ids_are_those_of_hugging_face(kind):
    make, text = KINDS[kind]
    tokenizer = make()
    found = encoder(tokenizer, "test")(text)
    assert found.ids == tokenizer(text, add_special_tokens=False).input_ids
    assert len(found.ends) == len(found.inside) == len(found.ids)
    assert found.ends[-1] <= len(text)
    assert (found.ends[1:] >= found.ends[:-1]).all()


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("text", [None, " café\n", "🙂🙂the", "日本 cat  \n\n  é"])
def test_ends_are_where_the_decoded_text_ends(kind, text):
    make, own = KINDS[kind]
    tokenizer, text = make(), text or own
    found = encoder(tokenizer, "test")(text)
    whole = tokenizer.decode(found.ids, clean_up_tokenization_spaces=False)
    lost = len(text) - len(whole)  # a space at the beginning that the decoder strips
    assert 0 <= lost <= 1
    wanted = [complete(tokenizer, found.ids[: n + 1]) for n in range(len(found.ids))]
    # An unfinished character spoils those before it where tokens are bytes of their own.
    wanted = list(accumulate(wanted, max))
    assert [max(0, int(end) - lost) for end in found.ends] == wanted


def test_ends_by_hand():
    found = encoder(tiny_tokenizer(), "test")("the é🙂o")  # th e Ġ Ã © ð Ł ĺ Ĥ o
    assert found.ends.tolist() == [2, 3, 4, 4, 5, 5, 5, 5, 6, 7]
    assert found.inside == [False] * 4 + [True] + [False] + [True] * 3 + [False]


def test_names_of_special_tokens_are_text():
    tokenizer = tiny_tokenizer()
    text = "a<eos>b"
    assert tokenizer.eos_token_id in tokenizer(text).input_ids
    found = encoder(tokenizer, "test")(text)
    assert tokenizer.eos_token_id not in found.ids
    assert found.ends.tolist() == list(range(1, 8))
    assert tokenizer.eos_token_id in tokenizer(text).input_ids  # it was left as it is


def test_white_space_counts_even_where_a_tokenizer_trims_it():
    from tokenizers import processors

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    assert tokenizer(" b", return_offsets_mapping=True).offset_mapping[0] == (0, 0)
    plain = encoder(tiny_tokenizer(), "test")("x\n  a\n")
    assert encoder(tokenizer, "test")("x\n  a\n").ends.tolist() == plain.ends.tolist()
    assert plain.ends.tolist() == [1, 2, 3, 5, 6]


@given(st.lists(st.text("ab é🙂\n日", min_size=1, max_size=60), min_size=1, max_size=5))
def test_pieces_decode_to_their_own_text(texts):
    tokenizer = tiny_tokenizer()
    encode = encoder(tokenizer, "test")
    documents = [Document(str(n), text) for n, text in enumerate(texts)]
    every = {one.doc_id: one.text for one in joined(documents, encode, 6)}
    for piece in pieces(documents, encode, 6):
        assert len(piece.ids) == len(piece.ends) == 6
        assert piece.text in every[piece.doc_id]
        assert piece.ends[-1] == len(piece.text)
        for n in range(6):
            assert piece.ends[n] == complete(tokenizer, piece.ids[: n + 1])
        decoded = tokenizer.decode(piece.ids, clean_up_tokenization_spaces=False)
        assert decoded.rstrip("\ufffd") == piece.text


def test_no_piece_crosses_a_document_and_no_token_comes_twice():
    encode = encoder(tiny_tokenizer(), "test")
    long = "abcdefghijklmnopqrstu"  # no pairs of letters that are one token, but `or` and the like
    documents = [Document("x", long), Document("y", long.upper())]
    found = list(pieces(documents, encode, 5))
    n_tokens = [len(encode(one.text).ids) for one in documents]
    assert [one.doc_id for one in found] == ["x"] * (n_tokens[0] // 5) + ["y"] * (n_tokens[1] // 5)
    for document in documents:
        own = "".join(one.text for one in found if one.doc_id == document.doc_id)
        assert document.text.startswith(own)


def test_short_documents_are_joined_and_long_ones_are_not():
    encode = encoder(tiny_tokenizer(), "test")
    documents = [Document(name, name * n) for name, n in
                 (("a", 3), ("b", 9), ("c", 2), ("d", 4), ("e", 1))]  # fmt: skip
    found = list(joined(documents, encode, 8))
    assert found == [Document("b", "b" * 9), Document("a", "aaa\n\ncc\n\ndddd")]


def test_a_piece_begins_where_a_character_does():
    found = list(pieces([Document("x", "abc🙂def🙂")], encoder(tiny_tokenizer(), "test"), 4))
    # The first takes a, b, c and a byte; the second begins behind the other three.
    assert [one.text for one in found] == ["abc", "def"]
    assert found[0].ends == [1, 2, 3, 3]
    assert found[1].ends == [1, 2, 3, 3]


def domain(letter: str, n: int) -> list[Document]:
    return [Document(f"{letter}{at}", f"{letter}{at} " * 30) for at in range(n)]


def test_the_table(tmp_path):
    given_domains = {"one": domain("b", 4), "two": domain("c", 2)}
    tokenizer = tiny_tokenizer()
    found = tokens(given_domains, tokenizer, SMALL)
    tables.write(found, tmp_path / "t.parquet", TOKENS, {})
    read = tables.read(tmp_path / "t.parquet", TOKENS)
    assert read["domain"].tolist() == ["one"] * 3 + ["two"] * 3
    assert read["seq_id"].tolist() == [0, 1, 2] * 2
    assert read["block"].tolist() == [0, 1, 2] * 2
    assert read["split"].tolist() == [DISCOVERY, CONFIRMATION, DISCOVERY] * 2
    for row in read.itertuples():
        assert len(row.tokens) == len(row.ends) == 8
        assert tokenizer.decode(list(row.tokens)) == row.text
        assert row.ends[-1] == len(row.text)


def test_sequences_are_spread_evenly_over_the_documents():
    documents = domain("b", 5)
    encode = encoder(tiny_tokenizer(), "test")
    every = list(pieces(documents, encode, 8))
    n = len(every)
    some = tokens({"one": documents}, tiny_tokenizer(), SMALL)
    assert some["doc_id"].tolist() == [every[at].doc_id for at in (n // 6, n // 2, 5 * n // 6)]
    assert some["doc_id"].tolist() == ["b0", "b2", "b4"]
    all_of_them = tokens({"one": documents}, tiny_tokenizer(), SMALL._replace(sequences=n))
    assert all_of_them["tokens"].tolist() == [one.ids for one in every]


def test_blocks_are_neighbours_of_like_size():
    found = tokens({"one": domain("b", 8)}, tiny_tokenizer(), SMALL._replace(sequences=10))
    assert found["block"].tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_bos_stands_first_where_prompts_begin_with_it():
    cut = SMALL._replace(prepend_bos=True)
    found = tokens({"one": domain("b", 2)}, tiny_tokenizer(), cut)
    for row in found.itertuples():
        assert len(row.tokens) == 8
        assert row.tokens[0] == BOS
        assert row.ends[0] == 0 and row.ends[-1] == len(row.text)
        assert BOS not in row.tokens[1:]


def test_too_little_text_is_said_with_numbers():
    with pytest.raises(UserError) as raised:
        tokens(
            {"one": domain("b", 2), "few": [Document("x", "abcdefghij")]}, tiny_tokenizer(), SMALL
        )
    said = str(raised.value)
    n = len(tiny_tokenizer()("abcdefghij").input_ids)
    assert said.startswith(f"texts.domains.few: got {n} tokens in 1 documents, which give 1 ")
    assert "needed: 3 sequences, 24 tokens; add text" in said
    assert "\n" not in said


def test_a_tokenizer_that_does_not_say_where_tokens_stand():
    with pytest.raises(UserError, match="is not a fast one"):
        encoder(SimpleNamespace(is_fast=False), "models.m")
    tokenizer = tiny_tokenizer()
    tokenizer.bos_token = None
    with pytest.raises(UserError, match="has no BOS token; set prepend_bos: false"):
        tokens({"one": domain("b", 2)}, tokenizer, SMALL._replace(prepend_bos=True))
