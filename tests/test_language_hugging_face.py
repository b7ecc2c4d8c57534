"""attncourse.language.hugging_face: the same models, both ways, and what they write.

That ours give what theirs give with the same weights, `test_contract.py` shows.
"""

from __future__ import annotations

import copy
import warnings

import pytest
import references
import torch
from references import BERT_SIZES, GPT2_SIZES, redrawn
from small_language import LENGTHS, causal, masked, reader, texts
from support import refused

from attncourse.decoding import beam_search, greedy
from attncourse.language import (
    CausalLanguageModel,
    MaskedLanguageModel,
    TextReader,
    from_hugging_face,
    to_hugging_face,
)

KINDS = {
    "BertModel": (TextReader, "BertConfig", BERT_SIZES),
    "BertForMaskedLM": (MaskedLanguageModel, "BertConfig", BERT_SIZES),
    "GPT2LMHeadModel": (CausalLanguageModel, "GPT2Config", GPT2_SIZES),
}
EVERY_KIND = pytest.mark.parametrize("name", KINDS)


def made(hugging_face, name: str, **changes):
    """Make a model of theirs, its weights drawn anew."""
    _, config, sizes = KINDS[name]
    config = getattr(hugging_face, config)(**sizes | changes)
    return redrawn(getattr(hugging_face, name)(config))


def given(theirs) -> tuple[dict, dict]:
    return theirs.config.to_dict(), theirs.state_dict()


@EVERY_KIND
def test_there_and_back_every_weight_is_the_same(hugging_face, name):
    theirs = made(hugging_face, name)
    ours = from_hugging_face(*given(theirs))
    assert type(ours) is KINDS[name][0]
    assert not ours.training
    back, wanted = to_hugging_face(ours), theirs.state_dict()
    assert set(back) == set(wanted)
    for weight, held in wanted.items():
        assert torch.equal(back[weight], held), weight
        assert back[weight].is_contiguous()


@EVERY_KIND
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_theirs_with_our_weights_give_what_ours_give(hugging_face, name, dtype):
    make = {"BertModel": reader, "BertForMaskedLM": masked, "GPT2LMHeadModel": causal}[name]
    options = {"pooler": True} if name == "BertModel" else {}
    ours = make(max_len=references.MAX_LEN, **options).to(dtype)
    theirs = made(hugging_face, name).to(dtype)
    theirs.load_state_dict(to_hugging_face(ours))
    tokens, mask = texts()
    wanted = theirs(tokens, attention_mask=mask.long())[0]
    close = {torch.float32: 1e-5, torch.float64: 1e-10}[dtype]
    found = ours(tokens, padding_mask=mask)
    torch.testing.assert_close(found[mask], wanted[mask], rtol=0, atol=close)


@EVERY_KIND
def test_weights_are_copies(hugging_face, name):
    theirs = made(hugging_face, name)
    ours = from_hugging_face(*given(theirs))
    before = copy.deepcopy(theirs.state_dict())
    with torch.no_grad():
        for weight in [*ours.parameters(), *to_hugging_face(ours).values()]:
            weight.zero_()
    for weight, held in theirs.state_dict().items():
        assert torch.equal(held, before[weight])
    assert all(weight.requires_grad for weight in ours.parameters())


def test_the_masked_head_stays_tied_and_the_activation_is_theirs(hugging_face):
    ours = from_hugging_face(*given(made(hugging_face, "BertForMaskedLM", hidden_act="gelu_new")))
    assert ours.output.weight is ours.reader.words.weight
    assert ours.config.activation == "gelu_tanh"
    assert ours.config.norm_eps == 1e-12
    assert from_hugging_face(*given(made(hugging_face, "GPT2LMHeadModel"))).config.norm_eps == 1e-5


@EVERY_KIND
def test_old_files_hold_masks_and_counters_besides(hugging_face, name):
    config, state = given(made(hugging_face, name))
    more = {"embeddings.position_ids": torch.arange(19), "h.0.attn.bias": torch.ones(1)}
    ours = from_hugging_face(config, state | more)
    assert torch.equal(to_hugging_face(ours)[next(iter(state))], next(iter(state.values())))


# What they write


