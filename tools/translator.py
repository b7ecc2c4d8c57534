"""The translator in the reader's browser: its scripts in one, and the shipped model in parts.

The modules of `attncourse/browser/` import one another. A page that is opened from a disk may not
load modules, so the book carries them as one script, in the page itself. The model comes as plain
scripts, which such a page may load, in parts of half a megabyte: what has arrived is kept when the
download stops. Nothing of this is stored in the repository; the build makes it, always the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from attncourse.recipes.shipped import FOLDER, shipped
from attncourse.translator import BEAM
from tools.project import ROOT

BROWSER = ROOT / "attncourse" / "browser"
ENGINE = ("text.js", "transformer.js", "search.js", "weights.js")  # each needs only earlier ones
PAGE = (*ENGINE, "dom.js", "maps.js", "numbers.js", "tree.js", "python.js", "page.js")
MARKER = "<!--translator-->"  # where it stands in a page's source
PART = 393_216  # bytes of the weights, a multiple of three, so that base64 needs no filling
IMPORT = re.compile(r"^import .*? from \"\./[\w.]+\";\n", re.MULTILINE | re.DOTALL)
EXPORT = re.compile(r"^export ", re.MULTILINE)


def bundle(names: tuple[str, ...] = ENGINE) -> str:
    """Put modules into one script: without imports and exports, each under its name."""
    texts = ((name, (BROWSER / name).read_text(encoding="utf-8")) for name in names)
    return "\n".join(f"// {name}\n\n{EXPORT.sub('', IMPORT.sub('', text))}" for name, text in texts)


def page(folder: str) -> tuple[str, str]:
    """Return the style, for the head of a page, and the form with its script, for the body.

    `folder` is the address, as seen from the page, of what `write` wrote.
    """
    style, form = (
        (BROWSER / name).read_text(encoding="utf-8") for name in ("page.css", "form.html")
    )
    known = "".join(f' data-{key}="{value}"' for key, value in manifest().items())
    form = form.replace("<div id=", f'<div data-folder="{folder}"{known} id=', 1)
    return f"<style>\n{style}</style>\n", f'{form}<script type="module">\n{bundle(PAGE)}</script>\n'


@cache
def parts() -> dict[str, str]:
    """Return the scripts that carry the shipped model, by the names of their files."""
    run = shipped()
    sizes = ("embed_dim", "num_heads", "num_layers", "norm_eps", "max_len")
    vocabulary = run.source.state()
    description = {
        "config": {name: getattr(run.model.config, name) for name in sizes},
        "search": {"beamSize": BEAM["beam_size"], "lengthPenalty": BEAM["length_penalty"]},
        "tokens": vocabulary["tokens"],
        "merges": vocabulary["merges"],
    }
    weights = (FOLDER / "model.safetensors").read_bytes()
    chunks = [weights[first : first + PART] for first in range(0, len(weights), PART)]
    contents: dict[str, object] = {"vocabulary": description}
    for number, chunk in enumerate(chunks):
        contents[f"weights-{number}"] = base64.b64encode(chunk).decode()
    return {f"{name}.js": _received(name, content) for name, content in contents.items()}


def manifest() -> dict[str, object]:
    """Return what the page must know to ask for the parts; the version tells caches apart."""
    content = "".join(parts().values()).encode()
    return {"parts": len(parts()) - 1, "version": hashlib.sha256(content).hexdigest()[:8]}


def write(folder: Path) -> None:
    """Write the parts into a folder, and nothing if they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in parts().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _received(name: str, content: object) -> str:
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f'attncourseReceive("{name}",{data});\n'
