"""`count_parameters` (chapter 10)."""

from __future__ import annotations

import pytest
from answers import right_answers, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse.exercises import check
from attncourse.transformer import Transformer, TransformerConfig


@pytest.mark.parametrize("sizes", [(11, 6, 2, 7, 5), (11, 6, 3, 7, 5), (7, 4, 1, 3, 1)])
def test_the_count_is_that_of_the_packages_model(sizes):
    vocabulary, embed_dim, num_heads, ffn_dim, num_layers = sizes
    model = Transformer(
        TransformerConfig(
            vocabulary,
            embed_dim=embed_dim,
            num_heads=num_heads,
            ffn_dim=ffn_dim,
            num_layers=num_layers,
        )
    )
    parts = (model.source_embedding, model.encoder, model.decoder)
    want = tuple(sum(p.numel() for p in part.parameters()) for part in parts)
    assert solve("count_parameters", *sizes) == want
    assert sum(want) == sum(p.numel() for p in model.parameters())


def test_one_number_for_the_whole_model_is_told_to_be_three():
    verdict = check("count_parameters", lambda *sizes: sum(count_by_building(*sizes)))
    assert verdict.kind == "contract"
    assert "returns one int, wanted 3: return embedding, encoder, decoder" in verdict.message


# -- answers as readers write them -----------------------------------------------------------------


def count_by_building(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
    def size(module):
        return sum(p.numel() for p in module.parameters())

    encoder = nn.TransformerEncoderLayer(embed_dim, num_heads, ffn_dim)
    decoder = nn.TransformerDecoderLayer(embed_dim, num_heads, ffn_dim)
    return vocab_size * embed_dim, num_layers * size(encoder), num_layers * size(decoder)


def _counted(attention, network, norms=(2, 3), tables=1, cross=2):
    def answer(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
        a, f = attention(embed_dim, num_heads), network(embed_dim, ffn_dim)
        encoder = num_layers * (a + f + norms[0] * 2 * embed_dim)
        decoder = num_layers * (cross * a + f + norms[1] * 2 * embed_dim)
        return tables * vocab_size * embed_dim, encoder, decoder

    return answer


def _attended(d, heads):
    return 4 * d * d + 4 * d


def _fed(d, f):
    return d * f + f + f * d + d


count_heads = _counted(lambda d, heads: heads * (4 * d * d + 4 * d), _fed)


count_without_cross = _counted(_attended, _fed, norms=(2, 2), cross=1)


count_tables = _counted(_attended, _fed, tables=3)


count_no_biases = _counted(lambda d, heads: 4 * d * d, lambda d, f: 2 * d * f)


count_no_norms = _counted(_attended, _fed, norms=(0, 0))


test_a_right_answer_in_other_words_passes = right_answers("count_parameters", [count_by_building])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "count_parameters",
    [
        (count_heads, "the heads multiply the parameters"),
        (count_without_cross, "the cross-attention is missing"),
        (count_tables, "the embeddings are counted more than once"),
        (count_no_biases, "all biases are missing"),
        (count_no_norms, "the norms are missing"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "count_parameters", [lambda *sizes: tuple(n + 1 for n in count_by_building(*sizes))]
)
