"""The files of a published model, on folders that torch never sees."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.published_files import identity, state_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"n_layers": 2}')
    (tmp_path / "attn_model_final.pth").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("of the author")
    return tmp_path


@pytest.mark.parametrize("name", ["model_final.pth", "SoLU_2L_final.pth", "et_model_state_dict.pt"])
def test_a_state_dict_is_found_by_the_end_of_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "validation_data.pt").write_bytes(b"")
    (tmp_path / "good_induction_candidates.pt").write_bytes(b"")
    assert state_file(tmp_path) == tmp_path / name


def test_the_newer_name_is_taken_where_a_folder_has_both(folder):
    (folder / "et_model_state_dict.pt").write_bytes(b"older")
    assert state_file(folder).name == "attn_model_final.pth"


@pytest.mark.parametrize("end", ["final.pth", "state_dict.pt"])
def test_none_and_two_are_refused_with_their_number(tmp_path, end):
    said = r" files \*final\.pth or \*state_dict\.pt, not one; put the model's state dict there"
    with pytest.raises(UserError, match=f"^{tmp_path}: 0{said}$"):
        state_file(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}_{end}").write_bytes(b"")
    with pytest.raises(UserError, match=f"^{tmp_path}: 2{said}$"):
        state_file(tmp_path)


def test_an_identity_is_the_digest_of_the_bytes_of_config_and_state_dict(folder):
    digests = [hashlib.sha256(data).hexdigest() for data in (b'{"n_layers": 2}', b"weights")]
    text = json.dumps(digests, separators=(",", ":"))
    assert identity(folder) == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_an_edit_of_either_file_makes_another_model_and_other_files_do_not(folder, tmp_path):
    before = identity(folder)
    (folder / "README.md").write_text("edited")
    (folder / "validation_data.pt").write_bytes(b"examples")
    (folder / "attn_model_final.pth").rename(folder / "model_final.pth")
    assert identity(folder) == before
    (folder / "model_final.pth").write_bytes(b"weighty")
    edited = identity(folder)
    (folder / "config.json").write_text('{"n_layers": 3}')
    assert len({before, edited, identity(folder)}) == 3


def test_a_folder_without_its_files_is_named(folder):
    (folder / "attn_model_final.pth").unlink()
    with pytest.raises(UserError, match=f"^{folder}: 0 files"):
        identity(folder)
    (folder / "config.json").unlink()
    said = r": no config\.json; download the model's repository into this folder$"
    with pytest.raises(UserError, match=f"^{folder}{said}"):
        identity(folder)
