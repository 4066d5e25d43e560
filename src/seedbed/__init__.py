"""Seedbed: from a folder of raw material to an evaluated pretrained model.

    import seedbed

    corpus = seedbed.build_corpus(read=[{"text": {"path": "my-folder"}}])
    tokenizer = seedbed.train_tokenizer(corpus=corpus, size=8192)
    encoder = seedbed.pretrain(model="encoder", tokenizer=tokenizer, data={corpus: 1.0}, budget="5M tokens")
    scores = seedbed.evaluate(model=encoder, tasks=[{"masked_accuracy": {"corpus": corpus}}])

The functions are the steps of recipes: the same names, parameters and results, kept in the same store
(`with seedbed.workspace("runs")`: below which folder). Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.core.errors import InputError as InputError
    from seedbed.corpus.artifact import Corpus as Corpus
    from seedbed.corpus.build import build_corpus as build_corpus
    from seedbed.corpus.train_scorer import train_scorer as train_scorer
    from seedbed.data.artifact import Tokens as Tokens
    from seedbed.data.tokenize import tokenize as tokenize
    from seedbed.evaluate.artifact import Scores as Scores
    from seedbed.evaluate.step import evaluate as evaluate
    from seedbed.models.artifact import Model as Model
    from seedbed.recipe.execute import run_recipe as run_recipe
    from seedbed.recipe.execute import workspace as workspace
    from seedbed.recipe.recipe import load_recipe as load_recipe
    from seedbed.train.pretrain import pretrain as pretrain
    from seedbed.vocabulary.artifact import Tokenizer as Tokenizer
    from seedbed.vocabulary.train import train_tokenizer as train_tokenizer

__version__ = "0.1.0"

# Read by OpenMP when torch is first imported. Threads that spin while they wait win 5% on an idle machine, and make
# everything many times slower on one that does anything else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_PLACES = {
    "Corpus": "seedbed.corpus.artifact",
    "InputError": "seedbed.core.errors",
    "Model": "seedbed.models.artifact",
    "Scores": "seedbed.evaluate.artifact",
    "Tokenizer": "seedbed.vocabulary.artifact",
    "Tokens": "seedbed.data.artifact",
    "build_corpus": "seedbed.corpus.build",
    "evaluate": "seedbed.evaluate.step",
    "load_recipe": "seedbed.recipe.recipe",
    "pretrain": "seedbed.train.pretrain",
    "run_recipe": "seedbed.recipe.execute",
    "tokenize": "seedbed.data.tokenize",
    "train_scorer": "seedbed.corpus.train_scorer",
    "train_tokenizer": "seedbed.vocabulary.train",
    "workspace": "seedbed.recipe.execute",
}

__all__ = sorted(_PLACES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'seedbed' has no attribute '{name}'")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value  # a submodule of the same name would hide it otherwise
    return value


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]
