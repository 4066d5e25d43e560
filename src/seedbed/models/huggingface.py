"""Model folders: config.json and safetensors, read into a network and written from one.

Only safetensors are read. Every tensor must have a place and every place a tensor of the right shape; what a folder of
a bare model (`BertModel`, `LlamaModel` ...) lacks is the head, which is drawn anew and said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models.families import Family, family_named, family_of

if TYPE_CHECKING:
    import torch

    from seedbed.models.architecture import Architecture
    from seedbed.models.transformer import Transformer

CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
HEAD = ("head_dense.", "head_norm.", "output_embedding.", "output_bias")


def read_config(folder: Path) -> dict[str, Any]:
    """config.json as it is; raises InputError if there is none or it is broken."""
    path = folder / CONFIG
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise InputError(str(folder), f"has no {CONFIG}, so it is not a model's folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise InputError(str(path), "is not a JSON object")
    return config


def read_architecture(folder: Path) -> tuple[Family, Architecture]:
    """The family of a folder's model, and its architecture; raises InputError for what is not supported."""
    config, key = read_config(folder), str(folder / CONFIG)
    family = family_named(config.get("model_type"), f"{key}: model_type")
    return family, family.architecture(config, key)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, by its index where it is sharded; raises InputError if one is missing."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        try:
            names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
            raise InputError(str(folder / INDEX), "is not an index of safetensors files") from None
        for name in names:
            if Path(name).name != name or not (folder / name).is_file():
                raise InputError(str(folder / INDEX), "names a file that is not in the folder", value=name)
        return [folder / name for name in names]
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
        raise InputError(
            str(folder),
            "holds its weights as pickles, which can run code when they are loaded, and are refused",
            allowed=f"{WEIGHTS}, or {INDEX} with its files",
            fix="convert them where you trust them: AutoModel.from_pretrained(...).save_pretrained(folder)",
        )
    raise InputError(str(folder), f"has no {WEIGHTS}", allowed=f"{WEIGHTS}, or {INDEX} with its files")


def read_network(
    folder: Path, device: torch.device | str = "cpu", say: Callable[[str], None] = lambda line: None
) -> Transformer:
    """The folder's network, in float32; `say` gets one line if the head had to be drawn anew."""
    import torch

    from seedbed.models.initialize import initialize
    from seedbed.models.transformer import Transformer

    family, architecture = read_architecture(folder)
    with _opened(folder) as (shapes, read), torch.no_grad():
        bare = not any(name.startswith(family.prefix) for name in shapes)
        found = {_full_name(name, family, bare): name for name in shapes}
        architecture = _untied(architecture, family, lambda name: read(found[name]) if name in found else None)
        network = Transformer(architecture)
        parameters = dict(network.named_parameters())
        names = family.names(architecture)
        given = {name: shapes[stored] for name, stored in found.items()}
        _check(folder, family, names, parameters, given, bare=bare)
        drawn = [ours for ours, parts in names.items() if parts[0].source(given) is None]
        for ours, parameter in parameters.items():
            if ours in drawn:
                initialize(ours, parameter, 0, architecture)
                continue
            row = 0
            for part in names[ours]:
                rows = parameter[row : row + part.rows]
                source = part.source(found)
                assert source is not None
                value = read(found[source])
                rows.copy_((value.T if part.transposed else value)[part.before :].view_as(rows))
                row += part.rows
    if drawn:
        say(f"{folder}: a bare model without its head; drawn anew: {', '.join(drawn)}")
    return network.to(device)


