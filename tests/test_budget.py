"""What counts as a page's length, on pages made by hand."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.budget import Length, length_of, main, state_minutes, stated_minutes


def words_of(*texts: str) -> int:
    return length_of(new_notebook(cells=[new_markdown_cell(text) for text in texts])).words


def test_prose_is_counted_and_a_formula_is_one_word():
    assert words_of("Two words", "and $a + b + c$ of") == 2 + 3
    assert words_of("so\n\n$$\nx = y + z\n$$\n\nholds") == 3


def test_exercises_folded_answers_and_sources_do_not_count():
    fence = ":::{exercise-start} A title\n:label: ex-a\n:::"
    assert words_of(fence, "Write this.", ":::{exercise-end}\n:::", "after") == 1
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
    [
        (Length(900, 8, 2), (15, 20)),  # 900 / 100 + 8 * 3 / 4 = 15, and 2 * 10
        (Length(901, 8, 0), (20, 0)),
        (Length(0, 1, 1), (5, 10)),
        (Length(3000, 40, 6), (60, 60)),
    ],
)
def test_minutes_to_read_are_rounded_up_to_five_and_an_exercise_takes_ten(length, minutes):
    assert length.minutes == minutes


def test_the_stated_times_are_found():
    text = "**It takes** 45 minutes to read, {} and 60 seconds to run."
    for exercises, minutes in (("30 for the exercises,", 30), ("10 for the exercise,", 10)):
        page = new_notebook(cells=[new_markdown_cell(text.format(exercises))])
        assert stated_minutes(page) == (45, minutes)
    assert stated_minutes(new_notebook(cells=[new_markdown_cell(text)])) is None


def test_the_times_are_written_where_others_stand():
    exercise = ":::{exercise-start}\n:::\nDo.\n:::{exercise-end}\n:::"
    said = "**It takes** 45 minutes to read, 30 for the exercises, and 60 seconds to run."
    page = new_notebook(cells=[new_markdown_cell(said), new_markdown_cell(exercise)])
    state_minutes(page)
    written = "**It takes** 5 minutes to read, 10 for the exercise, and 60 seconds to run."
    assert [cell.source for cell in page.cells] == [written, exercise]
    page.cells.append(new_markdown_cell(exercise))
    state_minutes(page)
    assert stated_minutes(page) == (5, 20)


def test_the_table_has_a_row_for_each_page(tmp_path, capsys):
    import nbformat

    page = tmp_path / "01_page.ipynb"
    exercise = ":::{exercise-start}\n:::\nDo.\n:::{exercise-end}\n:::"
    cells = [new_markdown_cell("three words here"), new_markdown_cell(exercise)]
    nbformat.write(new_notebook(cells=cells), page)
    main([str(page)])
    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["3", "0", "1", "5", "15", "01_page.ipynb"]
