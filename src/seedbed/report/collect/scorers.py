"""What was trained to judge texts: how well it does on examples held back, and whether it does what it claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .steps import StepFacts
from .texts import called, with_names

ALL, HIGH, LOW = "all", "high", "low"
State = Literal["good", "bad", "open", "unknown"]
_LOWER_IS_BETTER = ("ngram_perplexity",)
_CONTROLS = ("noise", "filter")


@dataclass(frozen=True)
class Found:
    """Precision, recall and F1 of one thing."""

    what: str
    precision: float
    recall: float
    f1: float
    num: int | None


@dataclass(frozen=True)
class Rater:
    """How often one rater's votes agree with the scores by all votes, and with the learned score on texts held back."""

    name: str
    agreement: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Conclusion:
    """What the controls say: `words` for a label, and whole sentences."""

    state: State
    words: str
    sentences: tuple[str, ...]


@dataclass
class ScorerReport:
    """One trained scorer. `qualities` are figures on what was held back, `sizes` say how much there was of what;
    `noise` and `filter` are its controls, empty where it has none."""

    name: str
    method: str
    settings: dict[str, str]
    qualities: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    raters: list[Rater] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    noise: dict[str, Any] = field(default_factory=dict)
    filter: dict[str, Any] = field(default_factory=dict)
    lower_is_better: bool = False
    positive: str = ""  # the class whose texts are the good ones, if it is not called that

    @property
    def conclusion(self) -> Conclusion | None:
        return concluded(self.noise, self.filter, self.gains) if self.noise and self.filter else None

    @property
    def gains(self) -> dict[str, float]:
        """Bits a byte that a model of the best part has less than one of everything, by which good texts."""
        rows = list(self.filter.get("bits_per_byte", {}).values())
        return {name: rows[0][name] - rows[-1][name] for name in rows[0]} if rows else {}


def scorer_report(step: StepFacts, others: list[StepFacts]) -> ScorerReport:
    """From the manifest; `others` give the names of what it learned from."""
    given = with_names(step.parameters.get("method"), {other.fingerprint: other.name for other in others})
    method, own = next(iter(given.items())) if isinstance(given, dict) and given else (str(given or ""), {})
    settings = {key: called(value) for key, value in own.items() if value not in (None, "", [])}
    counts = step.counts
    report = ScorerReport(step.name, method, settings, lower_is_better=method in _LOWER_IS_BETTER)
    positive = str(own.get("positive", "good"))
    report.positive = "" if positive == "good" else positive
    for name, value in counts.items():
        if name in _CONTROLS:
            setattr(report, name, value)
        elif isinstance(value, float):
            report.qualities[name] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            report.sizes[name] = value
        elif isinstance(value, dict) and {"precision", "recall", "f1"} <= set(value):
            report.found.append(found_of(name, value))
    sizes = counts.get("examples")
    report.classes = dict(sizes) if isinstance(sizes, dict) else {}
    report.worst = dict(counts.get("worst", {}))
    report.raters = [Rater(name, row["agreement"], row["accuracy"]) for name, row in counts.get("raters", {}).items()]
    return report


def found_of(what: str, row: dict[str, Any]) -> Found:
    num = row.get("num", row.get("pages"))
    return Found(what, row["precision"], row["recall"], row["f1"], None if num is None else int(num))


def concluded(noise: dict[str, Any], kept: dict[str, Any], gains: dict[str, float]) -> Conclusion:
    """In plain words, whether a filter by the scorer does what it claims."""
    if noise["sees_noise"]:
        seen = "Its score surely gets worse with every share of the words that is put out of order."
    elif noise["texts"] < 2:
        seen = "There were too few texts to tell whether its score gets worse as words are put out of order."
    else:
        seen = (
            "Its score does not surely get worse with every share of the words that is put out of order, so it is not "
            f"seen to look at how a text is written ({noise['texts']} texts)."
        )
    if not kept["better"]:
        few = f"{kept['good']} good texts and {kept['pool']} to choose from are too few to tell what it keeps is worth."
        return Conclusion("unknown", "cannot be told", (few, seen))
    state, words, gain = _judged(kept["better"], gains)
    if state == "good" and not noise["sees_noise"]:
        state, words = "open", "what it keeps helps, but it does not see how texts are written"
    return Conclusion(state, words, (gain, seen))


def _judged(better: dict[str, bool], gains: dict[str, float]) -> tuple[State, str, str]:
    """A gain that is not sure may be one that so few texts do not show; only where there is none, it is denied."""
    model = "A small model of the best tenth"
    if all(better[name] for name in (ALL, HIGH, LOW)):
        gain = f"{model} predicts good texts surely better than one of everything, also those that it scores low."
        return "good", "does what it claims", gain
    if not any(better.values()):
        gain = f"{model} does not surely predict any good texts better than one of everything"
        if gains[ALL] > 0:
            return "open", "is not seen to do what it claims", f"{gain}; more good texts held back might show a gain."
        return "bad", "does not do what it claims", f"{gain}."
    if better[HIGH] and gains[LOW] <= 0:
        gain = (
            f"{model} predicts only those good texts better that it scores high: it keeps what is like a part of the "
            "good texts, and has chosen that part itself."
        )
        return "bad", "does not do what it claims", gain
    helped = {ALL: "the good texts taken together", HIGH: "those that it scores high", LOW: "those that it scores low"}
    named = [words for name, words in helped.items() if better[name]]
    others = [words for name, words in helped.items() if not better[name]]
    gain = f"{model} surely predicts {_listed(named)} better than one of everything, but not surely {_listed(others)}."
    return "open", "is seen to do in part what it claims", gain


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
