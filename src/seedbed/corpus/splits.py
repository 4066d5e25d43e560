"""Which split a document belongs to: a pure function of the seed and of what it is split by."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from seedbed.core.counters import key
from seedbed.core.errors import InputError, unknown_key

if TYPE_CHECKING:
    import pyarrow as pa

TRAIN = "train"


class Splitter:
    """Parts documents by the hash of one value each, so that none moves when others come or go.

    `shares` are those of the splits beside `train`, which gets the rest. `by` is a column, or `metadata.<field>`;
    documents with the same value stay together, and one without the field goes by its own id.
    """

    def __init__(self, shares: dict[str, float], by: str, seed: int) -> None:
        for name, share in shares.items():
            if name == TRAIN or not name or not name.replace("_", "").replace("-", "").isalnum():
                raise InputError("split", "is no name for a held-out split", value=name, fix="train gets the rest")
            if not 0 < share < 1:
                raise InputError(f"split.{name}", "is a share between 0 and 1", value=share)
        if len({name.replace("-", "_") for name in shares}) < len(shares):
            raise InputError(
                "split", "names differ by more than - and _, which are one for `datasets`", value=[*shares]
            )
        if sum(shares.values()) >= 1:
            raise InputError("split", "leaves nothing to train on", value=shares)
        self.names = [*shares, TRAIN]
        self.by, self.seed = by, seed
        self._bounds = [*itertools.accumulate(shares.values()), 1.0]
        self._seen = False
        self._fields: dict[str, None] = {}

    def of(self, table: pa.Table) -> list[str]:
        """The split of each row. Raises InputError if the column does not exist."""
        return list(map(self.split_of, self._values(table)))

    def split_of(self, value: str) -> str:
        place = key(self.seed, "split", value) / 2.0**64
        return next(name for name, bound in zip(self.names, self._bounds, strict=True) if place < bound or bound == 1.0)

    def check(self) -> None:
        """After the last document: InputError if no document had the metadata field."""
        if self.by.startswith("metadata.") and not self._seen:
            known = [f"metadata.{field}" for field in self._fields]
            raise unknown_key("split_by", self.by, known, "field")

    def _values(self, table: pa.Table) -> list[str]:
        if not self.by.startswith("metadata."):
            if self.by not in table.column_names:
                raise unknown_key("split_by", self.by, [*table.column_names, "metadata.<field>"], "column")
            return [str(value) for value in table[self.by].to_pylist()]
        field = self.by.removeprefix("metadata.")
        pairs = zip(table["id"].to_pylist(), table["metadata"].to_pylist(), strict=True)
        return [self._field(id, json.loads(metadata), field) for id, metadata in pairs]

    def _field(self, id: str, metadata: dict[str, Any], field: str) -> str:
        if metadata.get(field) is None:
            if not self._seen:
                self._fields.update(dict.fromkeys(metadata))
            return id
        self._seen = True
        return str(metadata[field])
