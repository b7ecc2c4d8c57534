"""The numbers of `chapters/common_mistakes.md`, asserted, and the tests that it names, found."""

from __future__ import annotations

import doctest
import inspect
import math
import re
from itertools import permutations
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from references import copy_multi_head, redrawn
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from attncourse import (
    DotProductScore,
    MultiHeadAttention,
    NadarayaWatson,
    attend,
    attention_weights,
    causal_mask,
    masked_softmax,
    padding_mask,
    record_attention,
)
from attncourse.data.vocabulary import UNK, Vocabulary
from attncourse.kernels import log_kernel
from attncourse.metrics import (
    alignment_error_rate,
    bleu,
    bootstrap_interval,
    comparable_bleu,
    log_likelihood,
    perplexity,
)
from attncourse.positions import SinusoidalPositions
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder, gru_step
from attncourse.training import sequence_loss
from attncourse.transformer import (
    Decoder,
    Encoder,
    EncoderLayer,
    FeedForward,
    Residual,
    Transformer,
    TransformerConfig,
)

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "chapters" / "common_mistakes.md"
tensor = torch.tensor

# The mistakes that need an example of two lines: those of the five sources, those of popular
# courses, and those of the chapters that apply attention.
NEED_AN_EXAMPLE = """
printed-result view softmax-axis no-query denominator additive-value weights-are-values
heads-split-words one-vector static root-faster code-repeats

mask-training-only position-zero polarity empty-row mask-after reads-padding padding-loss
bleu-four forced-free vocabulary-leak map-without-mask vanish epanechnikov invariant explanation

one-score pieces mixed-logarithms copy-lies bounded-scores known-names written-off guess-among-ten
one-entry late-question last-map list-order iou-alone best-for-each raw-agreement

visible-answer mean-perplexity fixed-period
mask-cheaper approximation only-faster shared-order window-counts mean-of-distances
"""


def fenced(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def examples() -> dict[str, str]:
    """Give the examples of the page by the mistake that they show."""
    page = PAGE.read_text(encoding="utf-8")
    _, *parts = re.split(r"^\(mistake-([\w-]+)\)=$", page, flags=re.MULTILINE)
    found = {label: fenced("pycon", text) for label, text in zip(*[iter(parts)] * 2, strict=True)}
    return {label: each[0] for label, each in found.items() if each}


def failures(example: str) -> str:
    """Run an example behind the first lines of the page, and say what came out otherwise."""
    names: dict[str, object] = {}
    exec(fenced("python", PAGE.read_text(encoding="utf-8"))[0], names)
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest(example, names, "example", None, None)
    doctest.DocTestRunner().run(test, out=said.append)
    return "".join(said)


def approx(*numbers: float, to: float = 0.005) -> object:
    return pytest.approx(list(numbers), abs=to)


def test_every_test_that_the_page_names_exists():
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    named = re.findall(r'`(test_\w+\.py)`: ("[^"]+"(?:, "[^"]+")*)', page)
    assert len(named) > 10
    for file, sentences in named:
        code = (TESTS / file).read_text(encoding="utf-8")
        for sentence in re.findall(r'"([^"]+)"', sentences):
            name = "test_" + re.sub(r"\W+", "_", sentence.lower())
            assert re.search(rf"def {name}\b", code), f"{file} has no {name}"


@pytest.mark.parametrize("label", examples())
def test_an_example_of_two_lines_shows_the_mistake(label):
    example = examples()[label]
    lines = example.splitlines()
    assert len([line for line in lines if line.startswith(">>> ")]) == 2
    assert not any(line.startswith("...") for line in lines)
    assert not failures(example)


def test_every_mistake_that_needs_an_example_has_one():
    assert not set(NEED_AN_EXAMPLE.split()) - set(examples())


def test_an_example_that_says_something_else_is_red():
    example = examples()["mask-after"]
    assert "Expected" in failures(example.replace("0.0007", "1."))


def test_a_sum_of_a_query_part_and_a_key_part_does_not_see_the_query():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (2, 5))
    parts = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    weights = (query @ parts[0][:, None] + (key @ parts[1])[None]).softmax(-1)  # (query, key)
    assert (weights[0] - weights[1]).abs().max() < 1e-12


