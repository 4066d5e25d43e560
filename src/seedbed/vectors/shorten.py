"""The step that makes a dictionary shorter."""

from __future__ import annotations

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step

from .artifact import Dictionary, WordVectors


@step("shorten_dictionary", gives=Dictionary, papers=["371"])
def shorten_dictionary(
    context: StepContext, *, dictionary: Dictionary, source: WordVectors, target: WordVectors, pairs: int
) -> None:
    """A dictionary with fewer training pairs and the same test pairs: how large a dictionary does a language need?

    pairs: so many, among those whose words both have vectors, the ones whose rarer word is the most frequent (vectors
    stand by falling frequency): roughly what somebody begins with who writes a dictionary. By the source word alone the
    first hundred pairs would be all translations of a few words. A smaller dictionary is a part of each larger one.
    Where there are not so many, all are taken.
    """
    if pairs < 1:
        raise InputError("pairs", "must be at least 1", value=pairs)
    training = dictionary.pairs()
    rows = zip(
        source.table.find(one for one, _ in training), target.table.find(two for _, two in training), strict=True
    )
    known = [(int(one), int(two), number) for number, (one, two) in enumerate(rows) if one >= 0 and two >= 0]
    known.sort(key=lambda row: (max(row[:2]), row))
    parts = {"train": [training[number] for _, _, number in known[:pairs]], "test": dictionary.pairs("test")}
    for name, chosen in parts.items():
        text = "".join(f"{one}\t{two}\n" for one, two in chosen)
        (context.folder / f"{name}.tsv").write_text(text, encoding="utf8", newline="\n")
    context.counts.update({name: len(chosen) for name, chosen in parts.items()}, known=len(known))
    context.say(f"{len(parts['train'])} of the {len(known)} training pairs whose words both have vectors")