@pytest.mark.parametrize("row", range(3))
def test_what_is_written_is_what_their_generate_writes(hugging_face, row):
    """One text at a time: theirs pads on the left, and would need other positions told."""
    theirs = made(hugging_face, "GPT2LMHeadModel")
    ours = from_hugging_face(*given(theirs))
    tokens, mask = texts()
    prompts = {"prompt": tokens, "prompt_mask": mask}
    marks = {"bos": None, "eos": None, "pad": 0, "max_length": 9}
    prompt = tokens[row : row + 1, : LENGTHS[row]]
    options = {"max_new_tokens": 9, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = theirs.generate(prompt, **options)
        best = theirs.generate(prompt, **options, num_beams=3, length_penalty=0.0)
    found = greedy(ours, **prompts, **marks)
    assert found.tokens[row].tolist() == one[0, LENGTHS[row] :].tolist()
    found = beam_search(ours, **prompts, **marks, beam_size=3)
    assert found.tokens[row].tolist() == best[0, LENGTHS[row] :].tolist()


# Bad input


@EVERY_KIND
def test_a_weight_too_few_or_too_many_is_refused(hugging_face, name):
    config, state = given(made(hugging_face, name))
    missing = next(weight for weight in state if weight.endswith("wte.weight") or "query" in weight)
    with refused(ValueError, "state", missing, "missing", KINDS[name][0].__name__):
        from_hugging_face(config, {key: held for key, held in state.items() if key != missing})
    with refused(ValueError, "state", "adapter.weight", "unexpected"):
        from_hugging_face(config, state | {"adapter.weight": torch.ones(2)})


@EVERY_KIND
def test_a_weight_of_another_shape_is_refused(hugging_face, name):
    config, state = given(made(hugging_face, name))
    for weight, held in state.items():
        if weight.startswith(("lm_head", "cls.predictions.decoder")):
            continue  # the words', under a second name
        with refused(ValueError, "state", weight, str(tuple(held.shape))):
            from_hugging_face(config, state | {weight: torch.ones(held.shape[0] + 1, 3)})


def test_a_matrix_that_is_not_transposed_is_refused(hugging_face):
    config, state = given(made(hugging_face, "GPT2LMHeadModel"))
    weight = "transformer.h.1.attn.c_attn.weight"
    with refused(ValueError, weight, "(12, 36)", "(36, 12)"):
        from_hugging_face(config, state | {weight: state[weight].T})


def test_an_output_of_its_own_is_refused(hugging_face):
    for name, twin in (
        ("GPT2LMHeadModel", "lm_head.weight"),
        ("BertForMaskedLM", "cls.predictions.decoder.weight"),
    ):
        config, state = given(made(hugging_face, name))
        with refused(ValueError, "state", twin, "two"):
            from_hugging_face(config, state | {twin: state[twin] + 1})


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("BertModel", {"model_type": "roberta"}, ["model_type", "bert or gpt2", "'roberta'"]),
        ("BertModel", {"position_embedding_type": "relative_key"}, ["position_embedding_type"]),
        ("BertModel", {"hidden_act": "swish"}, ["activation", "gelu_new", "'swish'"]),
        ("BertModel", {"is_decoder": True}, ["is_decoder", "False", "True"]),
        ("GPT2LMHeadModel", {"scale_attn_weights": False}, ["scale_attn_weights", "True"]),
        ("GPT2LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}, ["layer_idx", "False"]),
        ("GPT2LMHeadModel", {"tie_word_embeddings": False}, ["tie_word_embeddings", "True"]),
    ],
)
def test_what_the_course_has_not_is_refused(hugging_face, name, changes, words):
    config, state = given(made(hugging_face, name))
    with refused(ValueError, "config", *words):
        from_hugging_face(config | changes, state)


@EVERY_KIND
def test_a_config_without_a_size_is_refused(hugging_face, name):
    config, state = given(made(hugging_face, name))
    for size in ("vocab_size", "hidden_size" if "Bert" in name else "n_positions"):
        with refused(ValueError, "config", size, "missing"):
            from_hugging_face({key: held for key, held in config.items() if key != size}, state)


def test_what_is_no_model_is_refused(hugging_face, own_errors):
    theirs = made(hugging_face, "BertModel")
    config, state = given(theirs)
    with refused(TypeError, "config", "dictionary", "BertConfig"):
        from_hugging_face(theirs.config, state)
    with refused(TypeError, "state", "dictionary", "BertModel"):
        from_hugging_face(config, theirs)
    with refused(TypeError, "model", "Linear"):
        to_hugging_face(torch.nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (causal, {"positions": "rotary"}, ["positions", "GPT-2", "'rotary'"]),
        (causal, {"bias": False}, ["bias", "True", "False"]),
        (causal, {"norm_first": False}, ["norm_first", "True"]),
        (causal, {"num_kv_heads": 1}, ["num_kv_heads", "1"]),
        (masked, {"norm_embeddings": False}, ["norm_embeddings", "BERT", "False"]),
        (reader, {"num_segments": 0}, ["num_segments", "BERT", "0"]),
    ],
)
def test_a_model_with_other_parts_is_not_theirs(make, options, words):
    with refused(ValueError, "model", *words):
        to_hugging_face(make(**options))
