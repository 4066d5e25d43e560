"""Knowledge graphs: read from files, found in texts by name, cut around what is mentioned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.data.knowledge import KnowledgeGraph, Subgraphs

TRIPLES = [
    ("ada", "teacher", "bo"),
    ("bo", "doctor", "cy"),
    ("cy", "teacher", "ada"),
    ("cy", "teacher", "dee"),
    ("dee", "doctor", "Old Eli"),
]
ADA, BO, CY, DEE, ELI = 1, 2, 3, 4, 0  # by the alphabet, capitals first
GRAPH = KnowledgeGraph.of(TRIPLES)
ITSELF, MEETS = 5, 6  # behind two relations, each from both sides


def test_graphs_are_read_from_all_three_forms(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    lines = "".join(
        json.dumps(dict(zip(("head", "relation", "tail"), triple, strict=True))) + "\n" for triple in TRIPLES
    )
    (tmp_path / "truth" / "triples.jsonl").write_text(lines)
    table = tmp_path / "triples.tsv"
    table.write_text("\n".join("\t".join(triple) for triple in [*TRIPLES, TRIPLES[0]]) + "\n\n")
    for source in (Source(table), Source(tmp_path / "truth" / "triples.jsonl"), Corpus(tmp_path)):
        graph = KnowledgeGraph.read(source, "graph")
        assert graph.entities == ["Old Eli", "ada", "bo", "cy", "dee"] and graph.relations == ["doctor", "teacher"]
        named = [(graph.entities[h], graph.relations[r], graph.entities[t]) for h, r, t in graph.triples_E3.tolist()]
        assert sorted(named) == sorted(TRIPLES)
    assert (GRAPH.num_nodes, GRAPH.num_types) == (7, 7)


@pytest.mark.parametrize("text", ["a\tb\n", "a\tb\tc\td\n", '{"head": "a", "relation": "b"}\n', "a\t \tc\n", "{\n"])
def test_lines_that_are_no_triples_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.tsv").write_text("a\tb\tc\n" + text)
    with pytest.raises(InputError, match="line 2 is no triple"):
        KnowledgeGraph.read(Source(tmp_path / "bad.tsv"), "graph")


def test_what_holds_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("\n")
    (tmp_path / "two.tsv").write_text("\n")
    for source, problem in ((tmp_path / "one.tsv", "no triple"), (tmp_path, "one file")):
        with pytest.raises(InputError, match=problem):
            KnowledgeGraph.read(Source(source), "graph")
    with pytest.raises(InputError, match=r"no truth/triples\.jsonl"):
        KnowledgeGraph.read(Corpus(tmp_path), "graph")


def test_entities_are_found_by_whole_words_and_the_longest_name() -> None:
    assert GRAPH.mentions("Cy's adamant friend, BO: old eli, then cy") == [CY, BO, ELI]
    assert GRAPH.mentions("Old age, and Eli") == []
    nested = KnowledgeGraph.of([("new york", "in", "york"), ("york", "in", "new york city hall")])
    names = [nested.entities[entity] for entity in nested.mentions("york new york city new york city hall")]
    assert names == ["york", "new york", "new york city hall"]


def test_around_goes_step_by_step() -> None:
    assert GRAPH.around([ELI], 1, 9) == [ELI, DEE]
    assert GRAPH.around([ELI], 2, 9) == [ELI, DEE, CY]
    assert GRAPH.around([ELI], 3, 9)[:3] == [ELI, DEE, CY] and set(GRAPH.around([ELI], 3, 9)) == {0, 1, 2, 3, 4}
    assert len(GRAPH.around([ELI], 3, 4)) == 4 and GRAPH.around([ADA, ELI], 2, 1) == [ADA]


def test_edges_are_the_triples_between_the_nodes() -> None:
    found = GRAPH.subgraphs([[CY, ADA], [], [ELI]], nodes=5, hops=1)
    row = found.nodes_BN[0].tolist()
    assert row[:3] == [1, CY + 2, ADA + 2] and set(row[3:]) == {BO + 2, DEE + 2}
    bo, dee = row.index(BO + 2), row.index(DEE + 2)
    wanted = np.diag([ITSELF] * 5)
    wanted[0, 1:3] = wanted[1:3, 0] = MEETS
    for head, relation, tail in ((2, 1, bo), (bo, 0, 1), (1, 1, 2), (1, 1, dee)):
        if wanted[head, tail] == 0:
            wanted[head, tail], wanted[tail, head] = 1 + relation, 3 + relation
    assert np.array_equal(found.types_BNN[0], wanted)
    assert found.nodes_BN[1].tolist() == [1, 0, 0, 0, 0] and found.nodes_BN[2].tolist() == [1, 2, DEE + 2, 0, 0]
    assert not (found.types_BNN[1] - np.diag([ITSELF] * 5)).any() and not len(found.row_P)


def held_out(rows_B: np.ndarray, **settings: float) -> Subgraphs:
    mentioned = [[ADA, BO, CY, DEE]] * len(rows_B)
    return GRAPH.subgraphs(mentioned, nodes=6, hops=1, negatives=3, rows_B=rows_B, stream=9, **settings)  # type: ignore[arg-type]


def test_what_is_held_out_is_no_edge_and_told_from_others() -> None:
    found = held_out(np.arange(400), held=0.3)
    assert len(found.row_P) == pytest.approx(0.3 * 5 * 400, rel=0.1)
    edges = (found.types_BNN > 0) & (found.types_BNN < ITSELF)
    assert not edges[found.row_P, found.head_P, found.tail_P].any()
    assert edges.sum() == 2 * (5 * 400 - len(found.row_P))
    known = {(h + 2, r, t + 2) for h, r, t in GRAPH.triples_E3.tolist()}
    nodes = found.nodes_BN
    heads, tails = nodes[found.row_P, found.head_P], nodes[found.row_P, found.tail_P]
    assert set(zip(heads.tolist(), found.relation_P.tolist(), tails.tolist(), strict=True)) == known
    right_P = np.where(found.heads_P, found.head_P, found.tail_P)
    assert (found.wrong_PK != right_P[:, None]).all() and found.wrong_PK.min() == 1 and found.wrong_PK.max() == 5
    assert 0.4 < found.heads_P.mean() < 0.6


def test_a_row_s_draws_are_its_own() -> None:
    whole, part = held_out(np.arange(20), held=0.5), held_out(np.arange(5, 9), held=0.5)
    assert np.array_equal(part.types_BNN, whole.types_BNN[5:9])
    inside = (whole.row_P >= 5) & (whole.row_P < 9)
    for name in ("head_P", "relation_P", "tail_P", "wrong_PK", "heads_P"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[inside])
