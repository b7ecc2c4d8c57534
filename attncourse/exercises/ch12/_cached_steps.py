"""Steps of self-attention with a cache that go wrong in one way each (chapter 12)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

import attncourse


def project(x, query_weight, key_weight, value_weight):
    return x @ query_weight.mT, x @ key_weight.mT, x @ value_weight.mT


def untransposed(x, query_weight, key_weight, value_weight):
    return x @ query_weight, x @ key_weight, x @ value_weight


def keys_and_values_exchanged(x, query_weight, key_weight, value_weight):
    return project(x, query_weight, value_weight, key_weight)


def raw(x, query_weight, key_weight, value_weight):
    return x @ query_weight.mT, x, x


def append(past, new):
    return torch.cat([past, new], dim=1)


def along(dim):
    return lambda past, new: torch.cat([past, new], dim=dim)


def causal(query, key, value):
    return attncourse.attend(query, key, value, causal=True)


def unmasked(query, key, value):
    return attncourse.attend(query, key, value)


def by_torch(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def by_hand(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value


def off(by):
    """Attention whose mask ends so many keys later than it should."""

    def function(query, key, value):
        new, length = query.shape[1], key.shape[1]
        mask = torch.ones(new, length, dtype=torch.bool).tril(length - new + by)
        return attncourse.attend(query, key, value, mask)

    return function


def from_the_first_key(query, key, value):
    mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    return attncourse.attend(query, key, value, mask)


def unscaled(query, key, value):
    return attncourse.attend(query, key, value, scale=1.0, causal=True)


def grown(past, new, joined):
    return joined


def as_it_was(past, new, joined):
    return past


def only_the_new(past, new, joined):
    return new


def step(project=project, join=append, attend=causal, keep=grown):
    """A step, each choice open to be wrong."""

    def function(x, past_key, past_value, *weights):
        query, new_key, new_value = project(x, *weights)
        key, value = join(past_key, new_key), join(past_value, new_value)
        output = attend(query, key, value)
        return output, keep(past_key, new_key, key), keep(past_value, new_value, value)

    return function


def too_late(attend, keep=append):
    """A step that looks before it appends."""

    def function(x, past_key, past_value, *weights):
        query, key, value = project(x, *weights)
        output = attend(query, past_key, past_value)
        return output, keep(past_key, key), keep(past_value, value)

    return function


def projected_again(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = append(past_key, x) @ key_weight.mT
    value = append(past_value, x) @ value_weight.mT
    return causal(x @ query_weight.mT, key, value), key, value


def raw_kept(x, past_key, past_value, query_weight, key_weight, value_weight):
    key, value = append(past_key, x), append(past_value, x)
    return causal(x @ query_weight.mT, key @ key_weight.mT, value @ value_weight.mT), key, value


def exchanged(x, *given):
    output, key, value = step()(x, *given)
    return output, value, key


def crossed(x, past_key, past_value, *weights):
    return step()(x, past_value, past_key, *weights)


ATTENTIONS = (causal, unmasked)
