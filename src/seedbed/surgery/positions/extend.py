"""The step `extend_positions`: a trained model that takes longer texts, without training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.surgery.expected import expected_counts
from seedbed.surgery.positions.rule import PositionRule, position_rules

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


@step("extend_positions", gives=Model, papers=["257"])
def extend_positions(
    context: StepContext,
    *,
    model: Model,
    length: int,
    rule: Annotated[PositionRule, position_rules] = "taper",  # type: ignore[assignment]
    sparse: dict[str, int] | None = None,
) -> None:
    """Give a model with a table of positions (of BERT's kind) more of them.

    model: also a plain Hugging Face folder, with its tokenizer. length: the new number of positions. rule: where the
    new rows come from. The old ones stay, so that texts within the old length have the logits that they had; the model
    may be used as it is, or trained on.

    sparse: sizes of block-sparse attention, as of the backbone `encoder`, which KoBigBird (Yang et al., 2023) puts in
    the place of full attention, with the same weights; then short texts have other logits, too, where they are longer
    than what a block sees. None leaves attention as it is, of a cost that grows with the square of the length. Rotary
    positions have no table, and are refused: scaling them changes the logits of short texts too.
    """
    import torch

    from seedbed.models.layers import Embedding
    from seedbed.models.save import save_model

    network = model.network(say=context.say)
    architecture, table = network.architecture, network.position_embedding
    if table is None:
        problem = f"has no table of positions: they are '{architecture.positions}'"
        raise InputError("model", problem, value=str(model.path), allowed="models of BERT's kind (positions: learned)")
    if architecture.decoder_layers:
        raise InputError("model", "is an encoder-decoder, which has two tables of positions", value=str(model.path))
    old, unused = architecture.max_length, architecture.position_offset
    if length <= old:
        raise InputError("length", "must be above the model's own", value=length, allowed=f"above {old}")
    unused_UD, table_PD = table.weight.detach()[:unused], table.weight.detach()[unused:]
    new_ND = rule.extend(table_PD, length - old)
    assert new_ND.shape == (length - old, architecture.table_width) and bool(torch.isfinite(new_ND).all())
    longer = Embedding(unused + length, architecture.table_width)
    longer.weight = torch.nn.Parameter(torch.cat((unused_UD, table_PD, new_ND)))
    network.position_embedding, network.max_length = longer, length
    network.architecture = _longer(architecture, length, sparse)
    context.say(f"{length:,} positions, of which the first {old:,} are the model's own")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    context.counts.update(parameters=parameters, old_length=old, length=length)
    details = {"positions": f"{old} trained, up to {length} by {context.parameters.get('rule')}"}
    card = {"name": context.name, "description": "A model for longer texts, by Seedbed.", "details": details}
    save_model(network, model.tokenizer().path, context.folder, card)
    _tell_tokenizer(context.folder, length)


def _longer(given: Architecture, length: int, sparse: dict[str, int] | None) -> Architecture:
    from seedbed.models.backbone.encoder import BIG_BIRD

    return replace(given, max_length=length, sparse=given.sparse if sparse is None else {**BIG_BIRD, **sparse})


def _tell_tokenizer(folder: Path, length: int) -> None:
    """The tokenizer's own limit, where it has one, at which pipelines of transformers cut texts."""
    from seedbed.vocabulary.artifact import CONFIG_FILE

    path = folder / CONFIG_FILE
    configuration = read_json(path) if path.is_file() else {}
    if configuration.get("model_max_length", length) < length:
        write_json(path, {**configuration, "model_max_length": length})


@extend_positions.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """A few more parameters than before."""
    counts = expected_counts(
        counts_of(parameters["model"]), lambda given: _longer(given, parameters["length"], parameters["sparse"])
    )
    return Estimate(parameters=counts["parameters"], notes="nothing is trained", counts=counts)
