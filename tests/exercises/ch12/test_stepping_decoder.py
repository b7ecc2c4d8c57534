"""`stepping_decoder` (chapter 12)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


def test_decoding_in_pieces_is_decoding_at_once():
    x, codes, memory = normal(2, 7, 5), normal(11, 5), normal(2, 3, 5)
    empty = normal(2, 0, 5)
    whole, *_ = solve("stepping_decoder", x, codes, empty, memory)
    outputs, past, kept = [], empty, memory
    for start, end in ((0, 1), (1, 2), (2, 5), (5, 7)):
        output, past, kept = solve("stepping_decoder", x[:, start:end], codes, past, kept)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    torch.testing.assert_close(past, x + codes[:7])
    assert torch.equal(kept, memory)


def test_the_broken_decoder_forgets_order_and_grows_its_source():
    x, codes, memory = normal(1, 1, 4), normal(9, 4), normal(1, 2, 4)
    past = normal(1, 3, 4)
    output, kept, source = broken("stepping_decoder")(x, codes, past, memory)
    assert kept.shape == (1, 4, 4)
    assert source.shape == (1, 3, 4)
    turned = broken("stepping_decoder")(x, codes, past.flip(1), memory)[0]
    torch.testing.assert_close(turned, output)
    torch.testing.assert_close(kept[:, 3], x[:, 0] + codes[0])


def test_of_two_faults_one_is_named_and_the_other_once_that_is_mended():
    assert said(check("stepping_decoder", broken("stepping_decoder"))).startswith(
        "every token stands at position 0"
    )
    for half, says in (
        (_stepping(_onwards, _more), "the source grows with what is written"),
        (_stepping(lambda t, n: torch.arange(n)), "every token stands at position 0"),
    ):
        assert said(check("stepping_decoder", half)).startswith(says)
    assert check("stepping_decoder", _stepping(_onwards)).passed


# -- answers as readers write them -----------------------------------------------------------------


def stepping_by_places(x, codes, past, memory):
    place = torch.arange(past.shape[1], past.shape[1] + x.shape[1])
    x = x + codes[place]
    past = torch.cat((past, x), 1)
    x = x + attend(x, past, past, place[:, None] >= torch.arange(past.shape[1]))
    return x + F.scaled_dot_product_attention(x, memory, memory), past, memory


def _causal(query, key, value):
    return attend(query, key, value, causal=True)


def _stepping(place, source=lambda memory, x: memory, look=_causal):
    def answer(x, codes, past, memory):
        x = x + codes[place(past.size(1), x.size(1))]
        past = torch.cat([past, x], 1)
        x = x + look(x, past, past)
        memory = source(memory, x)
        return x + F.scaled_dot_product_attention(x, memory, memory), past, memory

    return answer


def _onwards(written, new):
    return torch.arange(written, written + new)


def _more(memory, x):
    return torch.cat([memory, x], 1)


test_a_right_answer_in_other_words_passes = right_answers("stepping_decoder", [stepping_by_places])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "stepping_decoder",
    [
        (_stepping(lambda t, n: torch.arange(n)), "every token stands at position"),
        (_stepping(_onwards, _more), "the source grows with what is written"),
        (_stepping(_onwards, lambda m, x: torch.cat([m, m], 1)), "twice over"),
        (_stepping(lambda t, n: torch.full((n,), t)), "get one position"),
        (_stepping(lambda t, n: _onwards(t + 1, n)), "the positions are off by one"),
        (_stepping(_onwards, look=attend), "see their own future"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "stepping_decoder", [lambda x, *given: stepping_by_places(1.5 * x, *given)]
)
