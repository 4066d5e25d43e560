"""InfoNCE. Shapes: B rows, N vectors of a row."""

from __future__ import annotations

from seedbed.core.checks import check_positive
from seedbed.objectives.base import Loss
from seedbed.objectives.contrasting import Contrast, Vectors, contrasts

_FAR = -1e4  # a logit that adds nothing to a sum of exponentials, with a gradient of zero


@contrasts.register("infonce", papers=["279", "358", "389"])
class InfoNCE(Contrast):
    """InfoNCE (van den Oord et al., 2018) with cosines: for each vector i and each other one p of its group
    -ln(exp(s_ip / t) / (exp(s_ip / t) + sum over n of exp(s_in / t))), with n all vectors of other groups in the row,
    and t the `temperature`; the mean over all such pairs (i, p). With views alone for positives this is NT-Xent (Chen
    et al., 2020), which Mirror-BERT's code uses over a batch, with t = 0.04 for sentences and phrases and 0.2 for
    words; SimCSE's t is 0.05, and its anchors are the first views alone.

    Logged beside the loss: `accuracy`, the share of pairs of which p is nearer to i than all n are.
    """

    def __init__(self, temperature: float = 0.05) -> None:
        check_positive(temperature=temperature)
        self.temperature = temperature

    def loss(self, vectors: Vectors) -> Loss:
        """Over pairs whose first vector has at least one of another group in its row."""
        from torch.nn.functional import softplus

        logits_BNN = vectors.cosines_BNN / self.temperature
        far_BNN = logits_BNN.masked_fill(~vectors.apart_BNN, _FAR)
        pairs_BNN = vectors.same_BNN & vectors.apart_BNN.any(2, keepdim=True)
        loss_BNN = softplus(far_BNN.logsumexp(2, keepdim=True) - logits_BNN) * pairs_BNN
        right_BNN = (logits_BNN > far_BNN.amax(2, keepdim=True)) & pairs_BNN
        return Loss(loss_BNN.sum(), int(pairs_BNN.sum()), {"accuracy": right_BNN.sum()})
