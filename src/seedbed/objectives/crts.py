"""Random token substitution by clusters that the network confuses.

Shapes: B rows, L tokens a row, X of all rows, T chosen tokens, N judged tokens, K draws for each chosen one (two),
O ordinary tokens, V vocabulary, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_counts, check_rate
from seedbed.core.counters import key, uniform
from seedbed.objectives import objectives
from seedbed.objectives.base import Loss
from seedbed.objectives.detection import Detection, Suspects
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch


@dataclass
class Clustered(Suspects):
    """With the run's progress, by which steps are told apart."""

    progress: float = 0.0


@objectives.register("crts", papers=["361"])
class ClusterTokenSubstitution(Detection):
    """Cluster-based random token substitution (Di Liello et al., 2022): as `rts`, with replacements from those clusters
    of tokens that the network has taken for the original before.

    Of each pair of clusters (of the original, of the replacement) it is counted how often the network did not see the
    replacement, less how often it did. A replacement's cluster is drawn from the softmax of `beta` times the counts of
    the original's cluster, scaled to [0, 1]; the token from the cluster, uniformly. A step draws by the counts of the
    steps before it, whatever its passes are; counts and clusters are in the checkpoints, and validation leaves
    them as they are.

    clusters: how many; they are those of spherical k-means of the input embeddings that the network begins with. A
        continued model's say which tokens are alike; a new network's say nothing, and its clusters are arbitrary ones.
        The authors read clusters from a file, 100 of them; how they made them we do not know.

    Deviations from the authors' code: all replacements of a step are counted (there the last of each pair of clusters),
    and none of the tokens that stayed; a token that is drawn for itself counts as original; special tokens are neither
    drawn nor judged; the loss is not multiplied by 50.
    """

    name: ClassVar[str] = "crts"
    memory: ClassVar[bool] = True

    def __init__(
        self,
        rate: Share = 0.15,
        clusters: int = 100,
        beta: float = 2.0,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        super().__init__(MaskedLanguageModeling(rate, replace=0.0, random=0.0, mask=mask))
        check_counts(clusters=clusters)
        check_rate("beta", beta)
        self.clusters, self.beta = clusters, beta

    def prepare(self, network: Any, seed: int) -> None:
        """The clusters, and the counts of their pairs."""
        import torch

        from seedbed.models.clusters import Clusters, clusters_of

        super().prepare(network, seed)
        ordinary_O = np.flatnonzero(~self._special_V)
        ids_O = torch.from_numpy(ordinary_O).to(network.embedding.weight.device)
        vectors_OD = network.embedding(ids_O).detach().cpu().numpy()
        cluster_O = clusters_of(vectors_OD, self.clusters, seed)
        network.extra["crts_clusters"] = Clusters(network.vocabulary_size, ordinary_O, cluster_O)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Clustered:
        """Choose tokens, and draw two numbers for each: for the cluster, and for the token in it."""
        found = self.masking.corrupt(batch, seed=seed, progress=progress)
        length = found.tokens_BL.shape[1]
        row_T1, column_T1 = batch.rows_B[found.where_T // length][:, None], (found.where_T % length)[:, None]
        draws_TK = uniform(key(seed, "crts", "draw"), row_T1, column_T1, np.arange(2)[None])
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Clustered(*given, judged_N=self.judged(batch), draws_TK=draws_TK, progress=progress)

    def loss(self, network: Any, examples: Clustered) -> Loss:
        """The binary cross-entropy at every ordinary token."""
        import torch

        clusters: Any = network.extra["crts_clusters"]
        learns = network.training and torch.is_grad_enabled()
        if learns:
            clusters.begin_step(examples.progress)
        drawn_T = clusters.draw(examples.targets_T, examples.draws_TK, self.beta)
        tokens_BL = examples.tokens_BL.flatten().index_copy(0, examples.where_T, drawn_T).view_as(examples.tokens_BL)
        replaced_BL = tokens_BL != examples.tokens_BL
        replaced_N = replaced_BL.flatten().index_select(0, examples.judged_N)
        found, suspected_N = self.judge(network, examples, tokens_BL, examples.judged_N, replaced_N)
        if learns:
            suspected_X = torch.zeros_like(replaced_BL).flatten().index_copy(0, examples.judged_N, suspected_N)
            clusters.count(examples.targets_T, drawn_T, suspected_X.index_select(0, examples.where_T))
        return found

    def export(self, network: Any) -> None:
        """The encoder alone."""
        del network.extra["crts_clusters"]
        super().export(network)
