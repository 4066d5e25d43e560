"""Knowledge graphs: triples of a head, a relation and a tail, and the part of a graph that a text speaks of.

Shapes: E triples, B rows, N nodes of a row, P triples held out in all rows, K wrong nodes for each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.core.counters import integers, key, uniform
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.input.examples import CorpusOrFiles

PADDING, MEETING = 0, 1  # numbers of nodes that are no entity; entities follow
_FIRST = 2
NO_EDGE = 0  # types of edges that are no relation: behind all relations in both directions come `itself` and `meets`
_WORD = re.compile(r"\w+")
_TRUTH = "triples"


@dataclass
class Subgraphs:
    """The graphs of rows as arrays. The first node of each is the one that meets the text, and is joined to those that
    the text mentions; `nodes_BN` are numbers of entities from 2 on, `types_BNN` the type of the edge over which a node
    (the second axis) sees another (the third). Of the triples held out, `row_P` and the places of head and tail in that
    row's nodes, the relation, and `wrong_PK`, places of nodes that stand for the tail or, where `heads_P`, the head."""

    nodes_BN: Any
    types_BNN: Any
    row_P: Any
    head_P: Any
    relation_P: Any
    tail_P: Any
    wrong_PK: Any
    heads_P: Any


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """Entities and relations by name, and triples of their numbers: head, relation, tail."""

    entities: list[str]
    relations: list[str]
    triples_E3: np.ndarray

    @property
    def num_nodes(self) -> int:
        """Numbers of nodes, those that are no entity among them."""
        return _FIRST + len(self.entities)

    @property
    def num_types(self) -> int:
        """Types of edges: none, each relation from its head and from its tail, itself, and meeting a mention."""
        return 2 * len(self.relations) + 3

    @classmethod
    def of(cls, triples: Iterable[tuple[str, str, str]]) -> KnowledgeGraph:
        """From names; numbers are by the alphabet, and a triple counts once."""
        known = sorted(set(triples))
        entities = sorted({name for head, _, tail in known for name in (head, tail)})
        relations = sorted({relation for _, relation, _ in known})
        number = {name: index for index, name in enumerate(entities)}
        kind = {name: index for index, name in enumerate(relations)}
        rows = [(number[head], kind[relation], number[tail]) for head, relation, tail in known]
        return cls(entities, relations, np.array(rows, dtype=np.int64).reshape(-1, 3))

    @classmethod
    def read(cls, source: CorpusOrFiles, parameter: str) -> KnowledgeGraph:
        """From a generated corpus's truth/triples.jsonl, or a file: JSON lines with `head`, `relation` and `tail`, or
        lines of the three with tabs between them. Raises InputError, about the parameter, for what is neither."""
        path = _path(source, parameter)
        found = []
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
            if not line.strip():
                continue
            parts = _parts(line)
            if parts is None:
                problem = f"line {number} is no triple of head, relation and tail"
                raise InputError(parameter, problem, value=str(path))
            found.append(parts)
        if not found:
            raise InputError(parameter, "holds no triple", value=str(path))
        return cls.of(found)

    def mentions(self, text: str) -> list[int]:
        """The entities whose names stand in a text as whole words, whatever their capitals, in the order of their first
        mention; of names that begin at one word the longest counts. Entities of one spelling are one, the last."""
        words = [word.lower() for word in _WORD.findall(text)]
        found, place = dict[int, None](), 0
        while place < len(words):
            for length in range(min(self._longest, len(words) - place), 0, -1):
                entity = self._by_words.get(tuple(words[place : place + length]))
                if entity is not None:
                    found[entity] = None
                    place += length - 1
                    break
            place += 1
        return list(found)

    def around(self, mentioned: Sequence[int], hops: int, limit: int) -> list[int]:
        """At most `limit` entities: those mentioned, then all that triples join to these, then to those; within a step
        by a hash of their number."""
        found = dict.fromkeys(mentioned)
        border = list(found)
        for _ in range(hops):
            if len(found) >= limit:
                break
            near = {other for entity in border for other in self._neighbors[entity]} - found.keys()
            border = sorted(near, key=self._drawn.__getitem__)
            found.update(dict.fromkeys(border))
        return list(found)[:limit]

    @cached_property
    def _by_words(self) -> dict[tuple[str, ...], int]:
        return {tuple(word.lower() for word in _WORD.findall(name)): n for n, name in enumerate(self.entities)}

    @cached_property
    def _drawn(self) -> list[float]:
        """A number for each entity, by which neighbors are in order."""
        return uniform(key(0, "node"), np.arange(len(self.entities))).tolist()  # type: ignore[no-any-return]

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._by_words))

    @cached_property
    def _triples(self) -> list[list[int]]:
        """For each entity the triples of which it is the head."""
        found: list[list[int]] = [[] for _ in self.entities]
        for number, head in enumerate(self.triples_E3[:, 0].tolist()):
            found[head].append(number)
        return found

    @cached_property
    def _neighbors(self) -> list[set[int]]:
        found: list[set[int]] = [set() for _ in self.entities]
        for head, _, tail in self.triples_E3.tolist():
            found[head].add(tail)
            found[tail].add(head)
        return found

    def subgraphs(
        self,
        mentioned: Sequence[Sequence[int]],
        *,
        nodes: int,
        hops: int,
        held: float = 0.0,
        negatives: int = 0,
        rows_B: np.ndarray | None = None,
        stream: int = 0,
    ) -> Subgraphs:
        """The graphs of rows that mention these entities, of at most `nodes` nodes with the one that meets the text.
        Each of their triples is held out with probability `held`, by its row's number in `rows_B`, and then is no edge;
        `negatives` wrong nodes are drawn for it from the row's entities. Of two triples of one head and tail one is an
        edge. Arrays are as wide as `nodes`, whatever the rows hold."""
        rows_B = np.arange(len(mentioned)) if rows_B is None else rows_B
        nodes_BN = np.full((len(mentioned), nodes), PADDING, dtype=np.int64)
        types_BNN = np.full((len(mentioned), nodes, nodes), NO_EDGE, dtype=np.int64)
        diagonal = np.arange(nodes)
        itself, meets, back = self.num_types - 2, self.num_types - 1, len(self.relations)
        types_BNN[:, diagonal, diagonal] = itself
        nodes_BN[:, 0] = MEETING
        links: list[tuple[int, ...]] = []
        for row, entities in enumerate(mentioned):
            around = self.around(entities, hops, nodes - 1)
            place = {entity: index + 1 for index, entity in enumerate(around)}
            nodes_BN[row, 1 : len(around) + 1] = np.array(around, dtype=np.int64) + _FIRST
            shown = slice(1, min(len(entities), nodes - 1) + 1)
            types_BNN[row, 0, shown] = types_BNN[row, shown, 0] = meets
            within = [n for entity in around for n in self._triples[entity] if self.triples_E3[n, 2] in place]
            out = uniform(stream, rows_B[row], np.array(within, dtype=np.int64)) < held
            for number, hidden in zip(within, out.tolist(), strict=True):
                head, relation, tail = self.triples_E3[number].tolist()
                if head == tail:
                    continue
                if hidden:
                    links.append((row, place[head], relation, place[tail], number, len(around)))
                else:
                    types_BNN[row, place[head], place[tail]] = 1 + relation
                    types_BNN[row, place[tail], place[head]] = 1 + back + relation
        return Subgraphs(nodes_BN, types_BNN, *_links(links, negatives, rows_B, stream))


