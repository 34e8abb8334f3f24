"""What a GB costs on its way is what figures.json says, or somebody has to say otherwise."""

import json

import pytest
from byte_path import CASE, FIGURES, RECORD, complaint, made_with, measure_all

RECORDED = json.loads(FIGURES.read_text(encoding="utf-8"))
NAMES = ("total", "own", "control_flow")


@pytest.fixture(scope="module")
def measured(binary):
    return measure_all(binary)[0]


def test_the_figures_are_of_this_case():
    assert RECORDED["case"] == CASE and set(RECORDED["millions_per_gb"]) == set(NAMES), f"to be recorded anew: {RECORD}"


@pytest.mark.parametrize("name", NAMES)
def test_a_gigabyte_costs_what_is_recorded(measured, name):
    wrong = complaint(name, measured[name], RECORDED, made_with())
    assert wrong is None, wrong


@pytest.mark.parametrize("factor, word", [(1.049, None), (0.951, None), (1.051, "5.1% more"), (0.949, "5.1% less")])
def test_gains_and_losses_are_to_be_written_down(factor, word):
    said = complaint("own", RECORDED["millions_per_gb"]["own"] * factor, RECORDED, RECORDED["made_with"])
    assert said is None if word is None else word in said and RECORD in said and "Other than then" not in said


def test_what_else_has_changed_is_told():
    said = complaint("own", 1, RECORDED, {**RECORDED["made_with"], "valgrind": "9"})
    assert f"Other than then: valgrind 9, then {RECORDED['made_with']['valgrind']}." in said
