"""A step of fine-tuning on batches whose frequent neighboring tokens are merged (Feher et al., 2025), against a step on
the model's own tokens.

    python benchmarks/merged_training.py --out benchmarks/results/merged-training.json

An encoder reads 32 texts of at most 128 tokens and is trained by a label of each, all but its embeddings. `own` reads
its own tokens; `mean_50` merges each batch until half of the reduction that whole words would be is reached and gives
the units the mean of their tokens' embeddings; `hypernetwork_100` merges until words are whole, and predicts them (its
weights are not trained here: that costs the same). `drawn` draws a share for each batch from all of [0, 1). A step is
what learns the merges (`merging`, here until words are whole), makes the embeddings, and goes forward and backward; the
optimizer's update is the same for all and left out. `ms` is the median over steps of the processor's time, `gflops`
what torch counts, `tokens` and `places` what was read, without and with padding. Contestants take each batch in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from options import add_network
from texts import read_sentences, read_texts


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="texts as JSON Lines; by default sentences of Python's own library")
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12, help="batches; the first is not counted")
    parser.add_argument("--threads", type=int, default=1)
    add_network(parser, layers=2, width=128, heads=2)
    parser.set_defaults(vocabulary=2048)
    return parser.parse_args()


def tokenizer(texts: list[str], size: int, folder: Path) -> Any:
    """WordPiece of the texts, as an artifact."""
    from tokenizers import processors

    from seedbed.vocabulary.artifact import Tokenizer
    from seedbed.vocabulary.methods.wordpiece import wordpiece

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made = wordpiece(texts, size, special)
    ends = [(token, special.index(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    made.save(str(folder / "tokenizer.json"))
    roles = {f"{token[1:-1].lower()}_token": token for token in special}
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    (folder / "special_tokens_map.json").write_text(json.dumps(roles))
    return Tokenizer(folder)


def readers(network: Any, coder: Any, setting: argparse.Namespace) -> dict[str, Any]:
    """What reads a batch of each contestant."""
    from seedbed.evaluate.dynamic import MergedTraining, UnitReader
    from seedbed.evaluate.finetuning import Classifier
    from seedbed.surgery.initializers.subtokens import mean_of_pieces
    from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor, arrays
    from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes

    old = {"input": network.embedding.weight.detach()}
    sizes = Sizes(setting.width, ("input",), setting.width, 3, setting.heads, residual=False)
    predictor = EmbeddingPredictor(sizes, seed=0)
    embeds: dict[str, Any] = {
        "mean": lambda units: {"input": mean_of_pieces(old["input"], *arrays(units), len(units))},
        "hypernetwork": lambda units: predictor.predict(*arrays(units), len(units), old),
    }
    found: dict[str, Any] = {"own": Classifier.logits}
    for way, embed in embeds.items():
        for name, shares in (("50", [0.5]), ("100", [1.0]), ("drawn", None)):
            reader = UnitReader(coder, "mean", embed)
            found[f"{way}_{name}"] = MergedTraining(reader, shares, 0, setting.rows * setting.steps)
    return found


def measured(setting: argparse.Namespace, folder: Path) -> dict[str, dict[str, list[float]]]:
    """Each contestant's figures, by step."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from seedbed.evaluate.dynamic import MergedBatch, word_rows
    from seedbed.evaluate.finetuning import Classifier
    from seedbed.models import backbones
    from seedbed.models.encoding import Coder

    read = (
        read_sentences(None, setting.megabytes) if setting.data is None else read_texts(setting.data, setting.megabytes)
    )
    artifact = tokenizer(read, setting.vocabulary, folder)
    shape = {"layers": setting.layers, "width": setting.width, "heads": setting.heads, "max_length": setting.length}
    network: Any = backbones.create("encoder", **shape).network(setting.vocabulary, 0, pad=0)
    network.embedding.weight.requires_grad_(False)
    network.train()
    coder = Coder.of(artifact, setting.length)
    chosen = read[:: max(1, len(read) // (setting.rows * setting.steps))][: setting.rows * setting.steps]
    rows = word_rows(coder, chosen, artifact.vocabulary(), "mean")
    classifier = Classifier(network, torch.randn(2, setting.width), torch.zeros(2), 0)
    contestants = readers(network, coder, setting)
    found: dict[str, dict[str, list[float]]] = {}
    inner = network.hidden
    places: list[int] = []

    def hidden(tokens_BL: Any, segments_BL: Any) -> Any:
        places.append(tokens_BL.numel())
        return inner(tokens_BL, segments_BL)

    network.hidden = hidden
    for step in range(setting.steps):
        batch = rows[step * setting.rows : (step + 1) * setting.rows]
        before = time.process_time()
        MergedBatch.of(batch).units(1.0)
        found.setdefault("merging", {}).setdefault("ms", []).append(1000 * (time.process_time() - before))
        for name, reader in contestants.items():
            before = time.process_time()
            reader(classifier, batch).sum().backward()
            took = time.process_time() - before
            if name.endswith("drawn"):
                reader.steps -= 1  # the same share when operations are counted
            with FlopCounterMode(display=False) as counter:
                reader(classifier, batch).sum().backward()
            figures = {"ms": 1000 * took, "gflops": counter.get_total_flops() / 1e9, "places": places[-1]}
            for key, value in figures.items():
                found.setdefault(name, {}).setdefault(key, []).append(float(value))
    for name, reader in contestants.items():
        own = float(sum(len(word) for row in rows for word in row.words))
        found[name]["tokens"] = [0.0, 1.0 if name == "own" else reader.units_N.sum() / (2 * own)]
    return found


def main() -> None:
    import torch

    setting = arguments()
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(setting, Path(folder))
    middle = {  # the first batch warms up; operations and places are means, since shares differ
        name: {key: (statistics.median if key == "ms" else np.mean)(values[1:]) for key, values in figures.items()}
        for name, figures in found.items()
    }
    for name, figures in middle.items():
        ratios = " ".join(f"{key} {value:.4g} ({value / middle['own'][key]:.2f})" for key, value in figures.items())
        print(f"{name:18s} {ratios}")
    if setting.out:
        facts = {key: value for key, value in vars(setting).items() if key != "out"}
        result = {"settings": facts, "torch": torch.__version__, "steps": found, "middle": middle}
        setting.out.write_text(json.dumps(result, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
