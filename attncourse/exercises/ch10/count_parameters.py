"""An exercise of chapter 10: the parameters of a Transformer, counted by hand."""

from __future__ import annotations

from attncourse.exercises.judging import Case, Input, Misconception, Several, size


def count_parameters(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
    attention = 4 * (embed_dim * embed_dim + embed_dim)  # query, key, value, output
    network = 2 * embed_dim * ffn_dim + ffn_dim + embed_dim
    norm = 2 * embed_dim  # gain and bias
    encoder = num_layers * (attention + network + 2 * norm)
    decoder = num_layers * (2 * attention + network + 3 * norm)
    return vocab_size * embed_dim, encoder, decoder


# -- the ways to go wrong --------------------------------------------------------------------------


def _attention(width, heads):
    return 4 * (width * width + width)


def _network(width, ffn):
    return 2 * width * ffn + ffn + width


def _norm(width):
    return 2 * width


def _table(vocabulary, width):
    return vocabulary * width


def _count(
    attention=_attention,
    network=_network,
    norm=_norm,
    table=_table,
    attentions=(1, 2),
    networks=(1, 1),
    norms=(2, 3),
    last=0,
    once=False,
):
    """A count, each choice open to be wrong; the pairs are for encoder and decoder."""

    def function(vocab_size, embed_dim, num_heads, ffn_dim, num_layers):
        stacks = (
            (1 if once else num_layers)
            * (
                attentions[i] * attention(embed_dim, num_heads)
                + networks[i] * network(embed_dim, ffn_dim)
                + norms[i] * norm(embed_dim)
            )
            + last * norm(embed_dim)
            for i in range(2)
        )
        return table(vocab_size, embed_dim), *stacks

    return function


def _with_bias(vocab_size, embed_dim):
    return vocab_size * embed_dim + vocab_size


def _heads_multiplied(width, heads):
    return heads * _attention(width, heads)


def _heads_of_full_width(width, heads):
    return 3 * heads * (width * width + width) + heads * width * width + width


def _a_single_head(width, heads):
    return 3 * (width * (width // heads) + width // heads) + width * width + width


EXERCISE = Several(
    name="count_parameters",
    chapter="10",
    signature="count_parameters(vocab_size, embed_dim, num_heads, ffn_dim, num_layers) "
    "-> embedding, encoder, decoder: three whole numbers",
    parts=("embedding", "encoder", "decoder"),
    inputs=(
        Input("vocab_size", "vocabulary", draw=size),
        Input("embed_dim", "embed", draw=size),
        Input("num_heads", "heads", draw=size),
        Input("ffn_dim", "ffn", draw=size),
        Input("num_layers", "layers", draw=size),
    ),
    sizes={"vocabulary": 11, "heads": 2, "head_dim": 3, "ffn": 7, "layers": 5},
    tied={"embed": lambda sizes: sizes["heads"] * sizes["head_dim"]},
    cases=(
        Case(label="a small model"),
        Case(label="a single layer", sizes={"layers": 1}),
        Case(label="one head", sizes={"heads": 1}),
        Case(label="a network as wide as a word", sizes={"heads": 2, "head_dim": 3, "ffn": 6}),
        Case(
            label="the paper's base model",
            sizes={"vocabulary": 37_000, "heads": 8, "head_dim": 64, "ffn": 2048, "layers": 6},
        ),
    ),
    misconceptions=(
        Misconception(
            "the heads multiply the parameters. They share embed_dim out among them, so eight "
            "heads have no more than one",
            (
                _count(_heads_multiplied),
                _count(_heads_of_full_width),
                _count(lambda width, heads: heads * 3 * (width**2 + width) + width**2 + width),
            ),
        ),
        Misconception(
            "a single head is counted. All heads together project to embed_dim",
            (
                _count(_a_single_head),
                _count(lambda width, heads: 4 * (width * (width // heads) + width // heads)),
            ),
        ),
        Misconception(
            "the cross-attention is missing: a decoder layer has two attentions, the second with "
            "projections of its own for the memory",
            (_count(attentions=(1, 1)), _count(attentions=(1, 1), norms=(2, 2))),
        ),
        Misconception(
            "the embeddings are counted more than once. Source, target and output share one matrix",
            (
                _count(table=lambda vocabulary, width: 2 * vocabulary * width),
                _count(table=lambda vocabulary, width: 3 * vocabulary * width),
            ),
        ),
        Misconception(
            "the output has a bias in your count. It is the embedding's matrix again, without one",
            (
                _count(table=_with_bias),
                _count(table=lambda vocabulary, width: 2 * vocabulary * width + vocabulary),
                _count(table=lambda vocabulary, width: 3 * vocabulary * width + vocabulary),
            ),
        ),
        Misconception(
            "positions are counted. Sines and cosines are computed, not learned",
            (
                _count(table=lambda vocabulary, width: (vocabulary + 512) * width),
                _count(table=lambda vocabulary, width: (vocabulary + 5000) * width),
            ),
        ),
        Misconception(
            "all biases are missing: each projection has one, and each layer of the network",
            (_count(lambda width, heads: 4 * width**2, lambda width, ffn: 2 * width * ffn),),
        ),
        Misconception(
            "the projections' biases are missing, embed_dim each",
            (_count(lambda width, heads: 4 * width**2),),
        ),
        Misconception(
            "the network's biases are missing: ffn_dim for the first layer, embed_dim for the "
            "second",
            (_count(network=lambda width, ffn: 2 * width * ffn),),
        ),
        Misconception(
            "the network has two biases of one length in your count. The first is ffn_dim long, "
            "the second embed_dim",
            (
                _count(network=lambda width, ffn: 2 * width * ffn + 2 * ffn),
                _count(network=lambda width, ffn: 2 * width * ffn + 2 * width),
            ),
        ),
        Misconception(
            "the projection behind the heads is missing: an attention has four matrices, for "
            "query, key, value and output",
            (
                _count(lambda width, heads: 3 * (width**2 + width)),
                _count(lambda width, heads: 3 * width**2),
            ),
        ),
        Misconception(
            "the norms are missing: one after each sublayer",
            (_count(norms=(0, 0)),),
        ),
        Misconception(
            "a norm has a gain and a bias, embed_dim numbers each",
            (
                _count(norm=lambda width: width),
                _count(norm=lambda width: 2),
            ),
        ),
        Misconception(
            "the number of norms is another: one for each sublayer, two in an encoder layer and "
            "three in a decoder layer",
            (
                _count(norms=(2, 2)),
                _count(norms=(1, 1)),
                _count(norms=(1, 2)),
                _count(norms=(3, 3)),
            ),
        ),
        Misconception(
            "each stack has one more norm at its end. Models with the norm first need it, those "
            "with the norm after, as here, do not",
            (_count(last=1),),
        ),
        Misconception(
            "the network has one matrix in your count; it has two, out and back",
            (
                _count(network=lambda width, ffn: width * ffn + ffn),
                _count(network=lambda width, ffn: width * ffn + ffn + width),
            ),
        ),
        Misconception(
            "the network is missing in the decoder, or counted twice: each layer has one",
            (_count(networks=(1, 0)), _count(networks=(1, 2))),
        ),
        Misconception(
            "one layer is counted; each of the layers has parameters of its own",
            (_count(once=True),),
        ),
        Misconception(
            "encoder and decoder stand the other way round: return embedding, encoder, decoder",
            (
                lambda *sizes: (
                    count_parameters(*sizes)[0],
                    count_parameters(*sizes)[2],
                    count_parameters(*sizes)[1],
                ),
            ),
        ),
    ),
    hint="An encoder layer is an attention, a network and two norms; a decoder layer has one "
    "attention and one norm more. A linear layer from a to b has a * b + b.",
    solution=count_parameters,
)
