"""The same weights and the same input give the same output as transformers, in both directions."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import transformers

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.models import backbones
from seedbed.models.artifact import Model

TOLERANCE = 1e-4  # on logits of the order of 1, in float32
VOCABULARY = 96
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # large, so that a mistake shows
}
MODERN = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}


def bert(**options: Any) -> Any:
    plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return transformers.BertForMaskedLM(transformers.BertConfig(**{**COMMON, **plain, **options}))


def modernbert(**options: Any) -> Any:
    config = transformers.ModernBertConfig(**{**COMMON, **MODERN, **options}, attn_implementation="eager")
    return transformers.ModernBertForMaskedLM(config)


def llama(**options: Any) -> Any:
    config = transformers.LlamaConfig(**{**COMMON, "bos_token_id": 1, "eos_token_id": 2, **options})
    return transformers.LlamaForCausalLM(config)


def roberta(kind: str = "Roberta", **options: Any) -> Any:
    given = {**COMMON, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1}
    config = getattr(transformers, f"{kind}Config")(**{**given, "layer_norm_eps": 1e-5, **options})
    return getattr(transformers, f"{kind}ForMaskedLM")(config)


def gpt2(**options: Any) -> Any:
    sizes = {"vocab_size": VOCABULARY, "n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 64}
    plain = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.GPT2Config(**{**sizes, **plain, "initializer_range": 0.3, **options})
    return transformers.GPT2LMHeadModel(config)


FOREIGN = {
    "bert": (bert, {}),
    "bert untied": (bert, {"tie_word_embeddings": False}),
    "bert relu": (bert, {"hidden_act": "relu", "type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "bert gelu_new": (bert, {"hidden_act": "gelu_new"}),
    "modernbert global": (modernbert, {"layer_types": ["full_attention"] * 3}),
    "modernbert local": (modernbert, {"local_attention": 6}),
    "modernbert local last": (modernbert, {"layer_types": ["full_attention"] * 2 + ["sliding_attention"]}),
    "modernbert biases": (
        modernbert,
        {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True, "decoder_bias": False},
    ),
    "modernbert relu2": (modernbert, {"hidden_activation": "relu2", "classifier_activation": "silu"}),
    "modernbert untied": (modernbert, {"tie_word_embeddings": False}),
    "llama": (llama, {}),
    "llama tied": (llama, {"tie_word_embeddings": True}),
    "llama grouped": (llama, {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True}),
    "llama one key-value head": (llama, {"num_key_value_heads": 1, "head_dim": 16}),
    "llama theta": (llama, {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    "roberta": (roberta, {}),
    "roberta relu, two types": (roberta, {"hidden_act": "relu", "type_vocab_size": 2}),
    "roberta untied": (roberta, {"tie_word_embeddings": False}),
    "roberta padding first": (roberta, {"pad_token_id": 0, "max_position_embeddings": 65}),
    "gpt2": (gpt2, {}),
    "gpt2 narrow, relu": (gpt2, {"n_inner": 80, "activation_function": "relu", "layer_norm_epsilon": 1e-3}),
    "gpt2 untied": (gpt2, {"tie_word_embeddings": False}),
    "gpt2 unscaled": (gpt2, {"scale_attn_weights": False}),
}


def made(name: str) -> Any:
    torch.manual_seed(3)
    build, options = FOREIGN[name]
    model = build(**options).eval()
    with torch.no_grad():  # biases and norms start as zeros and ones, which would hide their loss
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def tokens(rows: int = 3, length: int = 32) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(5))


def difference(ours: torch.Tensor, theirs: torch.Tensor, what: str) -> float:
    assert ours.shape == theirs.shape
    largest = float((ours - theirs).abs().max())
    print(f"{what}: largest difference of logits {largest:.2e}, logits of {float(theirs.std()):.2f}")
    return largest


@torch.no_grad()
@pytest.mark.parametrize("name", FOREIGN)
def test_loads_what_transformers_saves(name: str, tmp_path: Any) -> None:
    model = made(name)
    model.save_pretrained(tmp_path)
    for kernel in ("products", "sdpa"):
        network = Model.open(tmp_path).network()
        network.use_kernel(kernel)
        ours = network.logits(network.hidden(tokens()))
        assert difference(ours, model(tokens()).logits, f"{name}, {kernel}") < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("name", FOREIGN)
def test_saves_what_transformers_loads(name: str, tmp_path: Any) -> None:
    model = made(name)
    model.save_pretrained(tmp_path / "theirs")
    Model.open(tmp_path / "theirs").network().save(tmp_path / "ours")
    loaded, report = type(model).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    assert difference(loaded(tokens()).logits, model(tokens()).logits, name) < TOLERANCE
    theirs, ours = (read_json(tmp_path / side / "config.json") for side in ("theirs", "ours"))
    for key in set(theirs) & set(ours) - {"transformers_version"}:
        if "dropout" not in key and key != "initializer_range":
            same = ours[key] == theirs[key] or (key, theirs[key]) in (("hidden_act", "gelu_new"), ("n_inner", None))
            assert same, key


@torch.no_grad()
@pytest.mark.parametrize("name", ["bert", "bert untied", "roberta", "roberta untied", "gpt2", "gpt2 untied"])
def test_a_folder_comes_out_as_it_was(name: str, tmp_path: Any) -> None:
    """Rows of RoBERTa's table that no token has included."""
    from safetensors.torch import load_file

    made(name).save_pretrained(tmp_path / "theirs")
    Model.open(tmp_path / "theirs").network().save(tmp_path / "ours")
    theirs, ours = (load_file(tmp_path / side / "model.safetensors") for side in ("theirs", "ours"))
    unused = {"cls.predictions.bias", "lm_head.bias"} if "untied" in name and name.startswith(("b", "r")) else set()
    assert theirs.keys() == ours.keys()
    assert [key for key in theirs if not torch.equal(theirs[key], ours[key]) and key not in unused] == []


