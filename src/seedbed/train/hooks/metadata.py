"""Documents together with what is known about them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from seedbed.core.checks import check_share
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.train.run import Run


@interventions.register("metadata", papers=["293"])
class Metadata(Intervention):
    """Every piece of a document gets a line of metadata: before it, where it is seen and not learned (as in MeCo,
    Gao et al., 2025), or after it, where it is learned, as an auxiliary task. The last `cooldown` of the run has none,
    so that the model does without it too.

    `column` is `source`, what the recipe calls the corpus, or `domain`, what its reader said of the document: the finer
    of the two, as a rule. The line is the value, as text of the ordinary vocabulary. It is put into rows after they are
    drawn, so that order and text are those of a run without; metadata count neither as tokens nor against `length`, and
    cost time like padding (after the text: like text). Packed or continued, each piece has its line, as none sees
    another.

    It is an intervention since it hangs on the run's progress, and since neither the corpus (which would have to be
    tokenized with and without) nor the objective (each of them) has to know of it: what is seen and not learned is
    padding to the objective. Not implemented of the paper: learned tokens without a meaning; columns that the tokens of
    a corpus do not keep, such as scores of quality.
    """

    def __init__(
        self,
        column: Literal["source", "domain"] = "source",
        position: Literal["before", "after"] = "before",
        cooldown: float = 0.1,
    ) -> None:
        check_share("cooldown", cooldown)
        self.column, self.position, self.cooldown = column, position, cooldown

    def on_start(self, run: Run) -> None:
        """A text is encoded once."""
        self._encode = lru_cache(maxsize=65536)(lambda value: run.encode(value + "\n") if value else [])
        if self.column == "domain" and not all(len(file.domains) for file in run.files.values()):
            raise InputError("metadata.column", "the tokens know no domains", fix="tokenize the corpus again")

    def on_batch(self, run: Run) -> None:
        """Put the lines in."""
        assert run.batch is not None
        if run.progress >= 1 - self.cooldown:
            return
        lines = [self._encode(value) for value in self._values(run, run.batch)]
        none: list[list[int]] = [[]] * len(lines)
        run.batch = run.batch.framed(*((lines, none) if self.position == "before" else (none, lines)))

    def _values(self, run: Run, batch: Batch) -> list[str]:
        names = [batch.sources[source] for source in batch.pieces_N6[:, 3]]
        if self.column == "source":
            return [run.labels.get(name, name) for name in names]
        return [run.files[name].domains[int(index)] for name, index in zip(names, batch.pieces_N6[:, 4], strict=True)]