def test_a_long_key_beats_the_query_itself():
    key = tensor([[1.0, 0.0], [3.0, 3.0]])
    weights = attention_weights(tensor([[1.0, 0.0]]), key, score=DotProductScore())
    assert weights[0].tolist() == approx(0.12, 0.88)
    assert F.cosine_similarity(key[:1], key[1:]).item() == pytest.approx(math.cos(math.pi / 4))


def test_doubling_every_pair_changes_nothing():
    query, key, value = torch.randn(2, 3), torch.randn(5, 3), torch.randn(5, 7)
    doubled = attend(query, key.repeat(2, 1), value.repeat(2, 1))
    torch.testing.assert_close(doubled, attend(query, key, value))


def test_an_index_gone_wrong_makes_every_weight_equal():
    kernel = log_kernel(tensor([0.0, 1.0, 2.0])).exp()
    assert (kernel / (3 * kernel)).tolist() == approx(*[1 / 3] * 3)


def test_a_softmax_of_the_kernel_is_nearly_flat():
    weights = log_kernel(tensor([0.0, 1e3])).exp().softmax(0)
    assert (weights[0] / weights[1]).item() == pytest.approx(math.e)


def test_half_way_the_triangle_is_lower_than_the_parabola():
    half = tensor(0.5)
    assert log_kernel(half, "triangular").exp().item() == pytest.approx(0.5)
    assert log_kernel(half, "epanechnikov").exp().item() == pytest.approx(0.75)


def test_with_unequal_keys_kernel_and_dot_product_choose_differently():
    query, key = tensor([[1.0, 0.0]]), tensor([[1.0, 0.0], [3.0, 0.0]])
    near = attention_weights(query, key, score=NadarayaWatson().score)
    long = attention_weights(query, key, score=DotProductScore())
    assert near[0].tolist() == approx(0.88, 0.12)
    assert long[0].tolist() == approx(0.12, 0.88)


def test_out_of_reach_there_is_nothing_to_average():
    points = tensor([[0.0], [1.0]])
    assert NadarayaWatson("epanechnikov")(tensor([[9.0]]), points, points).item() == 0


def test_the_softmax_of_the_formula_overflows():
    huge = tensor([1000.0, 1001.0])
    assert (huge.exp() / huge.exp().sum()).isnan().all()
    assert huge.softmax(0).tolist() == approx(0.27, 0.73)
    assert tensor([88.0, 89.0]).exp().isinf().tolist() == [False, True]
    assert tensor([11.0, 12.0]).half().exp().isinf().tolist() == [False, True]


def test_over_the_wrong_axis_rows_do_not_sum_to_one():
    assert torch.zeros(2, 4).softmax(0).sum(-1).tolist() == [2, 2]


def test_softmax_sees_differences_only():
    assert torch.full((4,), -100.0).softmax(0).tolist() == [0.25] * 4


def test_the_jacobian_of_a_saturated_softmax_is_nearly_zero():
    weights = tensor([0.0, 20.0], dtype=torch.float64).softmax(0)
    jacobian = weights.diag() - weights.outer(weights)
    assert 2.0e-9 < jacobian.abs().max() < 2.1e-9


def test_the_wrong_root_makes_scores_too_small():
    assert math.sqrt(512) == pytest.approx(22.6, abs=0.05)
    assert math.sqrt(64) / math.sqrt(512) == pytest.approx(0.35, abs=0.005)
    assert math.sqrt(512) / math.sqrt(64) == pytest.approx(2.83, abs=0.005)


def test_a_cosine_gives_the_best_of_ten_less_than_half():
    scores = F.one_hot(tensor(0), 10) * 2.0 - 1.0  # one cosine of 1, nine of -1
    assert scores.softmax(0).amax().item() == pytest.approx(0.45, abs=0.005)
    assert math.log(9 * 9) == pytest.approx(4.4, abs=0.05)


def test_a_view_deals_the_numbers_of_one_token_to_others():
    tokens = torch.arange(5)[:, None].expand(5, 8).contiguous()
    assert tokens.view(5, 2, 4).transpose(0, 1)[1, :, 0].tolist() == [0, 1, 2, 3, 4]
    assert tokens.view(2, 5, 4)[1, :, 0].tolist() == [2, 3, 3, 4, 4]


