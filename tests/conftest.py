"""What all tests share.

Shapes in the annotations of `attncourse` are checked in every test: jaxtyping's import hook is
installed here, before anything imports the package. It would speak before our own checks do, so
tests of bad input ask for `own_errors`, which silences it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import types
import warnings
from pathlib import Path

# Both are read when torch is imported: waiting threads must not spin, and parallel test workers
# take one thread each.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import hypothesis
import jaxtyping
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from peers import need_peer

# --doctest-modules would otherwise look for examples in these, and trip over two of one name.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]

jaxtyping.install_import_hook("attncourse", "beartype.beartype")
matplotlib.use("Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"

# The same cases in every run with CI set, so that what fails there fails here too.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def same_seed():
    """Start every test from the same random state."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def own_errors():
    """Switch the shape hook off, so that a test of bad input sees the package's own error."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def fresh_compiler(own_errors):
    """Let a test compile: without the shape hook, whose wrappers the compiler cannot read, and
    without the versions compiled in earlier tests, which count towards its limit."""
    torch.compiler.reset()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The package as it is installed elsewhere, built from a copy: building leaves files behind."""
    from tools.project import ROOT
    from tools.stamp import tracked

    folder = tmp_path_factory.mktemp("wheel")
    for path in tracked(ROOT):
        inside = path.relative_to(ROOT)
        whole = inside.parts[0] in {"attncourse", "results"}
        if whole or inside.name in {"pyproject.toml", "setup.py", "README.md", "LICENSE"}:
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            (folder / inside).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def no_figures_left():
    """Leave neither figures nor a style behind."""
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request) -> torch.device:
    """Each device that a test should run on."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.device(request.param)


@pytest.fixture
def released(monkeypatch) -> Path:
    """Point the loaders at the released files, which are read and never written."""
    named = os.environ.get("ATTNCOURSE_DATA")
    folder = Path(named).absolute() if named else BESIDE
    if not (folder / "multi30k" / "train.en.gz").is_file():
        pytest.skip(f"the released Multi30k is not in {folder}: set ATTNCOURSE_DATA")
    monkeypatch.setenv("ATTNCOURSE_DATA", str(folder))
    # Whatever is not there whole must fail here instead of being fetched.
    monkeypatch.setitem(sys.modules, "pooch", None)
    return folder


@pytest.fixture
def same(request):
    """Compare ours with a reference to the tolerance that the test's mark `equals` states.

    `make checked` writes the marks on the page "How this course was checked". So the tolerance of
    the page is that of the test: there is no other.
    """
    within = request.node.get_closest_marker("equals").kwargs["within"]

    def compare(ours, theirs):
        atol = within[ours.dtype] if isinstance(within, dict) else within
        if isinstance(theirs, torch.Tensor) and theirs.dtype == torch.float64:
            ours = ours.double()  # a formula in float64 is the reference of every dtype
        torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)

    return compare


@pytest.fixture
def small_corpus(monkeypatch):
    """Make the embedded corpus of a recipe small."""
    from small_recipes import small_pairs

    from attncourse.recipes import corpora

    monkeypatch.setattr(corpora, "translation_pairs", small_pairs)


@pytest.fixture(scope="session")
def d2l():
    """Dive into Deep Learning's `d2l.torch` (Zhang et al. 2023), an independent reference."""
    need_peer("d2l")
    # d2l imports torchvision, which it neither declares nor needs for what we compare with. An
    # empty module stands in for it where there is none; nothing else in the tests may do so.
    try:
        import torchvision  # noqa: F401
    except ImportError:
        stand_in = types.ModuleType("torchvision")
        stand_in.transforms = types.ModuleType("torchvision.transforms")
        sys.modules.setdefault("torchvision", stand_in)
        sys.modules.setdefault("torchvision.transforms", stand_in.transforms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports warn; that is not ours to mend
        from d2l import torch as d2l_torch
    # The stand-in goes again: others, such as transformers, look whether there is a torchvision.
    if getattr(sys.modules["torchvision"], "__spec__", None) is None:
        del sys.modules["torchvision"], sys.modules["torchvision.transforms"]
    return d2l_torch


@pytest.fixture(scope="session")
def hugging_face():
    """Hugging Face's `transformers`, an independent reference; only models drawn at random."""
    need_peer("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports warn; that is not ours to mend
        import transformers

        # It imports each model when first asked for it.
        for model in (
            "BertModel",
            "BertForMaskedLM",
            "GPT2LMHeadModel",
            "MarianMTModel",
            "GPTJModel",
            "LlamaModel",
        ):
            getattr(transformers, model)
    return transformers
