"""What Hugging Face's BERT and GPT-2 call their weights, and what they are here (chapter 18)."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from attncourse.language.causal import CausalLanguageModel
from attncourse.language.config import LanguageModelConfig
from attncourse.language.reader import TextReader

# Tensors that are another one's, under a second name.
TWINS = {
    "lm_head.weight": "transformer.wte.weight",
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
# In files of older versions: counters and causal masks, which are no weights.
NO_WEIGHTS = (".position_ids", ".attn.bias", ".attn.masked_bias")


class Rule(NamedTuple):
    """One tensor of theirs, and what it is here: one tensor, or several that are joined there."""

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False


def rules_of(model: nn.Module) -> list[Rule]:
    """Say which of their tensors is which of ours."""
    if isinstance(model, CausalLanguageModel):
        return _gpt2_rules(model.config)
    if isinstance(model, TextReader):
        return _bert_rules(model.config, ours="", theirs="")
    head = [
        *_both("cls.predictions.transform.dense", "transform"),
        *_both("cls.predictions.transform.LayerNorm", "norm"),
        Rule("cls.predictions.bias", ("output.bias",)),
    ]
    return _bert_rules(model.config, ours="reader.", theirs="bert.") + head


def _bert_rules(config: LanguageModelConfig, *, ours: str, theirs: str) -> list[Rule]:
    rules = [
        Rule("embeddings.word_embeddings.weight", ("words.weight",)),
        Rule("embeddings.position_embeddings.weight", ("positions.weight",)),
        Rule("embeddings.token_type_embeddings.weight", ("segments.weight",)),
        *_both("embeddings.LayerNorm", "norm"),
    ]
    for i in range(config.num_layers):
        there, here = f"encoder.layer.{i}", f"encoder.layers.{i}"
        rules += [
            *_both(f"{there}.attention.self.query", f"{here}.attention.query_projection"),
            *_both(f"{there}.attention.self.key", f"{here}.attention.key_projection"),
            *_both(f"{there}.attention.self.value", f"{here}.attention.value_projection"),
            *_both(f"{there}.attention.output.dense", f"{here}.attention.output_projection"),
            *_both(f"{there}.attention.output.LayerNorm", f"{here}.attention_residual.norm"),
            *_both(f"{there}.intermediate.dense", f"{here}.feed_forward.expand"),
            *_both(f"{there}.output.dense", f"{here}.feed_forward.contract"),
            *_both(f"{there}.output.LayerNorm", f"{here}.feed_forward_residual.norm"),
        ]
    if config.pooler:
        rules += _both("pooler.dense", "pooler")
    return [Rule(theirs + rule.theirs, tuple(ours + name for name in rule.ours)) for rule in rules]


def _gpt2_rules(config: LanguageModelConfig) -> list[Rule]:
    rules = [
        Rule("transformer.wte.weight", ("reader.words.weight",)),
        Rule("transformer.wpe.weight", ("reader.positions.weight",)),
        *_both("transformer.ln_f", "reader.encoder.norm"),
    ]
    for i in range(config.num_layers):
        there, here = f"transformer.h.{i}", f"reader.encoder.layers.{i}"
        joined = [f"{here}.attention.{part}_projection" for part in ("query", "key", "value")]
        rules += [
            *_both(f"{there}.ln_1", f"{here}.attention_residual.norm"),
            *_both(f"{there}.attn.c_attn", *joined, transposed=True),
            *_both(f"{there}.attn.c_proj", f"{here}.attention.output_projection", transposed=True),
            *_both(f"{there}.ln_2", f"{here}.feed_forward_residual.norm"),
            *_both(f"{there}.mlp.c_fc", f"{here}.feed_forward.expand", transposed=True),
            *_both(f"{there}.mlp.c_proj", f"{here}.feed_forward.contract", transposed=True),
        ]
    return rules


def _both(theirs: str, *ours: str, transposed: bool = False) -> list[Rule]:
    """Weight and bias of a layer; a bias is never transposed."""
    weight = Rule(f"{theirs}.weight", tuple(f"{name}.weight" for name in ours), transposed)
    return [weight, Rule(f"{theirs}.bias", tuple(f"{name}.bias" for name in ours))]
