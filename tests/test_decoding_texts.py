"""attncourse.decoding.texts and barring: texts go on; what never comes."""

from __future__ import annotations

import pytest
import torch
from searched import Markov, kinds, lists
from small_language import causal
from support import refused

from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, BytePairVocabulary, Vocabulary
from attncourse.data.vocabulary import split_words as split
from attncourse.decoding import Barring, TextWriter, beam_search, greedy, sample

WORDS = ["a", "dog", "runs", "over", "the", "grass", "and", "sleeps", "cat", "two"]
VOCABULARY = Vocabulary([*WORDS, *(f"w{i}" for i in range(17))])  # 31 ids, as the models have
SEARCHES = pytest.mark.parametrize("search", [greedy, sample, beam_search])


def writer(**options) -> TextWriter:
    return TextWriter(causal(), VOCABULARY, **options)


def words(ids: list[int]) -> str:
    return VOCABULARY.decode(ids)


@SEARCHES
def test_a_text_begins_with_its_prompt_and_goes_on(search):
    prompts = ["a dog runs", "two", "the cat sleeps and"]
    found = writer()(prompts, search=search, max_length=5)
    for text, prompt in zip(found, prompts, strict=True):
        assert text.startswith(prompt)
        assert len(text.split()) <= len(prompt.split()) + 5
        assert not {"<pad>", "<bos>", "<eos>", "<unk>"} & set(text.split())


def test_it_writes_what_the_search_finds():
    model, prompt = causal(), "a dog runs"
    ids = VOCABULARY.encode(prompt)
    marks = {"eos": EOS, "pad": PAD, "max_length": 6}
    for bos in (None, BOS):
        barred = Barring(model, [PAD, BOS, UNK])
        found = greedy(barred, prompt=torch.tensor([ids]), bos=bos, **marks)
        wanted = words([*ids, *lists(found)[0]])
        assert TextWriter(model, VOCABULARY, bos=bos)([prompt], max_length=6) == [wanted]


def test_what_nobody_can_read_is_never_written():
    class Unsure(torch.nn.Module):
        """Holds `<unk>`, padding and the begin mark likelier than "dog"."""

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(31))
            self.weight.data[[UNK, PAD, BOS, 5]] = torch.tensor([9.0, 8.0, 7.0, 6.0])
            self.config = causal().config

        def start(self, source, source_mask):
            return None

        def step(self, tokens, state):
            return self.weight.expand(len(tokens), -1), state

    assert TextWriter(Unsure(), VOCABULARY)(["a"], max_length=3) == ["a dog dog dog"]


def test_several_are_written_as_if_alone():
    write, prompts = writer(bos=BOS), ["a dog", "two", "the cat sleeps and runs"]
    together = write(prompts, max_length=7)
    assert together == [write([prompt], max_length=7)[0] for prompt in prompts]
    assert write([]) == []


def test_options_reach_the_search():
    draws = [
        writer()(["a"], search=sample, temperature=3.0, generator=torch.Generator().manual_seed(i))
        for i in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_a_prompt_is_prepared():
    assert writer(prepare=split)(["A dog"], max_length=1)[0].startswith("a dog")


def test_by_default_all_room_is_used():
    """23 tokens: what is written last need not be read."""
    lengths = [len(writer(bos=bos, eos=None)(["a"])[0].split()) for bos in (None, BOS)]
    assert lengths[0] == lengths[1] + 1
    assert 20 <= lengths[1] <= 23  # an end mark is not shown


def test_parts_of_words_go_on_too():
    vocabulary = BytePairVocabulary.train(["low lower lowest"] * 5, size=15)
    model = causal()
    write = TextWriter(model, vocabulary)
    # of the model's 31 ids 15 have a meaning here: bar the others
    write.model = Barring(model, range(len(vocabulary), 31))
    write.model.config = model.config
    assert write(["low lo"], max_length=5)[0].startswith("low lo")


@pytest.mark.usefixtures("own_errors")
def test_prompts_that_cannot_be_continued_are_refused():
    write = writer()
    for prompts, error, words in (
        ("a dog", TypeError, ["prompts", "several texts"]),
        ([3], TypeError, ["prompts", "3", "number 0"]),
        (["a", " "], ValueError, ["prompts", "at least one token", "' '", "number 1"]),
        (["a", "a ☃ runs"], ValueError, ["prompts", "'☃'", "number 1"]),
        (["a " * 24], ValueError, ["prompts", "24", "23"]),
    ):
        with refused(error, *words):
            write(prompts)
    with refused(ValueError, "max_length", "at most 21", "3 tokens", "22"):
        write(["a dog runs"], max_length=22)
    with refused(TypeError, "max_length", "float"):
        write(["a"], max_length=2.0)
    with refused(ValueError, "top_p", "1.5"):
        write(["a"], search=sample, top_p=1.5)


def test_room_counts_the_begin_mark():
    with refused(ValueError, "max_length", "at most 20", "4 tokens"):
        writer(bos=BOS)(["a dog runs"], max_length=21)
    assert writer(bos=BOS)(["a dog runs"], max_length=20)


# Barring


def test_barred_tokens_never_come_and_the_others_keep_their_odds():
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log().expand(1, 4, 4)
    rows = 20_000
    source = torch.zeros(rows, 1, dtype=torch.int64)
    model = Barring(Wrapped(logits), [1])
    options = {"bos": 1, "eos": None, "pad": 0, "max_length": 1}
    generator = torch.Generator().manual_seed(5)
    shares = (
        sample(model, source, **options, generator=generator).tokens[:, 0].bincount(minlength=4)
    )
    shares = shares / rows
    assert shares[1] == 0
    for token, odds in ((0, 4 / 7), (2, 2 / 7), (3, 1 / 7)):
        assert abs(shares[token] - odds) < 4 * (odds * (1 - odds) / rows) ** 0.5


class Wrapped(torch.nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.table = Markov(logits)

    def start(self, source, source_mask):
        return self.table.start(source, source_mask)

    def step(self, tokens, state):
        return self.table.step(tokens, state)


def test_only_a_model_that_reads_at_once_is_read_at_once():
    assert callable(Barring(causal(), [3]).read)
    assert not hasattr(Barring(Wrapped(torch.zeros(1, 4, 4)), [3]), "read")
    logits, _ = Barring(causal(), [3]).read(torch.tensor([[5, 6]]), causal().start())
    assert logits.isinf().sum() == 1
    found = greedy(
        Barring(Wrapped(torch.zeros(2, 4, 4)), [0]), kinds(2), bos=1, eos=2, pad=0, max_length=3
    )
    assert lists(found) == [[1, 1, 1]] * 2


def test_what_cannot_be_barred_is_refused(own_errors):
    with refused(ValueError, "tokens", "negative", "-1"):
        Barring(causal(), [3, -1])
    with refused(TypeError, "tokens", "integer", "str"):
        Barring(causal(), "<unk>")
    with refused(ValueError, "tokens", "0 to 30", "31"):
        Barring(causal(), [31]).step(torch.tensor([5]), causal().start())