def _links(
    links: list[tuple[int, ...]], negatives: int, rows_B: np.ndarray, stream: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The triples that are held out, with wrong nodes in the place of heads and tails by turns."""
    row_P, head_P, relation_P, tail_P, number_P, size_P = np.array(links, dtype=np.int64).reshape(-1, 6).T
    heads_P = integers(key(stream, "side"), 2, rows_B[row_P], number_P).astype(bool)
    counter = (rows_B[row_P][:, None], number_P[:, None], np.arange(negatives)[None, :])
    others_P1 = size_P[:, None] - 1  # entities of the row but for the right one: one at least, the triple's other
    drawn_PK = 1 + np.minimum((uniform(key(stream, "wrong"), *counter) * others_P1).astype(np.int64), others_P1 - 1)
    wrong_PK = drawn_PK + (drawn_PK >= np.where(heads_P, head_P, tail_P)[:, None])
    return row_P, head_P, relation_P, tail_P, wrong_PK, heads_P


def _path(source: CorpusOrFiles, parameter: str) -> Path:
    if isinstance(source, Corpus):
        path = source.path / "truth" / f"{_TRUTH}.jsonl"
        if not path.is_file():
            raise InputError(parameter, f"has no truth/{path.name}", value=str(source.path), fix="a file of triples")
        return path
    if len(source.files) != 1:
        raise InputError(parameter, f"is one file, and these are {len(source.files)}", value=str(source))
    return source.files[0]


def _parts(line: str) -> tuple[str, str, str] | None:
    if line.lstrip().startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        found = [record.get(name) for name in ("head", "relation", "tail")]
    else:
        found = line.split("\t")
    if len(found) != 3 or not all(isinstance(part, str) and _WORD.search(part) for part in found):
        return None
    head, relation, tail = found
    return head, relation, tail
