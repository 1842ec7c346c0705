"""Published attention-only models, in the files of their authors.

`ArthurConmy/redwood_attn_2l` (the original's model) and `NeelNanda/Attn_Only_2L512W_C4_Code` with
its kin of 1, 3 and 4 layers are state dicts of TransformerLens beside a `config.json` of its keys,
and no class of transformers knows them. The original's data lie beside the first:
`validation_data.pt`, `good_induction_candidates.pt`. All are pickles: torch reads tensors of them
and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from tokenizers.decoders import ByteLevel
from torch import Tensor

from clampsweep.errors import UserError, explain_os_error, reason
from clampsweep.studies.scrubbing.published_files import CONFIG, state_file, vocabulary_file
from clampsweep.studies.scrubbing.weights import Layer, Learned, Norm, Shortformer, Weights

EPS = 1e-5  # of TransformerLens's norms; the files do not say it

_NORMS = ("LN", "LNPre")  # the second: weights of the norms are folded into what reads them

_PASSED_OVER = (".attn.mask", ".attn.IGNORE")  # buffers of older versions


def read_published(folder: Path) -> Weights:
    """Weights of a published model, float32.

    Args:
        folder: Holds `config.json` and one state dict, `*final.pth` or `*state_dict.pt`.

    Raises:
        UserError: A file is missing or not whole, or the model has MLPs, or is of an unknown form.
    """
    config, where = _read_json(folder / CONFIG), str(folder / CONFIG)
    if not config.get("attn_only"):
        raise UserError(f"{where}: attn_only is not true; scrubbing knows attention-only models")
    norm = config.get("normalization", config.get("normalization_type"))
    if norm not in _NORMS:
        raise UserError(f"{where}: normalization {norm!r}; known: {', '.join(_NORMS)}")
    file = state_file(folder)
    weights = from_tl(
        _read_state(file), shortformer=bool(config.get("shortformer_pos")), where=file
    )
    found = {
        "n_layers": len(weights.layers),
        "n_heads": weights.n_heads,
        "d_model": weights.d_model,
        "d_head": weights.d_head,
        "d_vocab": weights.d_vocab,
        "n_ctx": weights.n_ctx,
    }
    for name, size in found.items():
        if config.get(name) != size:
            raise UserError(f"{file}: {name} is {size}, {where} says {config.get(name)}")
    return weights


def from_tl(state: Mapping[str, Tensor], *, shortformer: bool, where: Path | str) -> Weights:
    """Weights of a TransformerLens state dict, float32.

    Biases may be missing, and so may weights of norms that are folded away.

    Args:
        state: Tensors by TransformerLens's names.
        shortformer: Whether positions are added to what queries and keys are made of; else to the
            embedding.
        where: The file, for messages.

    Raises:
        UserError: A tensor is missing, of another shape, or of a part that the engine has not.
    """
    reader = _Reader(state, where)
    n_ctx, d_model = reader.shape("pos_embed.W_pos", 2)
    d_vocab, _ = reader.shape("embed.W_E", 2)
    table = reader.take("pos_embed.W_pos", (n_ctx, d_model))
    n_layers = 1 + max(
        (int(name.split(".")[1]) for name in state if name.startswith("blocks.")), default=-1
    )
    weights = Weights(
        W_E=reader.take("embed.W_E", (d_vocab, d_model)),
        layers=tuple(_layer(reader, f"blocks.{layer}", d_model) for layer in range(n_layers)),
        norm=_norm(reader, "ln_final", d_model),
        W_U=reader.take("unembed.W_U", (d_model, d_vocab)),
        b_U=reader.take("unembed.b_U", (d_vocab,), missing=0.0),
        positions=Shortformer(table) if shortformer else Learned(table),
        n_ctx=n_ctx,
    )
    reader.check_all_taken()
    return weights


def read_tokens(path: Path, d_vocab: int) -> Int[Tensor, "example pos"]:
    """Examples in the original's form: a row of token ids for each, `BEGIN` first.

    Args:
        path: `validation_data.pt`.
        d_vocab: Number of tokens of the model.

    Raises:
        UserError: The file is not whole, or holds something else.
    """
    tokens = _read_torch(path)
    is_table = isinstance(tokens, Tensor) and tokens.dim() == 2 and not tokens.is_floating_point()
    if not is_table or tokens.min() < 0 or tokens.max() >= d_vocab:
        raise UserError(f"{path}: no table of token ids from 0 to {d_vocab - 1}, a row an example")
    found: Tensor = tokens.long()
    return found


def read_candidates(path: Path, d_vocab: int) -> list[int]:
    """Token ids that the original calls good candidates for induction.

    Args:
        path: `good_induction_candidates.pt`: for each token whether it is one.
        d_vocab: Number of tokens of the model.

    Raises:
        UserError: The file is not whole, or holds something else.
    """
    flags = _read_torch(path)
    is_flags = isinstance(flags, Tensor) and flags.shape == (d_vocab,)
    if not is_flags or not bool(((flags == 0) | (flags == 1)).all()):
        raise UserError(f"{path}: not a flag for each of the model's {d_vocab} tokens")
    found: list[int] = flags.nonzero()[:, 0].tolist()
    return found


def read_texts(folder: Path, d_vocab: int) -> list[str]:
    """What each token stands for; its number in angle brackets where that is not known.

    The tokenizer that lies beside the model is not used: its merges name a token that its
    vocabulary lacks, which tokenizers refuses. Its vocabulary is enough.

    Args:
        folder: Of the model, with `vocab.json` or without.
        d_vocab: Number of tokens of the model.

    Raises:
        UserError: The file is damaged.
    """
    texts, path = [f"<{token}>" for token in range(d_vocab)], vocabulary_file(folder)
    if path:
        decode = ByteLevel().decode
        for word, token in _read_json(path).items():
            if type(token) is not int or not 0 <= token < d_vocab:
                raise UserError(
                    f"{path}: {word!r} has number {token!r}; there are {d_vocab} tokens"
                )
            texts[token] = decode([word])
    return texts


class _Reader:
    """A state dict whose tensors are taken one by one, with a word where one is wrong."""

    def __init__(self, state: Mapping[str, Tensor], where: Path | str) -> None:
        self.state, self.where = state, where
        self.taken: set[str] = set()

    def shape(self, name: str, dims: int) -> tuple[int, ...]:
        """Shape of a tensor that must be there."""
        if name not in self.state or self.state[name].dim() != dims:
            raise UserError(f"{self.where}: no {name} of {dims} axes; get the file again")
        return tuple(self.state[name].shape)

    def take(self, name: str, shape: tuple[int, ...], missing: float | None = None) -> Tensor:
        """A tensor of a shape, or one filled with a number where it may be missing."""
        self.taken.add(name)
        if name not in self.state and missing is not None:
            return torch.full(shape, missing)
        if self.shape(name, len(shape)) != shape:
            raise UserError(
                f"{self.where}: {name} has shape {list(self.state[name].shape)}, not {list(shape)}"
            )
        return self.state[name].float()

    def check_all_taken(self) -> None:
        """Refuse a tensor that the engine would leave out."""
        left = [name for name in self.state if name not in self.taken]
        left = [name for name in left if not name.endswith(_PASSED_OVER)]
        if left:
            raise UserError(f"{self.where}: {left[0]} is no part of an attention-only model")


def _layer(reader: _Reader, name: str, d_model: int) -> Layer:
    n_heads, _, d_head = reader.shape(f"{name}.attn.W_Q", 3)
    parts = {
        f"W_{part}": reader.take(f"{name}.attn.W_{part}", (n_heads, d_model, d_head))
        for part in "QKV"
    }
    parts |= {
        f"b_{part}": reader.take(f"{name}.attn.b_{part}", (n_heads, d_head), missing=0.0)
        for part in "QKV"
    }
    return Layer(
        norm=_norm(reader, f"{name}.ln1", d_model),
        W_O=reader.take(f"{name}.attn.W_O", (n_heads, d_head, d_model)),
        b_O=reader.take(f"{name}.attn.b_O", (d_model,), missing=0.0),
        **parts,
    )


def _norm(reader: _Reader, name: str, d_model: int) -> Norm:
    w = reader.take(f"{name}.w", (d_model,), missing=1.0)
    return Norm(w, reader.take(f"{name}.b", (d_model,), missing=0.0), EPS)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain_os_error(error, path, "read") from error
    except ValueError as error:
        raise UserError(f"{path}: not a whole JSON file; get it again") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: no JSON object; get it again")
    return config


def _read_state(path: Path) -> dict[str, Tensor]:
    state = _read_torch(path)
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise UserError(f"{path}: no state dict of tensors by name; get it again")
    return state


def _read_torch(path: Path) -> Any:
    """What a file of torch's holds: tensors and plain containers; code in it is not run."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise explain_os_error(error, path, "read") from error
    try:
        return torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's own among them
        raise UserError(
            f"{path}: torch cannot read it ({reason(error)}), so it is cut or holds more than "
            "tensors; get it again"
        ) from error
