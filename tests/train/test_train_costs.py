"""What objectives cost: each beside the plain one for its network, round by round."""

from __future__ import annotations

import itertools

import pytest

from seedbed.cli.browse import list_methods
from seedbed.core.artifact import Reference
from seedbed.core.errors import InputError
from seedbed.core.schema import parameters_of
from seedbed.objectives import objectives
from seedbed.train import costs
from seedbed.train.plan import _without_artifacts


def test_ratios_are_taken_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is ten times as slow in its second round changes no ratio."""
    calls = itertools.count()
    told = {e.name for e in objectives if any(parameter.required for parameter in parameters_of(e.target))}
    number = len(objectives.names()) - len(told)
    assert {"mixture", "ngram_mlm", "back_translation"} <= told, "which want to be told something"
    own = {"mlm": 1000.0, "clm": 2000.0, "rts": 1500.0}

    def speed(name: str) -> float:
        return own.get(name, 500.0) / (10 if next(calls) // number == 1 else 1)

    monkeypatch.setattr(costs, "_speed", speed)
    found = {row.objective: row for row in costs.relative_costs(rounds=3)}
    assert set(found) == set(objectives.names()) - told
    assert (found["mlm"].ratio, found["clm"].ratio) == (1.0, 1.0)
    assert (found["rts"].reference, found["rts"].ratio, found["rts"].tokens_per_second) == ("mlm", 1.5, 1500.0)
    assert (found["span_corruption"].reference, found["span_corruption"].ratio) == ("clm", 0.25)
    assert found["prefix_lm"].network == "prefix"


@pytest.mark.parametrize("name", ["ul2", "rtd"])
def test_real_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedbed.train.probe._SECONDS", 0.0)
    assert costs._speed(name) > 0


def test_it_is_for_objectives() -> None:
    with pytest.raises(InputError, match="is measured of objectives"):
        list_methods("tasks", cost=True)


def test_what_other_steps_have_not_made_is_left_out_of_a_probe_or_the_probe_is() -> None:
    waiting = Reference("phrases", "lexicon")
    needy = objectives.parse({"ngram_mlm": {"lexicon": waiting}})
    assert _without_artifacts(needy) is None
    plain = objectives.parse({"mlm": {"rate": 0.2, "mask": {"ngrams": {"lexicon": waiting}}}})
    probed = _without_artifacts(plain)
    assert probed.parameters["rate"] == 0.2 and "phrases" not in str(probed.canonical())
    assert _without_artifacts(objectives.parse("clm")).name == "clm"
