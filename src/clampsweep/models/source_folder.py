"""What of a source belongs to a model, and kinds of source that are refused before they are used.

No torch: all of this is known from names of files and from `config.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from clampsweep.errors import UserError

WEIGHTS = "model.safetensors"

INDEX = "model.safetensors.index.json"

_ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


def weight_files(folder: Path) -> list[str]:
    """Names of the safetensors files that transformers reads of a folder, and of their index.

    Others may lie beside them, such as Mistral's `consolidated.safetensors`: the same weights once
    more. None if there are none, or the index is damaged.

    Args:
        folder: Of Hugging Face's form.
    """
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    try:
        shards = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        return [INDEX, *sorted(set(shards))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def belongs(folder: Path, name: str) -> bool:
    """Whether a file is no weights that the model leaves aside.

    Args:
        folder: Of the file.
        name: Of the file.
    """
    read = weight_files(folder)
    is_weights = name.endswith((".safetensors", ".safetensors.index.json"))
    return not (is_weights and read) or name in read


def check_no_adapter(folder: Path, where: str) -> None:
    """Refuse an adapter, alone or beside a model: whether it is used would be chance.

    Args:
        folder: The source.
        where: The model's place in the config, for messages.

    Raises:
        UserError: It holds an adapter's files.
    """
    for name in _ADAPTER:
        if (folder / name).exists():
            raise UserError(
                f"{where}: the source holds an adapter ({name}); load it with its base model, "
                "merge them (merge_and_unload of peft), save_pretrained, and use that folder; or "
                "remove the adapter's files to run the model beside them without it"
            )


def check_files(folder: Path, where: str) -> None:
    """Refuse files that are not whole, or not the weights that transformers reads.

    Args:
        folder: Of the model.
        where: The model's place in the config, for messages.

    Raises:
        UserError: One is not.
    """
    _check_json(folder, where)
    _check_indices(folder, where)
    other = sorted(path.name for path in folder.glob("*.safetensors"))
    if not other or not (folder / "config.json").exists():
        raise UserError(
            f"{where}: the source holds no config.json with *.safetensors; "
            "other weight formats are not read"
        )
    if not weight_files(folder):
        raise UserError(
            f"{where}: the source holds {other[0]}, but no {WEIGHTS} or {INDEX}; "
            "save the model with save_pretrained, or give its weights that name"
        )
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="numpy"):
                pass
        except SafetensorError as error:
            raise UserError(
                f"{where}: {path.name} is not a whole safetensors file ({error}); get it again"
            ) from error


def _check_json(folder: Path, where: str) -> None:
    """Refuse a truncated or empty JSON file, which transformers may take for none."""
    for path in sorted(folder.glob("*.json")):
        try:
            is_whole = isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
        except ValueError:
            is_whole = False
        if not is_whole:
            raise UserError(f"{where}: {path.name} is not a whole JSON file; get it again")


def _check_indices(folder: Path, where: str) -> None:
    """Refuse an index that names other weights than the folder's own safetensors files.

    transformers would read those, wherever they lie, and unpickle them.
    """
    for index in folder.glob("*.index.json"):
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{where}: {index.name} is damaged; get it again") from error
        own = {path.name for path in folder.glob("*.safetensors")}
        if foreign := sorted(map(str, named - own)):
            raise UserError(
                f"{where}: {index.name} names {foreign[0]!r}, which is no safetensors file "
                "beside it; get the whole model, in safetensors"
            )


def check_config(folder: Path, where: str) -> None:
    """Refuse a `config.json` of quantised weights, or of weights under another name.

    Args:
        folder: Of the model.
        where: The model's place in the config, for messages.

    Raises:
        UserError: It is one of these.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for part in _parts(config):
        if isinstance(kind := part.get("quantization_config"), dict):
            raise UserError(
                f"{where}: config.json says that the weights are quantised "
                f"({kind.get('quant_method', 'unnamed method')}); weights are run in the dtype "
                "that the config states: use the model's unquantised version"
            )
    if name := config.get("transformers_weights"):
        raise UserError(
            f"{where}: config.json names its weights {name!r} (transformers_weights); name them "
            f"{WEIGHTS} and remove that key"
        )


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A config, and that of its language model if it has several parts."""
    yield config
    if isinstance(text := config.get("text_config"), dict):
        yield text
