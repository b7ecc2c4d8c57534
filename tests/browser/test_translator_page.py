"""The page of the translator shows what Python computes."""

from __future__ import annotations

import json
import re

import pytest
import torch

from attncourse.attention import record_attention
from attncourse.data.vocabulary import BOS, split_words
from tests.browser.reading import ADDRESS, CAPTION, Reader

pytestmark = pytest.mark.browser


def test_the_model_comes_with_the_first_press_and_only_then(visitor, run):
    visit = visitor.open(ADDRESS)
    asked = []
    visit.page.on("request", lambda request: asked.append(request.url))
    reader = Reader(visit.page)
    reader.at("caption").fill(CAPTION)
    visit.page.wait_for_timeout(300)
    assert asked == []
    visit.page.get_by_role("button", name="Translate", exact=True).click()
    reader.settle()
    assert asked
    assert all("/_static/translator/" in url for url in asked)
    first = len(asked)
    assert [reader.translate("A dog runs.")] == run.translator(["A dog runs."])
    assert len(asked) == first
    assert visit.errors == []
    assert visit.foreign == []
    visit.page.close()


def test_no_part_of_the_model_is_on_another_page(book):
    for name in ("chapters/index.html", ADDRESS):
        assert "weights-0.js" not in (book / name).read_text("utf-8")


def test_a_caption_is_translated_from_the_unpacked_copy(file_visitor, run):
    visit = file_visitor.open(ADDRESS)
    assert [Reader(visit.page).translate(CAPTION)] == run.translator([CAPTION])
    assert visit.foreign == []
    assert visit.errors == []
    visit.page.close()


def test_greedy_search_is_python_s_and_an_example_is_one_press_away(reader, run):
    reader.page.get_by_label("greedy").check()
    example = reader.page.locator("[data-example]").last
    example.click()
    reader.settle()
    assert [reader.translation] == run.translator([example.inner_text()], beam_size=1)
    assert "forty" in reader.at("notes").inner_text()
    assert not reader.at("tree-part").is_visible()
    assert reader.printed_by_python() == reader.translation


def maps_of(run, text, written):
    source = torch.tensor([run.source.encode(split_words(text))])
    with torch.no_grad(), record_attention(run.model) as maps:
        run.model(source, torch.tensor([[BOS, *written[:-1]]]))
    return {name: weights[0] for name, weights in maps.items()}


def written_by(reader, run):
    pieces = reader.at("written").locator("label").all_inner_texts()
    return [run.target.tokens.index(piece) for piece in pieces]


def test_the_maps_are_those_that_python_records(reader, run):
    maps = maps_of(run, CAPTION, written_by(reader, run))
    layers = range(run.model.config.num_layers)
    for side, place, number, part in [
        ("written", 2, 0, "decoder.layers.{}.cross_attention"),
        ("written", 2, 1, "decoder.layers.{}.self_attention"),
        ("read", 3, 0, "encoder.layers.{}.attention"),
    ]:
        reader.choose(side, place)
        found = torch.tensor(reader.map(number))
        expected = torch.cat([maps[part.format(layer)][:, place] for layer in layers])
        assert (found - 100 * expected[:, : found.shape[1]]).abs().max() < 1
        assert not expected[:, found.shape[1] :].any()  # the future, which is hidden


def test_another_piece_is_pressed_and_the_sentence_goes_on_from_there(reader):
    before = reader.translation
    reader.choose("written", 1)
    likeliest = reader.at("others").locator("button")
    assert likeliest.count() == 5
    assert likeliest.first.is_disabled()  # it is the one that is written
    piece = likeliest.nth(1).inner_text().split(",")[0].strip()
    likeliest.nth(1).click()
    reader.settle()
    assert reader.translation != before
    assert reader.at("written").locator("label").nth(1).inner_text() == piece.split()[0]
    assert reader.printed_by_python() == reader.translation
    reader.page.get_by_role("button", name="Let the model choose all").click()
    reader.settle()
    assert reader.translation == before


def test_a_sentence_that_is_ended_by_hand_ends(reader):
    reader.translate("A man in a blue shirt")
    ends = reader.at("others").locator("button:enabled", has_text="<eos>")
    place = reader.at("written").locator("label").count() - 1
    while place and not ends.count():
        place -= 1
        reader.choose("written", place)
    ends.first.click()
    reader.settle()
    assert reader.at("written").locator("label").count() == place + 1
    assert reader.at("written").locator("label").last.inner_text() == "<eos>"
    assert not reader.at("tree-part").is_visible()


