"""The step `attach_decoder`: an encoder-decoder out of a trained encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.surgery.expected import expected_counts

if TYPE_CHECKING:
    import torch

    from seedbed.models.architecture import Architecture

Decoder = Literal["copied", "random"]


@step("attach_decoder", gives=Model, papers=["127", "325"])
def attach_decoder(
    context: StepContext,
    *,
    model: Model,
    decoder: Decoder = "copied",
    interleaved: bool = False,
    layers: int | None = None,
    seed: int = 0,
) -> None:
    """Make an encoder-decoder of a trained encoder: its encoder is the model, its decoder reads the model's
    embeddings and has its sizes. To be trained on by `pretrain`.

    decoder: where its layers come from. `copied`: own attention and feedforward of a layer of the encoder, attention
    over the encoder of the same layer's attention (Rothe et al., 2020). `random`: drawn by `seed` (SixT+, Chen et al.,
    2022, whose two stages are two runs of `pretrain`, the first with `trainable: ["decoder.layers*",
    "decoder.final_norm*"]`).
    interleaved: a layer is made like two of the encoder (DeltaLM, Ma et al., 2021, section 2): own attention and a
    feedforward behind it, which are copies of the first, attention over the encoder and the last feedforward, copies
    of the second.
    layers: of the decoder; as many as there are, or half of them where interleaved. Of more than are wanted, those are
    taken that lie evenly between the first and the last.

    The head before the encoder's output embedding, if it has one (BERT's), is left out: the decoder's states are
    multiplied with the embedding. Embeddings of token types become part of those of positions, of which the decoder has
    a copy. A model of BERT's class or RoBERTa's becomes one of BART's, unless interleaved; the small number in the
    norms is then BART's. Not here: SixT+'s encoder without a residual in one of its last layers.
    """
    from seedbed.models.save import save_model
    from seedbed.models.transformer import Transformer

    small = model.network(say=context.say)
    tokenizer = model.tokenizer()
    given = small.architecture
    _check(given, layers)
    architecture = _with_decoder(given, layers, interleaved)
    architecture = replace(architecture, special={**given.special, "decoder_start": tokenizer.vocabulary().pad})
    count = architecture.decoder_layers
    network = Transformer(architecture, seed=seed)
    weights = {name: parameter.detach() for name, parameter in small.named_parameters()}
    copied = _encoder(weights, given, architecture)
    copied |= {f"decoder.{name}": value for name, value in copied.items() if not _own(name)}
    if decoder != "random":
        copied |= _layers(weights, given, count, paired=interleaved)
    own = dict(network.named_parameters())
    import torch

    with torch.no_grad():
        for name, value in copied.items():
            own[name].copy_(value)
    _report(context, architecture, sum(own[name].numel() for name in copied), decoder)
    details = {
        "decoder": f"{count} layers, {decoder}{', interleaved' if interleaved else ''}",
        "encoder": f"of {model.path.name}",
    }
    card = {"name": context.name, "description": "An encoder with a decoder, by Seedbed.", "details": details}
    save_model(network, tokenizer.path, context.folder, card)


def _check(given: Architecture, layers: int | None) -> None:
    if given.attention != "bidirectional":
        raise InputError("model", "is no encoder", value=given.attention, allowed="bidirectional")
    if layers is not None and layers < 1:
        raise InputError("layers", "must be at least 1", value=layers)
    for what, refused in (
        ("windows", any(window is not None for window in given.windows)),
        ("mixers, feedforwards or shared layers", given.composed),
        ("width transfer", given.base_width is not None),
        ("norm: normformer", given.normformer),
    ):
        if refused:
            raise InputError("model", f"an encoder with {what} cannot be given a decoder yet")


def _with_decoder(given: Architecture, layers: int | None, interleaved: bool) -> Architecture:
    """An encoder's with as many layers to write by as are wanted."""
    from seedbed.models.families.bart import OFFSET

    bart = given.norm == "post" and given.positions == "learned"
    return replace(
        given,
        attention="encoder-decoder",
        decoder_layers=layers or (max(1, given.layers // 2) if interleaved else given.layers),
        interleaved=interleaved,
        head=False,
        token_types=0,
        position_offset=OFFSET if bart else given.position_offset,
        norm_eps=1e-5 if bart else given.norm_eps,
    )


def _own(name: str) -> bool:
    """Whether a parameter of the encoder has no like in its decoder: what both read or write by, and the layers."""
    return name.startswith(("embedding.", "distance_", "layers.", "output_"))


def _encoder(
    weights: dict[str, torch.Tensor], given: Architecture, architecture: Architecture
) -> dict[str, torch.Tensor]:
    """The encoder's parameters as those of the encoder-decoder's."""
    import torch

    found = {name: value for name, value in weights.items() if not name.startswith(("head_", "type_embedding"))}
    places = found.get("position_embedding.weight")
    types = weights.get("type_embedding.weight")
    if places is not None:
        places = places if types is None else places + types[0]
        unused = places.new_zeros(architecture.position_offset, places.shape[1])
        found["position_embedding.weight"] = torch.cat((unused, places[given.position_offset :]))
    elif types is not None:
        raise InputError("model", "has token types and no table of positions that could take them in")
    return found


def _layers(
    weights: dict[str, torch.Tensor], given: Architecture, count: int, *, paired: bool
) -> dict[str, torch.Tensor]:
    """The decoder's layers from the encoder's: each from one of them, or from two."""
    units = given.layers // 2 if paired else given.layers
    if count > units:
        problem = "is more than the encoder's layers can make"
        raise InputError("layers", problem, value=count, allowed=f"up to {units}")
    found: dict[str, torch.Tensor] = {}

    def take(new: str, old: str, ours: str, theirs: str, rows: slice = slice(None)) -> None:
        for kind in ("weight", "bias"):
            if f"{old}.{theirs}.{kind}" in weights:
                found[f"{new}.{ours}.{kind}"] = weights[f"{old}.{theirs}.{kind}"][rows]

    for layer in range(count):
        unit = round(layer * (units - 1) / max(1, count - 1)) if count > 1 else units - 1
        first, second = (f"layers.{2 * unit}", f"layers.{2 * unit + 1}") if paired else (f"layers.{unit}",) * 2
        new = f"decoder.layers.{layer}"
        if layer > 0 or given.has_attention_norm(0):
            take(new, first, "attention_norm", "attention_norm")
        take(new, first, "qkv", "qkv")
        take(new, first, "attention_out", "attention_out")
        if paired:
            take(new, first, "between_norm", "feedforward_norm")
            take(new, first, "between_feedforward_in", "feedforward_in")
            take(new, first, "between_feedforward_out", "feedforward_out")
        take(new, second, "cross_norm", "attention_norm")
        take(new, second, "cross.query", "qkv", slice(None, given.query_width))
        take(new, second, "cross.memory", "qkv", slice(given.query_width, None))
        take(new, second, "cross.attention_out", "attention_out")
        for name in ("feedforward_norm", "feedforward_in", "feedforward_out"):
            take(new, second, name, name)
    return found


def _report(context: StepContext, architecture: Architecture, copied: int, decoder: Decoder) -> None:
    parameters = architecture.num_parameters()
    context.counts.update(parameters=parameters, copied=copied, decoder_layers=architecture.decoder_layers)
    context.say(f"{parameters:,} parameters, of which {copied:,} are the encoder's; the decoder is {decoder}")


@attach_decoder.estimate
def estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """No more than reading and writing the weights."""
    counts = expected_counts(
        counts_of(parameters["model"]),
        lambda given: _with_decoder(given, parameters["layers"], parameters["interleaved"]),
    )
    notes = f"a decoder, {parameters['decoder']}"
    return Estimate(seconds=0.0, tokens=0.0, flops=0.0, parameters=counts["parameters"], notes=notes, counts=counts)
