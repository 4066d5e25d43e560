"""What a model writes by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.models.writing.choice import Choice
    from seedbed.models.writing.reading import Rows


@tasks.register("samples", papers=["038"])
class Samples:
    """How often something stands in what a causal model writes, when it goes on with the beginnings of documents.

    corpus, split: where beginnings come from, `prompt` tokens of each, as many documents as `samples`. pattern: a
    regular expression that is looked for in what was written behind them. mark: a special token before each beginning,
    such as the control token of the objective `conditional_lm`. most: tokens that are written at most; the tokenizer's
    end ends a text sooner. Tokens are drawn from what the model predicts, special ones but the end left out; at a
    `temperature` (0: the likeliest), of the `top_k` likeliest ones, and of the fewest that together have a share
    `top_p` of the chances (None: of all).

    Systems: the model; the same network untrained; the documents' own text of about that length (`corpus`). Metrics:
    `rate`, the share of texts in which it is found; `tokens` a text. Items are the texts. Intervals draw texts.
    """

    def __init__(
        self,
        corpus: Corpus,
        pattern: str,
        *,
        split: str = "test",
        mark: str = "",
        prompt: int = 4,
        most: int = 48,
        samples: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        name: str = "samples",
    ) -> None:
        from seedbed.models.writing.choice import check_draws

        check_draws(temperature, top_k, top_p)
        check_counts(prompt=prompt, most=most, samples=samples)
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise InputError("pattern", f"is no regular expression: {error}", value=pattern) from None
        self.corpus, self.split, self.mark, self.prompt = corpus, split, mark, prompt
        self.most, self.samples, self.name = most, samples, name
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.documents import sample_documents
        from seedbed.models.writing.choice import Choice

        context.require("causal", self.name, instead="masked_accuracy")
        vocabulary, coder = context.vocabulary, context.coder(context.trained.max_length)
        if self.mark and self.mark not in vocabulary.tokens:
            raise InputError("mark", "the model's tokenizer does not have this token", value=self.mark)
        before = [vocabulary.tokens.index(self.mark)] if self.mark else []
        if len(before) + len(coder.prefix) + self.prompt + self.most > context.trained.max_length:
            raise InputError("most", "and the prompt do not fit into the model's max_length", value=self.most)
        documents = sample_documents(self.corpus, self.split, self.samples, seed=context.seed)
        encodings = coder.encode([document["text"] for document in documents])
        whole = [list(encoding.ids) for encoding in encodings if len(encoding.ids) > self.prompt]
        if not whole:
            raise InputError("prompt", "no document is longer", value=self.prompt)
        prompts = [[*before, *coder.prefix, *ids[: self.prompt]] for ids in whole]
        end = coder.suffix[0] if coder.suffix else vocabulary.eos
        forbidden_V = np.array(vocabulary.special_V, dtype=bool)
        if end is not None:
            forbidden_V[end] = False
        own = [ids[self.prompt : self.prompt + self.most] for ids in whole]
        stream = key(context.seed, "continued")
        choice = Choice(forbidden_V, self.temperature, self.top_k, self.top_p, stream=stream)
        stops = [] if end is None else [[end]]
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            said = self._said(network, prompts, choice, stops)
            runs.append(self._scored(system, seed, said, coder.tokenizer.decode_batch(said)))
        if context.baselines:
            runs.append(self._scored("corpus", None, own, coder.tokenizer.decode_batch(own)))
        counts = {"texts": len(whole), "too_short": len(documents) - len(whole)}
        return TaskResult(runs, {"rate": False, "tokens": True}, [], counts)

    def _said(self, network: Any, prompts: Rows, choice: Choice, stops: list[list[int]]) -> list[list[int]]:
        from seedbed.models.writing.loop import write
        from seedbed.models.writing.reading import NetworkReader

        lengths = [len(row) + self.most for row in prompts]
        return write(lambda rows: NetworkReader(network), prompts, self.most, choice, lengths=lengths, stops=stops)

    def _scored(self, system: str, seed: int | None, said: list[list[int]], texts: list[str]) -> SystemRun:
        found_U = np.array([float(bool(self.pattern.search(text))) for text in texts])
        one_U = np.ones(len(texts))
        measures = {"rate": Measure(found_U, one_U), "tokens": Measure(np.array([*map(len, said)], float), one_U)}
        names = [str(number) for number in range(len(texts))]
        return SystemRun(system, seed, measures, Items(names, [""] * len(texts), texts, found_U))
