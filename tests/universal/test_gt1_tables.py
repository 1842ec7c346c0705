"""The statistics that GT1 compares are columns of the table of neurons."""

from clampsweep.studies.universal.gt1_tables import BALANCE, GT1, METRICS, NEURONS
from clampsweep.verdicts import SIDES


def test_eight_statistics_are_tested_and_the_matched_one_is_not_among_them() -> None:
    assert len(METRICS) == 8
    assert not set(METRICS) & set(BALANCE)


def test_each_is_a_number_of_each_neuron_and_has_a_side() -> None:
    for name, about in (METRICS | BALANCE).items():
        assert NEURONS.columns[name].type == "float"
        assert about.side in SIDES


def test_what_may_be_missing_is_what_a_test_gives() -> None:
    null = {name for name, column in GT1.columns.items() if column.null}
    assert null == {name for name, column in GT1.columns.items() if column.type == "float"}
