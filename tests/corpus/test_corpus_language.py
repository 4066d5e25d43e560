"""Languages: the table against sums written out, training on made-up languages, and the model of the package."""

# ruff: noqa: RUF001 (letters of many scripts)
from __future__ import annotations

import math
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.corpus import curation, scorers
from seedbed.corpus.curating.language import SHIPPED
from seedbed.corpus.learned.language_table import Table, counted, learned, ngrams, plain
from seedbed.corpus.scoring import RECORD, Scorer

TEXTS = {
    "eng": "All human beings have the right to food, and everyone should be free to say so.",
    "deu": "Die Katze liegt auf dem Dach und schläft, während der Hund im Garten wartet.",
    "fra": "Le chat dort sur le toit pendant que le chien attend dans le jardin de la maison.",
    "spa": "El gato duerme en el tejado mientras el perro espera en el jardín de la casa.",
    "rus": "Правительство объявило о новых мерах поддержки малого бизнеса в регионах страны.",
    "ell": "Η γάτα κοιμάται στη στέγη ενώ ο σκύλος περιμένει στον κήπο του σπιτιού.",
    "tha": "แมวนอนอยู่บนหลังคาในขณะที่สุนัขรออยู่ในสวนของบ้าน",
    "jpn": "猫は屋根の上で寝ていて、犬は家の庭で待っています。",
    "hin": "बिल्ली छत पर सो रही है जबकि कुत्ता घर के बगीचे में इंतज़ार कर रहा है।",
    "kor": "고양이는 지붕 위에서 자고 개는 집 마당에서 기다리고 있다.",
}


def grams(text: str) -> Counter[str]:
    """The n-grams and scripts of a text, by Python's own strings."""
    lower = unicodedata.normalize("NFC", text).lower()
    letters = "".join(char if unicodedata.category(char)[0] in "LM" else " " for char in lower)
    spaced = " ".join(["", *letters.split(), ""])
    found = Counter(spaced[i : i + n] for n in range(1, 5) for i in range(len(spaced) - n + 1))
    del found[" "]
    found.update(unicodedata.name(char).split()[0].split("-")[0] for char in spaced if char != " ")
    return found


def test_ngrams_are_those_of_the_string() -> None:
    texts = ["The cat, the CAT—e\u0301t 42!", "", "Один два"]
    keys_G, text_G = ngrams(*plain(texts))
    for row, text in enumerate(texts):
        own = Counter(keys_G[text_G == row].tolist())
        assert sorted(own.values()) == sorted(grams(text).values())
        assert own == counted([text])
    assert set(counted([texts[0]])) & set(counted(["the"])) == set(counted(["the"]))


def test_scores_are_sums_of_logarithms() -> None:
    texts = {"a": ["abab cab"], "b": ["bcbc cb", "cc"], "c": ["xyz"]}
    floor = 1e-3
    counts = {name: [counted([text]) for text in own] for name, own in texts.items()}
    table = learned(counts, floor=floor, per_language=1000, features=1000)
    totals_DL, letters_D = table.totals(["ab cb", "zzz"], 100)
    sources = {name: [grams(text) for text in own] for name, own in texts.items()}
    for column, name in enumerate(table.languages):
        wanted = 0.0
        for gram, count in grams("ab cb").items():
            share = sum(own[gram] / own.total() for own in sources[name]) / len(sources[name])
            wanted += count * math.log(max(share, floor) / floor)
        assert totals_DL[0, column] == pytest.approx(wanted, abs=0.0625 * grams("ab cb").total())
    assert letters_D.tolist() == [4, 3]
    names, share_D = table.best(["ab cb", "zzz", "..."], least_letters=2)
    assert names == [table.languages[int(totals_DL[0].argmax())], "c", None] and np.isnan(share_D[2])
    assert share_D[0] == pytest.approx(1 / np.exp(totals_DL[0] - totals_DL[0].max()).sum(), rel=1e-4)


def made_up(path: Path, helpers: Any) -> Path:
    """Three languages of two letters each and one more in common."""
    rng = np.random.default_rng(0)
    rows = []
    for name, letters in {"p": "abe", "q": "cde", "r": "фge"}.items():
        for number in range(40):
            words = ["".join(rng.choice(list(letters), size=5)) for _ in range(12)]
            rows.append({"text": " ".join(words), "domain": name, "id": f"{name}{number}"})
    return helpers.write_jsonl(path, rows)


def test_training_and_the_step(tmp_path: Path, helpers: Any) -> None:
    method = helpers.built(scorers, "language", data=str(made_up(tmp_path / "train.jsonl", helpers)))
    folder = tmp_path / "scorer"
    folder.mkdir()
    counts = method.fit(folder, lambda line: None)
    assert counts["languages"] == 3 and counts["accuracy"] == 1.0 and counts["held_back"] > 3
    again = tmp_path / "again"
    again.mkdir()
    assert method.fit(again, lambda line: None) == counts
    assert (again / "language.bin").read_bytes() == (folder / "language.bin").read_bytes()
    (folder / RECORD).write_text('{"method": "language"}', encoding="utf8")
    assert read_json(folder / RECORD)["method"] == "language"
    texts = {"one": "abab baaeb ababa", "two": "cdcd dced dcdde", "none": "12", "short": "a"}
    step = curation.get("language").target(by=Scorer(folder), keep=["p"])
    rows = helpers.tagged(step, texts)
    assert [rows[id]["language"] for id in texts] == ["p", "q", None, None]
    assert rows["one"]["reason"] is None and rows["two"]["reason"].startswith("language q ")
    assert rows["none"]["reason"] == "language unknown " and rows["none"]["language_score"] is None
    strict = curation.get("language").target(by=Scorer(folder), keep=["p"], min_score=1.1)
    assert rows["one"]["language_score"] > 0.9 and helpers.tagged(strict, texts)["one"]["reason"]


def test_the_shipped_model_knows_clear_cases(helpers: Any) -> None:
    assert SHIPPED.stat().st_size < 3_000_000
    rows = helpers.tagged(helpers.built(curation, "language"), TEXTS | {"blank": "", "digits": "12 34 56 78 90"})
    assert {id: rows[id]["language"] for id in TEXTS} == {id: id for id in TEXTS}
    assert all(rows[id]["language_score"] > 0.5 for id in TEXTS)
    assert rows["blank"]["language"] is None and rows["digits"]["language"] is None
    assert all(row.get("reason") is None for row in rows.values())


def test_fewer_languages_and_wrong_names(helpers: Any) -> None:
    two = helpers.built(curation, "language", languages=["eng", "rus"])
    found = {id: row["language"] for id, row in helpers.tagged(two, TEXTS).items()}
    assert found["deu"] == "eng" and found["rus"] == "rus"
    with pytest.raises(InputError, match="unknown language 'engl'"):
        helpers.tagged(helpers.built(curation, "language", keep=["engl"]), TEXTS)
    with pytest.raises(InputError, match="min_score"):
        helpers.built(curation, "language", min_score=0.5)


def test_a_saved_table_is_the_same(tmp_path: Path) -> None:
    table = learned({"a": [counted(["abc"])], "b": [counted(["xyz"])]}, floor=1e-3, per_language=9, features=9)
    table.temperature = 2.0
    table.save(tmp_path / "table")
    loaded = Table.load(tmp_path / "table")
    assert loaded.best(["abc"])[0] == table.best(["abc"])[0] and loaded.temperature == 2.0
    assert np.array_equal(loaded.steps_FL, table.steps_FL) and np.array_equal(loaded.keys_F, table.keys_F)
