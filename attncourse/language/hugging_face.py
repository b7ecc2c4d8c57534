"""Weights from Hugging Face's BERT and GPT-2, and to them (chapter 18).

The same matrices under other names. Two things besides are different in GPT-2: its linear layers
hold their matrix transposed, (input, output), and query, key and value projection are one:

    query, key, value = c_attn.T.chunk(3)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.language.causal import CausalLanguageModel
from attncourse.language.config import LanguageModelConfig
from attncourse.language.masked import MaskedLanguageModel
from attncourse.language.names import NO_WEIGHTS, TWINS, Rule, rules_of
from attncourse.language.reader import TextReader

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
}
SIZES = {
    "bert": (
        "vocab_size",
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "num_hidden_layers",
        "max_position_embeddings",
    ),
    "gpt2": ("vocab_size", "n_embd", "n_head", "n_layer", "n_positions"),
}
# What would make another model of the same weights, and how it must stand in a config.
PLAIN = {
    "is_decoder": False,
    "add_cross_attention": False,
    "position_embedding_type": "absolute",
    "tie_word_embeddings": True,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
}


def from_hugging_face(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> TextReader | MaskedLanguageModel | CausalLanguageModel:
    """Make of a BERT or a GPT-2 the same model here (chapter 18).

    Args:
        config: theirs as a dictionary, `model.config.to_dict()`.
        state: theirs, `model.state_dict()`, of `BertModel`, `BertForMaskedLM` or
            `GPT2LMHeadModel`.

    Returns:
        `TextReader`, `MaskedLanguageModel` or `CausalLanguageModel`, in evaluation mode, of the
        weights' dtype and device; the weights are copies.

    Raises:
        TypeError: if `config` or `state` is no dictionary.
        ValueError: if it is another model, or one with an option that the course has not; if a
            weight is missing, unexpected, or of another shape.

    Example:
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 1}
        >>> model = CausalLanguageModel(LanguageModelConfig.preset("gpt2", 97, **sizes))
        >>> state = to_hugging_face(model)
        >>> state["transformer.h.0.attn.c_attn.weight"].shape  # (input, query and key and value)
        torch.Size([12, 36])
        >>> theirs = {"model_type": "gpt2", "vocab_size": 97, "n_embd": 12, "n_head": 3}
        >>> theirs |= {"n_inner": 17, "n_layer": 1, "n_positions": 1024}
        >>> same = from_hugging_face(theirs, state)
        >>> torch.equal(same(torch.tensor([[5, 6]])), model.eval()(torch.tensor([[5, 6]])))
        True
    """
    for name, given in (("config", config), ("state", state)):
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a dictionary, got {type(given).__name__}")
    ours = _config(config, state)
    if config["model_type"] == "gpt2":
        model = CausalLanguageModel(ours)
    elif any(name.startswith("cls.") for name in state):
        model = MaskedLanguageModel(ours)
    else:
        model = TextReader(ours)
    rules, held = rules_of(model), model.state_dict()
    _require_weights(model, rules, state)
    copied = {}
    for rule in rules:
        weight = state[rule.theirs]
        parts = (weight.mT if rule.transposed else weight).chunk(len(rule.ours))
        copied |= dict(zip(rule.ours, parts, strict=True))
    if "output.weight" in held:  # one matrix with the embeddings
        copied["output.weight"] = copied["reader.words.weight"]
    some = next(iter(copied.values()))
    model.to(some.device, some.dtype).load_state_dict(copied)
    return model.eval()


def to_hugging_face(
    model: TextReader | MaskedLanguageModel | CausalLanguageModel,
) -> dict[str, Tensor]:
    """Give a model's weights as Hugging Face's models name and hold them (chapter 18).

    Args:
        model: with all that their model has, as `LanguageModelConfig.preset` makes it.

    Returns:
        A state that `BertModel`, `BertForMaskedLM` or `GPT2LMHeadModel` loads; the weights are
        copies.

    Raises:
        TypeError: if it is another model.
        ValueError: if it has a weight that theirs has not, or lacks one.

    Example:
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 1}
        >>> reader = TextReader(LanguageModelConfig.preset("bert", 97, **sizes))
        >>> "encoder.layer.0.attention.self.query.weight" in to_hugging_face(reader)
        True
    """
    if not isinstance(model, (TextReader, MaskedLanguageModel, CausalLanguageModel)):
        raise TypeError(
            "model must be a TextReader, a MaskedLanguageModel or a CausalLanguageModel, got "
            f"{type(model).__name__}"
        )
    _require_their_kind(model.config, bert=not isinstance(model, CausalLanguageModel))
    held, state = model.state_dict(), {}
    for rule in rules_of(model):
        joined = torch.cat([held[name] for name in rule.ours])
        state[rule.theirs] = (joined.mT if rule.transposed else joined).contiguous()
    return state | {name: state[of].clone() for name, of in TWINS.items() if of in state}


def _config(given: Mapping[str, Any], state: Mapping[str, Tensor]) -> LanguageModelConfig:
    """Read their config, or refuse what the course has not."""
    kind = given.get("model_type")
    if kind not in ("bert", "gpt2"):
        raise ValueError(f"config must have the model_type bert or gpt2, got {kind!r}")
    missing = [name for name in SIZES[kind] if name not in given]
    if missing:
        raise ValueError(f"config must hold the sizes of {kind}, but {_some(missing)} missing")
    for name, wanted in PLAIN.items():
        if given.get(name, wanted) != wanted:
            raise ValueError(f"config must have {name}={wanted!r}, got {given[name]!r}")
    if kind == "bert":
        activation = given.get("hidden_act", "gelu")
    else:
        activation = given.get("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"config must have an activation of {', '.join(ACTIVATIONS)}, got {activation!r}"
        )
    if kind == "bert":
        return LanguageModelConfig.preset(
            "bert",
            given["vocab_size"],
            embed_dim=given["hidden_size"],
            num_heads=given["num_attention_heads"],
            ffn_dim=given["intermediate_size"],
            num_layers=given["num_hidden_layers"],
            dropout=given.get("hidden_dropout_prob", 0.1),
            norm_eps=given.get("layer_norm_eps", 1e-12),
            activation=ACTIVATIONS[activation],
            max_len=given["max_position_embeddings"],
            num_segments=given.get("type_vocab_size", 2),
            pooler=any("pooler." in name for name in state),
        )
    return LanguageModelConfig.preset(
        "gpt2",
        given["vocab_size"],
        embed_dim=given["n_embd"],
        num_heads=given["n_head"],
        ffn_dim=given.get("n_inner") or 4 * given["n_embd"],
        num_layers=given["n_layer"],
        dropout=given.get("resid_pdrop", 0.1),
        norm_eps=given.get("layer_norm_epsilon", 1e-5),
        activation=ACTIVATIONS[activation],
        max_len=given["n_positions"],
    )


# What is refused


def _require_weights(model: nn.Module, rules: list[Rule], state: Mapping[str, Tensor]) -> None:
    """Refuse a state with a weight too few or too many, of another shape, or not tied."""
    wanted = {rule.theirs for rule in rules}
    missing = sorted(wanted - set(state))
    unexpected = sorted(
        name for name in set(state) - wanted - set(TWINS) if not name.endswith(NO_WEIGHTS)
    )
    if missing or unexpected:
        raise ValueError(
            f"state must hold the weights of {type(model).__name__}, but {_some(missing)} missing "
            f"and {_some(unexpected)} unexpected"
        )
    held = model.state_dict()
    for rule in rules:
        rows = sum(len(held[name]) for name in rule.ours)
        shape = (rows, *held[rule.ours[0]].shape[1:])
        shape = shape[::-1] if rule.transposed else shape
        if tuple(state[rule.theirs].shape) != shape:
            raise ValueError(
                f"state must hold {rule.theirs} of shape {shape}, got "
                f"{tuple(state[rule.theirs].shape)}"
            )
    for name, of in TWINS.items():
        if of in wanted and name in state and not torch.equal(state[name], state[of]):
            raise ValueError(f"state must hold one tensor as {name} and as {of}, got two")


def _some(names: list[str]) -> str:
    """Name the first few."""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown or 'none'} {'are' if len(names) > 1 else 'is'}"


def _require_their_kind(config: LanguageModelConfig, *, bert: bool) -> None:
    """Refuse a model with other parts than theirs."""
    theirs = {
        "norm_first": not bert,
        "norm_embeddings": bert,
        "bias": True,
        "positions": "learned",
        "num_kv_heads": None,
    }
    for name, wanted in theirs.items():
        if getattr(config, name) != wanted:
            raise ValueError(
                f"model must have {name}={wanted!r}, as {'BERT' if bert else 'GPT-2'} has, got "
                f"{getattr(config, name)!r}"
            )
    if bert and not config.num_segments:
        raise ValueError("model must have num_segments of 1 or more, as BERT has, got 0")
