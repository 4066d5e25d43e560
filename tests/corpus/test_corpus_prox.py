"""ProX: programs, how they run, how they are annotated and learned, and the curation step."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.core.step import StepContext
from seedbed.corpus import readers
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.curating.prox import Prox as Refine
from seedbed.corpus.documents import Document
from seedbed.corpus.rating.prox import Prox
from seedbed.corpus.refining.annotate import annotate, normalizations, removed_lines
from seedbed.corpus.refining.execute import Limits, execute
from seedbed.corpus.refining.lexicon import Lexicon
from seedbed.corpus.refining.programs import Chunk, Normalize, Program, Remove, parse, ranges
from seedbed.corpus.scoring import Scorer
from seedbed.corpus.train_scorer import train_scorer
from seedbed.worlds.kinds.noise import Noise

LINES = [f"line {number} has a few words of its own" for number in range(10)]
TEXT = "\n".join(LINES)
PLANTS = {"boilerplate": 0.6, "markup": 0.4, "mojibake": 0.3, "truncation": 0.0, "pii": 0.0, "toxicity": 0.0}


def world(documents: int) -> tuple[dict[str, str], dict[str, str]]:
    """Noisy texts, and what they were before."""
    noisy, clean = {}, {}
    for item in Noise(documents, exact_duplicates=0, near_duplicates=0, **PLANTS).stream(3):
        if isinstance(item, Document):
            noisy[item.id] = item.text
        elif item.file == "originals":
            clean[item.row["document"]] = item.row["text"]
    return noisy, {**noisy, **clean}


def test_a_program_is_read_and_written() -> None:
    text = """keep_doc()