def write_network(network: Transformer, folder: Path, special: dict[str, int | None] | None = None) -> None:
    """config.json and model.safetensors, as Hugging Face's class of this architecture has them, in float32.

    `special` are ids of special tokens (pad, bos, eos, cls, sep) for the configuration.
    """
    from dataclasses import replace

    import torch
    from safetensors.torch import save_file

    architecture = replace(network.architecture, base_width=None)  # it is folded into the weights
    if special:
        architecture = replace(architecture, special={**architecture.special, **special})
    family = family_of(architecture)
    tensors = {}
    for ours, parameter in network.named_parameters():
        if ours.startswith("extra."):
            continue
        row, folded = 0, network.folded(ours, parameter.detach())
        for part in family.names(architecture)[ours]:
            value = folded[row : row + part.rows].reshape(part.shape or (part.rows, *folded.shape[1:]))
            if part.before > 0:
                value = torch.cat((value.new_zeros(part.before, *value.shape[1:]), value))
            value = value[max(0, -part.before) :]
            value = value.T if part.transposed else value
            for name in (part.name, *part.also):
                tensors[name] = value.to("cpu", torch.float32, copy=True).contiguous()
            row += part.rows
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, {**family.config(architecture), "dtype": "float32", "torch_dtype": "float32"})
    temporary = folder / f".{WEIGHTS}.tmp"
    save_file(tensors, temporary, metadata={"format": "pt"})
    temporary.replace(folder / WEIGHTS)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[dict[str, tuple[int, ...]], Callable[[str], torch.Tensor]]]:
    """Shapes of all tensors in a folder, and a function that reads one."""
    from contextlib import ExitStack

    from safetensors import SafetensorError, safe_open

    with ExitStack() as stack:
        where: dict[str, Any] = {}
        for path in weight_files(folder):
            try:
                file = stack.enter_context(safe_open(path, framework="pt", device="cpu"))
            except SafetensorError as error:
                raise InputError(str(path), f"is not a whole safetensors file: {error}") from None
            where |= dict.fromkeys(file.keys(), file)
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name, file in where.items()}
        yield shapes, lambda name: where[name].get_tensor(name)


def _untied(architecture: Architecture, family: Family, read: Callable[[str], torch.Tensor | None]) -> Architecture:
    """The architecture as the tensors have it: where configurations say that the output embedding is the input's, and a
    folder holds another one, that one counts, as it does for transformers."""
    from dataclasses import replace

    apart = replace(architecture, tied=False)
    names = family.names(apart)
    if not architecture.tied or "output_embedding.weight" not in names:
        return architecture
    output, embedding = (read(names[ours][0].name) for ours in ("output_embedding.weight", "embedding.weight"))
    return architecture if output is None or embedding is None or output.equal(embedding) else apart


def _full_name(name: str, family: Family, bare: bool) -> str:
    """A stored name as the class with the head has it: a bare model's names lack the prefix. Names of BERT's first
    TensorFlow conversions (gamma, beta) become those of today."""
    if family.model_type == "bert":
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return family.prefix + name if bare else name


def _check(
    folder: Path,
    family: Family,
    names: dict[str, tuple[Any, ...]],
    parameters: Mapping[str, torch.Tensor],
    stored: dict[str, tuple[int, ...]],
    *,
    bare: bool,
) -> None:
    """Compare what is stored with what is wanted; a bare model may lack its whole head, and nothing else."""
    key = str(folder)
    assert set(names) == set(parameters)
    wanted = {part.name: (ours, part) for ours, parts in names.items() for part in parts}
    unexpected = sorted(name for name in stored if name not in wanted and not family.ignored(name))
    if unexpected:
        raise InputError(key, f"holds tensors that its configuration has no place for: {_some(unexpected)}")
    missing = sorted(name for name, (_, part) in wanted.items() if part.source(stored) is None)
    head = sorted(name for name, (ours, _) in wanted.items() if ours.startswith(HEAD))
    if missing and not (bare and missing == head):
        raise InputError(key, f"lacks tensors that its configuration asks for: {_some(missing)}")
    for ours, part in wanted.values():
        shape = part.shape or (part.before + part.rows, *parameters[ours].shape[1:])
        shape = shape[::-1] if part.transposed else shape
        source = part.source(stored)
        if source is not None and stored[source] != shape:
            problem = f"has the shape {stored[source]}, but the configuration asks for {shape}"
            raise InputError(f"{key}: {source}", problem)


def _some(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
