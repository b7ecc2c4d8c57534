"""The translator in the browser against Python's: both are computed here, and compared."""

from __future__ import annotations

import copy
import json
import random
import socket
import unicodedata
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from playwright.sync_api import Error

from attncourse.attention import record_attention
from attncourse.data.grammar.drawing import Drawer
from attncourse.data.translation import detokenise
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, join_words, split_words
from attncourse.decoding import Barring, beam_search, greedy
from attncourse.translator import BEAM
from tests.browser import firefox
from tools import translator as tool

pytestmark = pytest.mark.browser

CAPTIONS = [
    "A dog runs on the beach.",
    "Two children play football in the snow.",
    "A man in a blue shirt is standing on a ladder cleaning a window.",
    "A woman with a red umbrella walks past an old shop.",
    "Three people sit at a table outside a restaurant.",
    "A little girl climbs into a wooden playhouse.",
    "A black and white dog jumps over a fence.",
    "An old man sells vegetables at the market.",
    "People are watching a man play the guitar in the street.",
    "The boy's bike isn't in the garden.",
    "A cyclist rides down a steep hill, and nobody looks at him.",
    "Several young women dance in a park at night.",
    "A baby sleeps on a green sofa next to a cat.",
    "Is the girl reading a book?",
    "A worker with a yellow helmet repairs the road.",
    "Four surfers carry their boards towards the sea.",
    "A bride and a groom laugh in front of a church.",
    "The red car stands behind two trucks!",
    "A goalkeeper dives for the ball during a game.",
    "Someone is cooking rice in a large pan.",
]
LETTERS = [
    *"abcdefghijklmnopqrstuvwxyzABCXYZ0123456789",
    *" \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u202f\u3000",
    *".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`«»“”‘’ʼ‐\u2011–—…°§€",
    *"àâçèéêëîïñôùûœæßıİŒÀÉøåþ",
    *"\u0301\u0300\u0308\u200b\u200d\ufeff\xad\u2060\x00\x07\ufffd",
    *"ΑΣςσабвЖяאבجحखग中文字かなカナ한글ไทย²³½ⅧⅠ①٣५",
    *"😀🐕👩‍👧‍👦🏽🇫🇷▁▂★♥",
]
PIECES = ["<eos>", "<unk>", "▁dog", "l'herbe", "qu’il", "aujourd'hui", "dog's", "e\u0301", "isn't"]


def unicode_texts(count: int) -> list[str]:
    draw = random.Random(0)
    alphabets = [LETTERS, [*LETTERS[:26], " ", "'", "-", "."], [*LETTERS, *PIECES]]
    return [
        "".join(draw.choices(draw.choice(alphabets), k=draw.randrange(40))) for _ in range(count)
    ]


