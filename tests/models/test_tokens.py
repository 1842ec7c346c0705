"""Prompt and text join to what the tokenizer reads of both, for every kind of tokenizer."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from clampsweep.errors import UserError
from clampsweep.models.tokens import check_ids, decode, decode_after
from tiny import BOS, EOS, tiny_tokenizer

TEXT = "the cat , the cats ran : a café 🙂  under trees .\n The cat"
BYTES = [f"<0x{one:02X}>" for one in range(256)]
SPECIAL = ["<unk>", "<s>", "</s>"]
NO_BYTES = "the cat the cats ran a cat under trees the cat"  # for kinds that know no bytes


def _fast(tokenizer: Tokenizer) -> Any:
    marks = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)


def _trained(tokenizer: Tokenizer, kind: Any, **options: Any) -> Any:
    trainer = kind(vocab_size=380, special_tokens=SPECIAL, show_progress=False, **options)
    tokenizer.train_from_iterator([TEXT, NO_BYTES] * 9, trainer)
    return _fast(tokenizer)


def _sentencepiece(decoder: Any, normalizer: Any = None, pre: Any = None) -> Any:
    """BPE with byte fallback, its words beginning with the mark of a space."""
    words = ["▁the", "▁cat", "s", "▁ran", "▁a", "▁,", "▁:", "▁▁", "▁under", "▁tree", "▁.", "▁The"]
    pieces = [*SPECIAL, *BYTES, "▁", *"abcdefhnrstuTh,.:", *words]
    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    merges = []
    for word in [word for word in words if len(word) > 1]:
        for n in range(2, len(word) + 1):
            vocabulary.setdefault(word[:n], len(vocabulary))
            merges.append((word[: n - 1], word[n - 1]))
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=list(dict.fromkeys(merges)),
            byte_fallback=True,
            unk_token="<unk>",
            fuse_unk=True,
        )
    )
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    return _fast(tokenizer)


def llama2() -> Any:
    """The legacy form: a space put before the text, which the decoder strips."""
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return _sentencepiece(
        decoders.Sequence([*back, decoders.Strip(" ", 1, 0)]),
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
    )


def metaspace(scheme: str) -> Callable[[], Any]:
    def make() -> Any:
        decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme), decoders.Fuse()]
        )
        return _sentencepiece(
            decoder, pre=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
        )

    return make


def gemma() -> Any:
    """No space is put before the text: nothing is stripped."""
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return _sentencepiece(decoders.Sequence(back), normalizers.Replace(" ", "▁"))


def unigram() -> Any:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return _trained(tokenizer, trainers.UnigramTrainer, unk_token="<unk>")


def wordpiece() -> Any:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return _trained(tokenizer, trainers.WordPieceTrainer)


def word_ends() -> Any:
    """As of the first GPT: a mark where a word ends."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return _trained(tokenizer, trainers.BpeTrainer, end_of_word_suffix="</w>")


def llama3() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern=Regex(r" ?\w+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(tokenizer, trainers.BpeTrainer, initial_alphabet=alphabet)


KINDS = {
    "GPT-2": (tiny_tokenizer, TEXT),
    "Llama 3": (llama3, TEXT),
    "Llama 2": (llama2, TEXT),
    "Metaspace, first": (metaspace("first"), TEXT),
    "Metaspace, always": (metaspace("always"), TEXT),
    "Metaspace, never": (metaspace("never"), TEXT),
    "Gemma": (gemma, TEXT),
    "Unigram": (unigram, NO_BYTES),
    "WordPiece": (wordpiece, NO_BYTES),
    "word ends": (word_ends, NO_BYTES),
}
STRIPPING = ["Llama 2", "Metaspace, first", "Metaspace, always", "Unigram", "WordPiece"]


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(one) for one in tokenizer(text, add_special_tokens=False).input_ids]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_prompt_and_its_text_join_to_the_whole_wherever_it_is_cut(kind: Any) -> None:
    make, text = kind
    tokenizer = make()
    ids, cuts = _ids(tokenizer, text), 0
    assert decode(tokenizer, ids) == text
    for at in range(len(ids) + 1):
        head = decode(tokenizer, ids[:at])
        if text.startswith(head):  # else the cut goes through a character
            assert head + decode_after(tokenizer, ids[:at], ids[at:]) == text
            cuts += 1
    assert cuts > 10


@pytest.mark.parametrize("kind", STRIPPING)
def test_the_space_between_prompt_and_text_stays(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    prompt, both = _ids(tokenizer, "the cat"), _ids(tokenizer, "the cat the cat")
    assert both[: len(prompt)] == prompt
    assert decode(tokenizer, both[len(prompt) :]) == "the cat"
    assert decode_after(tokenizer, prompt, both[len(prompt) :]) == " the cat"


@pytest.mark.parametrize("make", [tiny_tokenizer, llama3])
def test_byte_level_texts_are_what_they_are_alone(make: Callable[[], Any]) -> None:
    tokenizer = make()
    draw, n = random.Random(0), len(tokenizer)
    for _ in range(300):
        before = [draw.randrange(n) for _ in range(draw.randrange(4))]
        ids = [draw.randrange(n) for _ in range(draw.randrange(6))]
        alone = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert decode_after(tokenizer, before, ids) == alone


@pytest.mark.parametrize("kind", STRIPPING)
def test_behind_a_special_token_only_the_text_stands_first(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    ids = _ids(tokenizer, "the cat")
    assert decode_after(tokenizer, [tokenizer.bos_token_id], ids) == "the cat"
    assert decode_after(tokenizer, [], ids) == "the cat"


def test_special_tokens_are_left_out_and_no_space_is_cleaned_up() -> None:
    tokenizer = llama2()
    prompt, more = _ids(tokenizer, "the cat"), _ids(tokenizer, "the cats , ran .")
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert decode_after(tokenizer, [bos, *prompt], [*more, eos]) == " the cats , ran ."
    assert decode_after(tokenizer, prompt, [eos]) == ""
    assert decode_after(tokenizer, prompt, []) == ""


@pytest.mark.parametrize("kind", ["Llama 2", "Metaspace, first", "Gemma"])
def test_a_character_in_bytes_is_one_again_and_a_part_of_one_is_a_mark(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    prompt = _ids(tokenizer, "the cat")
    bytes_ = [tokenizer.convert_tokens_to_ids(f"<0x{one:02X}>") for one in "é".encode()]
    assert decode_after(tokenizer, prompt, bytes_) == "é"
    assert decode_after(tokenizer, prompt, bytes_[:1]) == "\N{REPLACEMENT CHARACTER}"
    assert decode_after(tokenizer, [*prompt, bytes_[0]], bytes_[1:]) == "\N{REPLACEMENT CHARACTER}"


def test_a_tokenizer_without_the_letter_reads_the_text_alone() -> None:
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, "B": 3, "C": 4}
    tokenizer = _fast(Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>")))
    assert decode_after(tokenizer, [3], [4, 3]) == "C B"


def test_a_token_that_the_model_has_no_row_for_is_named() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<image>"])
    ids = _ids(tokenizer, "the <image>")
    check_ids([BOS, EOS, *ids], tokenizer, n_rows=len(tokenizer))
    with pytest.raises(UserError, match=r"'<image>', token 272 .* rows 0 to 271; take it out"):
        check_ids(ids, tokenizer, n_rows=272)
