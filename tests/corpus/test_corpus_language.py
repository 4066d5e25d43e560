"""Languages: the table against sums written out, training on made-up languages, and the model of the package."""

# ruff: noqa: RUF001 (letters of many scripts)
from __future__ import annotations

import io
import json
import lzma
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
        assert own == sum(map(Counter, counted([text]).values()), Counter())
    (whole,), (part,) = counted([texts[0]]).values(), counted(["the"]).values()
    assert set(whole) & set(part) == set(part)


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
    assert np.array_equal(loaded.steps_FS, table.steps_FS) and np.array_equal(loaded.keys_F, table.keys_F)


CYRILLIC = str.maketrans("abcde", "абцде")


def made_texts(likes: str, texts: int, seed: int) -> list[str]:
    """Texts in five Latin letters, of which a language likes some."""
    rng = np.random.default_rng(seed)
    return [" ".join("".join(rng.choice(list(likes), size=5)) for _ in range(12)) for _ in range(texts)]


def neighbors(path: Path, helpers: Any, *, second: int = 60) -> Path:
    """`both` is written in Latin letters and, in `second` texts, in Cyrillic ones; `west` and `east` in one each."""
    texts = {"west": made_texts("aabbccddde", 60, 1), "both": made_texts("aaabbccdde", 60, 2)}
    texts["both"] += [text.translate(CYRILLIC) for text in made_texts("aaabbccdde", second, 3)]
    texts["east"] = [text.translate(CYRILLIC) for text in made_texts("aabbccddde", 60, 4)]
    rows = [{"text": text, "domain": name} for name, own in texts.items() for text in own]
    return helpers.write_jsonl(path, [row | {"id": str(number)} for number, row in enumerate(rows)])


def trained(folder: Path, helpers: Any, path: Path) -> tuple[Scorer, dict[str, Any]]:
    folder.mkdir()
    counts = helpers.built(scorers, "language", data=str(path)).fit(folder, lambda line: None)
    (folder / RECORD).write_text('{"method": "language"}', encoding="utf8")
    return Scorer(folder), counts


def test_a_language_in_two_scripts_holds_its_own(tmp_path: Path, helpers: Any) -> None:
    scorer, counts = trained(tmp_path / "scorer", helpers, neighbors(tmp_path / "train.jsonl", helpers))
    asked = {"west": made_texts("aabbccddde", 50, 5), "both": made_texts("aaabbccdde", 50, 6)}
    asked |= {"east": asked["west"], "both2": asked["both"]}
    texts = {
        f"{name}-{number}": text.translate(CYRILLIC) if name in ("east", "both2") else text
        for name, own in asked.items()
        for number, text in enumerate(own)
    }
    rows = helpers.tagged(curation.get("language").target(by=scorer), texts)
    right = Counter(id.partition("-")[0] for id in texts if rows[id]["language"] == id.partition("-")[0].rstrip("2"))
    assert min(right[name] for name in asked) >= 35, right
    assert counts["languages"] == 3 and counts["in_several_scripts"] == ["both"]

    assert scorer.load().table.languages == ["both", "east", "west"]
    without = helpers.tagged(curation.get("language").target(by=scorer, languages=["east", "west"]), texts)
    assert all(row["language"] == ("east" if id[:5] in ("east-", "both2") else "west") for id, row in without.items())
    alone = helpers.tagged(curation.get("language").target(by=scorer, languages=["both"], keep=["both"]), texts)
    assert all((row["language"], row["language_score"], row["reason"]) == ("both", 1, None) for row in alone.values())


