"""Teaching a network of mixers what one of attention does: layer by layer, then by its distribution of tokens.

Shapes: B rows, L tokens, D width, T tokens that are not padding, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.data.batch import Batch

Tensor = torch.Tensor
CLIP = 1.0


class Teaching:
    """The student begins with the teacher's weights wherever names agree."""

    def __init__(self, teacher: Any, student: Any) -> None:
        self.teacher, self.student = teacher.requires_grad_(False), student
        self.tokens = self.positions = 0
        known = dict(teacher.named_parameters())
        with torch.no_grad():
            for name, parameter in student.named_parameters():
                if name in known:
                    parameter.copy_(known[name])

    def match(self, batches: Iterator[Batch], steps: int, lr: float, say: Callable[[str], None]) -> list[float]:
        """Stage 1, of the mixers alone; the relative squared error of each layer in the last batch."""
        mixing = [parameter for layer in self.student.layers for parameter in layer.mixer.parameters()]
        errors: list[float] = []

        def loss(batch: Batch) -> Tensor:
            found = torch.stack(self.errors(*self._moved(batch)))
            errors[:] = found.detach().tolist()
            return found.sum()

        self._learn(batches, mixing, loss, steps, lr, say, "matching")
        return [round(error, 6) for error in errors]

    def distill(self, batches: Iterator[Batch], steps: int, lr: float, say: Callable[[str], None]) -> list[float]:
        """Stage 2, of the whole network; the divergence in its first batch and in its last."""
        found = self._learn(
            batches,
            list(self.student.parameters()),
            lambda batch: self.divergence(*self._moved(batch)),
            steps,
            lr,
            say,
            "distilling",
        )
        return [round(value, 6) for value in (found[:1] + found[-1:])]

    def errors(self, tokens_BL: Tensor, segments_BL: Tensor, positions_BL: Tensor) -> list[Tensor]:
        """Of each layer: |mixer(x) - attention(x)|^2 / |attention(x)|^2 over all tokens, for what the teacher's
        attention reads there."""
        heard: list[tuple[Tensor, Tensor]] = []

        def hook(layer: Any) -> Callable[..., Tensor]:
            def mix(x: Tensor, context: Any) -> Tensor:
                given: Tensor = type(layer).mix(layer, x, context)
                heard.append((x, given))
                return given

            return mix

        for layer in self.teacher.layers:
            layer.mix = hook(layer)
        try:
            with torch.no_grad():
                self.teacher.hidden(tokens_BL, segments_BL, positions_BL)
        finally:
            for layer in self.teacher.layers:
                del layer.mix
        context = self.student.context(segments_BL, positions_BL, None, "products")
        real_BL1 = (segments_BL >= 0)[:, :, None]
        found = []
        for layer, (x, wanted) in zip(self.student.layers, heard, strict=True):
            missed = (layer.mix(x, context) - wanted) * real_BL1
            found.append(missed.square().sum() / (wanted * real_BL1).square().sum().clamp(min=1e-12))
        return found

    def divergence(self, tokens_BL: Tensor, segments_BL: Tensor, positions_BL: Tensor) -> Tensor:
        """KL(teacher || student) of the next token's distribution, a token."""
        where_T = (segments_BL >= 0).flatten().nonzero()[:, 0]

        def logs(network: Any) -> Tensor:
            states_BLD = network.hidden(tokens_BL, segments_BL, positions_BL)
            return functional.log_softmax(network.logits(states_BLD.flatten(0, 1)[where_T]), -1)

        with torch.no_grad():
            wanted_TV = logs(self.teacher)
        return functional.kl_div(logs(self.student), wanted_TV, reduction="batchmean", log_target=True)

    def _moved(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        device = next(self.student.parameters()).device
        self.tokens, self.positions = self.tokens + batch.num_tokens, self.positions + batch.tokens_BL.size
        arrays = (batch.tokens_BL, batch.segments_BL, batch.positions_BL)
        tokens, segments, positions = (torch.from_numpy(np.asarray(part, np.int64)).to(device) for part in arrays)
        return tokens, segments, positions

    def _learn(
        self,
        batches: Iterator[Batch],
        parameters: list[torch.nn.Parameter],
        loss: Callable[[Batch], Tensor],
        steps: int,
        lr: float,
        say: Callable[[str], None],
        what: str,
    ) -> list[float]:
        """AdamW at a rate that falls linearly to zero; the losses."""
        optimizer, losses = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0), []
        for number in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - number / steps)
            value = loss(next(batches))
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            losses.append(float(value.detach()))
            if not math.isfinite(losses[-1]):
                raise InputError(what, f"the loss of step {number + 1} is not finite", fix="a lower rate")
            if (number + 1) % 50 == 0:
                say(f"{what}: step {number + 1} of {steps}, loss {losses[-1]:.4f}")
        return losses
