"""attncourse.transformer.config: presets, parameters by hand, sizes that are refused."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from small_transformer import (
    EMBED,
    FFN,
    MAX_LEN,
    SOURCE_VOCAB,
    TARGET_VOCAB,
    config_of,
)
from support import refused

from attncourse.transformer import (
    PRESETS,
    Transformer,
    TransformerConfig,
)

# How many parameters


def by_hand(d: int, f: int, encoder_layers: int, decoder_layers: int, ids: int) -> int:
    attention, network, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    encoder = attention + network + 2 * norm
    decoder = 2 * attention + network + 3 * norm
    return encoder_layers * encoder + decoder_layers * decoder + ids * d


@pytest.mark.parametrize(
    ("name", "ids", "count"),
    [
        # attention 66,048, network 65,920, norm 256: 4 * 132,480 + 4 * 198,784 + 1,280,000
        ("tiny", 10_000, 2_605_056),
        # attention 1,050,624, network 2,099,712: 6 * 3,152,384 + 6 * 4,204,032 + 18,944,000
        ("base", 37_000, 63_082_496),
        ("small", 10_000, None),
        ("big", 37_000, None),
    ],
)
def test_the_presets_have_as_many_parameters_as_by_hand(name, ids, count):
    config = TransformerConfig.preset(name, ids)
    with torch.device("meta"):
        model = Transformer(config)
    there = sum(weight.numel() for weight in model.parameters())
    layers = config.num_layers
    assert there == by_hand(config.embed_dim, config.ffn_dim, layers, layers, ids)
    assert count in (None, there)


def test_learned_positions_and_other_options_change_the_count():
    def count(**changes) -> int:
        return sum(weight.numel() for weight in Transformer(config_of(**changes)).parameters())

    plain = count()
    assert plain == by_hand(EMBED, FFN, 2, 3, SOURCE_VOCAB)
    assert count(positions="learned") == plain + MAX_LEN * EMBED
    assert count(positions="rotary") == count(positions="none") == plain
    assert count(norm_first=True) == plain + 2 * 2 * EMBED
    assert count(target_vocab_size=TARGET_VOCAB) == plain + TARGET_VOCAB * EMBED
    assert count(tie_embeddings=False) == plain + 2 * SOURCE_VOCAB * EMBED
    # eight attentions: key and value lose two heads of three, 8 wide, and as many biases
    assert count(num_kv_heads=1) == plain - 8 * 2 * 8 * (EMBED + 1)
    # without biases: four in each attention, two in each network
    assert count(bias=False) == plain - 8 * 4 * EMBED - 5 * (EMBED + FFN)


# Configs


def test_the_presets_are_those_of_the_papers():
    base = TransformerConfig.preset("base", 37_000)
    assert (base.embed_dim, base.num_heads, base.ffn_dim, base.num_layers) == (512, 8, 2048, 6)
    big = TransformerConfig.preset("big", 37_000)
    assert (big.embed_dim, big.num_heads, big.ffn_dim, big.num_layers) == (1024, 16, 4096, 6)
    assert (base.dropout, big.dropout) == (0.1, 0.3)
    assert TransformerConfig.preset("base", 97) == TransformerConfig(97)
    assert not base.norm_first
    assert base.tie_embeddings


def test_all_sizes_but_the_first_are_named():
    """Two that could be swapped, as 4 layers of width 64 for 64 of width 4."""
    with refused(TypeError, "positional argument"):
        TransformerConfig(97, 101)


def test_a_preset_takes_changes():
    config = TransformerConfig.preset("tiny", 97, dropout=0.0, positions="rotary")
    assert (config.vocab_size, config.embed_dim, config.dropout) == (97, 128, 0.0)
    assert config.positions == "rotary"
    assert PRESETS["tiny"]["dropout"] == 0.3


def test_a_config_is_a_value():
    config = config_of()
    assert config == config_of()
    assert hash(config) == hash(config_of())
    assert config != config_of(dropout=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dropout = 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_comes_back_from_json(name):
    config = TransformerConfig.preset(name, 97, norm_first=True, num_kv_heads=2)
    assert TransformerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_attribute_that_came_later_has_its_default():
    assert TransformerConfig.from_dict({"vocab_size": 97}) == TransformerConfig(97)


# Bad input


def test_configs_that_make_no_sense_are_refused(own_errors):
    with refused(ValueError, "name", "tiny, small, base, big", "'huge'"):
        TransformerConfig.preset("huge", 97)
    with refused(ValueError, "name", "tiny, small, base, big", "['tiny']"):
        TransformerConfig.preset(["tiny"], 97)
    with refused(TypeError, "heads"):
        TransformerConfig.preset("base", 97, heads=8)
    with refused(ValueError, "vocab_size", "got embed_dim"):
        TransformerConfig.from_dict({"embed_dim": 12})
    with refused(ValueError, "vocab_size", "got vocab_size, width"):
        TransformerConfig.from_dict({"vocab_size": 97, "width": 12})
    with refused(ValueError, "vocab_size", "got list"):
        TransformerConfig.from_dict([97])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"vocab_size": 0}, ValueError, ["vocab_size", "positive", "0"]),
        ({"vocab_size": 3.0}, TypeError, ["vocab_size", "integer", "float"]),
        ({"target_vocab_size": -1}, ValueError, ["target_vocab_size", "positive", "-1"]),
        ({"embed_dim": 0}, ValueError, ["embed_dim", "positive", "0"]),
        ({"embed_dim": 9, "positions": "sinusoidal"}, ValueError, ["embed_dim", "even", "9"]),
        ({"embed_dim": 9, "positions": "rotary"}, ValueError, ["head_dim", "even", "3"]),
        ({"num_heads": 5}, ValueError, ["num_heads", "divide embed_dim", "5 and 12"]),
        ({"num_kv_heads": 2}, ValueError, ["num_kv_heads", "divide num_heads", "2 and 3"]),
        ({"ffn_dim": 1.5}, TypeError, ["ffn_dim", "integer", "float"]),
        ({"num_layers": 0}, ValueError, ["num_layers", "positive", "0"]),
        ({"num_decoder_layers": 0}, ValueError, ["num_decoder_layers", "positive", "0"]),
        ({"num_decoder_layers": 2.0}, TypeError, ["num_decoder_layers", "integer", "float"]),
        ({"dropout": 1.0}, ValueError, ["dropout", "[0, 1)", "1.0"]),
        ({"dropout": -0.1}, ValueError, ["dropout", "-0.1"]),
        ({"norm_eps": -1e-5}, ValueError, ["norm_eps", "not negative", "-1e-05"]),
        ({"norm_eps": math.nan}, ValueError, ["norm_eps", "finite", "nan"]),
        ({"norm_eps": math.inf}, ValueError, ["norm_eps", "finite", "inf"]),
        ({"norm_eps": "small"}, TypeError, ["norm_eps", "number", "str"]),
        ({"norm_eps": True}, TypeError, ["norm_eps", "number", "bool"]),
        (
            {"activation": "tanh"},
            ValueError,
            ["activation", "relu, gelu, gelu_tanh, silu", "'tanh'"],
        ),
        (
            {"activation": ["relu"]},
            ValueError,
            ["activation", "relu, gelu, gelu_tanh, silu", "['relu']"],
        ),
        ({"positions": "rope"}, ValueError, ["positions", "sinusoidal, learned, rotary", "'rope'"]),
        ({"max_len": 0}, ValueError, ["max_len", "positive", "0"]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_sizes_that_do_not_fit_are_refused(own_errors, changes, error, words):
    config = dataclasses.replace(config_of(), **changes)  # the config takes anything
    with refused(error, *words):
        Transformer(config)


def test_a_target_vocabulary_without_words_is_refused(own_errors):
    with refused(ValueError, "target_vocab_size", "positive", "0"):
        Transformer(config_of(target_vocab_size=0))


@pytest.mark.parametrize("given", [{"vocab_size": 31}, 31, None])
def test_what_is_no_config_is_refused(own_errors, given):
    with refused(TypeError, "config", "TransformerConfig", type(given).__name__):
        Transformer(given)