def test_heads_are_switched_off_and_on_again(reader):
    before = reader.translation
    for head in range(4):
        name = f"on decoder.layers.3.cross_attention {head}"
        reader.page.locator(f'[id="{name}"]').uncheck()
        reader.settle()
        assert reader.page.evaluate("document.activeElement.id") == name
        assert f"[:, {32 * head}:{32 * head + 32}] = 0" in reader.at("python").inner_text()
    assert "Heads that are off: 4" in reader.at("notes").inner_text()
    assert before in reader.at("notes").inner_text()
    assert reader.translation != before
    assert reader.printed_by_python() == reader.translation
    reader.page.get_by_role("button", name="Switch all heads on").click()
    reader.settle()
    assert reader.translation == before


def test_a_weight_is_taken_apart(reader, run):
    reader.choose("written", 1)
    place = 2
    cell = reader.at("maps").locator("table").first.locator("tbody tr").nth(13)  # layer 4, head 2
    cell.locator("td button").nth(place).click()
    written = written_by(reader, run)
    layer = run.model.decoder.layers[3].cross_attention
    projected = {}
    hooks = [
        projection.register_forward_hook(
            lambda _, __, output, name=name: projected.update({name: output[0]})
        )
        for name, projection in [("q", layer.query_projection), ("k", layer.key_projection)]
    ]
    maps = maps_of(run, CAPTION, written)
    for hook in hooks:
        hook.remove()
    q, k = projected["q"][1, 32:64], projected["k"][place, 32:64]
    weight = maps["decoder.layers.3.cross_attention"][1, 1, place].item()

    def numbers(text):
        return [float(n.replace("−", "-")) for n in re.findall(r"[−\d]+\.\d+", text)]

    steps = reader.at("numbers").locator("dd").all_text_contents()
    product = (q @ k).item()
    assert numbers(steps[0]) == pytest.approx([product], abs=2e-3)
    assert numbers(steps[1])[-1] == pytest.approx(product / 32**0.5, abs=2e-3)
    assert numbers(steps[2])[-1] == pytest.approx(weight, abs=2e-3)
    reader.at("numbers").locator("summary").click()
    rows = reader.at("numbers").locator("details tbody tr").all()
    found = torch.tensor([numbers(row.inner_text()) for row in rows])
    assert found.shape == (32, 3)
    assert found[:, 0] == pytest.approx(q.detach(), abs=2e-3)
    assert found[:, 1] == pytest.approx(k.detach(), abs=2e-3)
    shares = reader.at("numbers").locator(".numbers").first.locator("td:last-child")
    assert sum(map(float, shares.all_text_contents())) == pytest.approx(1, abs=1e-2)
    reader.page.get_by_role("button", name="Back to the weight").click()
    assert reader.page.evaluate("document.activeElement.closest('table').className") == "map"


def test_the_beam_grows_by_keys_and_names_the_winner(reader):
    tree = reader.at("tree")
    best = tree.locator("table .marked th").inner_text()
    assert best.capitalize().replace(" .", ".") == reader.translation
    columns = tree.locator("svg g:visible")
    steps = reader.at("written").locator("label").count()
    assert tree.locator("svg g").count() == steps
    reader.page.locator("#beam-step").focus()
    reader.page.keyboard.press("Home")
    assert columns.count() == 1
    reader.page.keyboard.press("ArrowRight")
    assert columns.count() == 2
    assert f"2 of {steps}" in tree.inner_text()


def test_what_the_page_says_about_its_examples(book, run):
    text = (book / ADDRESS).read_text("utf-8")
    assert "The meaning of life is forty-two." in text
    assert "life becomes a small child" in text
    assert "tout-petit" in run.translator(["The meaning of life is forty-two."])[0]
    assert "“A dog” without its full stop" in text
    assert run.translator(["A dog"])[0].lower().count("un chien") > 1
    assert run.translator(["A dog."]) == ["Un chien."]


def test_the_page_and_its_parts_agree(book):
    page = (book / ADDRESS).read_text("utf-8")
    parts = int(re.search(r'data-parts="(\d+)"', page)[1])
    files = {path.name for path in (book / "_static" / "translator").iterdir()}
    assert files == {"vocabulary.js", *(f"weights-{number}.js" for number in range(parts))}
    described = (book / "_static" / "translator" / "vocabulary.js").read_text("utf-8")
    content = json.loads(described.removeprefix('attncourseReceive("vocabulary",').rstrip(");\n"))
    assert content["search"] == {"beamSize": 5, "lengthPenalty": 1.0}