def test_a_mask_after_the_softmax_leaves_next_to_nothing():
    scores, mask = tensor([1.0, 1.0, 9.0]), tensor([True, True, False])
    assert (scores.softmax(0) * mask).sum().item() == pytest.approx(0.0007, abs=5e-5)
    assert masked_softmax(scores, mask).tolist() == [0.5, 0.5, 0]


def test_the_other_polarity_reads_only_the_padding():
    query, key = torch.zeros(1, 1, 2), torch.zeros(1, 5, 2)
    mask = padding_mask(tensor([3]), 5)[:, None]
    assert attention_weights(query, key, mask)[0, 0].tolist() == approx(*[1 / 3] * 3, 0, 0)
    assert attention_weights(query, key, ~mask)[0, 0].tolist() == [0, 0, 0, 0.5, 0.5]
    assert attention_weights(query, key)[0, 0].tolist() == approx(*[0.2] * 5)


def test_pytorchs_multihead_attention_ignores_where_true():
    layer, x = torch.nn.MultiheadAttention(2, 1, batch_first=True), torch.randn(1, 5, 2)
    weights = layer(x, x, x, key_padding_mask=padding_mask(tensor([3]), 5))[1]
    assert (weights[0, 0] > 0).tolist() == [False, False, False, True, True]


def test_neither_a_large_number_nor_infinity_makes_an_empty_row():
    assert torch.full((4,), -1e9).softmax(0).tolist() == [0.25] * 4
    assert torch.full((4,), -torch.inf).softmax(0).isnan().all()
    assert tensor(-1e9).half().isinf()
    with pytest.raises(RuntimeError, match="overflow"):
        torch.zeros(4, dtype=torch.float16).masked_fill(torch.ones(4, dtype=torch.bool), -1e9)


def test_a_weight_of_zero_does_not_silence_infinity():
    weights, value = tensor([[1.0, 0.0]]), tensor([[1.0], [torch.inf]])
    assert (weights @ value).isnan().all()


def test_pytorchs_causal_flag_is_aligned_at_the_start():
    query, key, value = torch.zeros(1, 2, 1), torch.zeros(1, 3, 1), torch.eye(3)[None]
    start = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    assert start[0, 1].tolist() == approx(0.5, 0.5, 0)
    end = attend(query, key, value, causal_mask(2, 3))
    assert end[0, 1].tolist() == approx(*[1 / 3] * 3)


def test_pytorch_stretches_a_batch_in_silence():
    query, key = torch.zeros(1, 2, 3), torch.zeros(8, 5, 3)
    assert F.scaled_dot_product_attention(query, key, key).shape == (8, 2, 3)


def test_a_view_that_fits_by_luck_gives_weights_of_one():
    layer = torch.nn.Linear(64, 1)
    lucky = torch.randn(2, 64, 8, 8).flatten(2)  # 64 channels, 64 positions
    assert (layer(lucky).softmax(dim=2) == 1).all()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(torch.randn(2, 64, 9, 9).flatten(2))


def test_dropped_weights_sum_to_one_only_on_average():
    weights = attention_weights(torch.zeros(4000, 1), torch.zeros(4, 1), dropout=0.5)
    assert weights.sum(-1).unique().tolist() == [0, 0.5, 1, 1.5, 2]
    assert weights.sum(-1).mean().item() == pytest.approx(1, abs=0.05)


# Part II


def test_a_vocabulary_of_everything_knows_the_words_of_the_test(d2l):
    class Four(d2l.MTFraEng):
        def _download(self):
            pairs = ["the dog sleeps .\tle chien dort ."] * 2
            return "\n".join(pairs + ["the zebra sleeps .\tle zèbre dort ."] * 2)

    learnt, tested = ["the dog sleeps ."] * 2, ["the zebra sleeps ."] * 2
    vocabulary = Vocabulary.build(learnt)
    ids = [number for sentence in tested for number in vocabulary.encode(sentence)]
    assert (ids.count(UNK), len(ids)) == (2, 8)
    leaky = Four(batch_size=2, num_train=2, num_val=2).src_vocab
    assert leaky["zebra"] != leaky.unk
    sizes = inspect.signature(d2l.MTFraEng.__init__).parameters
    assert [sizes[name].default for name in ("num_train", "num_val")] == [512, 128]


