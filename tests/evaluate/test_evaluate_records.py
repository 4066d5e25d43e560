"""Reading labeled data and holding parts of it out."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate.documents import sample_documents
from seedbed.evaluate.records import label_numbers, load_parts, read_records, sample, share

COLUMNS: dict[str, type] = {"text": str, "label": object}


def lines(records: list[dict]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def identity(record: dict) -> str:
    return str(record["text"])


RECORDS = [{"text": f"text {n}", "label": n % 2} for n in range(200)]


def test_compressed_files_read_alike(tmp_path: Path) -> None:
    content = lines(RECORDS)
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    (tmp_path / "a.jsonl.xz").write_bytes(lzma.compress(content))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(content))
    for path in tmp_path.iterdir():
        assert read_records([path], COLUMNS) == RECORDS


def test_files_called_train_and_test_are_the_parts(tmp_path: Path) -> None:
    for name, part in {
        "train-0": RECORDS[:5],
        "train-1": RECORDS[5:9],
        "dev": RECORDS[9:12],
        "test": RECORDS[12:14],
    }.items():
        (tmp_path / f"{name}.jsonl").write_bytes(lines(part))
    (tmp_path / "SOURCE.txt").write_text("where it is from")
    assert load_parts(Source(tmp_path), None, 0.2, COLUMNS, identity) == (RECORDS[:9], RECORDS[12:14])
    train, test = load_parts(Source(tmp_path / "dev.jsonl"), Source(tmp_path / "test.jsonl"), 0.2, COLUMNS, identity)
    assert (train, test) == (RECORDS[9:12], RECORDS[12:14])


def test_a_fraction_is_held_out_by_content(tmp_path: Path) -> None:
    records = [*RECORDS, *RECORDS[:20]]  # equal texts fall on the same side
    (tmp_path / "a.jsonl").write_bytes(lines(records))
    (tmp_path / "b.jsonl").write_bytes(lines(records[::-1]))
    (train, test), (other, held) = (
        load_parts(Source(tmp_path / name), None, 0.25, COLUMNS, identity) for name in ("a.jsonl", "b.jsonl")
    )
    assert 30 < len(test) < 80 and len(train) + len(test) == 220
    assert not {identity(record) for record in train} & {identity(record) for record in test}
    assert other[::-1] == train and held[::-1] == test


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a", "label": 1}\n{"text": "b"}\n', r"a\.jsonl:2: has no column 'label'"),
        (b'{"text": 3, "label": 1}\n', r"a\.jsonl:1: column 'text' is not a str"),
        (b'{"text": "a"\n', r"a\.jsonl:1: is not JSON"),
        (b"[1]\n", r"a\.jsonl:1: is not a JSON object"),
        (b"\xff\n", r"a\.jsonl:1: is not JSON"),
        (b"\n", "the training part is empty"),
    ],
)
def test_what_cannot_be_read_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_parts(Source(tmp_path / "a.jsonl"), None, 0.5, COLUMNS, identity)


def test_empty_test_part_and_no_files(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(lines(RECORDS[:4]))
    (tmp_path / "test.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="the test part is empty"):
        load_parts(Source(tmp_path), None, 0.5, COLUMNS, identity)
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(InputError, match="holds no file of labeled records"):
        load_parts(Source(tmp_path / "readme.md"), None, 0.5, COLUMNS, identity)


CONLLU = """\
# newdoc id = d
# sent_id = s1
# text = Au lit, vite !
1-2	Au	_	_	_	_	_	_	_	_
1	à	à	ADP	P	_	3	case	_	_
2	le	le	DET	D	_	3	det	_	_
3	lit	lit	NOUN	N	_	0	root	_	SpaceAfter=No
4	,	,	PUNCT	_	_	5	punct	_	_
4.1	va	aller	VERB	_	_	_	_	_	_
5	vite	vite	ADV	_	_	3	advmod	_	_
6	!	!	PUNCT	_	_	3	punct	_	_

1	Oui	oui	INTJ	I	_	0	root	_	_
"""


def test_sentences_of_universal_dependencies(tmp_path: Path) -> None:
    (tmp_path / "fr-ud-train.conllu").write_text(CONLLU, encoding="utf8")
    (tmp_path / "fr-ud-test.conllu.xz").write_bytes(lzma.compress(CONLLU.encode()))
    train, test = load_parts(Source(tmp_path), None, 0.5, {"tokens": list, "tags": list}, lambda record: record["text"])
    assert train == test and [record["text"] for record in train] == ["Au lit, vite !", "Oui"]
    assert train[0]["tokens"] == ["à", "le", "lit", ",", "vite", "!"] and train[0]["id"] == "s1"
    assert train[0]["tags"] == ["ADP", "DET", "NOUN", "PUNCT", "ADV", "PUNCT"]
    assert train[0]["lemmas"][4] == "vite" and train[1]["xpos"] == ["I"] and "id" not in train[1]
    (tmp_path / "bad.conllu").write_text("1\tOui\toui\n")
    with pytest.raises(InputError, match=r"bad.conllu:1: line 1 has 3 columns, not the ten of CoNLL-U"):
        load_parts(Source(tmp_path / "bad.conllu"), None, 0.5, {}, lambda record: "")


def test_labels() -> None:
    assert label_numbers(["b", "a", "b"], ["a"], "label") == {"a": 0, "b": 1}
    with pytest.raises(InputError, match=r"label: the test part has labels that the training part has not: c"):
        label_numbers(["a", "b"], ["c", "a"], "label")
    with pytest.raises(InputError, match="a single label"):
        label_numbers(["a", "a"], ["a"], "label")


def test_samples_do_not_depend_on_order() -> None:
    chosen = sample(RECORDS, 20, identity, 0, "use")
    assert chosen == sample(RECORDS[::-1], 20, identity, 0, "use")
    assert chosen == sample(RECORDS, 30, identity, 0, "use")[:20]
    assert chosen != sample(RECORDS, 20, identity, 1, "use")
    assert len(sample(RECORDS, 1000, identity, 0, "use")) == 200
    shares = [share(identity(record), "use") for record in RECORDS]
    assert 0.4 < sum(shares) / 200 < 0.6


def test_documents_are_sampled_by_id(make_corpus, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", {"train": [f"text {n}" for n in range(50)]})
    few, more = sample_documents(corpus, "train", 10), sample_documents(corpus, "train", 20)
    assert len(few) == 10 and more[:10] == few
    assert len(sample_documents(corpus, "train", 500)) == 50
    assert [d["id"] for d in few] != [d["id"] for d in sample_documents(corpus, "train", 10, seed=1)]
