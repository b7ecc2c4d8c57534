"""What counts as a page's length, on pages made by hand."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.budget import Length, length_of, main, stated_minutes


def words_of(*texts: str) -> int:
    return length_of(new_notebook(cells=[new_markdown_cell(text) for text in texts])).words


def test_prose_is_counted_and_a_formula_is_one_word():
    assert words_of("Two words", "and $a + b + c$ of") == 2 + 3
    assert words_of("so\n\n$$\nx = y + z\n$$\n\nholds") == 3


def test_exercises_folded_answers_and_sources_do_not_count():
    fence = ":::{exercise-start} A title\n:label: ex-a\n:::"
    assert words_of(fence, "Write this.", ":::{exercise-end}\n:::", "after") <= 1 + 1  # its ":::"
    assert words_of(":::{dropdown} Answer\nlong and folded\n:::", "after") == 1
    nested = "::::{dropdown} Answer\n:::{note}\ninner\n:::\nfolded\n::::"
    assert words_of(nested, "after") == 1
    assert words_of("## Sources\n\nBy somebody.", "And more.", "## Next\n\nword") == 3


def test_only_open_code_cells_count():
    cells = [new_code_cell("1", metadata={"tags": tags}) for tags in ([], ["nbval-ignore-output"])]
    cells += [new_code_cell("1", metadata={"tags": [tag]}) for tag in ("hide-input", "hide-cell")]
    assert length_of(new_notebook(cells=cells)) == Length(words=0, cells=2, exercises=0)


@pytest.mark.parametrize(
    ("length", "minutes"),
    [(Length(1500, 10, 2), 25), (Length(1501, 10, 2), 30), (Length(0, 1, 0), 5)],
)
def test_minutes_are_rounded_up_to_five(length, minutes):
    assert length.minutes == minutes  # 1500 / 150 + 10 / 2 + 2 * 5 = 25


def test_the_stated_time_is_found():
    cell = new_markdown_cell("**It takes** 45 minutes to read and try, and 60 seconds to run.")
    assert stated_minutes(new_notebook(cells=[cell])) == 45
    assert stated_minutes(new_notebook()) is None


def test_the_table_has_a_row_for_each_page(tmp_path, capsys):
    import nbformat

    page = tmp_path / "01_page.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("three words here")]), page)
    main([str(page)])
    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["3", "0", "0", "5", "-", "01_page.ipynb"]
