"""What a transformer is made of, as plain data: the one description that backbones give and networks are built from.

Stock classes of Hugging Face are points in this space (`families/`): BERT is post-norm with learned positions, GPT-2
pre-norm with them and causal attention, ModernBERT pre-norm with rotary positions and a gated feedforward, Llama the
same with root-mean-square norms and causal attention; T5 and BART are a bidirectional and a causal one of the same
settings, and what lies between. No torch here, so that plans can count parameters without importing it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seedbed.core.errors import InputError, unknown_key
from seedbed.models.block import Block, Shapes, built
from seedbed.models.variants import check_variants

ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "relu2", "silu")
ATTENTIONS = ("bidirectional", "causal", "prefix", "encoder-decoder")
POSITIONS = ("rope", "learned", "relative", "alibi", "none")
NORMS = ("pre", "post")
KERNELS = ("auto", "products", "sdpa", "flex")
_TUPLES = ("windows", "mixers", "feedforwards")


@dataclass(frozen=True)
class Architecture:
    """One transformer. Sizes in numbers of elements; `windows` holds for each layer how many tokens attention sees
    to each side, or None for all of them, and is empty where every layer sees all."""

    vocabulary_size: int
    attention: str  # one of ATTENTIONS; "prefix" is causal but for tokens marked as seen by all
    layers: int  # of an encoder-decoder: the encoder's
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feedforward: int
    max_length: int
    norm: str = "pre"
    norm_kind: str = "layer"  # "layer" or "rms"
    norm_eps: float = 1e-5
    norm_bias: bool = False
    embedding_norm: bool = False
    first_norm: bool = True  # whether the first layer's attention has a norm of its own (pre-norm only)
    normformer: bool = False  # norms behind attention and within the feedforward, and a scale of each head (pre-norm)
    positions: str = "rope"
    position_offset: int = 0  # rows of the table of learned positions before that of position 0
    buckets: int = 32  # of distances, where positions are relative
    max_distance: int = 128  # from which on all distances share a bucket
    rope_theta: float = 10_000.0
    local_rope_theta: float = 10_000.0
    windows: tuple[int | None, ...] = ()
    token_types: int = 0  # rows of a table of which row 0 is added to every token, as BERT does
    gated: bool = True
    activation: str = "gelu"
    attention_bias: bool = False
    feedforward_bias: bool = False
    head: bool = False  # dense, activation and norm before the output embedding
    head_activation: str = "gelu"
    head_bias: bool = False
    output_bias: bool = False
    tied: bool = True
    scaled_scores: bool = True  # scores of attention are divided by sqrt(head_width)
    scaled_output: bool = False  # hidden states are divided by sqrt(width) before the output embedding
    decoder_layers: int = 0  # those of an encoder-decoder's decoder
    interleaved: bool = (
        False  # a decoder's layer has a feedforward behind its own attention too, before that over states
    )
    base_width: int | None = None  # of the network whose settings this one takes over (width transfer); None: standard
    mixers: tuple[dict[str, Any] | None, ...] = ()  # {name: settings}, repeated over the layers; None: attention
    feedforwards: tuple[dict[str, Any] | None, ...] = ()  # likewise; None: the dense one
    shared: bool | str = False  # layers have the same weights, but for their norms, or "all": these too
    embedding_width: int | None = None  # of the tables, from which a projection leads to the layers; None: the width
    primitives: int | None = None  # over which tokens have coordinates in their tables (`factored`); None: whole rows
    sparse: dict[str, int] | None = None  # sizes of block-sparse attention: block, window, global, random
    energy_steps: int = 0  # by which a candidate for each next token descends its energy; 0: predictions as usual
    energy_step: float = 1.0  # how many times the gradient a step is at first
    copies: int = 1  # how often each token is read, side by side; the last copy predicts (`copies`)
    copy_window: int = 0  # of how many tokens copies see the copies: 0 or 1, their own token's
    copy_chunk: int | None = None  # of this many tokens, whose copies see each other; None: no bounds but the window
    special: dict[str, int | None] = field(default_factory=dict)  # ids of pad, bos, eos, cls, sep, mask

    def __post_init__(self) -> None:
        for name in (
            "vocabulary_size",
            "layers",
            "width",
            "heads",
            "kv_heads",
            "head_width",
            "feedforward",
            "max_length",
        ):
            if getattr(self, name) < 1:
                raise InputError(name, "must be at least 1", value=getattr(self, name))
        for name, allowed in (
            ("attention", ATTENTIONS),
            ("activation", ACTIVATIONS),
            ("head_activation", ACTIVATIONS),
            ("positions", POSITIONS),
        ):
            if getattr(self, name) not in allowed:
                raise unknown_key(name, str(getattr(self, name)), allowed, name)
        if self.heads % self.kv_heads:
            raise InputError(
                "kv_heads", f"does not divide heads ({self.heads})", value=self.kv_heads, allowed=_divisors(self.heads)
            )
        if self.positions == "rope" and self.head_width % 2:
            raise InputError("heads", "rotary positions need an even width per head", value=self.heads)
        if self.base_width is not None and self.base_width < 1:
            raise InputError("width_transfer", "must be at least 1", value=self.base_width)
        if self.norm_eps <= 0:
            raise InputError("norm_eps", "must be above 0", value=self.norm_eps)
        if self.positions == "relative" and self.buckets < 4:
            raise InputError("buckets", "must be at least 4", value=self.buckets)
        if self.positions == "relative" and self.max_distance <= self.buckets // 2:
            raise InputError("max_distance", f"must be above half of buckets ({self.buckets})", value=self.max_distance)
        if (self.attention == "encoder-decoder") != (self.decoder_layers > 0):
            raise InputError("decoder_layers", "must be at least 1", value=self.decoder_layers)
        assert not (self.decoder_layers and self.windows)
        assert self.norm == "pre" or not self.normformer
        assert self.scaled_scores or self.base_width is None
        assert self.norm in NORMS and self.norm_kind in ("layer", "rms")
        assert not self.windows or len(self.windows) == self.layers
        if self.composed:
            self._check_blocks()
        check_variants(self)

    def _check_blocks(self) -> None:
        for name, refused in (
            ("norm: normformer", self.normformer),
            ("width_transfer", self.base_width is not None),
            ("encoder-decoders", self.decoder_layers > 0),
        ):
            if refused:
                raise InputError(name, "is not for networks with mixers, feedforwards or shared layers")
        for role, block, _ in self.blocks():
            if self.attention not in block.serves:
                raise InputError(role, f"is not for {self.attention} networks", allowed=block.serves)
            if block.normed and self.norm != "pre":
                raise InputError("norm", "must be pre, for the mixer has a norm of its own", value=self.norm)
            block.check(self)

    @property
    def composed(self) -> bool:
        """Whether its layers are others than attention and a dense feedforward, each with weights of its own."""
        return bool(self.mixers or self.feedforwards or self.shared)

    @property
    def goes_on(self) -> bool:
        """Whether what is kept of tokens lets those behind them be read alone (`kept`): causal attention, a decoder's.
        Not so mixers that know no keys, several copies of a token, and descents of an energy."""
        plain = self.copies == 1 and not self.energy_steps and all(block.goes_on for _, block, _ in self.blocks())
        return plain and self.attention != "bidirectional"

    def mixer(self, layer: int) -> Block | None:
        """What stands in place of attention; None is attention."""
        return built("mixer", self.mixers[layer % len(self.mixers)]) if self.mixers else None

    def feedforward_block(self, layer: int) -> Block | None:
        """What stands in place of the dense feedforward; None is the dense one."""
        given = self.feedforwards
        return built("feedforward", given[layer % len(given)]) if given else None

    def has_feedforward(self, layer: int) -> bool:
        mixer = self.mixer(layer)
        return mixer is None or not mixer.alone

    def source(self, layer: int) -> int:
        """The layer whose weights a layer has: the first one of its kind where they are shared, else itself."""
        kinds = math.lcm(len(self.mixers) or 1, len(self.feedforwards) or 1)
        return layer % kinds if self.shared else layer

    def blocks(self) -> Iterator[tuple[str, Block, int]]:
        """Every mixer and feedforward with its role and its layer."""
        for layer in range(self.layers):
            mixer, feedforward = self.mixer(layer), self.feedforward_block(layer)
            if mixer is not None:
                yield "mixer", mixer, layer
            if feedforward is not None and self.has_feedforward(layer):
                yield "feedforward", feedforward, layer

    def block_of(self, name: str) -> tuple[Block, str, int] | None:
        """Of a parameter within a block: the block, the name there, the layer."""
        _, _, rest = name.rpartition("layers.")
        index, _, rest = rest.partition(".")
        role, _, inner = rest.partition(".")
        block = self.mixer(int(index)) if role == "mixer" else None
        block = self.feedforward_block(int(index)) if role == "feedforward" else block
        return None if block is None else (block, inner, int(index))

    @property
    def query_width(self) -> int:
        return self.heads * self.head_width

    @property
    def qkv_width(self) -> int:
        """Columns of the fused projection: queries, keys, values."""
        return self.query_width + 2 * self.kv_width

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_width

    @property
    def table_width(self) -> int:
        """Columns of the embeddings."""
        return self.width if self.embedding_width is None else self.embedding_width

    @property
    def token_width(self) -> int:
        """Columns of the tables of tokens: of vectors, or of coordinates."""
        return self.table_width if self.primitives is None else self.primitives

    @property
    def width_ratio(self) -> float:
        """How many times the width is that of the network whose settings it takes over; 1 without width transfer."""
        return 1.0 if self.base_width is None else self.width / self.base_width

    @property
    def causal(self) -> bool:
        """Whether tokens see none behind them (but for a prefix); of an encoder-decoder's encoder."""
        return self.attention in ("causal", "prefix")

    @property
    def query_scale(self) -> float:
        """By what queries are multiplied, beside 1 / sqrt(head_width): with width transfer scores are divided by the
        width of a head, times 8, which leaves heads of width 64 as they are."""
        if not self.scaled_scores:
            return math.sqrt(self.head_width)
        return 1.0 if self.base_width is None else 8.0 / math.sqrt(self.head_width)

    @property
    def output_table(self) -> str:
        """The parameter that the logits are products with."""
        return "embedding.weight" if self.tied else "output_embedding.weight"

    @property
    def final_norm(self) -> bool:
        return self.norm == "pre"

    @property
    def last_norm(self) -> str:
        """The norm before the logits, by whose gain they can be scaled."""
        if self.head:
            return "head_norm"
        stack = "decoder." if self.decoder_layers else ""
        last = (self.decoder_layers or self.layers) - 1
        return f"{stack}final_norm" if self.final_norm else f"{stack}layers.{last}.feedforward_norm"

    def window(self, layer: int) -> int | None:
        return self.windows[layer] if self.windows else None

    def theta(self, layer: int) -> float:
        return self.rope_theta if self.window(layer) is None else self.local_rope_theta

    def has_attention_norm(self, layer: int) -> bool:
        mixer = self.mixer(layer)
        has = layer > 0 or self.first_norm or self.shared == "all"
        return self.norm == "post" or (has and (mixer is None or not mixer.normed))

    def shapes(self) -> Shapes:
        """Every parameter's name and shape, those of a layer in the order in which the network has them."""
        width = self.table_width
        found: Shapes = self._token_table("embedding")
        for prefix, layers in (("", self.layers), ("decoder.", self.decoder_layers)):
            if not layers:
                continue
            if self.positions == "learned":
                found[f"{prefix}position_embedding.weight"] = (self.max_length + self.position_offset, width)
            if self.positions == "relative":
                found[f"{prefix}distance_embedding.weight"] = (self.buckets, self.heads)
            if self.token_types:
                found[f"{prefix}type_embedding.weight"] = (self.token_types, width)
            if self.embedding_norm:
                found |= self._norm(f"{prefix}embedding_norm", width)
            if self.embedding_width is not None:
                found |= _linear("embedding_projection", self.width, width, True)
            for index in range(layers):
                found |= self._layer(f"{prefix}layers.{index}", index, cross=prefix == "decoder.")
            if self.final_norm:
                found |= self._norm(f"{prefix}final_norm")
        if self.head:
            found |= _linear("head_dense", width, self.width, self.head_bias) | self._norm("head_norm", width)
        if not self.tied:
            found |= self._token_table("output_embedding")
        if self.output_bias:
            found["output_bias"] = (self.vocabulary_size,)
        if self.energy_steps:
            found |= {"energy_head": (self.width,), "energy_step": (1,)}
        return found

    def _token_table(self, name: str) -> Shapes:
        found: Shapes = {f"{name}.weight": (self.vocabulary_size, self.token_width)}
        if self.primitives is not None:
            found[f"{name}.primitives"] = (self.primitives, self.table_width)
        return found

    def _layer(self, name: str, index: int, *, cross: bool) -> Shapes:
        width, bias = self.width, self.attention_bias
        own, mixer, feedforward = self.source(index) == index, self.mixer(index), self.feedforward_block(index)
        normed = own or self.shared != "all"  # by norms of its own
        found: Shapes = {}
        if normed and self.has_attention_norm(index):
            found |= self._norm(f"{name}.attention_norm")
        if own and mixer is not None:
            found |= {f"{name}.mixer.{inner}": shape for inner, shape in mixer.shapes(self, index).items()}
        elif own:
            found |= _linear(f"{name}.qkv", self.qkv_width, width, bias)
            found |= _linear(f"{name}.attention_out", width, self.query_width, bias)
        if normed and self.has_feedforward(index):
            found |= self._norm(f"{name}.feedforward_norm")
        if own and self.has_feedforward(index) and feedforward is not None:
            found |= {f"{name}.feedforward.{inner}": shape for inner, shape in feedforward.shapes(self, index).items()}
        elif own and self.has_feedforward(index):
            inner_width = self.feedforward * (2 if self.gated else 1)
            found |= _linear(f"{name}.feedforward_in", inner_width, width, self.feedforward_bias)
            found |= _linear(f"{name}.feedforward_out", width, self.feedforward, self.feedforward_bias)
        if self.normformer:
            found[f"{name}.head_scale"] = (self.heads,)
            found |= self._norm(f"{name}.attention_out_norm")
            found |= self._norm(f"{name}.feedforward_inner_norm", self.feedforward)
        if cross:
            found |= self._norm(f"{name}.cross_norm")
            found |= _linear(f"{name}.cross.query", self.query_width, width, bias)
            found |= _linear(f"{name}.cross.memory", 2 * self.kv_width, width, bias)
            found |= _linear(f"{name}.cross.attention_out", width, self.query_width, bias)
        if cross and self.interleaved:
            inner_width = self.feedforward * (2 if self.gated else 1)
            found |= self._norm(f"{name}.between_norm")
            found |= _linear(f"{name}.between_feedforward_in", inner_width, width, self.feedforward_bias)
            found |= _linear(f"{name}.between_feedforward_out", width, self.feedforward, self.feedforward_bias)
        return found

    def _norm(self, name: str, width: int | None = None) -> Shapes:
        shape = (width or self.width,)
        return {f"{name}.weight": shape, **({f"{name}.bias": shape} if self.norm_bias else {})}

    def num_parameters(self, *, embeddings: bool = True) -> int:
        """All of them, or those without the tables of embeddings and the bias of the logits."""
        return sum(math.prod(shape) for name, shape in self.shapes().items() if embeddings or not is_table(name))

    def flops_per_token(self, length: int, targets: float = 1.0, written: float | None = None) -> float:
        """Of forward and backward, for a token that is read; see `flops.flops_per_token`."""
        from seedbed.models.flops import flops_per_token

        return flops_per_token(self, length, targets, written)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), **{name: list(getattr(self, name)) for name in _TUPLES}}

    @classmethod
    def from_json(cls, values: dict[str, Any], key: str = "config.json") -> Architecture:
        """From `to_json`; raises InputError on unknown or missing keys."""
        known = {item.name for item in fields(cls)}
        for name in values:
            if name not in known:
                raise unknown_key(key, name, known)
        try:
            return cls(**{**values, **{name: tuple(values.get(name, ())) for name in _TUPLES}})
        except TypeError as error:
            raise InputError(key, f"is not a whole description of a network: {error}") from None


def _linear(name: str, rows: int, columns: int, bias: bool) -> Shapes:
    return {f"{name}.weight": (rows, columns), **({f"{name}.bias": (rows,)} if bias else {})}


def _divisors(number: int) -> list[str]:
    return [str(n) for n in range(1, number + 1) if number % n == 0]


def is_table(name: str) -> bool:
    """Whether a parameter has a row for each token, position or type, or what such rows are made of: an embedding, or
    the bias of the logits."""
    return name.endswith(("embedding.weight", "embedding.primitives")) or name == "output_bias"


def is_hidden(name: str) -> bool:
    """Whether a parameter is a matrix between layers of the network's width (both its dimensions grow with it)."""
    return name.endswith(".weight") and "norm." not in name and not is_table(name)


def head_width_of(width: int, heads: int) -> int:
    """The width of one head; an error if heads do not divide the width."""
    if heads < 1 or width % heads:
        fits = [str(n) for n in range(1, min(width, 256) + 1) if width % n == 0 and (width // n) % 8 == 0]
        raise InputError("heads", f"does not divide width ({width})", value=heads, allowed=fits or _divisors(width))
    return width // heads
