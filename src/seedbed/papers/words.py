"""Words of a text as the search compares them: stems, stop words, and what users call the field's things."""

from __future__ import annotations

import functools
import re

# Endings by their last letter, of which each must leave so many letters. They are taken off until nothing changes, so
# that all forms of a word end alike ("tokenizers", "tokenising", "tokenization"): that, not a linguist's root, is what
# a search needs.
_ENDINGS = {
    "d": (("ated", 4), ("ed", 3)),
    "e": (("ative", 4), ("ate", 4), ("ive", 4), ("e", 3)),
    "g": (("ating", 4), ("ing", 3)),
    "l": (("al", 4),),
    "n": (("ation", 4), ("ion", 4)),
    "r": (("ator", 4), ("er", 4), ("or", 4)),
    "s": (("ness", 4),),
    "t": (("ment", 4),),
    "y": (("ity", 4),),
}
_IRREGULAR = {"corpora": "corpus", "general": "general"}

_STOP_WORDS = """
a about after all also an and any are as at be been before between both but by can could do does during each for
from get gets give has have how i if in into is it its just like make me more most much my need no not of on one
only or other our out over own per same should so some such than that the their them then there these they this
those to too under up use used uses using very want was we were what when where whether which while who why will
with without would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

# What a user may say: what the field says. A word on the right stands in for the one on the left.
_ALIASES = {
    "asr": "speech recognition",
    "assistant, chatbot": "instruction alignment dialogue",
    "attention free": "state-space ssm convolution recurrent",
    "attribution": "influence",
    "average, blend, combine": "merging soup averaging",
    "bank, money, stock": "financial finance",
    "biology, dna, gene": "genomic protein biomedical",
    "boilerplate, scrape": "html scraping web crawl",
    "cheap, afford, gpu poor, laptop, little compute, small budget": "cheap budget cpu gpu",
    "chemistry, compound, drug": "molecule molecular chemical",
    "contract, court, law, lawyer": "legal",
    "cpt, dapt": "continued domain-adaptive",
    "dedup, duplicate": "deduplication minhash",
    "dialect, endangered, minority language, rare language, small language": "low-resource",
    "doctor, health, hospital, medicine, patient": "clinical medical biomedical",
    "document to train, data to train, choose data": "data-selection selection",
    "emotion, opinion": "sentiment",
    "excel, spreadsheet": "tabular table",
    "faster, speed, speedup": "efficient acceleration throughput faster",
    "few label, little label, label scarce": "few-shot low-label semi-supervised",
    "few parameter": "parameter-efficient peft adapter lora",
    "film, movie": "video movie",
    "foreign": "cross-lingual multilingual",
    "forget, forgot": "forgetting catastrophic continual",
    "game": "reinforcement atari",
    "gnn": "graph",
    "grow, enlarge, bigger": "growth expansion upscaling",
    "icl": "in-context",
    "junk, garbage, bad text, clean": "quality filtering noisy cleaning",
    "kd": "distillation",
    "leak, cheat, test set": "contamination membership decontamination",
    "little data, little text, scarce": "low-resource data-efficient sample-efficient",
    "lora": "lora parameter-efficient peft",
    "low precision, int8": "quantization int8 low-precision",
    "mix, mixture": "mixing mixture reweighting",
    "mlm": "masked mlm",
    "moe": "experts moe",
    "ner": "entity ner",
    "nmt": "translation",
    "new word, new token": "vocabulary-expansion vocabulary",
    "peft": "parameter-efficient adapter",
    "photo, picture": "image vision",
    "prejudice, fairness": "bias stereotype",
    "privacy": "private privacy membership",
    "programming, software": "code programming",
    "rag": "retrieval-augmented",
    "replace tokenizer, swap tokenizer, change tokenizer": "tokenizer-transfer vocabulary embedding-initialization",
    "rl": "reinforcement",
    "robot": "robotic manipulation robot",
    "search engine": "retrieval ranking search",
    "sft": "instruction supervised",
    "model smaller, smaller model, shrink, compress, squeeze": "compression distillation pruning compact",
    "sound, recording, voice": "audio speech",
    "ssm": "state-space",
    "vlm": "vision-language",
}


def stem(word: str) -> str:
    """The common beginning of a word's forms: light, for search only."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "suia":
        word = word[:-1]
    if "is" in word or "our" in word:  # British, as are "modelling" and "labelled"
        word = re.sub(r"is(?=(?:e|ed|er|ing|ation)$)", "iz", re.sub(r"(?<=...)our$", "or", word))
    longer = ""
    while word != longer:
        longer = word
        for ending, least in _ENDINGS.get(word[-1], ()):
            if word.endswith(ending) and len(word) >= least + len(ending):
                word = word[: -len(ending)]
                break
        if word[-2:-1] == word[-1] and word[-1] not in "aeious":
            word = word[:-1]
    if word.endswith("ific"):  # classific(ation), classifi(er), classify
        return word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word[-1] == "y" else word


def words(text: str) -> list[tuple[str, str]]:
    """Words with their stems, without stop words. "fine-tuned" gives its parts and the whole, "finetun"."""
    return [pair for word in re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower()) for pair in _parts(word)]


def stems(text: str) -> list[str]:
    """Only the stems of `words`."""
    return [known for _, known in words(text)]


@functools.cache
def _parts(word: str) -> tuple[tuple[str, str], ...]:
    parts = word.split("-")
    whole = [(word, stem("".join(parts)))] if len(parts) > 1 else []
    return (*((part, stem(part)) for part in parts if len(part) > 1 and part not in STOP_WORDS), *whole)


@functools.cache
def aliases() -> dict[tuple[str, ...], tuple[str, ...]]:
    """What the field says for one or more words of a user's, all as stems."""
    return {
        tuple(stems(said)): tuple(stem(word.replace("-", "")) for word in meant.split())
        for group, meant in _ALIASES.items()
        for said in group.split(", ")
    }
