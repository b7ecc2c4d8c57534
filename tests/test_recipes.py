"""attncourse.recipes: what can be trained, by name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from small_recipes import SMALL, TRANSFORMER
from support import refused

from attncourse.recipes import (
    RECIPES,
    Recipe,
    corpora,
)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_json(name):
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_with_a_field_too_many_or_too_few_is_refused():
    given = SMALL.to_dict()
    with refused(ValueError, "recipe", "colour"):
        Recipe.from_dict(given | {"colour": "red"})
    given.pop("steps")
    with refused(ValueError, "recipe", "steps"):
        Recipe.from_dict(given)


def rivals() -> list[str]:
    return [name for name in RECIPES if name.endswith("-attention")]


@pytest.mark.parametrize("name", rivals())
def test_with_and_without_attention_have_the_same_budget(name):
    with_, without = RECIPES[name], RECIPES[name.replace("-attention", "-fixed")]
    # nothing differs but the attention and the widths that make up for its parameters
    without_decoder = {k: v for k, v in with_.sizes.items() if k != "decoder_dim"}
    assert replace(without, sizes=without_decoder, model="attention") == replace(
        with_, sizes=without_decoder, learning_rate=without.learning_rate
    )
    sizes = (450, 850) if with_.corpus == "embedded" else (7859, 5931)
    if with_.subwords is not None:
        sizes = with_.subwords, with_.subwords
    counts = [
        sum(weights.numel() for weights in recipe.build(*sizes).parameters())
        for recipe in (with_, without)
    ]
    assert max(counts) <= 1.1 * min(counts)


def test_the_three_of_chapter_11_have_the_same_budget():
    names = ("captions-fixed", "captions-attention", "captions-transformer")
    recipes = [RECIPES[name] for name in names]
    counts = [
        sum(weights.numel() for weights in recipe.build(10_000, 10_000).parameters())
        for recipe in recipes
    ]
    assert max(counts) <= 1.1 * min(counts)
    for recipe in recipes:
        same = {"model": "", "sizes": {}, "learning_rate": 0.0}
        assert replace(recipe, **same) == replace(recipes[0], **same)


@pytest.mark.parametrize(
    ("name", "beside", "changed"),
    [
        ("captions-no-dropout", "captions-transformer", {"dropout": 0.0}),
        ("captions-heavy-dropout", "captions-transformer", {"dropout": 0.3}),
        ("captions-no-smoothing", "captions-heavy-dropout", {"label_smoothing": 0.0}),
    ],
)
def test_one_thing_is_changed_in_chapter_11s_transformer(name, beside, changed):
    def settings(recipe):
        model = {"dropout": recipe.build(10_000, 10_000).config.dropout}
        return recipe.to_dict() | {"sizes": recipe.sizes["preset"]} | model

    assert settings(RECIPES[name]) == settings(RECIPES[beside]) | changed
    assert settings(RECIPES[name]) != settings(RECIPES[beside])


@pytest.mark.parametrize("one_vocabulary", [True, False])
@pytest.mark.parametrize("model", ["fixed", "attention"])
def test_tied_embeddings_are_one_matrix(model, one_vocabulary):
    sizes = {"embed_dim": 5, "hidden_dim": 7, "tie_embeddings": True}
    recipe = replace(SMALL, model=model, sizes=sizes, subwords=97 if one_vocabulary else None)
    built = recipe.build(97, 97)
    written, read = built.decoder.readout.output.weight, built.decoder.embedding.weight
    assert written is read
    assert (built.encoder.embedding.weight is read) == one_vocabulary


def test_a_misspelt_field_is_answered_with_the_right_one():
    with refused(ValueError, "a recipe", "'warm_up'", "warmup perhaps?"):
        Recipe.from_dict(SMALL.to_dict() | {"warm_up": 3})
    with refused(ValueError, "sizes", "'hiden_dim'", "hidden_dim perhaps?"):
        replace(SMALL, sizes={"hiden_dim": 7}).build(97, 89)
    with refused(ValueError, "sizes", "'num_head'", "num_heads perhaps?"):
        replace(TRANSFORMER, sizes={"num_head": 2}).build(97, 97)


def test_what_there_is_no_such_of_is_refused():
    with refused(ValueError, "corpus", "'moon'"):
        corpora.load(replace(SMALL, corpus="moon"))
    with refused(ValueError, "source", "'de'"):
        corpora.load(replace(SMALL, source="de"))
    with refused(ValueError, "model", "'lstm'"):
        replace(SMALL, model="lstm").build(97, 89)
    with refused(ValueError, "schedule", "'cosine'"):
        replace(SMALL, schedule="cosine").factor()


def test_one_vocabulary_of_byte_pairs_serves_both_languages(small_corpus):
    corpus = corpora.load(TRANSFORMER)
    assert corpus.source is corpus.target
    assert len(corpus.source) == 150
    model = TRANSFORMER.build(150, 150)
    assert model.source_embedding.weight is model.target_embedding.weight
    two = replace(TRANSFORMER, subwords=None).build(150, 160)
    assert two.output.out_features == 160
