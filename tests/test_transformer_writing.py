"""attncourse.transformer.model, token by token: steps, states, searches."""

from __future__ import annotations

import torch
from small_transformer import (
    BATCH,
    CLOSE,
    MAX_LEN,
    POSITIONS,
    SOURCE,
    SOURCE_VOCAB,
    TARGET,
    model_of,
    sentences,
)
from support import refused

from attncourse import padding_mask
from attncourse.decoding import beam_search, greedy, select

# Word by word


@POSITIONS
def test_a_step_costs_one_word(positions):
    model = model_of(positions=positions, num_kv_heads=1)
    source, mask, target = sentences()
    state = model.start(source, mask)
    lengths = []
    for layer in model.decoder.layers:
        layer.feed_forward.register_forward_hook(
            lambda module, inputs, output: lengths.append(output.shape[1])
        )
        layer.cross_attention.key_projection.register_forward_hook(
            lambda module, inputs, output: lengths.append("the memory again")
        )
    for position in range(TARGET):
        _, state = model.step(target[:, position], state)
    assert lengths == [1] * 3 * TARGET
    assert state.caches[0].written.key.shape == (BATCH, 1, TARGET, 4)
    assert state.caches[0].memory.key.shape == (BATCH, 1, SOURCE, 4)


def test_a_step_leaves_the_state_as_it_was():
    model = model_of()
    source, mask, target = sentences()
    start = model.start(source, mask)
    first, state = model.step(target[:, 0], start)
    held = [cache.written.key.clone() for cache in state.caches]
    one, _ = model.step(target[:, 1], state)
    other, after = model.step(target[:, 2], state)
    model.step(target[:, 3], after)
    assert (one - other).abs().max() > 0.01
    assert torch.equal(model.step(target[:, 1], state)[0], one)
    assert torch.equal(model.step(target[:, 0], start)[0], first)
    assert all(len(cache.written) == 0 for cache in start.caches)
    for cache, key in zip(state.caches, held, strict=True):
        assert torch.equal(cache.written.key, key)


def test_select_takes_rows_of_every_part_of_a_state():
    model = model_of()
    source, mask, target = sentences()
    _, state = model.step(target[:, 0], model.start(source, mask))
    rows = torch.tensor([1, 1, 0])
    chosen = select(state, rows)
    assert type(chosen) is type(state)
    assert torch.equal(chosen.source_mask, mask[rows])
    for cache, part in zip(chosen.caches, state.caches, strict=True):
        assert torch.equal(cache.written.value, part.written.value[rows])
        assert torch.equal(cache.memory.key, part.memory.key[rows])
        assert cache.memory.complete
    alone = model(source[rows], target[rows, :2], mask[rows])[:, 1]
    torch.testing.assert_close(model.step(target[rows, 1], chosen)[0], alone, **CLOSE)
    assert select(model.start(source), rows).source_mask is None


# Searching

MARKS = {"bos": 1, "eos": 2, "pad": 0}


def greedily_in_parallel(model, source, mask, length: int) -> list[list[int]]:
    """Greedy search without a cache: the whole target is read again for each word."""
    sentences = []
    for row in range(len(source)):
        read, until = [1], int(mask[row].sum())
        while len(read) <= length and 2 not in read[1:]:
            logits = model(source[row : row + 1, :until], torch.tensor([read]))
            read.append(int(logits[0, -1].argmax()))
        sentences.append(read[1:])
    return sentences


@POSITIONS
def test_greedy_search_is_that_without_a_cache(positions):
    # five words, so that the end mark comes early here and late there
    model = model_of(positions=positions, target_vocab_size=5, tie_embeddings=False)
    generator = torch.Generator().manual_seed(6)
    source = torch.randint(SOURCE_VOCAB, (7, SOURCE), generator=generator)
    mask = padding_mask(torch.tensor([7, 4, 1, 6, 2, 3, 5]))
    with torch.no_grad():
        wanted = greedily_in_parallel(model, source, mask, 7)
    written = greedy(model, source, mask, **MARKS, max_length=7)
    for row, length, tokens in zip(written.tokens, written.lengths, wanted, strict=True):
        assert row[:length].tolist() == tokens
    assert len(set(written.lengths.tolist())) > 1


@POSITIONS
def test_a_beam_of_one_is_greedy_search(positions):
    model = model_of(positions=positions)
    source, mask, _ = sentences()
    found = greedy(model, source, mask, **MARKS, max_length=MAX_LEN)
    same = beam_search(model, source, mask, **MARKS, max_length=MAX_LEN, beam_size=1)
    assert torch.equal(found.tokens, same.tokens)
    torch.testing.assert_close(found.log_probability, same.log_probability)


def test_what_a_beam_finds_has_the_probability_that_the_model_gives_it():
    model = model_of(num_kv_heads=1)
    source, mask, _ = sentences()
    found = beam_search(model, source, mask, **MARKS, max_length=6, beam_size=5)
    for row in range(BATCH):
        tokens = found.tokens[row, : found.lengths[row]]
        read = torch.cat([torch.tensor([1]), tokens[:-1]])
        logits = model(source[row : row + 1], read[None], mask[row : row + 1])[0]
        total = logits.log_softmax(-1)[torch.arange(len(tokens)), tokens].sum()
        torch.testing.assert_close(found.log_probability[row], total.detach(), **CLOSE)
    worse = greedy(model, source, mask, **MARKS, max_length=6)
    assert (found.log_probability >= worse.log_probability - 1e-12).all()


def test_steps_that_do_not_fit_are_refused(own_errors):
    model, (source, mask, target) = model_of(), sentences()
    _, state = model.step(target[:, 0], model.start(source, mask))
    with refused(TypeError, "tokens", "int64", "float32"):
        model.step(target[:, 0].float(), state)
    with refused(ValueError, "tokens", "(batch,)"):
        model.step(target, state)
    with refused(ValueError, "tokens", "0 to 30", "got 31"):
        model.step(torch.tensor([3, 31]), state)
    with refused(ValueError, "another model"):
        model_of().step(target[:, 0], state)


def test_a_step_names_the_tokens_that_came(own_errors):
    model, (source, mask, target) = model_of(), sentences()
    state = model.start(source, mask)
    with refused(TypeError, "tokens", "tensor", "list"):
        model.step([3, 4], state)
    with refused(ValueError, "tokens", "(batch,)", "(2, 5)"):
        model.step(target, state)
    with refused(ValueError, "tokens", "batch", "1 and 2"):
        model.step(target[:1, 0], state)
