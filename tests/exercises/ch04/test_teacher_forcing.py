"""`teacher_forcing` (chapter 04)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse import padding_mask
from attncourse.data.batches import Batch
from attncourse.exercises import EXERCISES


def test_a_batch_is_read_and_asked_for_as_the_package_does():
    batch = Batch.of([([4], [5, 6, 7]), ([4], [8]), ([4], [])])
    read, labels, mask = solve("teacher_forcing", batch.target)
    assert torch.equal(read, batch.decoder_input)
    assert torch.equal(labels, batch.labels)
    assert torch.equal(mask, padding_mask(batch.target_lengths - 1, labels.shape[1]))
    assert read[0].tolist() == [1, 5, 6, 7]
    assert labels[0].tolist() == [5, 6, 7, 2]
    assert mask.sum(1).tolist() == [4, 2, 1]  # the words and the end mark


def test_drawn_targets_are_marked_and_some_are_padded():
    exercise = EXERCISES["teacher_forcing"]
    for seed, case in enumerate(exercise.cases):
        (target,) = exercise.arguments(case, seed)
        assert (target[:, 0] == 1).all()
        assert ((target == 2).sum(1) == 1).all()
        after = (target == 2).cumsum(1).bool() & (target != 2)
        assert (target[after] == 0).all()
        assert (target[~after][:, None] != 0).all()
        assert not after[0].any()
    assert (exercise.arguments(exercise.cases[0], 0)[0] == 0).any()


# -- answers as readers write them -----------------------------------------------------------------


def forcing_by_lengths(target):
    lengths = (target != 0).sum(dim=1)
    place = torch.arange(target.size(1) - 1)
    return target[:, 0:-1], target.roll(-1, dims=1)[:, :-1], place < lengths[:, None] - 1


def forcing_unshifted(target):
    return target, target.clone(), target.ne(0)


def forcing_copied(target):
    read = target[:, : target.shape[1] - 1]
    return read, read.clone(), read.gt(0)


def forcing_backwards(target):
    return target[:, 1:], target[:, :-1], target[:, :-1].ne(0)


def forcing_all_real(target):
    labels = target[:, 1:]
    return target[:, :-1], labels, labels.ge(0)


def forcing_without_end(target):
    labels = target[:, 1:]
    return target[:, :-1], labels, labels.gt(2)


def forcing_early_mask(target):
    mask = target.ne(0)
    return target[:, :-1], target[:, 1:], mask[:, :-1]


test_a_right_answer_in_other_words_passes = right_answers("teacher_forcing", [forcing_by_lengths])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "teacher_forcing",
    [
        (forcing_unshifted, "nothing is shifted"),
        (forcing_copied, "nothing is shifted"),
        (forcing_backwards, "you shift the wrong way"),
        (forcing_all_real, "padding counts as real"),
        (forcing_without_end, "the end mark is not asked for"),
        (forcing_early_mask, "your mask is off by one"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "teacher_forcing", [lambda t: (t[:, :-1], t[:, 1:], t[:, 1:] % 2 == 0)]
)