def test_a_model_that_repeats_shines_where_the_target_is_not_shifted():
    target = torch.arange(1, 8)[None]
    logits = torch.full((1, 7, 100), math.log(0.01 / 99))
    logits.scatter_(-1, target[..., None], math.log(0.99))  # 0.99 for what it reads
    real = torch.ones(1, 6, dtype=torch.bool)
    unshifted = sequence_loss(logits[:, :-1], target[:, :-1], real)
    shifted = sequence_loss(logits[:, :-1], target[:, 1:], real)
    assert [unshifted.item(), shifted.item()] == approx(0.01, 9.2)
    assert math.log(100) == pytest.approx(4.6, abs=0.01)


def test_padding_flatters_a_model_that_knows_nothing():
    mask = padding_mask(tensor([5, 5]), 20)
    logits = torch.zeros(2, 20, 10_000)
    logits[~mask, 0] = 50.0  # it knows when to pad, and nothing else
    labels = torch.where(mask, 7, 0)
    everywhere = sequence_loss(logits, labels, torch.ones_like(mask)).item()
    real = sequence_loss(logits, labels, mask).item()
    assert [everywhere, real] == approx(2.3, 9.2, to=0.05)
    assert [math.exp(everywhere), math.exp(real)] == pytest.approx([10, 10_000], rel=1e-4)


def test_the_mean_of_two_means_is_not_the_mean():
    nats = tensor([[4.0], *[[1.0]] * 9])  # (token, 1)
    logits = torch.stack([-nats, (1 - (-nats).exp()).log()], -1)
    labels, mask = torch.zeros(10, 1, dtype=torch.int64), torch.ones(10, 1, dtype=torch.bool)

    def loss(rows):
        return sequence_loss(logits[rows], labels[rows], mask[rows]).item()

    assert (loss(slice(1)) + loss(slice(1, 10))) / 2 == pytest.approx(2.5)
    assert loss(slice(10)) == pytest.approx(1.3)


def test_the_same_model_has_two_perplexities():
    text = tensor([[1, 2, 4, 5, 6, 7]])
    mask = torch.ones_like(text, dtype=torch.bool)

    def answers(read):
        rows = torch.full((1, 6, 10), math.log(0.1 / 9))
        return rows.scatter_(-1, read[..., None] + 1, math.log(0.9))

    forced = tensor([[0, 1, 2, 4, 5, 6]])  # the true text so far
    own = tensor([[0, 1, 2, 3, 4, 5]])  # what the model writes: always the successor
    assert answers(own).argmax(-1)[:, :-1].equal(own[:, 1:])
    found = [perplexity(*log_likelihood(answers(read), text, mask)) for read in (forced, own)]
    assert found == approx(2.3, 20.8, to=0.05)


def test_ten_paddings_leave_a_thousandth():
    state, nothing = torch.ones(1, 1), torch.zeros(1, 3)
    for _ in range(10):
        state = gru_step(nothing, nothing, state)
    assert state.item() == 1 / 1024


def test_d2ls_encoder_leaves_the_lengths_unused(d2l):
    theirs = d2l.Seq2SeqEncoder(11, 5, 7, 1)
    ours = GRUEncoder(11, embed_dim=5, hidden_dim=7)
    source, lengths = tensor([[4, 5] + [0] * 10]), tensor([2])
    alone, padded = theirs(source[:, :2], lengths)[1], theirs(source, lengths)[1]
    assert (alone - padded).abs().max() > 0.1
    masked = ours(source, padding_mask(lengths, 12)).state
    torch.testing.assert_close(masked, ours(source[:, :2]).state)


def test_a_constant_error_rate_falls_with_the_length_too():
    right = [0.98**tokens for tokens in (10, 25)]
    assert right == approx(0.82, 0.60)


