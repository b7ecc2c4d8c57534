"""An exercise of chapter 12: a step of self-attention with a cache of keys and values."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises.ch12._cached_steps import (
    ATTENTIONS,
    along,
    as_it_was,
    by_hand,
    by_torch,
    causal,
    crossed,
    exchanged,
    from_the_first_key,
    keys_and_values_exchanged,
    off,
    only_the_new,
    projected_again,
    raw,
    raw_kept,
    step,
    too_late,
    unmasked,
    unscaled,
    untransposed,
)
from attncourse.exercises.judging import (
    FLOAT64,
    STRIDED,
    Case,
    Input,
    Misconception,
    Several,
    numbers,
)


def cached_step(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = torch.cat([past_key, x @ key_weight.mT], dim=1)  # (batch, past + new, width)
    value = torch.cat([past_value, x @ value_weight.mT], dim=1)
    output = attncourse.attend(x @ query_weight.mT, key, value, causal=True)
    return output, key, value


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
        FLOAT64,
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
                *(too_late(attend) for attend in ATTENTIONS),
                *(too_late(attend, lambda past, new: past) for attend in ATTENTIONS),
            ),
        ),
        Misconception(
            "the cache does not grow: you return it as it came, so the next token will not find "
            "this one",
            tuple(step(attend=attend, keep=as_it_was) for attend in ATTENTIONS),
        ),
        Misconception(
            "what was cached is lost: what you return, or look at, is the new token alone. The new "
            "keys come behind the old ones",
            (
                *(step(attend=attend, keep=only_the_new) for attend in ATTENTIONS),
                *(step(join=lambda past, new: new, attend=attend) for attend in ATTENTIONS),
            ),
        ),
        Misconception(
            "the new keys and values overwrite old ones: a cache of five becomes one of six, its "
            "first five as they were",
            tuple(
                step(join=join, attend=attend)
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
                step(join=lambda past, new: torch.cat([new, past], dim=1), attend=attend)
                for attend in (*ATTENTIONS, from_the_first_key)
            ),
        ),
        Misconception(
            "keys are joined along the wrong axis. A cache is (batch, length, width) and grows in "
            "length: dim=1",
            tuple(
                step(join=along(dim), attend=attend)
                for dim in (0, -1)
                for attend in (
                    *ATTENTIONS,
                    by_torch,
                    by_hand,
                )  # each complains in its own words
            ),
        ),
        Misconception(
            "the mask begins at the first key, as a plain tril() or is_causal=True has it, so a "
            "new token sees the oldest keys only. The queries are the last tokens: "
            "tril(keys - queries)",
            (
                step(attend=from_the_first_key),
                step(
                    attend=lambda query, key, value: F.scaled_dot_product_attention(
                        query, key, value, is_causal=True
                    )
                ),
            ),
        ),
        Misconception(
            "several new tokens see their own future. A single one needs no mask, as all keys are "
            "in its past; three do",
            (step(attend=unmasked),),
        ),
        Misconception(
            "your mask is off by one: a token sees itself and those before it, and no other",
            (step(attend=off(-1)), step(attend=off(1))),
        ),
        Misconception(
            "what is cached is projected again. It holds keys and values, which were projected "
            "when they came: only x is new",
            (projected_again,),
        ),
        Misconception(
            "what you append is not projected. The cache holds keys and values, not the tokens' "
            "vectors",
            (raw_kept, step(raw), step(raw, attend=unmasked)),
        ),
        Misconception(
            "keys and values are exchanged: what comes from past_key and key_weight is compared "
            "with the query, what comes from the other two is averaged",
            (
                exchanged,
                crossed,
                step(keys_and_values_exchanged),
                step(attend=lambda query, key, value: causal(query, value, key)),
            ),
        ),
        Misconception(
            "your scores are not divided by the root of the width",
            (step(attend=unscaled),),
        ),
        Misconception(
            "the weights are not transposed: they are (width, embed), so it is x @ key_weight.mT",
            (step(untransposed),),
        ),
    ),
    hint="Three lines: project x three times, append two of the three to what is cached, attend. "
    "What does the second of three new tokens see? attend(..., causal=True) has the ends meet.",
    solution=cached_step,
)
