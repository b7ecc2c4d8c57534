"""`chapters/sources.md` leaves no concept and no mistake of the five documents without its place.

The lists below are what the page has to hold. A concept is taught in a section, which is linked by
its title; only one that belongs to a chapter still to come may say so instead.
"""

from __future__ import annotations

import re
from functools import cache

import nbformat
import pytest
from test_chapters import CHAPTERS, labels, labels_in

from tools.project import ROOT

PAGE = ROOT / "chapters" / "sources.md"
TO_COME = {"16", "17", "18", "19", "20"}  # the chapters that were not written with this page

CONCEPTS = {
    "Attention2Transformer": """
        volitional and nonvolitional cues: the red cup and the book
        what convolution, full connection and pooling see
        query, key, value
        attention pooling
        Nadaraya-Watson without a parameter
        the Gaussian kernel as a softmax
        Nadaraya-Watson with a learned parameter
        scoring function and weights
        additive attention
        scaled dot-product attention
        encoder and decoder with one context
        Bahdanau's model: states as keys and values, the decoder's state as query
        self-attention
        its parallelism and its cost
        positions, fixed or learned, absolute or relative
        sinusoidal positions
        their likeness to binary counting
        the Transformer's encoder
        the Transformer's decoder
        multi-head attention
        masked multi-head attention
        position-wise network, (b, n, d) to (bn, d) and back
        the same as two convolutions of width 1
        residual connections
        layer normalisation
    """,
    "Decoding attention": """
        the history from 2014 to today
        claim 1: better scores
        claim 2: less computation
        claim 3: answers that can be explained
        claim 4: simpler models
        claim 5: use in many fields
        claim 6: better on unseen data
        claim 7: more to come
        attention as a function of a query and pairs of key and value
        similarity, scaling, softmax
        dot-product attention
        scaled dot-product attention
        multi-head attention
        self-attention
        bidirectional attention
        worked example 1: the cat, the chase, the mouse
        worked example 2: apple, orange, fruit
        its six programs: find the bug
        translation
        summarisation
        named entities
        image classification
        object detection
        image generation
    """,
    "Self-attention": """
        sequences, and why order counts
        "the 2022 Beijing Winter Games": one word, two meanings
        the library: question, card, book
        step 1: projections to query, key and value
        step 2: scores, over the root of the width
        step 3: softmax
        step 4: the weighted sum
        several heads, and why
        concat and the output matrix
        contextual vectors
        encoder-decoder attention
    """,
    "Attention Is All You Need": """
        what recurrent models find hard: long distances
        attention, self-attention and multi-head attention compared
        encoder and decoder, stacks of six layers
        scaled dot-product attention, and why the root
        a mask on the scores
        multi-head attention
        its three uses in the Transformer
        the feed-forward network with ReLU
        embeddings times the root of d_model
        softmax by hand
        weight tying
        sinusoidal positions
        learned positions
        rotary positions
        why self-attention: the path between two words
        training data and batches: WMT 2014 en-de
        hardware and schedule
        Adam with warm-up
        residual dropout
        label smoothing
        `nn.Transformer`
    """,
    "Bert101": """
        why recurrent models lose the beginning of a text
        Bahdanau's attention
        encoder and decoder as stacks
        what "it" refers to
        from tokens to Z in seven steps
        Q, K and V from the input matrix
        several heads, and why
        positions and frequencies
        feed-forward network
        add and norm
        on to BERT
    """,
}
# What the mistakes' tables have to link to. (Both worked examples have one entry.)
MISTAKES = {
    "Attention2Transformer": "denominator additive-value",
    "Decoding attention": "printed-result view softmax-axis deaf-decoder no-query",
    "Self-attention": "weights-are-values heads-split-words one-vector static",
    "Attention Is All You Need": "root-faster",
    "Bert101": "code-repeats",
}


@cache
def titles(chapter: str) -> dict[str, str]:
    """Give the sections of a chapter: their anchors, and the titles that these stand for."""
    (path,) = [path for path in CHAPTERS if path.name == chapter]
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^#{1,3} .+$", text, re.MULTILINE)
    return {labels_in(line).pop(): line.lstrip("# ") for line in found}


