"""What the terms of a report mean, a line each, in one place.

Tasks, objectives and curation steps are explained by their own documentation, through the registries.
"""

from __future__ import annotations

from dataclasses import dataclass

from .numbers import Unit

PERCENT = Unit("%", "points", 100.0, 1)


@dataclass(frozen=True)
class Term:
    """A label and a line."""

    label: str
    text: str


@dataclass(frozen=True)
class Metric:
    """How a metric is called and written, and what it is."""

    name: str
    label: str
    unit: Unit
    text: str


_METRICS = [
    Metric("accuracy", "accuracy", PERCENT, "The share of answers that are right."),
    Metric(
        "macro_f1",
        "macro F1",
        PERCENT,
        "F1 (the harmonic mean of precision and recall) of every class, averaged over the classes, so that rare ones "
        "count as much as common ones.",
    ),
    Metric("span_f1", "span F1", PERCENT, "F1 over whole spans: a span counts if its ends and its class are right."),
    Metric("span_precision", "span precision", PERCENT, "The share of the spans found that are right."),
    Metric("span_recall", "span recall", PERCENT, "The share of the true spans that were found."),
    Metric(
        "mrr",
        "mean reciprocal rank",
        Unit(),
        "1 divided by the rank of the right answer, averaged over queries: 1 is always first, 0.5 always second.",
    ),
    Metric("recall_at_1", "recall at 1", PERCENT, "The share of queries whose right answer is ranked first."),
    Metric("recall_at_10", "recall at 10", PERCENT, "The share of queries whose right answer is among the first ten."),
    Metric(
        "bits_per_byte",
        "bits per byte",
        Unit("bits/byte"),
        "How many bits the model needs to write down one byte of text that it has not seen. Lower is better; 8 is no "
        "knowledge at all. It does not depend on the vocabulary, so models with different ones compare.",
    ),
    Metric(
        "bits_per_token",
        "bits per token",
        Unit("bits/token"),
        "The same cost for one token; depends on the vocabulary.",
    ),
    Metric(
        "nats",
        "masked loss",
        Unit("nats/token"),
        "Minus the natural logarithm of the probability that the model gives to the right token, averaged. Lower is "
        "better; a guess among V equal tokens costs ln V.",
    ),
    Metric(
        "bits_per_masked_byte",
        "bits per masked byte",
        Unit("bits/byte"),
        "The loss at masked tokens, in bits, divided by the bytes that they hide. Lower is better.",
    ),
    Metric(
        "loss",
        "loss",
        Unit("nats/token"),
        "Minus the natural logarithm of the probability that the model gives to the right token, averaged over the "
        "tokens to be predicted. Lower is better.",
    ),
    Metric(
        "auc",
        "AUC",
        Unit("", "", 1.0, 3),
        "The chance that of a good text and another, drawn at random, the good one has the higher score: 1 tells all "
        "of them apart, 0.5 is a coin.",
    ),
    Metric("log_loss", "log loss", Unit("nats"), "Minus the logarithm of the probability given to the right class."),
    Metric(
        "calibration_error",
        "calibration error",
        Unit("", "", 1.0, 3),
        "How far the probabilities are from how often they are right, on average; 0 is honest.",
    ),
    Metric(
        "perplexity",
        "perplexity",
        Unit(),
        "Among how many equally probable units (words or characters) the model chooses, on average. Lower is better.",
    ),
    Metric(
        "exact",
        "exactly right",
        PERCENT,
        "The share that is just as it should be, from its first character to its last.",
    ),
    Metric("validation_loss", "validation loss", Unit("nats/token"), "The loss on held-out text while training."),
]
METRICS = {metric.name: metric for metric in _METRICS}

SYSTEMS = {
    "model": Term("this model", "The model that was trained in this run."),
    "untrained": Term("untrained", "The same network with fresh random weights: what the architecture alone can do."),
    "unigram": Term("unigram", "A baseline from counts: how often each token occurs, whatever stands around it."),
    "ngram": Term("n-grams", "A baseline from counts: the next token after the last two, smoothed (Kneser-Ney)."),
    "neighbors": Term("neighbors", "A baseline from counts: the token between its neighbors on the left and right."),
    "majority": Term("majority", "Always the most frequent class of the training part."),
    "tfidf": Term("TF-IDF", "Words weighted by how rare they are; no neural network."),
    "bm25": Term("BM25", "The usual ranking formula of search engines, over words; no neural network."),
    "word": Term("word lookup", "Each word's most frequent class in the training part, whatever its context."),
}