# lines 0-4
remove_lines(line_start=0, line_end=2)
normalize(source_str="a \\"b\\" \\u00e9", target_str="")
# lines 5-9
keep_all()"""
    statements = (Remove(0, 2), Normalize('a "b" é', ""))
    program = parse(text)
    assert program == Program(chunks=(Chunk(0, 4, statements), Chunk(5, 9)))
    assert parse(str(program)) == program
    assert parse(' remove_lines( 3,4 )\n\nnormalize("x", "y")').chunks == (
        Chunk(0, None, (Remove(3, 4), Normalize("x", "y"))),
    )
    assert parse("drop_doc()") == Program(drop=True) and parse("") == Program()


@pytest.mark.parametrize(
    "line",
    [
        "remove_lines(4, 3)",
        "remove_lines(-1, 3)",
        "remove_lines(1, 99999999999)",
        "remove_lines(1)",
        "remove_lines(1, 2); import os",
        "remove_lines(int('1'), 2)",
        "normalize('a', 'b')",
        'normalize("a" + "b", "c")',
        'normalize("", "c")',
        'normalize("c", "c")',
        'normalize("a\\n", "b")',
        'normalize("\\ud800", "b")',
        'normalize("\\x", "b")',
        "__import__('os')",
        "keep_doc",
        "# lines 7-3",
    ],
)
def test_what_is_no_statement(line: str) -> None:
    program = parse(f"keep_doc()\n{line}")
    assert program.errors == (line,) and not any(chunk.statements for chunk in program.chunks)


def test_what_contradicts() -> None:
    assert parse("keep_doc()\ndrop_doc()") == Program(errors=("drop_doc()",))
    assert parse("keep_all()\nremove_lines(0, 0)").errors == ("remove_lines(0, 0)",)
    assert parse("remove_lines(0, 0)\nkeep_all()").errors == ("keep_all()",)
    assert parse("# lines 0-1\nkeep_all()\n# lines 2-3\nremove_lines(2, 2)").errors == ()


def refined(program: str, text: str = TEXT, **limits: Any) -> Any:
    return execute(text, parse(program), Limits(**limits))


def test_lines_go_and_strings_change() -> None:
    done = refined('remove_lines(0, 1)\nremove_lines(9, 9)\nnormalize("few words", "word")\nnormalize("line 0", "x")')
    assert done.text == "\n".join(LINES[2:9]).replace("few words", "word") and done.reason is None
    assert done.edits == [
        ("remove_lines(line_start=0, line_end=1)", "\n".join(LINES[:2])),
        ("remove_lines(line_start=9, line_end=9)", LINES[9]),
        ('normalize(source_str="few words", target_str="word")', "few words"),
    ]
    assert (done.errors, done.wrong["absent"], done.removed) == (0, 1, {0, 1, 9})


def test_a_chunk_concerns_its_own_lines() -> None:
    done = refined('# lines 0-4\nnormalize("few", "many")\n# lines 5-9\nremove_lines(4, 6)\nremove_lines(8, 12)')
    assert done.text == TEXT and done.errors == 2  # one that begins before the chunk, one that ends behind it
    done = refined('# lines 0-4\nnormalize("few", "many")\n# lines 5-9\nremove_lines(8, 12)')
    assert done.text == "\n".join([line.replace("few", "many") for line in LINES[:5]] + LINES[5:8])
    assert done.wrong["cut"] == 1


@pytest.mark.parametrize(
    ("program", "wrong", "kept"),
    [
        ("remove_lines(10, 11)", {"range": 1}, range(10)),
        ("# lines 10-20\nkeep_all()", {"range": 1}, range(10)),
        ("remove_lines(8, 11)", {"cut": 1}, range(8)),
        ("remove_lines(0, 3)\nremove_lines(2, 4)", {"overlap": 1}, range(5, 10)),
        ('normalize("nowhere", "x")', {"absent": 1}, range(10)),
        ("nonsense", {"statement": 1}, range(10)),
        (f'normalize("line", "{"x" * 200}")', {"growth": 1}, range(10)),
    ],
)
def test_what_can_be_wrong_is_counted(program: str, wrong: dict[str, int], kept: range) -> None:
    done = refined(program)
    assert done.text == "\n".join(LINES[place] for place in kept) and +done.wrong == wrong
    assert done.errors == sum(count for name, count in wrong.items() if name not in ("overlap", "absent"))


def test_a_program_with_errors_is_ignored() -> None:
    done = refined("remove_lines(0, 1)\nnonsense\nmore of it")
    assert (done.text, done.errors, done.edits) == (TEXT, 2, [])
    assert refined("remove_lines(0, 1)\nnonsense\nmore of it", errors=2).text == "\n".join(LINES[2:])


def test_a_document_of_which_nothing_is_left_goes() -> None:
    assert refined("drop_doc()").reason == "drop_doc()"
    done = refined("remove_lines(0, 8)")
    assert done.text == TEXT and done.reason == "of 90 words 9 are left" and not done.edits
    assert refined("remove_lines(0, 8)", words=5).text == LINES[9]
    assert refined("remove_lines(0, 8)", words=5, least=0.1).reason
    assert refined("remove_lines(0, 9)", words=0).reason == "of 90 words 0 are left"
    assert refined("keep_all()", text="two words").reason is None  # nothing was changed


def test_a_string_cannot_be_made_to_grow_without_end() -> None:
    program = "\n".join(['normalize("a", "aa")'] * 60)
    assert len(refined(program, text="a b " * 30, errors=99).text) <= 2 * 120


STATEMENTS = st.one_of(
    st.builds(lambda a, b: f"remove_lines({a}, {b})", st.integers(-2, 12), st.integers(-2, 12)),
    st.builds(
        lambda a, b: f"normalize({json.dumps(a)}, {json.dumps(b)})",
        st.text("ab\n", max_size=3),
        st.text("ab", max_size=3),
    ),
    st.builds(lambda a, b: f"# lines {a}-{b}", st.integers(0, 12), st.integers(0, 12)),
    st.sampled_from(["keep_doc()", "drop_doc()", "keep_all()", "", "x"]),
    st.text(max_size=10),
)  # fmt: skip


@given(st.text("ab \n", max_size=40), st.lists(STATEMENTS, max_size=6), st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_whatever_a_program_says_it_ends(text: str, statements: list[str], errors: int) -> None:
    program = parse("\n".join(statements))
    assert parse(str(program)) == program or program.errors  # errors are written last
    done = execute(text, program, Limits(errors=errors))
    assert len(done.text) <= 2 * len(text) and len(done.text.split("\n")) <= len(text.split("\n"))
    if done.errors > errors or done.reason:
        assert done.text == text and not done.edits


def test_lines_as_ranges() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == [Remove(1, 3), Remove(7, 7), Remove(9, 10)] and ranges([]) == []


def test_a_program_from_a_pair_of_texts() -> None:
    clean = "The café is open.\nCome in and sit down.\n\nIt is the last house."
    noisy = "Home | News\n\nThe cafÃ© is open.<br>\nCome in and sit down.\n\nIt is the last house.\nShare this"
    program = annotate(noisy, clean)
    assert execute(noisy, program).text == clean
    assert removed_lines(program) == {0, 1, 6} and {"Ã©", "<br>"} == {item.source for item in normalizations(program)}
    assert (
        annotate(noisy, None).drop
        and annotate(noisy, "The").drop
        and annotate(clean, clean) == parse("keep_doc()\nkeep_all()")
    )


def test_a_string_is_told_from_what_is_right_by_its_neighbors() -> None:
    clean, noisy = "a cat and a dog and a bird", "a cat and a dag and a bird"
    (change,) = normalizations(annotate(noisy, clean))
    assert noisy.replace(change.source, change.target) == clean and len(change.source) <= 3


def test_most_planted_noise_can_be_undone() -> None:
    noisy, clean = world(60)
    touched = [id for id in noisy if noisy[id] != clean[id]]
    undone = [id for id in touched if execute(noisy[id], parse(str(annotate(noisy[id], clean[id])))).text == clean[id]]
    assert len(touched) > 30 and len(undone) >= 0.98 * len(touched)


def test_what_a_lexicon_learns() -> None:
    documents = [
        [Normalize('<a id="17">', ""), Normalize("&#233;", "é"), Normalize("once", "x")],
        [Normalize('<a id="4">', ""), Normalize("&#233;", "é"), Normalize("or", "a")],
        [Normalize("or", "b"), Normalize("&#8217;", "'")],
    ]
    lexicon = Lexicon.of(documents, 2)
    assert lexicon.targets == {'<a id="0">': "", "&#233;": "é"}
    found = lexicon.find('x <a id="99"> &#233; &#234; <a id="99"> <a id="1">')
    assert found == [Normalize('<a id="99">', ""), Normalize("&#233;", "é"), Normalize('<a id="1">', "")]
    assert Lexicon().find("anything") == []


def test_a_lexicon_knows_the_shortest_strings() -> None:
    by_chance = [Normalize("é", "e"), Normalize("xéy", "xey"), Normalize("éz", "")]
    documents = [[Normalize("é", "e")]] * 10 + [by_chance] * 2 + [[Normalize("éà", "a")]] * 5
    assert Lexicon.of(documents, 2).targets == {
        "é": "e",
        "éà": "a",
    }  # the second one is not made by the first, nor rare


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> SimpleNamespace:
    root: Path = tmp_path_factory.mktemp("prox")
    noisy, clean = world(90)
    rows = [{"id": id, "text": text, "clean": clean[id]} for id, text in noisy.items()]
    junk = [" ".join(["win", "cheap", "pills", str(number)] * 12) for number in range(20)]
    rows += [{"id": f"junk-{number}", "text": text, "clean": None} for number, text in enumerate(junk)]
    data = root / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    method = Prox(data=Source(data), documents=70, width=16, layers=1, epochs=18, lr=1e-2)
    context = StepContext(folder=root / "model", name="programmer", parameters={})
    context.folder.mkdir()
    train_scorer.function(context, method=method)
    manifest = {"kind": "scorer", "fingerprint": "prox", "files": {}, "format": 1}
    (context.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf8")
    return SimpleNamespace(
        root=root, data=data, rows=rows, method=method, counts=context.counts, scorer=Scorer(root / "model")
    )


def test_a_programmer_learns_from_examples(trained: Any) -> None:
    counts = trained.counts
    assert counts["examples"] == {"train": 70, "held_back": 40}
    assert counts["lines"]["f1"] > 0.85 and counts["documents"]["f1"] > 0.9 and counts["exact"] > 0.5
    assert counts["lines"]["num"] > 20 and counts["lexicon"] >= 3
    record = json.loads((trained.root / "model" / "scorer.json").read_text())
    assert record == {"method": "prox", "columns": {"program": "string"}}


def test_the_same_seed_gives_the_same_programs(trained: Any, tmp_path: Path) -> None:
    again = trained.method.fit(tmp_path, lambda line: None)
    assert again == trained.counts
    assert (tmp_path / "tagger.safetensors").read_bytes() == (
        trained.root / "model" / "tagger.safetensors"
    ).read_bytes()


def test_documents_are_refined(trained: Any, helpers: Any) -> None:
    texts = {row["id"]: row["text"] for row in trained.rows[-40:]} | {"empty": "", "blank": " \n "}
    rows = helpers.tagged(Refine(trained.scorer), texts)
    programs = dict(zip(texts, trained.scorer.load().score(list(texts.values()))["program"], strict=True))
    for id, text in texts.items():
        done = execute(text, parse(programs[id] or ""))
        assert (rows[id]["text"], rows[id]["reason"], rows[id]["program_errors"]) == (done.text, done.reason, 0)
        told = [tuple(edit) for edit in json.loads(rows[id]["edits"] or "[]")]
        assert done.reason or told == [(why, gone[:200]) for why, gone in done.edits]
    assert programs["empty"] is None and rows["empty"]["text"] == "" and rows["empty"]["reason"] is None
    assert {row["reason"] for row in rows.values()} == {"drop_doc()", None}
    assert rows == helpers.tagged(Refine(trained.scorer), dict(reversed(texts.items())), partitions=3)


def test_a_long_document_has_a_chunk_for_each_stretch_of_lines(trained: Any) -> None:
    (text,) = trained.scorer.load().score(["\n".join(f"A sentence of line {n} in a long text." for n in range(900))])[
        "program"
    ]
    program = parse(text)
    assert not program.errors and (
        program.drop or [(c.first, c.last) for c in program.chunks] == [(0, 383), (384, 767), (768, 899)]
    )


def test_it_learns_from_written_programs_and_from_corpora(
    trained: Any, tmp_path: Path, helpers: Any, make_corpus: Any
) -> None:
    noisy = [{"id": row["id"], "text": row["text"]} for row in trained.rows]
    clean = [{"id": row["id"], "text": row["clean"]} for row in trained.rows if row["clean"] is not None]
    parts = {}
    for name, rows in {"noisy": noisy, "clean": clean}.items():
        path = helpers.write_jsonl(tmp_path / f"{name}.jsonl", rows)
        parts[name], _ = make_corpus(name, read=[{"jsonl": str(path)}], curate=[], split={}, seed=0)
    settings = {"documents": 70, "width": 32, "layers": 1, "epochs": 1}
    from_pairs = Prox(**parts, **settings).fit(_folder(tmp_path / "pairs"), lambda line: None)
    programs = [
        {"id": row["id"], "text": row["text"], "program": str(annotate(row["text"], row["clean"]))}
        for row in trained.rows
    ]
    path = helpers.write_jsonl(tmp_path / "written.jsonl", programs)
    written = Prox(data=Source(path), **settings).fit(_folder(tmp_path / "written"), lambda line: None)
    assert from_pairs == written and written["documents"]["num"] == trained.counts["documents"]["num"]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("row", "problem"),
    [({"text": "x"}, "says nothing"), ({"text": "x", "program": "eval(1)"}, "no statement")],
)
def test_examples_that_say_too_little(row: dict[str, Any], problem: str, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "data.jsonl", [row, {**row, "text": "y"}])
    with pytest.raises(InputError, match=problem):
        Prox(data=Source(path)).fit(tmp_path, lambda line: None)


def test_what_cannot_be_trained_or_run(tmp_path: Path, helpers: Any, trained: Any) -> None:
    corpus = Corpus(tmp_path)
    for wrong in ({}, {"noisy": corpus}, {"clean": corpus}, {"noisy": corpus, "clean": corpus, "data": "x"}):
        with pytest.raises(InputError, match="either noisy and clean, or data"):
            Prox(**wrong)
    for name, value in {"documents": 0, "least": 0, "width": 20, "keep_above": 1.0, "epochs": 0}.items():
        with pytest.raises(InputError, match=name):
            Prox(noisy=corpus, clean=corpus, **{name: value})
    for name, value in {"max_errors": -1, "least": 1.0, "min_words": -1}.items():
        with pytest.raises(InputError, match=name):
            Refine(trained.scorer, **{name: value})
    other = Scorer(helpers.length_scorer(tmp_path / "length"))
    with pytest.raises(InputError, match="writes no programs"):
        helpers.tagged(Refine(other), {"a": "x"})


def test_a_corpus_can_be_read_again(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"id": f"d{n}", "text": f"text {n}", "n": n} for n in range(20)])
    settings = {"curate": [], "split": {"test": 0.3}, "seed": 5}
    first, _ = make_corpus("first", read=[{"jsonl": str(path)}], **settings)
    again, _ = make_corpus("again", read=[{"corpus": {"of": first}}], **settings)
    assert [list(first.documents(split)) for split in first.splits()] == [
        list(again.documents(split)) for split in again.splits()
    ]
    assert "corpus" in readers