def test_with_attention_what_is_handed_over_grows_with_the_sentence():
    encoder = GRUEncoder(11, embed_dim=5, hidden_dim=128, bidirectional=True)
    sizes = {"embed_dim": 5, "hidden_dim": 7, "memory_dim": encoder.memory_dim}
    without, attending = GRUDecoder(11, **sizes), AttentionDecoder(11, **sizes)
    encoded = [encoder(torch.full((1, words), 4)) for words in (5, 30)]
    assert [without.start(each).context.numel() for each in encoded] == [256, 256]
    assert [attending.start(each).memory.numel() for each in encoded] == [1280, 7680]


def test_a_decoder_that_reads_what_it_wrote_is_moved_by_it():
    model = small_translator()
    source = tensor([[4, 5, 6]])
    first, second = (model(source, tensor([[1, word]]))[:, -1] for word in (7, 8))
    assert (first - second).abs().max() > 0.001


def test_without_the_sources_mask_three_quarters_lie_on_padding():
    model = small_translator()
    torch.nn.init.zeros_(model.decoder.score.output.weight)  # all scores equal
    source, target = torch.full((2, 12), 4), tensor([[1], [1]])
    mask = padding_mask(tensor([3, 12]), 12)
    encoded = model.encoder(source, mask)
    shares = []
    for given in (None, mask):
        state = model.decoder.start(encoded._replace(mask=given))
        with record_attention(model.decoder) as maps:
            model.decoder(target, state)
        shares.append(maps[""][0, 0, 0, 3:].sum().item())
    assert shares == approx(0.75, 0)


def test_four_sentences_say_next_to_nothing():
    def interval(right, sentences):
        counts = tensor([[1, 1]] * right + [[0, 1]] * (sentences - right))
        return bootstrap_interval(counts, lambda sums: float(sums[0] / sums[1]))

    assert list(interval(3, 4)) == [0.75, 0.25, 1.0]
    assert list(interval(750, 1000)) == approx(0.75, 0.725, 0.775, to=0.002)
    assert bleu(["il dort ."], ["il dort ."], tokenize="none").score == 0


def test_bleu_sums_before_it_divides():
    written, wanted = ["the cat sat on the mat", "a cat"], ["the cat sat on the mat", "a cat sat"]
    each = [bleu([a], [b]).score for a, b in zip(written, wanted, strict=True)]
    assert each == approx(100, 0)
    assert bleu(written, wanted).score == pytest.approx(100 * math.exp(1 - 9 / 8))  # 88.2


def test_two_tokenisers_make_two_scores_of_one_sentence():
    scores = comparable_bleu(["L'homme n'est pas là."], ["L'homme n'est pas ici."], "fr")
    assert [scores.standard.score, scores.moses.score] == approx(43, 64, to=0.5)


def test_an_article_that_looks_at_its_noun_is_half_an_error():
    looked, sure = [{(1, 0), (1, 1)}], [{(0, 0), (1, 1)}]  # the house; la maison
    possible = [sure[0] | {(1, 0)}]
    assert alignment_error_rate(looked, sure, sure).rate == 0.5
    assert alignment_error_rate(looked, sure, possible).rate == 0.25


# Part III


def test_without_projections_a_word_looks_at_itself():
    x = torch.randn(2000, 12, 64)
    query, key = (x @ torch.randn(64, 64) / 8 for _ in range(2))
    assert (x @ x.mT).equal((x @ x.mT).mT)
    weights = attention_weights(x, x), attention_weights(query, key)
    without, projected = (each.diagonal(dim1=1, dim2=2).mean().item() for each in weights)
    assert without == pytest.approx(0.99, abs=0.005)
    assert projected < 0.1


def test_a_third_word_does_not_change_the_ratio_of_two_weights():
    query, key = torch.randn(1, 8), torch.randn(12, 8)
    ratios = []
    for adjective in torch.randn(2, 1, 8):  # hungry, wide: one verdict, right for one of them
        weights = attention_weights(query, torch.cat([key[:-1], adjective]))[0]
        ratios.append((weights[1] / weights[6]).item())
    assert ratios[0] == pytest.approx(ratios[1])