def drawn_captions(count: int) -> list[str]:
    drawer = Drawer(7)
    return [detokenise(drawer.draw(5 + number % 9).source) for number in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page with the engine, and the model beside it."""
    folder = tmp_path_factory.mktemp("engine")
    tool.write(folder)
    script = tool.bundle() + (
        "Object.assign(globalThis, { splitWords, joinWords, download, greedy, beamSearch, retrace, "
        "logSoftmax, largestPlaces });"
    )
    (folder / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><script type="module">{script}</script>', "utf-8"
    )
    return folder


@contextmanager
def in_chromium(browser, folder):
    page = browser.new_page()
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto((folder / "index.html").as_uri())
    yield page.evaluate
    page.close()
    assert failed == []


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def engine(request, folder, tmp_path_factory):
    """Calls a function in the page, which is on the disk for Chromium and served for Firefox."""
    if request.param == "chromium":
        opened = in_chromium(request.getfixturevalue("browser"), folder)
    elif firefox.path():
        opened = firefox.answering(folder / "index.html", tmp_path_factory.mktemp("profile"))
    else:
        pytest.skip("Firefox is not installed")
    with opened as evaluate:
        manifest = json.dumps({"folder": "./", **tool.manifest()})
        shares = evaluate(
            f"""async () => {{
                const shares = [];
                globalThis.course = await download({manifest}, (share) => shares.push(share));
                return shares;
            }}"""
        )
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert shares[-1] == 1
        yield evaluate


def test_an_error_in_the_page_is_an_error_here(engine):
    with pytest.raises((Error, RuntimeError), match="nobody"):
        engine("() => nobody()")


def test_a_download_that_stalls_ends(engine):
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes the request and says nothing
        manifest = json.dumps(
            {**tool.manifest(), "folder": f"http://127.0.0.1:{deaf.getsockname()[1]}/"}
        )
        with pytest.raises((Error, RuntimeError), match="no answer"):
            engine(f"() => download({manifest}, () => {{}}, 300)")


def test_the_bundle_has_neither_imports_nor_exports():
    for word in ("import ", "export "):
        assert not any(line.startswith(word) for line in tool.bundle().splitlines())


def test_the_parts_are_the_same_each_time(tmp_path):
    before = dict(tool.parts())
    tool.parts.cache_clear()
    assert tool.parts() == before
    tool.write(tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert written.keys() == before.keys()
    tool.write(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written


def test_texts_of_all_kinds_are_cut_and_numbered_alike(run, engine):
    texts = [*CAPTIONS, *unicode_texts(600), "", "   ", *"àÉ中😀", "▁", "▁dog ▁ ▁▁x"]
    words = [split_words(text) for text in texts]
    cut = engine("texts => texts.map(splitWords)", texts)
    assert [(t, c) for t, c in zip(texts, cut, strict=True)] == list(zip(texts, words, strict=True))
    found = engine("words => words.map((each) => course.vocabulary.encode(each))", words)
    assert found == [run.source.encode(each) for each in words]
    pieces = engine("words => words.map((each) => course.vocabulary.pieces(each))", words)
    assert pieces == [run.source.pieces(each) for each in words]
    assert sum(UNK in ids for ids in found) > 100


def test_unfamiliar_words_are_the_same(run, engine):
    texts = [split_words(text) for text in [*CAPTIONS, "Kierkegaard's zugzwang, ok?", "中 dog 😀"]]
    found = engine("texts => texts.map((text) => course.vocabulary.unfamiliar(text))", texts)
    assert found == [list(run.translator._unfamiliar(text)) for text in texts]
    assert found[-2]


def test_numbers_are_put_together_alike(run, engine):
    draw = random.Random(1)
    written = [
        [draw.randrange(len(run.target)) for _ in range(draw.randrange(25))] for _ in range(200)
    ]
    marks = [run.target._ids[mark] for mark in ["'", '"', "(", ")", ".", ",", "▁", "-"]]
    written += [draw.choices([*marks, 91, 300, 1200], k=12) for _ in range(200)]
    found = engine("all => all.map((ids) => joinWords(course.vocabulary.decode(ids)))", written)
    assert found == [join_words(run.target.decode(ids).split(), "fr") for ids in written]


def translated_by_python(run, text, prompt=(), beam=True):
    """One sentence at a time, as the page does it."""
    source = torch.tensor([run.source.encode(split_words(text))])
    limit = min(2 * source.shape[1] + 10, run.model.config.max_len)
    search = partial(beam_search, **BEAM) if beam else greedy
    prompt = torch.tensor([list(prompt)], dtype=torch.int64)
    found = search(
        Barring(run.model, [UNK]),
        source,
        bos=BOS,
        eos=EOS,
        pad=PAD,
        max_length=limit,
        prompt=prompt,
    )
    return found.tokens[0].tolist(), found.log_probability.item()


SEARCH = """async ([texts, prompt, name]) => {
    const found = [];
    for (const text of texts) {
        const source = course.vocabulary.encode(splitWords(text));
        const maxLength = Math.min(2 * source.length + 10, course.maxLength);
        const search = name === "beam" ? beamSearch : greedy;
        const { tokens, logProbability } = await search(
            course.model, source, { prompt, maxLength, ...course.search },
        );
        found.push([tokens, logProbability, joinWords(course.vocabulary.decode(tokens))]);
    }
    return found;
}"""


@pytest.mark.parametrize("ten", range(4))
@pytest.mark.parametrize("name", ["beam", "greedy"])
def test_translations_of_forty_captions_are_the_same(run, engine, name, ten):
    texts = [*CAPTIONS, *drawn_captions(20)][10 * ten : 10 * ten + 10]
    found = engine(SEARCH, [texts, [], name])
    options = {} if name == "beam" else {"beam_size": 1}
    assert [words for *_, words in found] == run.translator(texts, **options)
    for text, (tokens, log_probability, _) in zip(texts, found, strict=True):
        expected, expected_log_probability = translated_by_python(run, text, beam=name == "beam")
        assert tokens == expected, text
        assert log_probability == pytest.approx(expected_log_probability, abs=1e-3)


@pytest.mark.parametrize("name", ["beam", "greedy"])
def test_a_sentence_goes_on_from_what_is_written(run, engine, name):
    prompt = run.target.encode("le chien")
    found = engine(SEARCH, [CAPTIONS[:6], prompt, name])
    for text, (tokens, log_probability, _) in zip(CAPTIONS, found, strict=False):
        expected, expected_log_probability = translated_by_python(
            run, text, prompt, beam=name == "beam"
        )
        assert tokens == expected
        assert log_probability == pytest.approx(expected_log_probability, abs=1e-3)


RETRACE = """([source, written]) => {
    const { read, steps } = retrace(course.model, source, written);
    const maps = {};
    for (const looks of [read, ...steps.map((step) => step.looks)]) {
        for (const [name, { rows }] of Object.entries(looks)) {
            (maps[name] ??= []).push(...rows.map((row) => row.weights.map((w) => [...w])));
        }
    }
    return { maps, logits: steps.map((step) => [...step.logits]) };
}"""


def compare(model, engine, source, written):
    with torch.no_grad(), record_attention(model) as maps:
        logits = model(torch.tensor([source]), torch.tensor([[BOS, *written[:-1]]]))[0]
    found = engine(RETRACE, [source, written])
    assert found["maps"].keys() == maps.keys()
    for name, weights in maps.items():
        for query, heads in enumerate(found["maps"][name]):
            for head, row in enumerate(heads):
                expected = weights[0, head, query]
                assert torch.tensor(row) == pytest.approx(expected[: len(row)], abs=1e-3)
                assert not expected[len(row) :].any()  # the future, which is hidden
    worst = (torch.tensor(found["logits"]) - logits).abs().max().item()
    assert worst < 1e-4


@pytest.mark.parametrize("text", [CAPTIONS[0], CAPTIONS[2], "Kierkegaard's zugzwang, 中 ok?"])
def test_logits_and_weights_of_all_heads_are_the_same(run, engine, text):
    source = run.source.encode(split_words(text))
    compare(run.model, engine, source, translated_by_python(run, text)[0])


def test_the_unknown_never_comes(engine):
    shares = engine("() => [...logSoftmax([0, 0, 0, 9, 0])].map(Math.exp)")
    assert shares == pytest.approx([1 / 4, 1 / 4, 1 / 4, 0, 1 / 4])


def test_the_largest_are_found_in_order_and_of_equals_the_first(engine):
    assert engine("() => largestPlaces([2, 7, 1, 7, -1 / 0, 5], 4)") == [1, 3, 5, 0]
    assert engine("() => largestPlaces([3, 4], 5)") == [1, 0]


def test_a_head_that_is_switched_off_gives_zeros(run, engine):
    off = {"decoder.layers.3.cross_attention": 2, "encoder.layers.0.attention": 1}
    model = copy.deepcopy(run.model)
    width = model.config.embed_dim // model.config.num_heads
    for name, head in off.items():
        output = model.get_submodule(name).output_projection
        with torch.no_grad():
            output.weight[:, head * width : (head + 1) * width] = 0
    source = run.source.encode(split_words(CAPTIONS[0]))
    written = translated_by_python(run, CAPTIONS[0])[0]
    names = [f"{name} {head}" for name, head in off.items()]
    engine("names => names.forEach((name) => course.model.silenced.add(name))", names)
    try:
        compare(model, engine, source, written)
        with pytest.raises(AssertionError):
            compare(run.model, engine, source, written)
    finally:
        engine("() => course.model.silenced.clear()")


def test_every_sign_of_the_basic_plane_is_treated_alike(engine):
    # Of those that this Python knows and that have no half: the browser may know newer ones.
    signs = [
        chr(code)
        for code in range(0x10000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    texts = [f"a{sign}b" for sign in signs]
    found = engine("texts => texts.map(splitWords)", texts)
    differ = [(t, a) for t, a in zip(texts, found, strict=True) if a != split_words(t)]
    assert differ == []
