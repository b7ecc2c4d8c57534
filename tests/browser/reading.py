"""A reader of the translator's page: what he does there, and what he sees."""

from __future__ import annotations

import contextlib
import io
import re

ADDRESS = "chapters/translator.html"
CAPTION = "Two children play football in the snow."


class Reader:
    """What a reader does on the page, and what he sees."""

    def __init__(self, page):
        self.page = page

    def at(self, name):
        return self.page.locator(f'#translator [data-at="{name}"]')

    def settle(self):
        """Wait until the page has nothing more to do."""
        done = (
            "() => { const s = document.querySelector('[data-at=status]').textContent;"
            " return !s.startsWith('Searching') && !s.startsWith('The model is on'); }"
        )
        self.page.wait_for_timeout(50)
        self.page.wait_for_function(done, timeout=60_000)

    def translate(self, text):
        self.at("caption").fill(text)
        self.page.get_by_role("button", name="Translate", exact=True).click()
        self.settle()
        return self.translation

    @property
    def translation(self):
        return self.at("translation").inner_text()

    @property
    def status(self):
        return self.at("status").inner_text()

    def choose(self, side, place):
        self.page.locator(f'[id="piece {side} {place}"]').check(force=True)

    def map(self, number):
        """The percentages of a table, (16 heads, pieces)."""
        rows = self.at("maps").locator("table").nth(number).locator("tbody tr")
        return [
            [int(re.match(r"\d+", text)[0]) for text in row.locator("td").all_text_contents()]
            for row in rows.all()
        ]

    def printed_by_python(self):
        """What the lines of Python on the page print."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(self.at("python").inner_text(), {})
        return said.getvalue().strip()