def test_a_table_gives_a_word_one_vector_and_a_layer_several():
    table, layer = nn.Embedding(7, 8), MultiHeadAttention(8, num_heads=1)
    static = table(tensor([[1, 2, 6], [3, 4, 6]]))
    for vectors, same in ((static, True), (layer(static), False)):
        cosine = F.cosine_similarity(vectors[0, 2], vectors[1, 2], dim=0)
        assert (cosine.item() == pytest.approx(1)) is same


def test_a_flop_counter_misses_what_the_fused_kernel_does():
    layer, x = MultiHeadAttention(32, num_heads=1, bias=False), torch.randn(1, 12, 32)

    def counted():
        with FlopCounterMode(display=False) as counter:
            layer(x)
        return counter.get_total_flops()

    fused = counted()
    with record_attention(layer):
        assert [fused, counted()] == [98_304, 116_736]
    assert 116_736 - 98_304 == 4 * 12**2 * 32


def test_a_view_lets_a_word_hear_half_and_a_reshape_lets_it_hear_the_future():
    def heard(split, merge, causal=False):
        """Say which of six words (columns) the output for each word depends on."""

        def layer(x):
            return merge(attend(*[split(x)] * 3, causal=causal))

        slopes = torch.autograd.functional.jacobian(layer, torch.randn(6, 14))
        return slopes.abs().amax((1, 3)) > 0

    def split(x):
        return x.view(6, 2, 7).transpose(0, 1)  # (heads, length, head_dim)

    def merge(heads):
        return heads.transpose(0, 1).flatten(1)

    def reshaped(heads):
        return heads.reshape(6, 14)

    assert heard(split, merge).sum(1).tolist() == [6] * 6
    assert heard(lambda x: x.view(2, 6, 7), reshaped).sum(1).tolist() == [3] * 6
    leaks = [heard(split, back, causal=True).triu(1).sum() for back in (merge, reshaped)]
    assert leaks == [0, 6]


def test_more_heads_are_more_weights_and_no_more_parameters():
    for heads in (1, 2, 7, 14):
        layer = MultiHeadAttention(14, num_heads=heads, bias=False)
        assert size(layer) == 784
        with record_attention(layer) as maps:
            layer(torch.randn(1, 5, 14))
        assert maps[""].numel() == heads * 5 * 5


def test_the_mean_of_a_look_left_and_a_look_right_reports_nothing():
    signs = torch.cartesian_prod(*[tensor([-1.0, 1.0])] * 8)
    wanted = signs.roll(1, 1) - signs.roll(-1, 1)
    left, right = torch.eye(8).roll(-1, 1), torch.eye(8).roll(1, 1)  # (asks, looks at)
    mean = (left + right) / 2
    reports = [signs @ one.T - signs @ other.T for one, other in ((left, right), (mean, mean))]
    errors = [(report - wanted).square().mean().item() for report in (*reports, 0 * signs)]
    assert errors == [0, 2, 2]


def test_a_padding_mask_read_as_pairs_hides_the_wrong_words():
    layer, words = MultiHeadAttention(14, num_heads=2), torch.zeros(5, 5, 14)
    mask = padding_mask(tensor([5, 4, 3, 2, 1]))
    for given, share in ((mask, 0.2), (mask[:, None], 0)):
        with record_attention(layer) as maps:
            layer(words, mask=given)
        padded = (maps[""] * ~mask[:, None, None]).sum(-1)
        assert padded.mean().item() == pytest.approx(share)
    with pytest.raises(ValueError, match="mask"):
        layer(words[:3], mask=mask[:3])


def test_cross_attention_has_heads_too():
    ours = MultiHeadAttention(14, num_heads=2, key_dim=11, value_dim=5, bias=False)
    theirs = nn.MultiheadAttention(14, 2, kdim=11, vdim=5, bias=False, batch_first=True)
    copy_multi_head(ours, theirs)
    inputs = torch.randn(3, 4, 14), torch.randn(3, 7, 11), torch.randn(3, 7, 5)
    with record_attention(ours) as maps:
        torch.testing.assert_close(ours(*inputs), theirs(*inputs)[0])
    assert maps[""].shape == (3, 2, 4, 7)