TERMS = {
    "interval": Term(
        "95% interval",
        "Where the value plausibly lies. Over seeds: Student's t, for what changes when the same is done again. Over "
        "the test set: bootstrap, for what changes with other test documents. Point at a number to see which.",
    ),
    "baseline": Term(
        "baseline", "A simpler system on the same test set. A model that does not beat it has learned little."
    ),
    "precision": Term("precision", "The share of what was taken that is right."),
    "recall": Term("recall", "The share of what is right that was taken."),
    "f1": Term("F1", "The harmonic mean of precision and recall."),
    "strings": Term(
        "strings right", "Of strings that belong to a page's text the share that is there, of others that is not."
    ),
    "permuted": Term(
        "permuted words",
        "A share of a text's words put into another order among themselves: damage of a known degree, which whatever "
        "measures quality must see.",
    ),
    "points": Term("points", "Percentage points: the difference between two percentages."),
    "seed": Term(
        "seed", "The number that fixes all that is random. Several seeds show how much chance there is in a result."
    ),
    "token": Term(
        "token", "A piece of text with a number: a word, a part of one, or a byte. Models read and predict tokens."
    ),
    "fertility": Term("tokens per word", "Or fertility: how many tokens a word between blanks becomes, on average."),
    "bytes_per_token": Term("bytes per token", "How much text fits into one token. Higher is shorter text in tokens."),
    "unknown_rate": Term("unknown", "The share of tokens that stand for text which the vocabulary cannot write."),
    "epoch": Term("epoch", "One pass over all tokens of the training data."),
    "padding": Term(
        "padding", "Empty places that fill rows up to their length; computed, but nothing is learned there."
    ),
    "truncated": Term("truncated", "Tokens cut off at the end of rows that were too short for their document."),
    "dropped_tokens": Term("dropped", "Tokens left out since what remained of a document was too short to be of use."),
    "targets": Term("targets", "The tokens that the model had to predict; only they make the loss."),
    "flops": Term(
        "FLOPs", "Floating-point operations of all forward and backward passes, by formula: a measure of work."
    ),
    "parameters": Term("parameters", "The numbers in the network that training adjusts."),
    "processor_time": Term("processor time", "Seconds times cores that were busy; of the process that ran the step."),
    "validation": Term(
        "validation", "Text held out from training, to see during training whether learning carries over."
    ),
    "test": Term("test", "Text held out from training and from all choices, for the final scores."),
    "quarantine": Term(
        "quarantine", "Input that could not be read. It is kept aside with its reason, never lost in silence."
    ),
    "contamination": Term(
        "contamination",
        "Test items that share runs of words with the training text, and so may have been learned by heart.",
    ),
    "fingerprint": Term(
        "fingerprint",
        "A hash of a step's name, version, parameters and inputs. The same fingerprint is the same result, and is not "
        "made again: a step that was there already shows when it was first made, and how long it took then.",
    ),
    "arm": Term("arm", "One of the variants that are compared: the same recipe with other settings."),
    "paired": Term(
        "paired difference",
        "Differences are taken seed by seed between arms, so that what a seed does to both cancels.",
    ),
    "effect_size": Term(
        "effect size", "The difference divided by its spread over seeds: how large it is beside chance."
    ),
    "relative": Term("relative", "The difference as a share of the second arm's value."),
    "detectable": Term(
        "smallest difference",
        "The smallest true difference that so many seeds would find four times out of five.",
    ),
}


def metric_of(name: str) -> Metric:
    """A known metric, also by the last part of its path; an unknown one under its own name, without a unit."""
    last = name.rsplit(".", 1)[-1]
    return METRICS.get(last) or Metric(last, last.replace("_", " "), Unit(), "")


def system_of(name: str) -> Term:
    """A known system, or an unknown one under its own name."""
    return SYSTEMS.get(name) or Term(name.replace("_", " "), "")