def tables(page: str, document: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give the concepts and the mistakes of a document, each with the second cell of its row."""
    _, _, section = page.partition(f"\n## {document}\n")
    section = section.partition("\n## ")[0]
    both: tuple[dict[str, str], dict[str, str]] = {}, {}
    for table, head in zip(both, ("concept | taught in", "it says | a run, or"), strict=True):
        _, _, rows = section.partition(f"| {head}")
        for line in rows.partition("\n\n")[0].splitlines()[2:]:
            first, second = re.split(r" \| ", line.strip("| "))
            table[first.partition(" · ")[0]] = second
    return both


def complaints(page: str, written: set[str]) -> list[str]:
    """Say what is missing, dead or out of date; `written` are the files of the chapters."""
    found = []
    numbers = {name[:2] for name in written}
    for document, names in CONCEPTS.items():
        taught, wrong = tables(page, document)
        wanted = [name.strip() for name in names.strip().splitlines()]
        found += [f"{document}: no row for {name}" for name in wanted if name not in taught]
        found += [f"{document}: {name} is not in the list" for name in taught if name not in wanted]
        for name, where in taught.items():
            sections = re.findall(r"\d\d \[([^\]]+)\]\((\w+\.ipynb)#([^)]+)\)", where)
            to_come = re.fullmatch(r"comes with chapter (\d\d)", where)
            if to_come and to_come[1] not in TO_COME - numbers:
                found.append(f"{document}: {name} is open, chapter {to_come[1]} is not")
            if not to_come and not sections:
                found.append(f"{document}: {name} has no section")
            for title, chapter, anchor in sections:
                if chapter not in written or titles(chapter).get(anchor) != title:
                    found.append(f"{document}: {name} leads to no section {title!r} of {chapter}")
        linked = re.findall(r"\(#mistake-([\w-]+)\)", " ".join(wrong.values()))
        found += [
            f"{document}: the mistake {name} is not listed"
            for name in MISTAKES[document].split()
            if name not in linked
        ]
        found += [f"{document}: no mistake {x}" for x in linked if f"mistake-{x}" not in labels()]
    return found


def test_every_concept_has_its_section_and_every_mistake_its_correction():
    found = complaints(PAGE.read_text(encoding="utf-8"), {path.name for path in CHAPTERS})
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("| weight tying", "| tying", "no row for weight tying"),
        ("| weight tying", "| tying", "tying is not in the list"),
        ("#softmax-by-hand)", "#softmax-by-foot)", "leads to no section 'Softmax by hand'"),
        ("[Softmax by hand]", "[Softmax]", "leads to no section 'Softmax'"),
        ("03_attention_scores.ipynb#", "03_scores.ipynb#", "leads to no section"),
        ("(#mistake-root-faster)", "(#mistake-vanish)", "root-faster is not listed"),
        ("(#mistake-overflow)", "(#mistake-flow)", "no mistake flow"),
    ],
)
def test_what_is_missing_is_named(old, new, complaint):
    page = PAGE.read_text(encoding="utf-8")
    assert old in page
    found = complaints(page.replace(old, new), {path.name for path in CHAPTERS})
    assert any(complaint in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("row", "written", "complaint"),
    [
        ("comes with chapter 18", set(), None),
        ("comes with chapter 18", {"18_bert_and_gpt.ipynb"}, "is open, chapter 18 is not"),
        ("comes with chapter 08", set(), "is open, chapter 08 is not"),
        ("later", set(), "has no section"),
    ],
)
def test_a_row_is_open_only_until_its_chapter_is_written(row, written, complaint):
    page = re.sub(r"(\| on to BERT .*?\|) .* \|", rf"\1 {row} |", PAGE.read_text(encoding="utf-8"))
    before = {path.name for path in CHAPTERS if path.name[:2] != "18"}
    found = [each for each in complaints(page, before | written) if "on to BERT" in each]
    assert found == ([] if complaint is None else [f"Bert101: on to BERT {complaint}"])
