"""Personal data: what the rules find of what was planted, and how fast.

    python benchmarks/personal_data.py [--data texts.jsonl.xz] [--documents 20000] [--out results.json]

Into made prose, or into the texts given (JSON Lines with `text`, where what is found beside the planted counts as wrong
although it may be real), go sentences with every kind that the rules look for, in the ways of writing it that they
claim to know; with names, which are not looked for; and with decoys, which look much like one of the kinds and are
none: what is taken of these is wrong. All are made up, addresses and telephone numbers from the ranges reserved for
examples.
Precision and recall are over exact places; of a kind that was not planted, or never found, they are null. They say that
the rules do what they claim, not which share they find of all that people write. Times are CPU seconds of the curation
step's own work on one thread: finding the candidates, and looking at them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import kept

SENTENCES = ("Write down {0} for more.", "The entry was left by {0}.", "It says {0} on the back.", "Ask here ({0}).")
DECOY = "decoy"
Maker = Callable[[Any, Any], str]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.1, help="of the documents with something planted")
    parser.add_argument("--out")
    return parser.parse_args()


def written(pattern: str, dice: Any) -> str:
    """A digit for each `#`, a hexadecimal one for each `%`."""
    kinds = {"#": "0123456789", "%": "0123456789abcdef"}
    return "".join(dice.pick(kinds[mark]) if mark in kinds else mark for mark in pattern)


def email(dice: Any, words: Any) -> str:
    first, noun, other = dice.pick(words.given).lower(), dice.pick(words.nouns), dice.pick(words.nouns)
    mails = (f"{first}.{noun}@{other}.example", f"{first}_{noun}+#@mail.{other}.example", f"{noun}##@{other}-#.EXAMPLE")
    return written(dice.pick(mails), dice)


def phone(dice: Any, _: Any) -> str:
    area = str(201 + dice.below(700))
    northern = (
        f"({area}) 555-01##",
        f"{area}-555-01##",
        f"{area}.555.01##",
        f"1-{area}-555-01##",
        f"+1 {area} 555 01##",
    )
    others = ("+44 20 7946 0###", "+44 (0)20 7946 0###", "+33 1 99 00 ## ##", "+49 30 23125 ###", "+4930 23125###")
    return written(dice.pick(northern + others), dice)


def ip(dice: Any, _: Any) -> str:
    four = f"{dice.pick(('192.0.2', '198.51.100', '203.0.113'))}.{dice.below(256)}"
    return dice.pick((four, written("2001:db8:%%%%:%:%%%:%%:%%%%:%", dice), written("2001:db8::%%%%:1%%:%%%%", dice)))


def iban(dice: Any, _: Any, *, right: bool = True) -> str:
    """The remainder of all by 97, with the first four behind the rest and letters as numbers, is one."""
    country, length = dice.pick((("DE", 18), ("FR", 23), ("NO", 11)))
    body = written("#" * length, dice)
    check = 98 - int(body + "".join(str(int(letter, 36)) for letter in country) + "00") % 97
    check = check if right else 2 + (check - 1 + dice.below(96)) % 97
    text = f"{country}{check:02}{body}"
    return text if dice.chance(0.3) else " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def card(dice: Any, _: Any, *, right: bool = True) -> str:
    """The last digit makes the sum of all, every second one doubled, a multiple of ten."""
    start, length = dice.pick((("4", 16), ("51", 16), ("2221", 16), ("6011", 16), ("37", 15), ("4", 13), ("62", 19)))
    body = start + written("#" * (length - len(start) - 1), dice)
    total = sum(sum(divmod(int(d) * (2 - n % 2), 10)) for n, d in enumerate(reversed(body)))
    text = body + str((-total + (0 if right else 1 + dice.below(9))) % 10)
    mark = dice.pick(("", " ", "-"))
    cuts = {16: (0, 4, 8, 12, 16), 15: (0, 4, 10, 15)}.get(length, (0, length))
    return mark.join(text[a:b] for a, b in itertools.pairwise(cuts))


def ssn(dice: Any, _: Any) -> str:
    return f"{1 + dice.below(665):03}-{1 + dice.below(99):02}-{1 + dice.below(9999):04}"


def decoy(dice: Any, words: Any) -> str:
    wrong = (lambda: card(dice, words, right=False), lambda: iban(dice, words, right=False))
    patterns = (
        *(
            "9##-##-####",
            "000-##-####",
            "###-00-####",
            "978-#-##-######-#",
            "10.####/###.#.#",
            "1.#.##.#.#",
            "3##.#.#.##",
        ),
        *("#### #### items", "1,###,###.##", "20##-0#-1#", "1#:2#:3#", "%%:%%:%%:%%:%%:%%", "52.####, 13.####"),
        *(
            "%%%%%%%%-%%%%-4%%%-a%%%-%%%%%%%%%%%%",
            "##########",
            "std::pair::first",
            "+## apples",
            "@someone",
            "a @ b.c",
        ),
    )
    which = dice.below(len(patterns) + len(wrong))
    return wrong[which]() if which < len(wrong) else written(patterns[which - len(wrong)], dice)


def name(dice: Any, words: Any) -> str:
    return f"{dice.pick(words.given)} {dice.pick(words.nouns).title()}"


MAKERS: dict[str, Maker] = {
    "email": email,
    "ip": ip,
    "iban": iban,
    "card": card,
    "ssn": ssn,
    "phone": phone,
    "name": name,
    DECOY: decoy,
}


def planted(setting: argparse.Namespace) -> tuple[dict[str, str], dict[str, set[Any]]]:
    """Texts by id, and by kind the places (id, start, end) of what was planted: one to three in a share of them."""
    from seedbed.worlds.base import Base
    from seedbed.worlds.dice import Dice
    from seedbed.worlds.plants import pieces_of
    from seedbed.worlds.words import lexicon

    words, texts, places = lexicon(0), {}, defaultdict(set)
    source = given(setting.data, setting.documents) if setting.data else Base(None, setting.documents, 0).read(17)
    for document in source:
        dice, parts = Dice(17, "personal", document.id), [("", piece.text) for piece in pieces_of(document.text)]
        for _ in range(1 + dice.below(3) if dice.chance(setting.share) else 0):
            before, after = dice.pick(SENTENCES).split("{0}")
            kind = dice.pick(list(MAKERS))
            # Only between the text's own pieces: after one, and not within a sentence that was put there.
            place = dice.pick(
                [n for n in range(len(parts) + 1) if all(not k or k == "end" for k, _ in parts[n - 1 : n])]
            )
            parts[place:place] = [("in", " " + before), (kind, MAKERS[kind](dice, words)), ("end", after + " ")]
        start = 0
        for kind, text in parts:
            if kind in MAKERS:
                places[kind].add((document.id, start, start + len(text)))
            start += len(text)
        texts[document.id] = "".join(text for _, text in parts)
    return texts, places


def given(path: str, number: int) -> Iterator[Any]:
    """Texts of a file."""
    from seedbed.corpus.documents import Document

    with (lzma.open if path.endswith(".xz") else open)(path, "rt", encoding="utf8") as file:
        for place, line in zip(range(number), file, strict=False):
            yield Document(f"d{place}", json.loads(line)["text"])


def agreement(spans: set[Any], places: set[Any]) -> dict[str, Any]:
    """Shares of nothing are null: nothing was measured."""
    from seedbed.worlds.measure import precision_recall

    both = precision_recall(spans, places)
    return {
        "found": both.found,
        "planted": both.planted,
        "precision": round(both.precision, 4) if both.found and both.planted else None,
        "recall": round(both.recall, 4) if both.planted else None,
    }


def main() -> None:
    import pyarrow as pa

    from seedbed.corpus.text.personal import KINDS, candidates, find

    setting = arguments()
    texts, places = planted(setting)
    column, ids = pa.array(list(texts.values())), list(texts)
    size = sum(len(text.encode()) for text in texts.values()) / 1e6
    begin = time.process_time()
    chosen = candidates(column)
    middle = time.process_time()
    found = {ids[place]: find(texts[ids[place]]) for place in chosen}
    end = time.process_time()
    results: dict[str, Any] = {
        "documents": len(texts),
        "megabytes": round(size, 1),
        "candidates": len(chosen),
        "mb_per_s": {"candidates": round(size / (middle - begin)), "all": round(size / (end - begin))},
    }
    print(results)
    spans = {kind: set() for kind in (*KINDS, "name")}
    for id, items in found.items():
        for item in items:
            spans[item.kind].add((id, item.start, item.end))
    for kind, own in spans.items():
        results[kind] = agreement(own, places[kind])
        print(f"{kind:8}", results[kind])
    everything = {id: [(item.start, item.end) for item in items] for id, items in found.items()}
    taken = [
        texts[id][start:end]
        for id, start, end in sorted(places[DECOY])
        if any(a < end and b > start for a, b in everything.get(id, ()))
    ]
    results["decoys"] = {"planted": len(places[DECOY]), "taken": len(taken)}
    print("decoys  ", results["decoys"], taken[:20])
    if setting.out:
        kept.write(setting.out, results)


if __name__ == "__main__":
    main()
