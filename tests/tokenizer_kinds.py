"""A tokenizer of every kind, small: those that tests of tokens and texts are run with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tiny import tiny_tokenizer

TEXT = "the cat , the cats ran : a café 🙂  under trees .\n The cat"
BYTES = [f"<0x{one:02X}>" for one in range(256)]
SPECIAL = ["<unk>", "<s>", "</s>"]
NO_BYTES = "the cat the cats ran a cat under trees the cat"  # for kinds that know no bytes


def fast(tokenizer: Tokenizer) -> Any:
    """A tokenizer as transformers has it."""
    marks = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)


def _trained(tokenizer: Tokenizer, kind: Any, **options: Any) -> Any:
    trainer = kind(vocab_size=380, special_tokens=SPECIAL, show_progress=False, **options)
    tokenizer.train_from_iterator([TEXT, NO_BYTES] * 9, trainer)
    return fast(tokenizer)


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
    return fast(tokenizer)


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
