"""A labeled task, trained beside the objective.

Shapes: B rows, L tokens a row, D width, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.checks import check_counts, check_positive
from seedbed.core.counters import generator, key
from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.train import Intervention, interventions
from seedbed.vocabulary.artifact import Tokenizer

if TYPE_CHECKING:
    import torch

    from seedbed.train.run import Run

_HEAD = "task_head"


@interventions.register("task_loss", papers=["027"])
class TaskLoss(Intervention):
    """Adds the cross-entropy of a text classification task to the objective's loss: the joint training of TLM (Yao et
    al., 2022).

    The paper's loss is task + rho1 * MLM(retrieved text) + rho2 * MLM(task text). Here the objective's loss is a mean
    over a mixture of both kinds of text, mixed as rho1 to rho2, and the task's is added `weight` times: with a weight
    of 1 / (rho1 + rho2) that is the paper's loss but for a factor. In every step `rows` labeled texts are classified,
    each once an epoch in a new order, by a linear layer on the mean of the last hidden states; the layer has the run's
    optimizer and is left out of the finished model. Texts beyond `length` tokens are cut. `task_loss` and
    `task_accuracy` stand in the log, and the padded tokens that it costs beside the run's own under `task_tokens` in
    the counts; the run's FLOPs are without them.

    `data` are records in JSON Lines; files called test..., dev... or valid... are not read. Deviations: the texts that
    are classified are not masked, where the authors' code classifies what it has masked; every step has some of them,
    where it has a batch of them every so many steps; and the task's layer is a new one when the model is fine-tuned
    later, where the paper goes on with the same.
    """

    def __init__(
        self,
        data: LabeledData,
        tokenizer: Tokenizer,
        text: str = "text",
        label: str = "label",
        weight: float = 1.0,
        rows: int = 8,
        length: int = 64,
    ) -> None:
        check_positive(weight=weight)
        check_counts(rows=rows)
        if length < 2:
            raise InputError("length", "must be at least 2", value=length)
        self.data, self.tokenizer, self.text, self.label = data, tokenizer, text, label
        self.weight, self.rows, self.length = weight, rows, length
        self._texts: list[np.ndarray] = []
        self._classes = np.empty(0, np.int64)

    def prepare(self, network: Any, seed: int) -> None:
        """Read the task, and give the network its layer."""
        import torch

        if self.length > network.max_length:
            raise InputError("length", "is above the model's max_length", value=self.length)
        self._read()
        like = next(network.parameters())
        head = torch.nn.Linear(network.width, int(self._classes.max()) + 1)
        random = torch.Generator().manual_seed(key(seed, _HEAD) >> 1)
        with torch.no_grad():
            head.weight.normal_(std=0.02, generator=random)
            head.bias.zero_()
        network.add_module(_HEAD, head.to(like))

    def export(self, network: Any) -> None:
        """The model is saved without the layer."""
        delattr(network, _HEAD)

    def after_backward(self, run: Run) -> None:
        """Add the gradient of this step's texts. Every process computes it whole, so it needs no sum over them."""
        import torch
        import torch.nn.functional as F

        assert run.gradients is not None
        tokens_BL, segments_BL, classes_B = (array.to(run.device) for array in self._batch(run.seed, run.step))
        torch.manual_seed(key(run.seed, "task_loss", run.step) >> 1)  # dropout
        hidden_BLD = run.network.hidden(tokens_BL, segments_BL).float()
        is_text_BL1 = (segments_BL >= 0).unsqueeze(-1)
        mean_BD = (hidden_BLD * is_text_BL1).sum(1) / is_text_BL1.sum(1)
        logits_BC = getattr(run.network, _HEAD)(mean_BD)
        loss = F.cross_entropy(logits_BC, classes_B)
        (self.weight * loss).backward()  # type: ignore[no-untyped-call]
        run.metrics["task_loss"] = float(loss.detach())
        run.metrics["task_accuracy"] = float((logits_BC.argmax(-1) == classes_B).float().mean())
        run.count("task_tokens", tokens_BL.numel())
        run.measure_gradients()

    def _read(self) -> None:
        """The task's texts as tokens, its classes as numbers in the order of their names."""
        from seedbed.corpus.documents import Unreadable
        from seedbed.corpus.input.files import InputFile
        from seedbed.corpus.input.records import jsonl_records
        from seedbed.corpus.input.texts import training_files

        texts, labels = [], []
        for path in training_files(self.data):
            for item in jsonl_records(InputFile.at(path)):
                if isinstance(item, Unreadable):
                    raise InputError("data", f"line {item.line}: {item.reason}", value=str(path))
                line, record = item
                if not isinstance(record.get(self.text), str) or self.label not in record:
                    raise InputError("data", f"line {line} lacks '{self.text}' or '{self.label}'", value=str(path))
                texts.append(record[self.text])
                labels.append(str(record[self.label]))
        names, self._classes = np.unique(labels, return_inverse=True)
        if len(names) < 2:
            raise InputError("data", "has a single label", value=names.tolist())
        tokenizer = self.tokenizer.load()
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.length)
        self._texts = [np.array(encoding.ids, np.int64) for encoding in tokenizer.encode_batch(texts)]
        if not all(map(len, self._texts)):
            raise InputError("data", "has a text of which the tokenizer leaves nothing")

    def _batch(self, seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens (B, L), segments (B, L; -1 is padding) and classes (B) of a step: a function of seed and step."""
        import torch

        epochs, places = np.divmod(np.arange(step * self.rows, (step + 1) * self.rows), len(self._texts))
        orders = {
            epoch: generator(seed, "task_loss", epoch).permutation(len(self._texts)) for epoch in set(epochs.tolist())
        }
        chosen = [int(orders[epoch][place]) for epoch, place in zip(epochs.tolist(), places.tolist(), strict=True)]
        longest = max(len(self._texts[index]) for index in chosen)
        tokens_BL = np.zeros((len(chosen), longest), np.int64)
        segments_BL = np.full((len(chosen), longest), -1)
        for row, index in enumerate(chosen):
            tokens_BL[row, : len(self._texts[index])] = self._texts[index]
            segments_BL[row, : len(self._texts[index])] = 0
        return torch.from_numpy(tokens_BL), torch.from_numpy(segments_BL), torch.from_numpy(self._classes[chosen])
