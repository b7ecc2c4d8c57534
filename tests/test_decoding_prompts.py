"""attncourse.decoding with prompts: what is given comes first, and is no part of what is found."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from searched import (
    BOS,
    EOS,
    LOWEST,
    MARKS,
    SEARCHES,
    Markov,
    Remembering,
    ends_after,
    kinds,
    lists,
    log_probability,
    score,
    tables,
    translator,
)
from small_language import VOCAB, causal, texts
from small_transformer import model_of, sentences
from support import refused
from torch import nn

from attncourse import padding_mask
from attncourse.data.batches import pad
from attncourse.decoding import beam_search, greedy, sample
from attncourse.recurrent import AttentionDecoder


def prompts(*given: list[int]) -> dict:
    tokens, lengths = pad(given)
    return {"prompt": tokens, "prompt_mask": padding_mask(lengths)}


class StepByStep:
    """A model that cannot read several tokens at once."""

    def __init__(self, model):
        self.model, self.rows = model, []

    def start(self, source=None, source_mask=None):
        return self.model.start(source, source_mask)

    def step(self, tokens, state):
        self.rows.append(len(tokens))
        return self.model.step(tokens, state)


# By hand


@SEARCHES
def test_a_sentence_goes_on_from_its_prompt(search):
    # counts 3, 4, 5, 6 and ends; from 5 there are two tokens left
    decoded = search(ends_after(5), kinds(1), **MARKS, max_length=7, **prompts([3, 4, 5]))
    assert lists(decoded) == [[6, EOS]]
    assert decoded.log_probability.item() == pytest.approx(0.0, abs=1e-6)


@SEARCHES
def test_prompts_of_several_lengths_go_together(search):
    given = prompts([3], [3, 4, 5, 6], [3, 4])
    decoded = search(ends_after(5, 5, 5), kinds(3), **MARKS, max_length=7, **given)
    assert lists(decoded) == [[4, 5, 6, EOS], [EOS], [5, 6, EOS]]
    assert decoded.tokens[1].tolist() == [EOS, 0, 0, 0]


@SEARCHES
def test_the_longest_length_is_counted_behind_the_prompt(search):
    given = prompts([3], [3, 4, 5, 6, 7], [3, 4])
    decoded = search(ends_after(9, 9, 9), kinds(3), **MARKS, max_length=2, **given)
    assert lists(decoded) == [[4, 5], [8, 9], [5, 6]]


@SEARCHES
def test_an_unlikely_prompt_is_followed_all_the_same(search):
    model = ends_after(5, beside=-9.0)  # padding and then the end
    decoded = search(model, kinds(1), **MARKS, max_length=7, **prompts([3, 0]))
    assert lists(decoded) == [[EOS]]
    assert decoded.log_probability.item() == pytest.approx(0.0, abs=1e-6)


@SEARCHES
def test_the_end_mark_ends_nothing_inside_a_prompt(search):
    logits = torch.full((1, 5, 5), LOWEST, dtype=torch.float64)
    logits[0, EOS, 3] = logits[0, 3, 4] = logits[0, 4, EOS] = logits[0, BOS, 4] = 0.0
    decoded = search(Markov(logits), kinds(1), **MARKS, max_length=7, **prompts([EOS, 3]))
    assert lists(decoded) == [[4, EOS]]


@SEARCHES
def test_without_a_begin_mark_the_prompt_is_read_first(search):
    model = Remembering(tables(3, 7))
    given, marks = prompts([5, 3], [6], [4, 4, 3]), MARKS | {"bos": None}
    search(model, kinds(3), **marks, max_length=1, **given)
    assert [4, 4, 3] in model.read.tolist()
    behind = search(model, kinds(3), **MARKS, max_length=1, **given)
    assert [BOS, 4, 4, 3] in model.read.tolist()
    assert behind.tokens.shape == (3, 1)


@SEARCHES
def test_without_an_end_mark_no_sentence_ends_early(search):
    decoded = search(Markov(tables(5, 4)), kinds(5), **MARKS | {"eos": None}, max_length=9)
    assert decoded.lengths.tolist() == [9] * 5
    assert EOS in decoded.tokens.flatten().tolist()


@SEARCHES
def test_an_empty_prompt_is_none(search):
    model = Markov(tables(3, 7))
    plain = search(model, kinds(3), **MARKS, max_length=9)
    for given in (
        {"prompt": torch.zeros(3, 0, dtype=torch.int64)},
        {"prompt": torch.ones(3, 2).long(), "prompt_mask": torch.zeros(3, 2).bool()},
    ):
        same = search(model, kinds(3), **MARKS, max_length=9, **given)
        assert torch.equal(same.tokens, plain.tokens)
        torch.testing.assert_close(same.log_probability, plain.log_probability)


@SEARCHES
def test_what_stands_at_a_prompts_padding_does_not_matter(search):
    model, given = Markov(tables(2, 7)), prompts([3, 4, 5], [6])
    one = search(model, kinds(2), **MARKS, max_length=5, **given)
    given["prompt"] = given["prompt"].masked_fill(~given["prompt_mask"], -100)
    assert torch.equal(search(model, kinds(2), **MARKS, max_length=5, **given).tokens, one.tokens)


@SEARCHES
def test_no_prompts_give_no_sentences(search):
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    decoded = search(causal(), prompt=nothing, **MARKS, max_length=7)
    assert decoded.tokens.shape == (0, 0)


def test_tokens_are_drawn_by_their_odds_behind_the_prompt():
    logits = torch.zeros(1, 5, 5, dtype=torch.float64)
    logits[0, 3] = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05]).double().log()  # behind 3 alone
    rows = 20_000
    generator = torch.Generator().manual_seed(5)
    given = {"prompt": torch.tensor([[4, 3]]).expand(rows, -1)}
    source = torch.zeros(rows, 1, dtype=torch.int64)
    drawn = sample(Markov(logits), source, **MARKS, max_length=1, **given, generator=generator)
    shares = drawn.tokens[:, 0].bincount(minlength=5) / rows
    for share, odds in zip(shares.tolist(), [0.4, 0.3, 0.15, 0.1, 0.05], strict=True):
        assert abs(share - odds) < 4 * math.sqrt(odds * (1 - odds) / rows)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_a_beam_that_holds_all_finds_the_best_continuation(penalty):
    """Against every continuation of up to three tokens, one by one."""
    model = Remembering(tables(3, 5))
    given = [[3], [4, 3, 3], []]
    found = beam_search(
        model,
        kinds(3),
        **MARKS,
        max_length=3,
        beam_size=200,
        length_penalty=penalty,
        **prompts(*given),
    )
    for kind, prompt in enumerate(given):
        before = log_probability(model, kind, prompt) if prompt else 0.0
        candidates = []
        for length in (1, 2, 3):
            for new in itertools.product(range(5), repeat=length):
                if EOS in new[:-1] or (length < 3 and new[-1] != EOS):
                    continue
                total = log_probability(model, kind, [*prompt, *new]) - before
                candidates.append((score(total, length, penalty), list(new), total))
        _, best, total = max(candidates)
        assert lists(found)[kind] == best
        assert found.log_probability[kind].item() == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(("long", "wanted"), [(-1.3, [4, 6, EOS]), (-1.5, [EOS])])
def test_the_length_penalty_leaves_the_prompt_out(long, wanted):
    """At once the end has -1, divided by 6/6; three tokens have -1.3 or -1.5, divided by 8/6:
    -0.975 or -1.125. With the ten of the prompt, 16/6 and 18/6, the end would win both times."""
    logits = torch.full((1, 17, 17), LOWEST, dtype=torch.float64)
    rest = math.log(1 - math.exp(-1) - math.exp(long))  # ten ways on from 5, none likely
    logits[0, 3, [EOS, 4, 5]] = torch.tensor([-1.0, long, rest], dtype=torch.float64)
    logits[0, 4, 6] = logits[0, 6:, EOS] = logits[0, 5, 7:] = 0.0
    found = beam_search(
        Markov(logits),
        kinds(1),
        **MARKS,
        max_length=5,
        beam_size=4,
        length_penalty=1.0,
        **prompts([3] * 10),
    )
    assert lists(found) == [wanted]


# With the models of the course


def recurrent_case():
    model = translator(AttentionDecoder)
    source, mask = torch.randint(19, (3, 7)), padding_mask(torch.tensor([7, 2, 5]))
    return model, {"source": source, "source_mask": mask}, 13


def transformer_case():
    source, mask, _ = sentences()
    rows = torch.tensor([0, 1, 0])
    model = model_of(
        target_vocab_size=13, tie_embeddings=False, max_len=23, num_layers=1, num_decoder_layers=1
    )
    return model, {"source": source[rows], "source_mask": mask[rows]}, 13


MODELS = pytest.mark.parametrize(
    "case",
    [
        recurrent_case,
        transformer_case,
        lambda: (causal(), {}, VOCAB),
        lambda: (causal(positions="rotary", num_kv_heads=1), {}, VOCAB),
        lambda: (StepByStep(causal()), {}, VOCAB),
    ],
    ids=["recurrent", "Transformer", "causal", "causal, rotary", "causal, step by step"],
)


@MODELS
@SEARCHES
def test_batched_is_one_by_one(search, case):
    model, inputs, vocabulary = case()
    tokens, mask = texts(vocabulary=vocabulary)
    together = search(model, **inputs, prompt=tokens, prompt_mask=mask, **MARKS, max_length=5)
    for row, length in enumerate(mask.sum(1).tolist()):
        one = {name: given[row : row + 1] for name, given in inputs.items()}
        prompt = tokens[row : row + 1, :length]
        alone = search(model, **one, prompt=prompt, **MARKS, max_length=5)
        assert lists(alone) == lists(together)[row : row + 1]
        torch.testing.assert_close(alone.log_probability[0], together.log_probability[row])


@MODELS
def test_greedy_goes_on_where_it_would_have_gone_itself(case):
    model, inputs, _ = case()
    inputs = inputs or {"prompt": torch.zeros(3, 0, dtype=torch.int64)}
    marks = MARKS | {"eos": None}  # each goes on to the last token
    whole = greedy(model, **inputs, **marks, max_length=9)
    inputs.pop("prompt", None)
    for count in (1, 4):
        rest = greedy(
            model, **inputs, prompt=whole.tokens[:, :count], **marks, max_length=9 - count
        )
        assert torch.equal(rest.tokens, whole.tokens[:, count:])


@SEARCHES
def test_the_log_probability_is_that_of_the_forward_pass_behind_the_prompt(search):
    model, (tokens, mask) = causal(), texts()
    found = search(model, prompt=tokens, prompt_mask=mask, **MARKS, max_length=11)
    for row, length in enumerate(mask.sum(1).tolist()):
        new = found.tokens[row, : found.lengths[row]]
        read = torch.cat([torch.tensor([BOS]), tokens[row, :length], new])
        likely = model(read[None])[0].log_softmax(-1)
        total = likely[length : length + len(new)].gather(1, new[:, None]).sum()
        torch.testing.assert_close(found.log_probability[row], total.detach())


def test_what_all_prompts_have_is_read_in_one_pass():
    model, (tokens, mask) = causal(), texts()
    lengths = []
    model.reader.words.register_forward_hook(
        lambda module, inputs, output: lengths.append(output.shape[1])
    )
    slow = StepByStep(causal())
    same = {"prompt": tokens, "prompt_mask": mask, **MARKS, "max_length": 3}
    fast = greedy(model, **same)
    # The shortest has two tokens: with the begin mark, two are read before the last of them.
    assert lengths[:2] == [2, 1]
    assert len(lengths) == 1 + 5 + 3  # the longest has five more, and three are written
    assert torch.equal(fast.tokens, greedy(slow, **same).tokens)
    assert len(slow.rows) == 2 + 5 + 3


@SEARCHES
@pytest.mark.usefixtures("own_errors")
def test_marks_may_be_numpys(search):
    marks = {name: np.int64(mark) for name, mark in MARKS.items()}
    assert len(search(causal(), prompt=texts()[0], **marks, max_length=np.int64(3)).tokens) == 3


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"prompt": None}, TypeError, ["source or prompt"]),
        ({"prompt": [[4]]}, TypeError, ["prompt", "list"]),
        ({"prompt": torch.ones(3, 2)}, TypeError, ["prompt", "int64", "float32"]),
        ({"prompt": torch.ones(3).long()}, ValueError, ["prompt", "(batch, prompt)", "(3,)"]),
        ({"prompt": torch.full((3, 2), VOCAB)}, ValueError, ["from 0 to 30", "got 31"]),
        ({"prompt": torch.full((3, 2), -1)}, ValueError, ["from 0 to 30", "got -1"]),
        ({"prompt": torch.full((3, 24), 5)}, ValueError, ["max_len", "23"]),
        ({"prompt_mask": torch.ones(3, 2)}, TypeError, ["prompt_mask", "float32"]),
        ({"prompt_mask": torch.ones(3, 3).bool()}, ValueError, ["prompt_mask", "(3, 3)"]),
        ({"prompt_mask": torch.tensor([[False, True]] * 3)}, ValueError, ["prompt_mask", "start"]),
        (
            {
                "bos": None,
                "prompt_mask": torch.tensor([[True, True], [False, False], [True, True]]),
            },
            ValueError,
            ["prompt", "at least one token", "text 1"],
        ),
        (
            {"bos": None, "prompt": torch.ones(3, 0).long()},
            ValueError,
            ["prompt", "at least one token", "any"],
        ),
        ({"eos": -1}, ValueError, ["eos", "negative", "-1"]),
        ({"pad": None}, TypeError, ["pad", "integer", "NoneType"]),
        ({"source": torch.ones(3, 5).long()}, TypeError, ["source", "prompt alone"]),
        ({"source": torch.ones(2, 5).long()}, ValueError, ["source and prompt", "2 and 3"]),
    ],
    ids=str,
)
@SEARCHES
def test_what_cannot_be_a_prompt_is_refused(own_errors, search, changes, error, words):
    options = {"prompt": torch.full((3, 2), 5), **MARKS, "max_length": 5} | changes
    with refused(error, *words):
        search(causal(), **options)


@SEARCHES
@pytest.mark.usefixtures("own_errors")
def test_a_prompt_is_missed_where_something_needs_one(search):
    model = ends_after(2)
    with refused(TypeError, "prompt", "bos=None"):
        search(model, kinds(1), **MARKS | {"bos": None}, max_length=3)
    with refused(TypeError, "prompt", "prompt_mask"):
        search(model, kinds(1), **MARKS, max_length=3, prompt_mask=torch.ones(1, 1).bool())


@SEARCHES
def test_a_prompt_that_a_model_cannot_write_is_refused(search):
    """Of a model that does not look at its ids."""

    class Deaf(nn.Module):
        def start(self, source, source_mask):
            return None

        def step(self, tokens, state):
            return torch.zeros(len(tokens), 7), state

    with refused(ValueError, "prompt", "from 0 to 6", "got 7"):
        search(Deaf(), prompt=torch.tensor([[3, 7]]), **MARKS, max_length=3)