def test_which_texts_make_a_second_script(tmp_path: Path, helpers: Any) -> None:
    few, counts = trained(tmp_path / "few", helpers, neighbors(tmp_path / "few.jsonl", helpers, second=5))
    assert counts["in_several_scripts"] == [] and few.load().table.columns == ["both", "east", "west"]
    rng = np.random.default_rng(0)
    rows = [
        " ".join("".join(rng.choice(list(letters), size=40)) for _ in range(3))
        for letters in ("猫屋根上", "ねこやね") * 40
    ]
    japanese = {"jpn": [counted(rows)], "eng": [counted(["the cat"])]}
    assert learned(japanese, floor=1e-3, per_language=99, features=99).columns == ["eng", "jpn"]
    parted = {"x": [counted(rows[:1] * 80 + ["the cat sleeps on the roof"] * 80)]}
    assert learned(parted, floor=1e-3, per_language=99, features=99).columns == ["x", "x"]


def test_a_script_is_the_mean_of_the_sources_that_have_it() -> None:
    latin, other, cyrillic = "ab " * 3000, "cd " * 4000, "аб " * 3000
    sources = [counted([latin]), counted([other] + [cyrillic] * 3)]
    table = learned({"x": sources, "y": [counted(["xyz"])]}, floor=1e-5, per_language=99, features=99)
    assert table.columns == ["x", "x", "y"]
    shares_F = 1e-5 * np.exp(
        table.steps_FS[:, 0] * 0.125
    )  # of the Latin part, of which the first source has four fifths
    (row_a,), (row_c,) = (np.flatnonzero(table.keys_F == np.uint64(one_letter(letter))) for letter in "ac")
    weight = sum(counted([other])[LATIN].values()) / sum(sum(own.values()) for own in sources[1].values())
    part = grams(latin)["a"] / grams(latin).total()
    assert shares_F[row_a] == pytest.approx(part / (1 + weight), rel=0.07)
    assert shares_F[row_c] == pytest.approx(part * weight / (1 + weight), rel=0.07)


def one_letter(letter: str) -> int:
    """The key of a letter: the first of the n-grams of the letter alone."""
    return int(ngrams(*plain([letter]))[0][0])


LATIN = next(iter(counted(["a"])))


def test_the_probability_is_that_of_the_script_that_fits() -> None:
    """Two scripts do not make a language likelier: with their sum its share here were two thirds."""
    keys = np.sort(np.array([one_letter("a")], np.uint64))
    table = Table(["b", "b", "z"], keys, np.array([[8, 8, 8]], np.uint8), 1.0)
    names, share_D = table.best(["aaa"], least_letters=1)
    assert table.languages == ["b", "z"] and names == ["b"] and share_D[0] == pytest.approx(0.5)
    two = Table(["b", "b", "z"], keys, np.array([[0, 16, 8]], np.uint8), 1.0)
    assert two.best(["aaa"], least_letters=1, among=["b"])[1][0] == 1.0
    assert two.totals(["aaa"], 9)[0].tolist() == [[6.0, 3.0]]


def test_artifacts_from_before_scripts_were_parted_load(tmp_path: Path, helpers: Any) -> None:
    """One column a language, as version 1 of the method wrote them."""
    keys = np.sort(np.array([one_letter(letter) for letter in "abф"], np.uint64))
    steps = {"a": (16, 0), "b": (0, 16), "ф": (0, 8)}
    by_key = {one_letter(letter): pair for letter, pair in steps.items()}
    header = json.dumps({"languages": ["one", "two"], "temperature": 2.0}).encode()
    buffer = io.BytesIO()
    columns = np.array([by_key[key] for key in keys.tolist()], np.uint8).T
    np.savez(buffer, header=np.frombuffer(header, np.uint8), keys=keys, steps=columns)
    (tmp_path / "language.bin").write_bytes(lzma.compress(buffer.getvalue()))
    (tmp_path / RECORD).write_text('{"method": "language"}', encoding="utf8")
    step = curation.get("language").target(by=Scorer(tmp_path), min_letters=1)
    rows = helpers.tagged(step, {"first": "aaab", "second": "bффa bb"})
    assert [row["language"] for row in rows.values()] == ["one", "two"]
    assert rows["first"]["language_score"] == pytest.approx(1 / (1 + math.exp(-2.0)), rel=1e-5)