def test_two_words_change_places_and_so_do_their_vectors():
    encoder = redrawn(Encoder(num_layers=2, embed_dim=16, num_heads=2, ffn_dim=32))
    words = torch.randn(1, 5, 16, dtype=torch.float64)
    order = [0, 4, 2, 3, 1]
    first, second = encoder(words)[0], encoder(words[:, order])[0]
    torch.testing.assert_close(second, first[order])
    torch.testing.assert_close(second.mean(0), first.mean(0))
    assert (second - first).abs().max() > 0.5


@pytest.mark.parametrize(
    ("width", "falls", "highest", "at"), [(8, 3, 0.996, 6283), (512, 43, 0.526, 44)]
)
def test_a_sine_comes_round_and_a_wide_code_does_not(width, falls, highest, at):
    assert math.sin(6) == pytest.approx(-0.28, abs=0.005)
    code = SinusoidalPositions(width).code(20_001, dtype=torch.float64)
    alike = code @ code[0] / (width / 2)
    assert (alike[1:] > alike[:-1]).nonzero()[0].item() == falls
    assert alike[falls:].max().item() == pytest.approx(highest, abs=5e-4)
    assert alike[falls:].argmax().item() + falls == at


def test_a_word_that_comes_alone_has_to_be_told_its_place(d2l):
    place, x = SinusoidalPositions(6), torch.randn(1, 5, 6)
    zero, told = (
        torch.cat([place(word, t * count) for t, word in enumerate(x.split(1, 1))], 1)
        for count in (0, 1)
    )
    assert told.equal(place(x))
    assert zero[:, 0].equal(told[:, 0])
    assert (zero - told)[:, 1:].abs().amax(-1).min() > 0.5
    theirs = d2l.PositionalEncoding(6, dropout=0.0)
    torch.testing.assert_close(theirs(x), told)
    torch.testing.assert_close(torch.cat([theirs(word) for word in x.split(1, 1)], 1), zero)


def test_half_precision_knows_about_half_of_a_thousand_positions():
    known = torch.arange(1000).to(torch.bfloat16).unique()
    assert len(known) == 507
    assert known[256:258].tolist() == [256, 258]


def test_the_network_never_sees_two_words_at_once():
    x, changed = last_word_changed()
    for part, moving in (
        (MultiHeadAttention(4, num_heads=2), 5),
        (FeedForward(4, ffn_dim=16), 1),
    ):
        moved = (part(changed) - part(x)).abs().amax((0, 2)) > 0
        assert moved.sum() == moving


def test_another_deviation_is_not_that_of_layer_norm():
    def popular(x):
        return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6)

    for width, right in ((4, 0.866), (512, 0.999)):
        x = torch.randn(7, width, dtype=torch.float64)
        ratio = popular(x) / F.layer_norm(x, (width,), eps=0.0)
        assert ratio.mean().item() == pytest.approx(right, abs=5e-4)
    for norm, steep in ((popular, 866_000), (lambda x: F.layer_norm(x, (4,)), 274)):
        flat = torch.ones(1, 4, requires_grad=True)
        norm(flat)[0, 0].backward()
        assert flat.grad.norm().item() == pytest.approx(steep, rel=1e-3)


def test_a_norm_over_words_and_features_lets_the_first_word_hear_the_last():
    x, changed = last_word_changed()
    for axes, hears in (((4,), False), ((5, 4), True)):
        moved = (F.layer_norm(changed, axes) - F.layer_norm(x, axes))[0, 0].abs().max()
        assert (moved.item() > 0.01) is hears
        assert hears or moved == 0


def test_batch_norm_hears_the_padding():
    words = torch.arange(1.0, 6)[:, None].expand(5, 4)  # (word, feature)
    padded = F.pad(words, (0, 0, 0, 20))
    last = [F.batch_norm(x, None, None, training=True)[4, 0].item() for x in (words, padded)]
    assert last == approx(1.41, 3.24)
    assert F.layer_norm(padded, (4,))[:5].equal(F.layer_norm(words, (4,)))