OURS = {
    "encoder": ("modernbert", {}),
    "encoder silu, biases, untied": ("modernbert", {"activation": "silu", "bias": True, "tied": False}),
    "encoder as bert": ("bert", {"norm": "post", "positions": "learned", "gated": False, "bias": True}),
    "encoder as bert, untied": (
        "bert",
        {"norm": "post", "positions": "learned", "gated": False, "bias": True, "tied": False},
    ),
    "roberta": ("roberta", {}),
    "roberta untied, relu": ("roberta", {"tied": False, "activation": "relu"}),
    "gpt2": ("gpt2", {}),
    "gpt2 untied, relu": ("gpt2", {"tied": False, "activation": "relu", "feedforward": 80}),
    "decoder": ("llama", {}),
    "decoder grouped, untied, biases": ("llama", {"kv_heads": 2, "tied": False, "bias": True}),
}


@torch.no_grad()
@pytest.mark.parametrize("name", OURS)
def test_our_backbones_are_the_stock_classes(name: str, tmp_path: Any) -> None:
    stock, options = OURS[name]
    backbone = backbones.create(
        name.split(maxsplit=1)[0], layers=2, width=48, heads=4, max_length=64, kernel="products", **options
    )
    assert backbone.stock == stock
    network = backbone.network(VOCABULARY, 7, pad=0)
    network.save(tmp_path)
    auto = transformers.AutoModelForCausalLM if stock in ("llama", "gpt2") else transformers.AutoModelForMaskedLM
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded, report = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    bias = VOCABULARY if stock in ("bert", "roberta") and not options.get("tied", True) else 0  # which is there twice
    assert sum(p.numel() for p in loaded.parameters()) == backbone.num_parameters(VOCABULARY) + bias
    ours = network.logits(network.hidden(tokens()))
    assert difference(ours, loaded.eval()(tokens()).logits, name) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("name", ["bert", "modernbert global", "llama", "roberta", "gpt2 untied"])
