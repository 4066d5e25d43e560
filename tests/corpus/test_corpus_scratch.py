"""Files that a curation step has while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seedbed.corpus.curating.near_duplicates import NearDuplicates
from seedbed.corpus.scratch import scratch, scratch_in, spooled, streamed


def test_scratch_files_stand_where_they_are_told_to_and_go(tmp_path: Path, helpers: Any) -> None:
    seen = []
    with scratch_in(tmp_path):
        with scratch() as folder:
            (folder / "one").write_text("")
            seen = list(tmp_path.rglob("one"))
        texts = {"a": "one two three four five six", "b": "one two three four five six"}
        assert list(helpers.dropped(NearDuplicates(), texts)) == ["b"]
    assert len(seen) == 1 and not list(tmp_path.iterdir())


def test_streamed_rows_are_those_of_the_frame(tmp_path: Path) -> None:
    from seedbed.corpus.engine import daft

    dice = np.random.default_rng(5)
    rows = {
        "id": [f"d{number}" for number in range(9000)],
        "lists": [dice.integers(0, 99, size).tolist() for size in dice.integers(0, 9, 9000)],
        "number": [None if number % 7 == 0 else number for number in range(9000)],
    }
    with scratch_in(tmp_path):
        found: dict[str, list[Any]] = {name: [] for name in rows}
        sizes = []
        for batch in streamed(daft.from_pydict(rows)):
            assert list(tmp_path.rglob("*.parquet")), "what is still to come stands on disk"
            sizes.append(len(batch))
            for name, column in found.items():
                column.extend(batch.column(name).to_pylist())
        assert found == rows and len(sizes) > 2
        assert not list(tmp_path.iterdir())
        nothing = daft.from_pydict(rows).where(daft.col("number") < 0)
        assert sum(map(len, streamed(nothing))) == 0
        for _ in streamed(daft.from_pydict(rows)):
            break
        assert not list(tmp_path.iterdir()), "nothing stays if one stops early"


def test_spooled_rows_are_computed_once_and_read_often(tmp_path: Path) -> None:
    from seedbed.corpus.engine import daft

    calls = []

    @daft.func.batch(return_dtype=daft.DataType.int64(), use_process=False)
    def double(numbers: Any) -> list[int]:
        calls.append(len(numbers))
        return [2 * number for number in numbers.to_pylist()]

    frame = daft.from_pydict({"number": list(range(9000))}).with_column("double", double(daft.col("number")))
    with scratch_in(tmp_path):
        with spooled(frame) as rows:
            for _ in range(2):
                assert [x for batch in rows() for x in batch.column("double").to_pylist()] == list(range(0, 18000, 2))
            assert {tuple(batch.schema.names) for batch in rows("number")} == {("number",)}
        assert sum(calls) == 9000 and not list(tmp_path.iterdir())
