"""attncourse.translator: texts in, texts out, in their order and without <unk>."""

from __future__ import annotations

import io

import pytest
import torch
from support import refused
from torch import nn

from attncourse.attention import record_attention
from attncourse.data.vocabulary import BOS, EOS, UNK, BytePairVocabulary, Vocabulary
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUEncoder
from attncourse.transformer import Transformer, TransformerConfig
from attncourse.translator import BEAM, Translator

WORDS = ["the", "a", "dog", "cat", "sleeps", "eats", "."]
FRENCH = ["le", "un", "chien", "chat", "dort", "mange", "."]


class Copying:
    """Writes the source word by word: the n-th French word for the n-th English one, then stops."""

    training = False

    def start(self, source, source_mask):
        marks = torch.full_like(source[:, :1], EOS)
        ended = torch.cat([torch.where(source_mask, source, EOS), marks], 1)
        return {"left": ended, "read": torch.zeros(len(source), dtype=torch.int64)}

    def step(self, tokens, state):
        left, read = state["left"], state["read"]
        now = left.gather(1, read.clamp(max=left.shape[1] - 1)[:, None])[:, 0]
        logits = torch.nn.functional.one_hot(now, 4 + len(FRENCH)).double() * 10
        return logits, {"left": left, "read": read + 1}


class CopyingModel(Copying, nn.Module):
    """The same as a module without parameters."""

    training = True


@pytest.fixture
def translate() -> Translator:
    return Translator(CopyingModel(), Vocabulary(WORDS), Vocabulary(FRENCH))


SENTENCES = ["the dog sleeps .", "a cat .", "the cat eats a dog .", "dog"]
EXPECTED = ["le chien dort .", "un chat .", "le chat mange un chien .", "chien"]


@pytest.mark.parametrize("batch", [1, 2, 250])
@pytest.mark.parametrize("search", [{}, {"beam_size": 3}])
def test_translations_come_in_the_order_of_the_sentences(translate, batch, search):
    assert translate.words(SENTENCES, batch=batch, **search) == [text.split() for text in EXPECTED]


def test_a_text_comes_and_goes_as_people_write_it(translate):
    """Kind: capitals and marks that a caller leaves on became unknown words."""
    assert translate(["The dog  sleeps.", "\ufeffA CAT."]) == ["Le chien dort.", "Un chat."]
    assert translate([]) == []
    assert translate(["", "Dog", "\u200b"]) == ["", "Chien", ""]


def test_texts_may_come_one_by_one(translate):
    """Kind: a wrong result in silence. What can be read once was used up by the checks."""
    assert translate(text for text in ["The dog.", "A cat."]) == ["Le chien.", "Un chat."]
    assert translate(io.StringIO("The dog.\nA cat.\n")) == ["Le chien.", "Un chat."]
    assert translate.words(text for text in ["the dog"]) == [["le", "chien"]]


def test_the_preparation_and_the_finish_are_the_translators_own(translate):
    own = Translator(
        translate.model, translate.source, translate.target, prepare=str.lower, finish="_".join
    )
    assert own(["THE DOG SLEEPS ."]) == ["le_chien_dort_."]
    assert own.words(["the dog sleeps ."]) == [["le", "chien", "dort", "."]]


def test_a_text_is_translated_with_a_beam_unless_told_otherwise(translate, monkeypatch):
    asked = []
    write = translate._write
    monkeypatch.setattr(
        translate,
        "_write",
        lambda *texts, **options: asked.append(options) or write(*texts, **options),
    )
    translate(["Dog."])
    translate.explain("Dog.", beam_size=1)
    assert asked == [BEAM, BEAM | {"beam_size": 1}]


def test_an_explanation_has_the_tokens_and_what_is_unfamiliar(translate):
    seen = translate.explain("The dog eats a unicorn.", beam_size=1)
    assert seen.text == "Le chien mange un."  # padding stands for the unicorn, as above
    assert seen.source_tokens == ("the", "dog", "eats", "a", "unicorn", ".")
    assert seen.target_tokens[-1] == "<eos>"
    assert seen.unfamiliar == ("unicorn",)
    assert seen.maps == {}  # this model does not attend


def test_a_word_is_familiar_if_the_vocabulary_holds_it_with_its_apostrophe_or_hyphen():
    """Kind: a wrong result in silence. The parts of such words were looked up, not the words."""
    source = Vocabulary(["isn", "'t", "l'", "t-shirt", "t", "shirts", "dog"])
    translate = Translator(CopyingModel(), source, Vocabulary(FRENCH))
    for text in ("Isn't", "l'dog", "a T-shirt", "dog !"):
        assert set(translate._unfamiliar(translate.prepare(text))) <= {"a"}
    assert translate._unfamiliar(translate.prepare("T-shirts aren't !")) == ("t-shirts", "aren")

    pieces = BytePairVocabulary.train(["t shirt isn dog - ' zebra"] * 5, size=90)
    translate = Translator(CopyingModel(), pieces, Vocabulary(FRENCH))
    assert translate._unfamiliar(translate.prepare("Isn't the T-shirt dogs ?")) == ("the", "dogs")


