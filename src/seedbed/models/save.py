"""A model's folder as others can use it: weights, configuration, tokenizer, model card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors, write_bytes

if TYPE_CHECKING:
    from seedbed.models.transformer import Transformer

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)
_TASKS = {
    "bidirectional": ("fill-mask", "AutoModelForMaskedLM"),
    "causal": ("text-generation", "AutoModelForCausalLM"),
    "prefix": ("text-generation", "AutoModelForCausalLM"),
    "encoder-decoder": ("text2text-generation", "AutoModelForSeq2SeqLM"),
    "electra": ("feature-extraction", "AutoModelForPreTraining"),  # a discriminator has no head over the vocabulary
}
FRONT_MATTER = ("language", "license", "library_name", "pipeline_tag", "tags", "base_model", "datasets")


def save_model(network: Transformer, tokenizer_path: Path | str, folder: Path | str, card: dict[str, Any]) -> None:
    """Write a model's folder, which `AutoModelForMaskedLM`, `AutoModelForCausalLM` or `AutoModelForSeq2SeqLM` and
    `AutoTokenizer` load.

    `tokenizer_path` is the tokenizer's folder. `card` describes the model: `name`, `description`, the keys of
    FRONT_MATTER (which go into the YAML front matter), `results` (rows: task, metric, value, and optionally interval)
    and `details` (lines of "what: value"). A network that is no stock class is written in Seedbed's own format, and
    its card says so.
    """
    source, target = Path(tokenizer_path), Path(folder)
    if not (source / "tokenizer.json").is_file():
        raise InputError(str(source), "is not a tokenizer's folder: it has no tokenizer.json")
    with storage_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        from seedbed.models.huggingface import write_network

        write_network(network, target, _special_ids(source))
        for name in TOKENIZER_FILES:
            if (source / name).is_file() and source.resolve() != target.resolve():
                shutil.copyfile(source / name, target / name)
        write_bytes(target / "README.md", model_card(network, card).encode())


def model_card(network: Transformer, card: dict[str, Any]) -> str:
    """README.md with YAML front matter, as Hugging Face's hub reads it."""
    import yaml

    front = {
        "license": "other",
        "library_name": _library(network),
        "pipeline_tag": _task(network)[0],
        **{name: card[name] for name in FRONT_MATTER if card.get(name)},
    }
    front["tags"] = list(dict.fromkeys([*front.get("tags", []), "seedbed"]))
    name = card.get("name", "Model")
    lines = ["---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip(), "---", "", f"# {name}", ""]
    if card.get("description"):
        lines += [str(card["description"]), ""]
    lines += [_described(network), *[f"- {what}: {value}" for what, value in (card.get("details") or {}).items()], ""]
    lines += ["## Use", "", *_usage(network), ""]
    return "\n".join(lines + _results(card.get("results") or []))


def retell(folder: Path, before: Transformer, after: Transformer) -> None:
    """Let a folder's card say of one network what it says of another one."""
    path = folder / "README.md"
    if not path.is_file():
        return
    card = path.read_text(encoding="utf-8")
    for old, new in zip(_told(before), _told(after), strict=True):
        card = card.replace(old, new, 1)
    write_bytes(path, card.encode())


def _told(network: Transformer) -> tuple[str, ...]:
    """The lines of a card that follow from the network alone."""
    return f"library_name: {_library(network)}\n", _described(network), "\n".join(_usage(network))


def _library(network: Transformer) -> str:
    return "transformers" if network.stock else "seedbed"


def _task(network: Transformer) -> tuple[str, str]:
    """The hub's name of what it does, and the class that loads it."""
    return _TASKS.get(network.stock or "") or _TASKS[network.attention]


def _described(network: Transformer) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    return (
        f"- architecture: {network.stock or 'seedbed (no stock class)'}, {network.attention}, {_layers(network)} layers"
        f" of width {network.width}, {count:,} parameters, vocabulary of {network.vocabulary_size:,}"
    )


def _layers(network: Transformer) -> str:
    a = network.architecture
    return f"{a.layers} and {a.decoder_layers}" if a.decoder_layers else str(a.layers)


def _usage(network: Transformer) -> list[str]:
    if network.stock is None:
        from seedbed.models.families.own import NOTE

        return [NOTE + "."]
    kind = _task(network)[1]
    return [
        "```python",
        f"from transformers import {kind}, AutoTokenizer",
        "",
        f'model = {kind}.from_pretrained("path/to/this/folder")',
        'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")',
        "```",
    ]


def _results(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["## Results", "", "| task | metric | value | interval |", "|---|---|---|---|"]
    for row in rows:
        interval = row.get("interval")
        shown = "" if not interval else f"{_number(interval[0])} to {_number(interval[1])}"
        lines.append(f"| {row.get('task', '')} | {row.get('metric', '')} | {_number(row.get('value'))} | {shown} |")
    return [*lines, ""]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _special_ids(tokenizer_path: Path) -> dict[str, int | None]:
    """Ids for config.json, from the tokenizer."""
    from seedbed.vocabulary.artifact import Tokenizer

    vocabulary = Tokenizer(tokenizer_path).vocabulary()
    return {name: getattr(vocabulary, name) for name in ("pad", "bos", "eos", "cls", "sep", "mask")}
