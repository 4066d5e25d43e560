"""What a family of models is: configurations and names of tensors, both ways."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

# Hugging Face's name of an activation -> ours. The first name of each is the one that is written.
HF_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "relu": "relu",
    "relu2": "relu2",
    "silu": "silu",
    "swish": "silu",
}


class Part(NamedTuple):
    """A tensor in the folder that makes up `rows` rows of one of our parameters; its shape where it is not theirs.
    `before`: rows of its own ahead of them, which are written as zeros and not read; below zero, how many of ours are
    not written. `also`: tensors that are written as copies of it. `instead`: a tensor that is read in its place where
    there is one. `transposed`: its rows are our columns."""

    name: str
    rows: int
    shape: tuple[int, ...] | None = None
    before: int = 0
    also: tuple[str, ...] = ()
    instead: str | None = None
    transposed: bool = False

    def renamed(self, rename: Callable[[str], str]) -> Part:
        """The same with other names."""
        instead = None if self.instead is None else rename(self.instead)
        return self._replace(name=rename(self.name), also=tuple(map(rename, self.also)), instead=instead)

    def source(self, stored: Container[str]) -> str | None:
        """The tensor that it is read from; None if there is none."""
        return next((name for name in (self.instead, self.name) if name is not None and name in stored), None)


class Family(Protocol):
    """A model type."""

    model_type: str
    prefix: str  # what the full model's tensor names have before those of the bare one (`BertModel`, ...)

    def describes(self, architecture: Architecture) -> bool:
        """Whether the stock class is exactly this network."""

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        """From config.json; raises InputError for what this package does not compute."""

    def config(self, architecture: Architecture) -> dict[str, Any]:
        """config.json of an architecture."""

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        """For each of our parameters the tensors that it is made of, one below the other."""

    def ignored(self, name: str) -> bool:
        """Whether a tensor in a folder is of no use here (poolers, copies of tied weights, buffers)."""


class Config:
    """config.json, read with the defaults of Hugging Face's class and checked against what is computed here."""

    def __init__(self, values: dict[str, Any], key: str) -> None:
        self.values, self.key = values, key

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{self.key}: {name}", "expected a whole number", value=self.values.get(name))
        return value

    def number(self, name: str, default: float) -> float:
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{self.key}: {name}", "expected a number", value=value)
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise InputError(f"{self.key}: {name}", "expected true or false", value=value)
        return value

    def activation(self, name: str, default: str) -> str:
        value = self.values.get(name, default)
        if value not in HF_ACTIVATIONS:
            raise InputError(
                f"{self.key}: {name}", "this activation is not supported", value=value, allowed=HF_ACTIVATIONS
            )
        return HF_ACTIVATIONS[value]

    def refuse(self, name: str, *plain: Any) -> None:
        """An error if an option has a value other than the plain ones (or is absent)."""
        if name in self.values and self.values[name] not in plain:
            raise InputError(
                f"{self.key}: {name}",
                "this option is not supported: the network would compute something else than its own class",
                value=self.values[name],
                allowed=map(str, plain),
            )

    def theta(self, parameters: Any, default: float) -> float:
        """The base of the rotary frequencies, from `rope_parameters` or `rope_scaling`; only plain ones."""
        parameters = parameters or {}
        kind = parameters.get("rope_type", parameters.get("type", "default"))
        if kind != "default" or parameters.get("partial_rotary_factor", 1.0) != 1.0:
            raise InputError(
                f"{self.key}: rope_parameters",
                "scaled or partial rotary positions are not supported",
                value=parameters,
                allowed="rope_type default",
            )
        value = parameters.get("rope_theta")
        return float(default if value is None else value)

    def special(self, **defaults: int) -> dict[str, int | None]:
        """Ids of special tokens as far as the configuration names them (the first where there are several), and those
        that the class has by default where it says nothing of them."""
        found: dict[str, int | None] = {
            name: value for name, value in defaults.items() if f"{name}_token_id" not in self.values
        }
        for name in ("pad", "bos", "eos", "cls", "sep", "mask", "decoder_start"):
            value = self.values.get(f"{name}_token_id")
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, int):
                found[name] = value
        return found


def special_config(architecture: Architecture, *names: str) -> dict[str, int | None]:
    """`pad_token_id` and so on; null where unknown, so that no default of the class steps in."""
    return {f"{name}_token_id": architecture.special.get(name) for name in names}


def hf_activation(name: str) -> str:
    return next(theirs for theirs, ours in HF_ACTIVATIONS.items() if ours == name)


def output_bias(name: str, copy: str, architecture: Architecture) -> Part:
    """The bias of the logits in classes that have it twice: they compute with the copy, which is the same tensor only
    where the output embedding is the input's."""
    return Part(name, architecture.vocabulary_size, also=() if architecture.tied else (copy,), instead=copy)


def with_bias(names: dict[str, tuple[Part, ...]], shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[Part, ...]]:
    """Names of weights, completed with those of the biases that the network has, in the network's order."""
    found = {}
    for ours in shapes:
        if ours in names:
            found[ours] = names[ours]
        elif ours.endswith(".bias"):
            parts = names[ours.removesuffix("bias") + "weight"]
            found[ours] = tuple(Part(part.name.removesuffix("weight") + "bias", part.rows) for part in parts)
    return found
