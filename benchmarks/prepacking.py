"""Prepacking (Zhao et al., 2024): prompts of many lengths in one pass, packed into full rows or padded to the longest.

    python benchmarks/prepacking.py --out benchmarks/results/prepacking.json

A decoder of 4 layers of width 256 gets 256 prompts of log-normal lengths and gives the logits of each one's last token,
as before the first word of an answer. `padded` takes them in the order in which they came, `sorted` takes those of
similar length together (as `seedbed.evaluate` does), `packed` puts several into a row, best fit, longest first, where
each sees only itself and counts its positions from 0. All batches hold at most `--tokens` places. `waste` is the share
of places that are padding, `ms` the median of the rounds for all prompts, making the batches included, `difference` the
largest difference of a logit from that of the prompt alone. Rounds alternate between the three. Attention is computed
for all pairs of a row's places, so a full row of many short prompts costs more of it than short rows would.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from options import add_network

Part = tuple[Any, Any, Any, np.ndarray, np.ndarray]  # tokens, segments, positions, flat places of last tokens, prompts


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--median", type=float, default=60.0, help="tokens of a prompt")
    parser.add_argument("--sigma", type=float, default=1.0, help="of the logarithm of the length")
    parser.add_argument("--longest", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=8192, help="places in a batch")
    add_network(parser, layers=4, width=256, heads=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def prompts(setting: argparse.Namespace) -> Any:
    """A token file whose documents are the prompts."""
    from seedbed.core.counters import generator
    from seedbed.data.artifact import TokenFile

    draw = generator(0, "prompts")
    lengths = np.clip(draw.lognormal(np.log(setting.median), setting.sigma, setting.prompts), 2, setting.longest)
    lengths = lengths.astype(np.int64)
    tokens = draw.integers(5, setting.vocabulary, lengths.sum()).astype(np.uint32)
    return TokenFile(tokens, np.cumsum(lengths) - lengths, lengths, lengths, [""] * len(lengths))


def padded(file: Any, setting: argparse.Namespace, *, by_length: bool) -> Iterator[Part]:
    """A prompt a row."""
    from seedbed.models.encoding import batches, pad

    rows = max(1, setting.tokens // int(file.lengths.max()))
    in_order = [np.arange(start, min(start + rows, setting.prompts)) for start in range(0, setting.prompts, rows)]
    for chosen in batches(file.lengths, setting.tokens) if by_length else in_order:
        tokens_BL, segments_BL = pad([file.document(int(index)).tolist() for index in chosen], 0, setting.device)
        ends = np.arange(len(chosen)) * tokens_BL.shape[1] + file.lengths[chosen] - 1
        yield tokens_BL, segments_BL, None, ends, chosen


def packed(file: Any, setting: argparse.Namespace) -> Iterator[Part]:
    """Several prompts a row, each a segment."""
    import torch

    from seedbed.data.rows import Packer, assemble

    packer = Packer(int(file.lengths.max()), split=False, num_open=setting.prompts)
    for index in np.argsort(-file.lengths, kind="stable").tolist():
        packer.add((0, index, 0, int(file.lengths[index])))
    packer.flush()
    rows = max(1, setting.tokens // packer.length)
    for start in range(0, len(packer.ready), rows):
        chosen = packer.ready[start : start + rows]
        width = max(sum(piece[3] for piece in row) for row in chosen)
        batch = assemble(chosen, [file], ("prompts",), width=width, pad=0, first_row=start)
        arrays = (batch.tokens_BL, batch.segments_BL, batch.positions_BL)
        tokens, segments, positions = (torch.from_numpy(array).to(setting.device) for array in arrays)
        pieces = batch.pieces_N6
        ends = pieces[:, 0] * width + pieces[:, 1] + pieces[:, 2] - 1
        yield tokens, None if batch.is_plain else segments, positions, ends, pieces[:, 4]


def run(network: Any, parts: Iterator[Part], setting: argparse.Namespace) -> tuple[np.ndarray, int]:
    """The logits of every prompt's last token, and the places that were computed."""
    import torch

    logits_NV = np.zeros((setting.prompts, setting.vocabulary), dtype=np.float32)
    places = 0
    with torch.no_grad():
        for tokens, segments, positions, ends, chosen in parts:
            hidden_XD = network.hidden(tokens, segments, positions).flatten(0, 1)
            logits_NV[chosen] = (
                network.logits(hidden_XD[torch.from_numpy(ends).to(setting.device)]).float().cpu().numpy()
            )
            places += tokens.numel()
    return logits_NV, places


def main() -> None:
    """Alternate between the three, and print a table."""
    import torch

    from seedbed.core.machine import machine, versions
    from seedbed.models import backbones

    setting = arguments()
    torch.set_num_threads(setting.threads)
    shape = {"layers": setting.layers, "width": setting.width, "heads": setting.heads, "max_length": setting.longest}
    network = backbones.create("decoder", **shape).network(setting.vocabulary, 0, pad=0).to(setting.device)
    network.use_kernel("products" if setting.device == "cpu" else "sdpa")
    file = prompts(setting)
    ways: dict[str, Any] = {
        "padded": lambda: padded(file, setting, by_length=False),
        "sorted": lambda: padded(file, setting, by_length=True),
        "packed": lambda: packed(file, setting),
    }
    with torch.no_grad():
        alone = []
        for index in range(setting.prompts):
            ids = torch.from_numpy(file.document(index).astype(np.int64))[None].to(setting.device)
            alone.append(network.logits(network.hidden(ids)[0, -1:]).float().cpu().numpy()[0])
    times: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, dict[str, float]] = {}
    for _ in range(setting.rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            logits_NV, places = run(network, way(), setting)
            times[name].append(1e3 * (time.perf_counter() - begin))
            results[name] = {
                "waste": round(1 - file.num_tokens / places, 4),
                "difference": float(np.abs(logits_NV - np.stack(alone)).max()),
            }
    print(f"{setting.prompts} prompts, {file.num_tokens} tokens, the longest {file.lengths.max()}")
    for name, found in results.items():
        found["ms"] = round(statistics.median(times[name]), 1)
        print(f"{name:8} waste {found['waste']:6.1%}   {found['ms']:8.1f} ms   difference {found['difference']:.1e}")
    if setting.out:
        settings = {name: value for name, value in vars(setting).items() if name != "out"}
        facts = {"settings": settings, "machine": machine(), "versions": versions()}
        setting.out.write_text(json.dumps({**facts, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
