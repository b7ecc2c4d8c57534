"""`split_heads` (chapter 07)."""

from __future__ import annotations

import torch
from answers import right_answers, unknown_answers, wrong_answers

# -- answers as readers write them -----------------------------------------------------------------


def split_by_reshape(x, num_heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, num_heads, width // num_heads).permute(0, 2, 1, 3).contiguous()


def split_by_chunks(x, num_heads):
    return torch.stack(x.split(x.size(-1) // num_heads, dim=-1), dim=1)


def split_viewed(x, num_heads):
    return x.reshape(x.size(0), num_heads, -1, x.size(2) // num_heads)


def split_interleaved(x, num_heads):
    return torch.stack([x[..., i::num_heads] for i in range(num_heads)], dim=1)


def split_words(x, num_heads):
    return x.reshape(x.size(0), num_heads, x.size(1) // num_heads, x.size(2))


def split_not_moved(x, num_heads):
    return x.reshape(*x.shape[:2], num_heads, -1)


def split_into_the_batch(x, num_heads):
    heads = x.reshape(*x.shape[:2], num_heads, -1).permute(0, 2, 1, 3)
    return heads.reshape(-1, heads.shape[2], heads.shape[3])


test_a_right_answer_in_other_words_passes = right_answers(
    "split_heads", [split_by_reshape, split_by_chunks]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "split_heads",
    [
        (split_viewed, "read straight off the memory"),
        (split_interleaved, "the heads take turns"),
        (split_words, "you cut the words"),
        (split_not_moved, "the heads stand behind the words"),
        (split_into_the_batch, "the heads are folded into the batch"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "split_heads", [lambda x, h: split_by_reshape(x, h).flip(1)]
)
