"""An exercise of chapter 12: a step of self-attention with a cache of keys and values."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises.judging.exercise import STRIDED, Case, Input, Misconception, numbers
from attncourse.exercises.judging.several import Several


def cached_step(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = torch.cat([past_key, x @ key_weight.mT], dim=1)  # (batch, past + new, width)
    value = torch.cat([past_value, x @ value_weight.mT], dim=1)
    output = attncourse.attend(x @ query_weight.mT, key, value, causal=True)
    return output, key, value


# -- the ways to go wrong --------------------------------------------------------------------------


def _project(x, query_weight, key_weight, value_weight):
    return x @ query_weight.mT, x @ key_weight.mT, x @ value_weight.mT


def _untransposed(x, query_weight, key_weight, value_weight):
    return x @ query_weight, x @ key_weight, x @ value_weight


def _keys_and_values_exchanged(x, query_weight, key_weight, value_weight):
    return _project(x, query_weight, value_weight, key_weight)


def _raw(x, query_weight, key_weight, value_weight):
    return x @ query_weight.mT, x, x


def _append(past, new):
    return torch.cat([past, new], dim=1)


def _along(dim):
    return lambda past, new: torch.cat([past, new], dim=dim)


def _causal(query, key, value):
    return attncourse.attend(query, key, value, causal=True)


def _open(query, key, value):
    return attncourse.attend(query, key, value)


def _by_torch(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def _by_hand(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value


def _off(by):
    """Attention whose mask ends so many keys later than it should."""

    def function(query, key, value):
        new, length = query.shape[1], key.shape[1]
        mask = torch.ones(new, length, dtype=torch.bool).tril(length - new + by)
        return attncourse.attend(query, key, value, mask)

    return function


def _from_the_first_key(query, key, value):
    mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    return attncourse.attend(query, key, value, mask)


def _unscaled(query, key, value):
    return attncourse.attend(query, key, value, scale=1.0, causal=True)


def _grown(past, new, joined):
    return joined


def _as_it_was(past, new, joined):
    return past


def _only_the_new(past, new, joined):
    return new


def _step(project=_project, join=_append, attend=_causal, keep=_grown):
    """A step, each choice open to be wrong."""

    def function(x, past_key, past_value, *weights):
        query, new_key, new_value = project(x, *weights)
        key, value = join(past_key, new_key), join(past_value, new_value)
        output = attend(query, key, value)
        return output, keep(past_key, new_key, key), keep(past_value, new_value, value)

    return function


def _too_late(attend, keep=_append):
    """A step that looks before it appends."""

    def function(x, past_key, past_value, *weights):
        query, key, value = _project(x, *weights)
        output = attend(query, past_key, past_value)
        return output, keep(past_key, key), keep(past_value, value)

    return function


def _projected_again(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = _append(past_key, x) @ key_weight.mT
    value = _append(past_value, x) @ value_weight.mT
    return _causal(x @ query_weight.mT, key, value), key, value


def _raw_kept(x, past_key, past_value, query_weight, key_weight, value_weight):
    key, value = _append(past_key, x), _append(past_value, x)
    return _causal(x @ query_weight.mT, key @ key_weight.mT, value @ value_weight.mT), key, value


def _exchanged(x, *given):
    output, key, value = cached_step(x, *given)
    return output, value, key


def _crossed(x, past_key, past_value, *weights):
    return cached_step(x, past_value, past_key, *weights)


ATTENTIONS = (_causal, _open)
WEIGHTS = tuple(
    Input(name, "width embed", draw=lambda *given: numbers(*given) / 2)
    for name in ("query_weight", "key_weight")
)

EXERCISE = Several(
    name="cached_step",
    chapter="12",
    signature="cached_step(x, past_key, past_value, query_weight, key_weight, value_weight) "
    "-> output (batch, new, width), key, value: each (batch, past + new, width)",
    parts=("output", "key", "value"),
    inputs=(
        Input("x", "batch new embed"),
        Input("past_key", "batch past width"),
        Input("past_value", "batch past width"),
        *WEIGHTS,
        Input("value_weight", "width embed"),
    ),
    sizes={"batch": 2, "new": 3, "past": 5, "embed": 7, "width": 11},
    cases=(
        Case(label="one token after five", sizes={"new": 1}),
        Case(
            label="three tokens after five",
            hint="Several tokens at once hide their future from each other. The last query stands "
            "at the last key.",
        ),
        Case(label="as many new tokens as are cached", sizes={"new": 3, "past": 3}),
        Case(label="one token after one", sizes={"new": 1, "past": 1}),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="as many sentences as are tokens cached", sizes={"batch": 5, "past": 5}),
        Case(label="inputs as wide as the keys", sizes={"embed": 7, "width": 7}),
        STRIDED,
        Case(label="float64", dtype=torch.float64),
        Case(label="bfloat16", dtype=torch.bfloat16, scale={"query_weight": 0.25}),
        # In bfloat16, where gradients are not compared: what is empty has none.
        *(
            Case(
                label=label,
                sizes={"new": new, "past": 0},
                dtype=torch.bfloat16,
                scale={"query_weight": 0.25},
                hint="The cache is empty then, (batch, 0, width): torch.cat takes that as it is.",
            )
            for label, new in (
                ("the first token, when nothing is cached", 1),
                ("three tokens at once, when nothing is cached", 3),
            )
        ),
    ),
    misconceptions=(
        Misconception(
            "the new keys and values are appended too late: the token looks at what was cached "
            "before it, and not at itself. Append first, then attend",
            (
                *(_too_late(attend) for attend in ATTENTIONS),
                *(_too_late(attend, lambda past, new: past) for attend in ATTENTIONS),
            ),
        ),
        Misconception(
            "the cache does not grow: you return it as it came, so the next token will not find "
            "this one",
            tuple(_step(attend=attend, keep=_as_it_was) for attend in ATTENTIONS),
        ),
        Misconception(
            "what was cached is lost: what you return, or look at, is the new token alone. The new "
            "keys come behind the old ones",
            (
                *(_step(attend=attend, keep=_only_the_new) for attend in ATTENTIONS),
                *(_step(join=lambda past, new: new, attend=attend) for attend in ATTENTIONS),
            ),
        ),
        Misconception(
            "the new keys and values overwrite old ones: a cache of five becomes one of six, its "
            "first five as they were",
            tuple(
                _step(join=join, attend=attend)
                for join in (
                    lambda past, new: torch.cat([past[:, new.shape[1] :], new], dim=1),
                    lambda past, new: torch.cat([past[:, 1:], new], dim=1),
                    lambda past, new: torch.cat([past[:, :-1], new], dim=1),
                    lambda past, new: torch.cat([new, past[:, new.shape[1] :]], dim=1),
                )
                for attend in ATTENTIONS
            ),
        ),
        Misconception(
            "the new keys and values stand before the old ones. The order is that of the tokens: "
            "the mask counts on it, and so does the next step",
            tuple(
                _step(join=lambda past, new: torch.cat([new, past], dim=1), attend=attend)
                for attend in (*ATTENTIONS, _from_the_first_key)
            ),
        ),
        Misconception(
            "keys are joined along the wrong axis. A cache is (batch, length, width) and grows in "
            "length: dim=1",
            tuple(
                _step(join=_along(dim), attend=attend)
                for dim in (0, -1)
                for attend in (*ATTENTIONS, _by_torch, _by_hand)  # each complains in its own words
            ),
        ),
        Misconception(
            "the mask begins at the first key, as a plain tril() or is_causal=True has it, so a "
            "new token sees the oldest keys only. The queries are the last tokens: "
            "tril(keys - queries)",
            (
                _step(attend=_from_the_first_key),
                _step(
                    attend=lambda query, key, value: F.scaled_dot_product_attention(
                        query, key, value, is_causal=True
                    )
                ),
            ),
        ),
        Misconception(
            "several new tokens see their own future. A single one needs no mask, as all keys are "
            "in its past; three do",
            (_step(attend=_open),),
        ),
        Misconception(
            "your mask is off by one: a token sees itself and those before it, and no other",
            (_step(attend=_off(-1)), _step(attend=_off(1))),
        ),
        Misconception(
            "what is cached is projected again. It holds keys and values, which were projected "
            "when they came: only x is new",
            (_projected_again,),
        ),
        Misconception(
            "what you append is not projected. The cache holds keys and values, not the tokens' "
            "vectors",
            (_raw_kept, _step(_raw), _step(_raw, attend=_open)),
        ),
        Misconception(
            "keys and values are exchanged: what comes from past_key and key_weight is compared "
            "with the query, what comes from the other two is averaged",
            (
                _exchanged,
                _crossed,
                _step(_keys_and_values_exchanged),
                _step(attend=lambda query, key, value: _causal(query, value, key)),
            ),
        ),
        Misconception(
            "your scores are not divided by the root of the width",
            (_step(attend=_unscaled),),
        ),
        Misconception(
            "the weights are not transposed: they are (width, embed), so it is x @ key_weight.mT",
            (_step(_untransposed),),
        ),
    ),
    hint="Three lines: project x three times, append two of the three to what is cached, attend. "
    "What does the second of three new tokens see? attend(..., causal=True) has the ends meet.",
    solution=cached_step,
)
