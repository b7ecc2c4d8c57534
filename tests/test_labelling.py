"""attncourse.language.labelling: the likeliest of all rows of tags that fit together."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse import padding_mask
from attncourse.data.bio import tag_names, tags_to_spans
from attncourse.language import allowed_pairs, legal_tags

TAGS = tag_names(["person", "place"])


def is_legal(tags) -> bool:
    try:
        tags_to_spans(tags)
    except ValueError:
        return False
    return True


def best_of_all(logits: torch.Tensor) -> list[str]:
    """Try every row of tags."""
    scores = logits.double().log_softmax(-1)
    rows = (row for row in product(range(len(TAGS)), repeat=len(scores)))
    legal = (row for row in rows if is_legal([TAGS[i] for i in row]))
    best = max(legal, key=lambda row: sum(scores[i, tag].item() for i, tag in enumerate(row)))
    return [TAGS[i] for i in best]


@given(st.integers(0, 10**6), st.sampled_from([0.3, 1.0, 5.0]))
def test_the_path_is_the_best_of_all_legal_ones(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    lengths = [4, 1, 3]
    found = legal_tags(logits, TAGS, padding_mask=padding_mask(torch.tensor(lengths)))
    for own, row, length in zip(found, logits, lengths, strict=True):
        assert own == best_of_all(row[:length])


def test_what_is_legal_already_stays():
    logits = torch.full((1, 3, 5), -3.0)
    for place, tag in enumerate((1, 2, 0)):  # B-person I-person O
        logits[0, place, tag] = 3.0
    assert legal_tags(logits, TAGS) == [["B-person", "I-person", "O"]]


def test_a_late_word_may_change_an_early_one():
    # By hand: the likeliest of each are O, I-person, I-person, which is illegal. O, O, O has
    # -0.1 - 9 - 9; B, I, I has -1 - 0.1 - 0.1.
    logits = torch.full((1, 3, 5), -30.0)
    logits[0, 0, :2] = torch.tensor([-0.1, -1.0])
    logits[0, 1:, 0], logits[0, 1:, 2] = -9.0, -0.1
    assert legal_tags(logits, TAGS) == [["B-person", "I-person", "I-person"]]


def test_what_stands_at_padding_never_matters():
    logits = torch.randn(2, 5, 5)
    mask = padding_mask(torch.tensor([5, 2]))
    before = legal_tags(logits, TAGS, padding_mask=mask)
    logits[1, 2:] = torch.nan
    assert legal_tags(logits, TAGS, padding_mask=mask) == before
    assert before[1] == legal_tags(logits[1:, :2], TAGS)[0]


def test_a_text_without_words_has_no_tags():
    mask = torch.tensor([[True, True], [False, False]])
    assert legal_tags(torch.zeros(2, 2, 5), TAGS, padding_mask=mask)[1] == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_give_the_same(dtype):
    logits = torch.randn(2, 7, 5).bfloat16()
    assert legal_tags(logits.to(dtype), TAGS) == legal_tags(logits.float(), TAGS)


def test_the_pairs_are_those_of_bio():
    # rows: O, B-person, I-person, B-place, I-place
    assert allowed_pairs(TAGS).int().tolist() == [
        [1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 1, 1],
        [1, 1, 0, 1, 1],
    ]


def test_what_cannot_be_labelled_is_refused(own_errors):
    logits = torch.zeros(2, 3, 5)
    with refused(ValueError, "5 and 3"):
        legal_tags(logits, TAGS[:3])
    with refused(ValueError, "'person'", "B-kind"):
        legal_tags(logits, ["O", "person", *TAGS[2:]])
    with refused(ValueError, "begin", "I-person"):
        legal_tags(logits[..., :1], ["I-person"])
    with refused(TypeError, "logits", "int64"):
        legal_tags(logits.long(), TAGS)
    with refused(ValueError, "padding_mask", "(2, 3)", "(3, 2)"):
        legal_tags(logits, TAGS, padding_mask=torch.ones(3, 2, dtype=torch.bool))
    with refused(ValueError, "padding_mask", "True after False"):
        legal_tags(logits, TAGS, padding_mask=torch.tensor([[True, False, True]] * 2))
    with refused(ValueError, "logits", "finite"):
        legal_tags(logits + torch.nan, TAGS)
