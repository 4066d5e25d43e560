"""The neural extractor: nodes, their labels, the network, and the steps that train and measure it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.schema import build_value, resolve
from seedbed.core.source import Source
from seedbed.core.step import StepContext
from seedbed.corpus.extraction.neural import Neural
from seedbed.corpus.input.pages import NoText
from seedbed.corpus.measure_extraction import measure_extraction
from seedbed.corpus.neural.alignment import from_article, from_strings, strings_kept, word_f1
from seedbed.corpus.neural.extractor import TrainedExtractor
from seedbed.corpus.neural.labeled import labeled_pages, site_of
from seedbed.corpus.neural.nodes import LAYOUT, read_page
from seedbed.corpus.neural.segments import NUMBERS, segments_of
from seedbed.corpus.train_extractor import train_extractor

STORY = (
    "The old bridge over the river was closed on Monday morning",
    "Inspectors had found cracks in two of its pillars last week",
    "Drivers are sent along the northern road until the summer",
    "Nobody in the town knows yet what all the repairs will cost",
    "The council will meet again when the engineers have finished",
)
TITLES = ("Weather for the weekend", "All results of the league", "Recipes with plums", "Cheap flights to the south")


def page_of(site: int, story: tuple[str, ...], *, swapped: bool = False) -> str:
    """A page in the template of a site: which classes there are, and whether the menu comes first."""
    menu = "".join(f'<li><a href="/{n}">{title}</a></li>' for n, title in enumerate(TITLES))
    text = "".join(f"<p>{line} <b>at</b> <a href='/x'>number {site}</a>.</p>" for line in story)
    parts = [
        f'<div class="menu m{site}"><ul>{menu}</ul></div>',
        f'<div class="text-{site} body"><h2>News</h2>{text}</div>',
    ]
    return (
        f"<html lang=en><head><title> A  page </title></head><body>{''.join(parts[::-1] if swapped else parts)}</body>"
    )


def records(count: int = 24) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for site in range(count):
        story = tuple(STORY[(site + n) % len(STORY)] for n in range(2 + site % 3))
        row: dict[str, Any] = {
            "url": f"https://www.s{site // 2}.org/a",
            "html": page_of(site, story, swapped=site % 2 > 0),
        }
        if site % 3:
            row["article"] = "\n".join(f"{line} at number {site}." for line in story)
        else:
            row |= {"must_have": [story[0]], "must_not": [TITLES[0], TITLES[1], "stands nowhere"]}
        found.append(row)
    return found


def run(step: Any, folder: Path, **given: Any) -> dict[str, Any]:
    folder.mkdir(parents=True)
    context = StepContext(folder=folder, name="step", parameters={})
    step.function(context, **build_value(resolve(step.function, given), lambda found: TrainedExtractor(found.target)))
    return context.counts


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("extractor")
    pages = root / "pages.jsonl"
    pages.write_text("".join(json.dumps(row) + "\n" for row in records()), encoding="utf8")
    settings = {"pages": [str(pages)], "width": 16, "layers": 1, "epochs": 6, "lr": 0.01, "folds": 4}
    counts = run(train_extractor, root / "model", **settings)
    return SimpleNamespace(root=root, pages=str(pages), settings=settings, counts=counts, model=root / "model")


def test_the_nodes_of_a_page() -> None:
    html = """<html lang="de"><head><title>T</title><style>p {}</style></head><body><!-- no -->
      <div id="navBar"><a href="/">Home</a> | <a href="/x">More</a></div>
      <article class="main-text"><p>One <b>bold</b>\n word<br>next&nbsp;line</p>tail<script>var x</script><pre>a
  b</pre><p> </p><?pi x?><button>Press</button>
      <div style="color: red; Display: None">a copy</div><p hidden>of it</p></article></body></html>"""
    page = read_page(html.encode())
    assert page.texts == ["Home | More", "One bold word", "next line", "tail", "a\n  b"]
    assert (page.title, page.language) == ("T", "de")
    assert {"nav near", "bar near", "div", "div 0", "body 1"} <= page.marks[0] and "article" not in page.marks[0]
    assert {"p 0", "article 1", "main near", "text near"} <= page.marks[1]
    assert page.layout_NE.shape == (5, LAYOUT)
    assert page.layout_NE[0, 0] == pytest.approx(8 / 9) and page.layout_NE[1, 0] == 0
    assert np.isfinite(page.layout_NE).all()


@pytest.mark.parametrize(
    "html", ["", "\0\0", "<html></html>", "<html><body><script>x</script>", "<frameset></frameset>"]
)
def test_a_page_without_nodes(html: str) -> None:
    page = read_page(html.encode())
    assert page.texts == [text for text in page.texts if text.strip()] and len(page.segments()) == len(page.texts)


def test_a_deep_page_takes_no_longer() -> None:
    page = read_page("<html><body>" + "<div>" * 20_000 + "deep" + "</div>" * 20_000)
    assert page.texts == ["deep"]


def test_what_segments_count() -> None:
    """Against a count character by character."""
    texts = ["Größe 12, ja!", "", "ABC  def:", "漢字。", "😀 x"]
    segments = segments_of(texts, [[], ["a", "a", "b"], [], [], []])
    assert segments.mark_counts_N.tolist() == [0, 2, 0, 0, 0] and len(segments.marks_M) == 2
    rows = segments.numbers_NF
    assert rows.shape == (5, NUMBERS)
    for row, text in zip(rows, texts, strict=True):
        solid = max(1, sum(not char.isspace() for char in text))
        assert row[0] == pytest.approx(np.log1p(len(text)) / 4)
        assert row[2] == pytest.approx(sum(char.isupper() for char in text) / solid)
        assert row[3] == pytest.approx(sum(char.isdigit() for char in text) / solid)
        assert row[4] == pytest.approx(sum(char in ".!?。" for char in text) / solid)
        assert row[6] == pytest.approx(sum(ord(char) > 127 for char in text) / solid)
        assert bool(row[7]) == text[:1].isupper() and bool(row[8]) == text.endswith((".", "!", "?", "。"))
    parts = list(segments.parts(2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert np.array_equal(np.concatenate([part.words_W for part in parts]), segments.words_W)
    assert segments_of([], []).numbers_NF.shape == (0, NUMBERS)


def test_labels_from_an_article() -> None:
    texts = [
        "Home",
        "It was a cold night in the north",
        "Then",
        "the lights went out again at last.",
        "It was",
        "More news",
    ]
    article = "It was a cold night in the north. Then the lights went out again, at last."
    assert from_article(texts, article).tolist() == [0, 1, 1, 1, 0, 0]
    assert from_article([], article).tolist() == [] and from_article(["one", "!"], "").tolist() == [0, 0]


def test_labels_from_strings() -> None:
    texts = ["a menu here", "the first part", "of it all", "read more", "read more", "both"]
    labels = from_strings(texts, ["First part, of it", "read more", "both"], ["menu", "both", "nowhere"])
    assert labels.tolist() == [0, 1, 1, -1, -1, -1]


def test_words_and_strings_that_agree() -> None:
    found = word_f1("a a b, C", "A b b c d")
    assert (found["precision"], found["recall"]) == (3 / 4, 3 / 5) and found["f1"] == pytest.approx(2 * 3 / 9)
    assert word_f1("", "") == {"precision": 1, "recall": 1, "f1": 1} and word_f1("x", "")["f1"] == 0
    assert strings_kept("the cat sat", ["cat", "the cats"], ["sat", "dog"]) == (2, 4)


def test_whose_a_site_is() -> None:
    urls = ["https://www.a.example.com/x?y", "http://b.example.co.uk", "http://example.org:80/", "nothing", ""]
    assert list(map(site_of, urls)) == ["example.com", "example.co.uk", "example.org", "", ""]


def test_it_learns_what_is_text(trained: Any) -> None:
    counts = trained.counts
    assert counts["pages"]["train"] + counts["pages"]["held_back"] == 24
    assert counts["nodes"]["f1"] > 0.95 and counts["words"]["f1"] > 0.95 and counts["strings"]["right"] > 0.9
    page = Neural(TrainedExtractor(trained.model)).extract(page_of(99, STORY).encode())
    assert all(f"{line} at number 99." in page.text for line in STORY) and not any(t in page.text for t in TITLES)
    assert (page.title, page.language) == ("A page", "en")


def test_the_same_seed_gives_the_same_network(trained: Any) -> None:
    run(train_extractor, trained.root / "again", **trained.settings)
    run(train_extractor, trained.root / "other", **trained.settings | {"seed": 4})  # the same fold
    weights = [(trained.root / name / "tagger.safetensors").read_bytes() for name in ("model", "again", "other")]
    assert weights[0] == weights[1] != weights[2]


def test_an_extractor_is_measured_on_what_was_held_back(trained: Any) -> None:
    neural = {"neural": {"model": TrainedExtractor(trained.model)}}
    given = {"pages": [trained.pages], "folds": 4}
    counts = run(measure_extraction, trained.root / "measured", extractor=neural, **given)
    assert counts["words"] == trained.counts["words"] and counts["strings"] == trained.counts["strings"]
    assert counts["pages"] == trained.counts["pages"]["held_back"]
    rows = [json.loads(line) for line in (trained.root / "measured" / "pages.jsonl").read_text().splitlines()]
    assert len(rows) == counts["pages"] and all(row["text"] for row in rows)
    everything = {"resiliparse": {"main_content": False}}
    others = [
        run(measure_extraction, trained.root / f"all-{n}", extractor=everything, **given, seed=n) for n in range(4)
    ]
    assert sum(other["pages"] for other in others) == 24  # each site is held back once
    assert (
        run(measure_extraction, trained.root / "all", extractor=everything, pages=[trained.pages], folds=0)["pages"]
        == 24
    )
    assert others[0]["words"]["f1"] < counts["words"]["f1"] and others[0]["words"]["recall"] > 0.9


def test_what_a_page_declares_is_not_how_a_record_keeps_it(tmp_path: Path, helpers: Any) -> None:
    html = "<html><head><meta charset='windows-1251'></head><body><p>größer als größer</p></body></html>"
    path = helpers.write_jsonl(
        tmp_path / "a.jsonl", [{"html": html, "article": "größer als größer", "url": "http://a.de"}]
    )
    everything = {"resiliparse": {"main_content": False}}
    counts = run(measure_extraction, tmp_path / "m", extractor=everything, pages=[str(path)], folds=0)
    assert counts["words"]["f1"] == 1.0


def test_an_address_that_is_none_is_an_error(tmp_path: Path, helpers: Any) -> None:
    row = {"html": "<p>a</p>", "article": "a", "url": "http://[a"}
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [row])
    with pytest.raises(InputError, match="is no URL"):
        list(labeled_pages([Source(str(path))]))


def test_a_page_alone_decides(trained: Any) -> None:
    """Neither what came before nor a page's length beyond a chunk changes what is kept of it."""
    extractor = Neural(TrainedExtractor(trained.model))
    page = page_of(5, STORY).encode()
    before = extractor.extract(page).text
    with contextlib.suppress(NoText):
        extractor.extract(page_of(7, STORY * 200).encode())
    assert extractor.extract(page).text == before


def test_what_has_no_text(trained: Any) -> None:
    with pytest.raises(NoText, match="no text"):
        Neural(TrainedExtractor(trained.model)).extract(b"<html></html>")
    with pytest.raises(NoText, match="no part"):
        Neural(TrainedExtractor(trained.model), threshold=0.999999).extract(page_of(1, STORY[:1]).encode())
    with pytest.raises(InputError, match="threshold"):
        Neural(TrainedExtractor(trained.model), threshold=1.5)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"html": "<p>x"}, "says nothing"),
        ({"html": "<p>x", "must_have": "x"}, "no list of strings"),
        ({"text": "x", "article": "x"}, "html"),
    ],
)
def test_records_that_say_too_little(row: dict[str, Any], problem: str, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "pages.jsonl", [row])
    with pytest.raises(InputError, match=problem):
        run(train_extractor, tmp_path / "model", pages=[str(path)])


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"folds": -2}, {"width": 12}, {"epochs": 0}, {"dropout": 1.0}])
def test_what_cannot_be_trained(wrong: dict[str, Any], tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "pages.jsonl", records(4))
    with pytest.raises(InputError, match=next(iter(wrong))):
        run(train_extractor, tmp_path / "model", pages=[str(path)], **wrong)