def test_dropout_left_on_answers_otherwise_each_time():
    layer, x = EncoderLayer(12, num_heads=3, ffn_dim=20, dropout=0.1), torch.randn(3, 7, 12)
    for training, share in ((True, 1 / 3), (False, 0)):
        layer.train(training)
        once, again = layer(x), layer(x)
        assert ((once - again).norm() / once.norm()).item() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_with_norms_and_without_residuals_the_gradient_is_fine_and_the_words_are_one(seed):
    torch.manual_seed(seed)
    x, networks = torch.randn(4, 8, 32), [FeedForward(32, ffn_dim=128) for _ in range(12)]
    for network in networks:
        for part in (MultiHeadAttention(32, num_heads=4), network):
            x = F.layer_norm(part(x), (32,))
    (x * torch.randn(x.shape)).sum().backward()
    assert networks[0].expand.weight.grad.norm() > 50
    assert (x - x.mean(1, keepdim=True)).norm() / x.norm() < 1e-5


def test_a_residual_cut_by_its_norm_forgets_what_went_in():
    x = tensor([[3.0, 5.0]])
    assert Residual(2, norm_first=True)(x, torch.zeros_like).tolist() == [[3, 5]]
    cut = F.layer_norm(x, (2,))
    assert (cut + torch.zeros_like(cut))[0].tolist() == approx(-1, 1)


def test_without_the_causal_mask_the_last_word_moves_the_earlier_ones():
    layer, (x, changed) = MultiHeadAttention(4, num_heads=2), last_word_changed()
    for causal in (True, False):
        moved = (layer(changed, causal=causal) - layer(x, causal=causal))[:, :4].abs().amax(-1)
        assert (moved == 0).all() if causal else (moved > 0.001).all()


def test_without_the_root_positions_are_far_stronger_than_words():
    config = TransformerConfig(1000, embed_dim=512, ffn_dim=1, num_layers=1)
    row = Transformer(config).source_embedding.weight.square().mean().item()
    position = SinusoidalPositions(512).code(100).square().mean().item()
    assert [row, position] == pytest.approx([1 / 512, 1 / 2], rel=0.01)
    assert (1 / 2) / (1 / 512) == 256


def test_to_read_ten_words_takes_one_pass_and_to_write_them_ten():
    sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 2}
    model, passes = Transformer(TransformerConfig(11, **sizes)), []
    model.decoder.register_forward_hook(lambda *_: passes.append(1))
    source, target = torch.full((1, 7), 4), torch.full((1, 10), 5)
    model(source, target)
    assert len(passes) == 1
    passes.clear()
    state = model.start(source)
    for token in target.T:
        _, state = model.step(token, state)
    assert len(passes) == 10


def test_nn_transformer_has_a_norm_more_on_each_stack():
    theirs = nn.Transformer(12, 2, 2, 3, dim_feedforward=17, batch_first=True)
    sizes = {"embed_dim": 12, "num_heads": 2, "ffn_dim": 17}
    ours = Encoder(num_layers=2, **sizes), Decoder(num_layers=3, **sizes)
    assert size(theirs) - sum(map(size, ours)) == 4 * 12
    once = F.layer_norm(torch.randn(7, 12), (12,))
    assert (F.layer_norm(once, (12,)) - once).abs().max() < 1e-4
    assert (redrawn(nn.LayerNorm(12))(once.double()) - once).abs().max() > 0.1


def last_word_changed() -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a sentence of five words, (1, 5, 4), and give it also with another last word."""
    x = torch.randn(1, 5, 4)
    changed = x.clone()
    changed[:, 4] += 1
    return x, changed


def size(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def small_translator() -> EncoderDecoder:
    encoder = GRUEncoder(11, embed_dim=5, hidden_dim=7)
    return EncoderDecoder(encoder, AttentionDecoder(11, embed_dim=5, hidden_dim=7, memory_dim=7))


def test_serving_the_objects_in_turn_costs_more_than_the_cheapest_way():
    cost = tensor([[1.0, 2.0], [2.0, 8.0], [9.0, 6.0]])  # (query, object)
    assert cost.argmin(0).tolist() == [0, 0]
    cheapest = min(cost[list(each), [0, 1]].sum().item() for each in permutations(range(3), 2))
    first = int(cost[:, 0].argmin())
    left = [query for query in range(3) if query != first]
    assert (cheapest, cost[first, 0].item() + cost[left, 1].min().item()) == (4.0, 7.0)
