"""The scripts of chapter 18 that read captions: cut down, they write what their records need."""

from __future__ import annotations

import pytest
import torch

from attncourse.data.hidden_nouns import KINDS, HiddenNounBatches, hide_nouns
from attncourse.data.vocabulary import Vocabulary
from attncourse.language import MaskedLanguageModel, TextReader
from benchmarks import causal_captions, pretraining

CAPTIONS = [
    ["a", "dog", "runs", "on", "a", "beach", "."],
    ["two", "men", "in", "shirts", "sit", "on", "a", "boat", "."],
    ["a", "woman", "rides", "a", "horse", "in", "the", "street", "."],
] * 4


@pytest.fixture
def small(monkeypatch):
    sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 10, "num_layers": 2, "max_len": 64}
    monkeypatch.setattr(pretraining, "SIZES", sizes)
    vocabulary = Vocabulary.build(CAPTIONS)
    hidden = hide_nouns(CAPTIONS, share=1.0)
    return vocabulary, {"train": hidden, "validation": hidden[:3], "test": hidden[:3]}


def test_a_reader_is_pretrained_and_its_words_are_counted(small):
    vocabulary, _ = small
    encoded = [vocabulary.encode(words) for words in CAPTIONS]
    reader, found = pretraining.pretrain("80/10/10", 0, vocabulary, encoded, encoded, epochs=1)
    model = MaskedLanguageModel(pretraining.make_config(vocabulary))
    assert found["parameters"] == pretraining.count(model)
    model.reader.load_state_dict(reader.state_dict())
    assert all(0 <= found[f"{name}_named"] <= 1 for name in ("hidden", "visible"))


def test_a_tagger_begins_with_what_its_start_says(small):
    vocabulary, _ = small
    config = pretraining.make_config(vocabulary)
    readers = {rule: TextReader(config) for rule in pretraining.RULES}
    wanted = {
        "from scratch": (False, False),
        "embeddings only": (True, False),
        "pre-trained, 80/10/10": (True, True),
        "pre-trained, always masked": (False, False),  # of the other reader
    }
    assert tuple(wanted) == pretraining.STARTS
    for start, same in wanted.items():
        tagger = pretraining.KindTagger(config)
        pretraining.start_from(start, tagger, readers)
        ours, theirs = tagger.reader.state_dict(), readers["80/10/10"].state_dict()
        layer = "encoder.layers.0.attention.query_projection.weight"
        names = "words.weight", layer
        assert tuple(torch.equal(ours[name], theirs[name]) for name in names) == same, start


def test_only_hidden_nouns_are_in_the_loss(small):
    vocabulary, splits = small
    (batch,) = HiddenNounBatches(splits["test"], vocabulary, batch_size=3)
    logits = torch.randn(*batch.tokens.shape, len(KINDS))
    asked = batch.kinds >= 0
    by_hand = -logits.log_softmax(-1)[asked][range(int(asked.sum())), batch.kinds[asked]].mean()
    assert torch.allclose(pretraining.kind_loss(lambda tokens, mask: logits, batch), by_hand)


def test_every_start_and_naive_bayes_are_tuned_on_few_and_tested(small):
    vocabulary, splits = small
    readers = {r: TextReader(pretraining.make_config(vocabulary)) for r in pretraining.RULES}
    found = [pretraining.bayes_run(5, splits)]
    given = {"seed": 0, "vocabulary": vocabulary, "readers": readers, "splits": splits, "steps": 1}
    found += [pretraining.fine_tune(start, 5, 1e-3, **given) for start in pretraining.STARTS]
    for run in found:
        assert set(run) == set(found[0])
        assert set(run["test"]) == set(run["validation"]) == {"accuracy", "f1"}


def test_naive_bayes_learns_what_stands_beside(small):
    _, splits = small
    found = pretraining.bayes_run(12, splits)["test"]["accuracy"]
    assert found > pretraining.commonest(splits["test"])["accuracy"] + 0.3


def test_the_words_around_a_hidden_noun_by_hand(small):
    _, splits = small
    around, wanted = pretraining.slots(splits["test"][:1])
    assert around[0] == {"-2": "<bos>", "-1": "a", "1": "runs", "2": "on"}
    assert around[1] == {"-2": "on", "-1": "a", "1": ".", "2": "<eos>"}
    assert [KINDS[kind] for kind in wanted] == ["animal", "place"]


def test_always_the_commonest_by_hand():
    hidden = hide_nouns([["a", "man", "a", "dog", "a", "girl", "."]], share=1.0)
    # Two of three are right. Person: precision 2/3, recall 1, F1 0.8; of five kinds the mean.
    assert pretraining.commonest(hidden) == {"accuracy": 0.6667, "f1": 0.16}


def test_a_small_gpt_writes_captions_of_every_temperature(monkeypatch):
    sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 10, "num_layers": 1, "max_len": 64}
    monkeypatch.setattr(causal_captions, "SIZES", sizes)
    monkeypatch.setattr(causal_captions, "DRAWN", 3)
    vocabulary = Vocabulary.build(CAPTIONS)
    encoded = [vocabulary.encode(words) for words in CAPTIONS]
    model, _ = causal_captions.train(0, vocabulary, encoded, epochs=1)
    written = causal_captions.write(model, vocabulary, 0)
    assert {how: len(texts) for how, texts in written.items()} == {
        "greedy": 1,
        "0.5": 3,
        "1.0": 3,
        "1.5": 3,
    }


def test_what_is_copied_and_what_is_unknown_by_hand():
    assert causal_captions.copied(["a dog .", "a cat ."], [["a", "dog", "."]]) == 0.5
    assert causal_captions.unknown_share([[4, 3, 5], [3]]) == 0.5
