"""What an entry with a plane wants and keeps: the texts of its sweep, tables, figures, a report."""

from __future__ import annotations

import yaml

import configs
from clampsweep.studies.srm.study import STUDY
from configs import BASE, changed, parse, sweep

folder = configs.folder

PLANE = yaml.safe_dump(
    {
        "sweeps": {
            "main": {
                "neurons": ["L1N2"],
                "srm": {"basis": ["L1N0", "L1N1"], "group_by": ["type"], "thresholds": [0.5]},
            }
        }
    }
)


def test_what_follows_from_a_sweep_has_no_plane_of_its_own():
    overlay = changed(PLANE, sweep("controls: {count: 2}, variability: {}"))
    parsed = parse(config=BASE, overlay=overlay)
    assert list(parsed.entries["srm"]) == ["main"]
    assert len(parsed.requests()) == 3


def test_the_texts_in_a_plane_are_the_sweeps_own_and_none_are_wanted_beside_them():
    with_plane = parse(config=BASE, overlay=PLANE)
    without_plane = parse(config=BASE, overlay=sweep("neurons: [L1N2]"))
    (found,) = with_plane.entries["srm"].values()
    assert STUDY.requests(found) == without_plane.requests() == with_plane.requests()


def test_every_file_stands_in_the_entrys_folder_and_is_described():
    (found,) = parse(config=BASE, overlay=PLANE).entries["srm"].values()
    files = STUDY.files(found)
    assert {file.partition("/")[0] for file in files} == {"main"}
    assert all(what for what in files.values())
    assert {"main/srm/srm.md", "main/srm/differences.parquet", "main/figures/srm_polar.svg"} <= set(
        files
    )


def test_a_plane_adds_its_files_to_those_of_the_sweep_and_takes_none_away():
    plain = parse(config=BASE, overlay=sweep("neurons: [L1N2]"))
    parsed = parse(config=BASE, overlay=PLANE)
    (found,) = parsed.entries["srm"].values()
    assert parsed.files == {**plain.files, **STUDY.files(found)}
    assert not set(plain.files) & set(STUDY.files(found))
