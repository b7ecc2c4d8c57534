"""Every entry of `chapters/glossary.md` has its terms in English and in both Chinese scripts."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tools.project import ROOT

PAGE = ROOT / "chapters" / "glossary.md"
ENTRY = re.compile(
    r"(?P<labels>(?:^\(term-[\w-]+\)=\n)+)^## (?P<title>.+)\n\n(?P<scripts>\S+：)(?P<terms>.+)\n\n"
    r"(?P<text>(?:(?!\(term-|## ).*\n?)+)",
    re.MULTILINE,
)
CHINESE = r"[\u4e00-\u9fff]"


def entries(page: str) -> list[dict[str, str]]:
    return [entry.groupdict() for entry in ENTRY.finditer(page)]


def complaints(page: str) -> list[str]:
    found, titles = [], []
    for entry in entries(page):
        title = entry["title"]
        simplified = "".join(re.findall(CHINESE, title))
        traditional = "".join(re.findall(CHINESE, entry["terms"]))
        titles.append(re.findall(r"[a-z0-9]+", title.lower()))
        if entry["scripts"] != ("繁體：" if simplified else "简体、繁體："):
            found.append(f"{title}: no line for the traditional term")
        # Each standard holds the characters of one script, and only those that both share.
        for name, terms, script in (
            ("simplified", simplified, "gb2312"),
            ("traditional", traditional, "big5"),
        ):
            if terms.encode(script, errors="ignore").decode(script) != terms:
                found.append(f"{title}: {terms} is not {name}")
        if not re.search(r"\]\(\d\d_\w+\.ipynb\)", entry["text"]):
            found.append(f"{title}: no chapter")
    found += [f"{a} stands before {b}" for a, b in pairwise(titles) if a > b]
    headings = page.count("\n## ")
    return found + [f"{headings} headings, {len(titles)} whole entries"] * (headings != len(titles))


def test_every_entry_has_its_terms_and_a_chapter():
    found = complaints(PAGE.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("繁體：梯度累積", "繁體：梯度累积", "梯度累积 is not traditional"),
        ("accumulation 梯度累积", "accumulation 梯度累積", "梯度累積 is not simplified"),
        ("繁體：梯度累積", "繁体：梯度累積", "no line for the traditional term"),
        ("繁體：梯度累積\n\n", "", "whole entries"),
        ("(term-adam)=\n", "", "whole entries"),
        ("## attention 注意力", "## zeal 注意力", "stands before"),
    ],
)
def test_what_an_entry_lacks_is_named(old, new, complaint):
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(old) >= 1
    assert any(complaint in sentence for sentence in complaints(page.replace(old, new, 1)))
