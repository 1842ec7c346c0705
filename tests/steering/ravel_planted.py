"""A model of which it is known where two attributes of an entity stand, and RAVEL files of it.

An entity is a letter. Its embedding holds its value of `A` in four coordinates and that of `B` in
four others, and is alike otherwise. In layer 1 a head that attends everywhere alike copies both to
coordinates of their own. A prompt ends in `#`, which asks for A, or in `@`, which asks for B: its
embedding lifts the logits of that attribute's answers, among which the copied value decides.
"""

from __future__ import annotations

import itertools
import json
import string
from pathlib import Path
from typing import Any

import torch

from tiny import D_MLP, random_model, tiny_tokenizer

KIND, LAYER = "letter", 0
A, B = slice(0, 4), slice(4, 8)  # coordinates of the residual stream, from layer 0 on
SIZES = 6, 4  # so that principal components of the two do not mix
COPIED, FLAG = 8, {"A": 16, "B": 17}
PLANTED, D_MODEL = 18, 32
ANSWERS = {"A": "0123", "B": "4567"}
SIGN = {"A": "#", "B": "@"}
LETTERS = (string.ascii_lowercase + string.ascii_uppercase)[:48]
VALUES = {
    letter: dict(zip("AB", values, strict=True))
    for letter, values in zip(
        LETTERS, itertools.cycle(itertools.product(*ANSWERS.values())), strict=False
    )
}
SPLIT = dict(zip(LETTERS, ["train"] * 16 + ["val"] * 16 + ["test"] * 16, strict=True))
PROMPTS = {name: {f"%s{sign}": "train", f"(%s){sign}": "train", f"[ %s]{sign}": "test"}
           for name, sign in SIGN.items()}  # fmt: skip


def write_ravel(folder: Path) -> Path:
    """RAVEL's files of the letters."""
    prompts = {text: split for own in PROMPTS.values() for text, split in own.items()}
    for name, content in {
        "entity_attributes": VALUES,
        "entity_to_split": SPLIT,
        "attribute_to_prompts": {name: list(own) for name, own in PROMPTS.items()},
        "prompt_to_split": prompts,
    }.items():
        (folder / f"ravel_{KIND}_{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def plain() -> Any:
    """The model in Hugging Face's class."""
    model = random_model("llama", 3, D_MODEL, D_MLP)
    tokenizer = tiny_tokenizer()

    def one(text: str) -> int:
        (found,) = tokenizer(text).input_ids
        return int(found)

    with torch.no_grad():
        embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
        embedding[:, :PLANTED] = 0
        head *= 0.02
        head[:, :PLANTED] = 0
        for letter, values in VALUES.items():
            embedding[one(letter)] = embedding[one("a")].clone()
            embedding[one(letter), :8] = 0
            for block, size, (name, value) in zip((A, B), SIZES, values.items(), strict=True):
                embedding[one(letter), block.start + ANSWERS[name].index(value)] = size
        for at, (name, answers) in enumerate(ANSWERS.items()):
            embedding[one(SIGN[name]), FLAG[name]] = 6
            for value, answer in enumerate(answers):
                head[one(answer)] = 0
                head[one(answer), COPIED + 4 * at + value] = 10
                head[one(answer), FLAG[name]] = 20
        model.model.norm.weight[:PLANTED] = 1
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight[:PLANTED] = 1
            for reads in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj,
                          mlp.up_proj):  # fmt: skip
                reads.weight[:, :PLANTED] = 0
            for writes in (attention.o_proj, mlp.down_proj):
                writes.weight[:PLANTED] = 0
        attention = model.model.layers[1].self_attn
        attention.q_proj.weight[:8] = 0  # head 0: all scores are 0
        attention.v_proj.weight[:8] = 0
        attention.v_proj.weight[:8, :8] = torch.eye(8)
        attention.o_proj.weight[COPIED : COPIED + 8, :8] = 8 * torch.eye(8)
        attention.o_proj.weight[:, 8:16] = 0  # head 1 shares its values
    return model