@pytest.mark.parametrize("search", [{"beam_size": 1}, {}])
def test_the_maps_are_those_of_the_steps_that_wrote_the_translation(small_transformer, search):
    seen = small_transformer.explain("A dog sleeps.", **search)
    assert small_transformer(["A dog sleeps."], **search) == [seen.text]
    names = ["encoder.layers.0.attention", "decoder.layers.0.self_attention"]
    names.append("decoder.layers.0.cross_attention")
    assert set(seen.maps) == set(names)
    source, target = len(seen.source_tokens), len(seen.target_tokens)
    shapes = [tuple(seen.maps[name].shape) for name in names]
    assert shapes == [(2, source, source), (2, target, target), (2, target, source)]

    model, vocabulary = small_transformer.model, small_transformer.source
    written = [vocabulary.tokens.index(token) for token in seen.target_tokens]
    rows = []
    with torch.no_grad():
        state = model.start(torch.tensor([vocabulary.encode(list(seen.source_tokens))]))
        for token in [BOS, *written[:-1]]:
            with record_attention(model) as maps:
                _, state = model.step(torch.tensor([token]), state)
            rows.append(maps[names[2]][0, :, 0])
    torch.testing.assert_close(seen.maps[names[2]], torch.stack(rows, 1))


def test_of_nothing_there_is_nothing_to_explain(small_transformer):
    seen = small_transformer.explain(" ")
    assert (seen.text, seen.source_tokens, seen.target_tokens, seen.maps) == ("", (), (), {})


def test_a_sentence_may_be_its_words(translate):
    assert translate.words([("the", "dog", "sleeps", ".")]) == [["le", "chien", "dort", "."]]


def test_nothing_and_an_empty_sentence(translate):
    assert translate.words([]) == []
    assert translate.words(["", "dog"]) == [[], ["chien"]]


@pytest.mark.parametrize("beam_size", [1, 2])
def test_of_nothing_a_model_makes_nothing_up(beam_size):
    torch.manual_seed(0)
    words = Vocabulary(WORDS)
    config = TransformerConfig(len(words), embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1)
    fresh = Translator(Transformer(config).eval(), words, words)
    first, empty, last, blank = fresh.words(["dog", "", "the dog", "  "], beam_size=beam_size)
    assert first
    assert last
    assert empty == blank == []


def test_unknown_is_never_written(translate):
    # The source's unknown word is number 3, which this model would copy; what is written instead
    # is whatever comes next, here the smallest number that is left: padding, which is not shown.
    assert translate.words(["the unicorn sleeps ."]) == [["le", "dort", "."]]
    assert translate.source.encode("unicorn") == [UNK]


def test_with_a_model_of_the_course_the_next_likeliest_stands_for_unknown():
    source, target = Vocabulary(WORDS), Vocabulary(FRENCH)
    encoder = GRUEncoder(len(source), embed_dim=5, hidden_dim=7)
    decoder = AttentionDecoder(len(target), embed_dim=3, hidden_dim=7, memory_dim=7)
    model = EncoderDecoder(encoder, decoder)
    with torch.no_grad():
        decoder.readout.output.bias[UNK] = 50.0
        decoder.readout.output.bias[5] = 40.0  # "un", the second French word
    for search in ({}, {"beam_size": 2}):
        assert Translator(model, source, target).words(["a dog"], max_length=3, **search) == [
            ["un"] * 3
        ]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_unknown_hides_nothing_that_is_not_finite(translate, bad):
    # Kind: what is not finite must show.
    class Broken(CopyingModel):
        def step(self, tokens, state):
            logits = torch.zeros(len(tokens), 4 + len(FRENCH))
            logits[:, UNK] = bad
            return logits, state

    broken = Translator(Broken(), translate.source, translate.target)
    for beam_size in (1, 2):
        with refused(ValueError, "model", "finite", "nan"):
            broken(["the dog ."], beam_size=beam_size)


@pytest.fixture
def endless(translate) -> Translator:
    """Writes "chien" again and again."""

    class Endless(CopyingModel):
        def step(self, tokens, state):
            logits = torch.zeros(len(tokens), 4 + len(FRENCH))
            logits[:, 6] = 9.0
            return logits, state

    return Translator(Endless(), translate.source, translate.target)