def test_bare_models_get_a_head_and_it_is_said(name: str, tmp_path: Any) -> None:
    model = made(name)
    model.base_model.save_pretrained(tmp_path)
    said: list[str] = []
    network = Model.open(tmp_path).network(say=said.append)
    assert len(said) == 1 and "drawn anew" in said[0]
    hidden = network.hidden(tokens())
    assert difference(hidden, model.base_model(tokens()).last_hidden_state, name) < TOLERANCE
    again = Model.open(tmp_path).network()
    assert torch.equal(network.logits(hidden), again.logits(hidden))


@torch.no_grad()
def test_an_output_embedding_of_its_own_counts(tmp_path: Any) -> None:
    """Where a configuration says that it is the input's, transformers goes by the weights; a copy changes nothing."""
    from safetensors.torch import load_file, save_file

    made("llama tied").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for factor, tied in ((1.0, True), (2.0, False)):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * factor
        save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
        network = Model.open(tmp_path).network()
        assert network.architecture.tied == tied
        theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path).eval()(tokens()).logits
        assert difference(network.logits(network.hidden(tokens())), theirs, f"factor {factor}") < TOLERANCE


@torch.no_grad()
def test_reads_shards(tmp_path: Any) -> None:
    model = made("llama grouped")
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    assert not (tmp_path / "model.safetensors").exists() and len(list(tmp_path.glob("*.safetensors"))) > 2
    network = Model.open(tmp_path).network()
    assert difference(network.logits(network.hidden(tokens())), model(tokens()).logits, "shards") < TOLERANCE
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(InputError, match="not in the folder"):
        Model.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("bert", "position_embedding_type", "relative_key"),
        ("bert", "is_decoder", True),
        ("bert", "hidden_act", "mish"),
        ("bert", "num_attention_heads", 5),
        ("llama", "rope_parameters", {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}),
        ("llama", "rope_scaling", {"type": "dynamic", "factor": 2.0}),
        ("llama", "hidden_size", "wide"),
        ("modernbert local", "layer_types", ["full_attention"]),
        ("modernbert local", "norm_bias", "yes"),
        ("bert", "model_type", "berd"),
        ("roberta", "is_decoder", True),
        ("roberta", "position_embedding_type", "relative_key_query"),
        ("roberta", "hidden_act", "mish"),
        ("gpt2", "add_cross_attention", True),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("gpt2", "reorder_and_upcast_attn", True),
        ("gpt2", "activation_function", "mish"),
    ],
)
def test_refuses_what_it_does_not_compute(name: str, key: str, value: Any, tmp_path: Any) -> None:
    made(name).save_pretrained(tmp_path)
    config = read_json(tmp_path / "config.json")
    if key == "rope_scaling":
        config.pop("rope_parameters")
    write_json(tmp_path / "config.json", {**config, key: value})
    with pytest.raises(InputError) as error:
        Model.open(tmp_path).network()
    assert "config.json" in str(error.value) or "heads" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bert.encoder.layer.1.output.dense.bias"), "lacks tensors.*layer.1.output.dense.bias"),
        (lambda t: t.pop("cls.predictions.bias"), "lacks tensors.*cls.predictions.bias"),
        (lambda t: t.update(stray=torch.zeros(1)), "no place for: stray"),
        (lambda t: t.update({"cls.predictions.bias": torch.zeros(7)}), r"shape \(7,\).* \(96,\)"),
    ],
)
def test_tensors_must_fit(change: Any, message: str, tmp_path: Any) -> None:
    from safetensors.torch import load_file, save_file

    made("bert").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=message):
        Model.open(tmp_path).network()


def test_refuses_pickles_and_broken_files(tmp_path: Any) -> None:
    model = made("bert")
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole safetensors"):
        Model.open(tmp_path).network()
    weights.unlink()
    with pytest.raises(InputError, match=r"has no model\.safetensors"):
        Model.open(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickles"):
        Model.open(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        Model.open(tmp_path)
