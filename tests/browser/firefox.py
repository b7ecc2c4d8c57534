"""A page in Firefox that answers questions: Debian's Firefox cannot be driven by Playwright.

The page asks this server what to evaluate, and sends back what came out.
"""

from __future__ import annotations

import functools
import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ["firefox-esr", "firefox"]
PREFERENCES = {
    # Every other host is out of reach: a proxy at which nobody answers.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}
ANSWERING = """<script type="module">
for (;;) {
    const { expression, argument } = await (await fetch("next")).json();
    const answer = {};
    try {
        answer.value = await (0, eval)(`(${expression})`)(argument);
    } catch (error) {
        answer.error = `${error}\\n${error.stack}`;
    }
    await fetch("answer", { method: "POST", body: JSON.stringify(answer) });
}
</script>"""
PATIENCE = 120  # seconds for an answer


def path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def answering(page: Path, profile: Path) -> Iterator[Callable[..., Any]]:
    """Open `page` in Firefox; give a function that calls a function there, as `Page.evaluate`."""
    questions: queue.Queue = queue.Queue()
    answers: queue.Queue = queue.Queue()

    class Between(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/next":
                self.send(questions.get())
            else:
                super().do_GET()

        def do_POST(self):
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send({})

        def send(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def evaluate(expression: str, argument: object = None) -> Any:
        questions.put({"expression": expression, "argument": argument})
        answer = answers.get(timeout=PATIENCE)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    page.write_text(page.read_text("utf-8") + ANSWERING, "utf-8")
    profile.joinpath("user.js").write_text(
        "".join(f"user_pref({json.dumps([k, v])[1:-1]});\n" for k, v in PREFERENCES.items())
    )
    handler = functools.partial(Between, directory=str(page.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{page.name}"
        command = [path(), "--headless", "--no-remote", "--profile", profile, address]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as firefox:
            try:
                yield evaluate
            finally:
                firefox.terminate()
        server.shutdown()