def test_the_default_length_leaves_room(endless):
    assert endless.words(["the dog ."]) == [["chien"] * 16]  # twice three, and ten


def test_the_default_length_is_by_its_own_batch(endless):
    long, short = endless.words(["the dog eats a cat .", "dog"], batch=1)
    assert (len(long), len(short)) == (22, 12)


def test_the_length_penalty_reaches_the_beam(translate):
    class Hesitating(CopyingModel):
        """Ends at once with a chance of 0.6, or else after eight words that are certain."""

        def start(self, source, source_mask):
            return torch.zeros(len(source), dtype=torch.int64)

        def step(self, tokens, state):
            chances = torch.zeros(len(tokens), 4 + len(FRENCH))
            for row, count in enumerate(state.tolist()):
                if count == 0:
                    chances[row, [EOS, 6]] = torch.tensor([0.6, 0.4])
                else:
                    chances[row, 6 if count < 8 else EOS] = 1.0
            return chances.log(), state + 1

    hesitating = Translator(Hesitating(), translate.source, translate.target)
    search = {"beam_size": 2, "max_length": 20}
    assert hesitating.words(["dog"], **search) == [[]]
    assert hesitating.words(["dog"], **search, length_penalty=2.0) == [["chien"] * 8]


def test_the_models_own_logits_are_left_alone(translate):
    class Keeping(CopyingModel):
        logits = torch.arange(4.0 + len(FRENCH)).expand(1, -1).clone()

        def step(self, tokens, state):
            return self.logits, state

    Translator(Keeping(), translate.source, translate.target).words(["dog"], max_length=3)
    assert torch.equal(Keeping.logits[0], torch.arange(4.0 + len(FRENCH)))


def test_bad_input_is_refused(translate, own_errors):
    with refused(TypeError, "sentences", "one text"):
        translate.words("the dog")
    with refused(TypeError, "texts", "one text"):
        translate("The dog.")
    with refused(TypeError, "texts", "['the', 'dog']", "number 1"):
        translate(["The dog.", ["the", "dog"]])
    with refused(TypeError, "text", "5"):
        translate.explain(5)
    with refused(ValueError, "beam_size", "0"):
        translate.words(["dog"], beam_size=0)
    with refused(ValueError, "batch", "0"):
        translate.words(["dog"], batch=0)
    with refused(ValueError, "max_length", "0"):
        translate.words(["dog"], max_length=0)
    with refused(TypeError, "texts", "None"):
        translate(None)
    with refused(TypeError, "sentences", "7"):
        translate.words(7)


@pytest.mark.parametrize("wrong", ["5", 1e9])
def test_a_length_that_is_no_integer_is_refused_also_above_the_room(
    small_transformer, wrong, own_errors
):
    """Kind: foreign errors, and a number that is taken in silence where another one is less."""
    with refused(TypeError, "max_length", type(wrong).__name__):
        small_transformer(["A dog."], max_length=wrong)


@pytest.fixture
def small_transformer() -> Translator:
    """Says something, with room for nine tokens, and never ends by itself."""
    torch.manual_seed(5)
    vocabulary = Vocabulary(WORDS + FRENCH[:-1])
    config = TransformerConfig(
        len(vocabulary), embed_dim=8, num_heads=2, ffn_dim=12, num_layers=1, max_len=9
    )
    model = Transformer(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(std=0.5)
        model.output.weight[EOS] = 0.0
    return Translator(model, vocabulary, vocabulary)


@pytest.mark.parametrize("search", [{}, {"beam_size": 3}])
@pytest.mark.parametrize("max_length", [None, 97])
def test_a_translation_ends_where_the_model_has_no_more_room(small_transformer, search, max_length):
    longest, short = small_transformer.words(["dog " * 9, "a dog"], max_length=max_length, **search)
    assert 0 < len(longest) <= 9
    assert len(short) <= 9


def test_a_sentence_that_is_too_long_is_named_and_none_is_translated(small_transformer):
    with refused(ValueError, "sentences", "10 tokens", "number 1", "room for 9"):
        small_transformer.words(["a dog", "dog " * 10])
    with refused(ValueError, "texts", "10 tokens", "number 1", "room for 9"):
        small_transformer(["A dog.", "dog " * 10])
    with refused(ValueError, "text ", "10 tokens", "room for 9"):
        small_transformer.explain("dog " * 10)


def test_a_transformer_reads_nothing_and_what_it_never_saw(small_transformer):
    nothing, unknown = small_transformer.words(["", "éŧ 犬"])
    assert UNK not in small_transformer.target.encode(nothing + unknown)
