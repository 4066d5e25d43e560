from __future__ import annotations

import numpy as np

from seedbed.core.errors import InputError
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult


@tasks.register("donor_languages", papers=["286"])
class DonorLanguages:
    """For each language of a model that was trained with `language_embeddings`, which others to take labeled data from:
    those whose embeddings have the largest cosine to its own (Liu et al., 2025, use the similarity of the embeddings to
    choose source languages for transfer; we could not verify of which of them, and take the languages' alone).

    Items are the ranking: a language, a donor (`prediction`), their cosine; nearest donors first. Nothing is run and
    there is no truth to score against; the metrics describe the nearest donors: `cosine`, the mean, and `same_script`,
    the share that has a script in common with its language.
    """

    def __init__(self, *, name: str = "donor_languages") -> None:
        self.name = name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.models.languages import Languages

        known = Languages.read(context.model.path)
        ranked = known.donors()
        if len(ranked) < 2:
            raise InputError(self.name, "the model has been trained with one language only", value=list(ranked))
        pairs = [(name, donor, cosine) for name, donors in ranked.items() for donor, cosine in donors]
        first = {name: donors[0] for name, donors in ranked.items()}
        shared = [bool({*known.written[name]} & {*known.written[donor]}) for name, (donor, _) in first.items()]
        ones_U = np.ones(len(first))
        measures = {
            "cosine": Measure(np.array([cosine for _, cosine in first.values()]), ones_U),
            "same_script": Measure(np.array(shared), ones_U),
        }
        names, donors, cosines = zip(*pairs, strict=True)
        items = Items(names, [""] * len(pairs), donors, cosines)
        counts = {"languages": len(ranked), "scripts": len(known.scripts)}
        return TaskResult(
            [SystemRun("model", None, measures, items)], {"cosine": True, "same_script": True}, [], counts
        )
