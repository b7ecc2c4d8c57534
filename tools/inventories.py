"""Write the small inventories in `_inv/` that let the book link to other documentation.

Sphinx would fetch the full ones at every build; these hold the objects that our docstrings and
pages name, so the build needs no network. To link to another object, add it here and run

    python -m tools.inventories
"""

from __future__ import annotations

import zlib

from tools.project import ROOT

# name: (domain:role, page relative to the documentation's root; $ stands for the name)
INVENTORIES = {
    "python": {
        "bool": ("py:class", "library/functions.html#$"),
        "int": ("py:class", "library/functions.html#$"),
        "float": ("py:class", "library/functions.html#$"),
        "str": ("py:class", "library/stdtypes.html#$"),
        "dict": ("py:class", "library/stdtypes.html#$"),
        "list": ("py:class", "library/stdtypes.html#$"),
        "tuple": ("py:class", "library/stdtypes.html#$"),
        "object": ("py:class", "library/functions.html#$"),
        "None": ("py:data", "library/constants.html#$"),
        "ValueError": ("py:exception", "library/exceptions.html#$"),
        "TypeError": ("py:exception", "library/exceptions.html#$"),
        "RuntimeError": ("py:exception", "library/exceptions.html#$"),
        "KeyError": ("py:exception", "library/exceptions.html#$"),
        "IndexError": ("py:exception", "library/exceptions.html#$"),
        "os.PathLike": ("py:class", "library/os.html#$"),
        "pathlib.Path": ("py:class", "library/pathlib.html#$"),
        "typing.Any": ("py:data", "library/typing.html#$"),
        "collections.abc.Callable": ("py:class", "library/collections.abc.html#$"),
        "collections.abc.Collection": ("py:class", "library/collections.abc.html#$"),
        "collections.abc.Iterable": ("py:class", "library/collections.abc.html#$"),
        "collections.abc.Iterator": ("py:class", "library/collections.abc.html#$"),
        "collections.abc.Mapping": ("py:class", "library/collections.abc.html#$"),
        "collections.abc.Sequence": ("py:class", "library/collections.abc.html#$"),
    },
    "torch": {
        "torch.Tensor": ("py:class", "tensors.html#$"),
        "torch.Generator": ("py:class", "generated/torch.Generator.html#$"),
        "torch._C.Generator": (
            "py:class",
            "generated/torch.Generator.html#torch.Generator",
        ),
        "torch.device": ("py:class", "tensor_attributes.html#$"),
        "torch.dtype": ("py:class", "tensor_attributes.html#$"),
        "torch.Size": ("py:class", "size.html#$"),
        "torch.nn.Module": ("py:class", "generated/torch.nn.Module.html#$"),
        "torch.nn.modules.module.Module": (
            "py:class",
            "generated/torch.nn.Module.html#torch.nn.Module",
        ),
        "torch.nn.Parameter": (
            "py:class",
            "generated/torch.nn.parameter.Parameter.html#torch.nn.parameter.Parameter",
        ),
        "torch.optim.Optimizer": ("py:class", "optim.html#$"),
        "torch.optim.optimizer.Optimizer": ("py:class", "optim.html#torch.optim.Optimizer"),
        "torch.nn.functional.scaled_dot_product_attention": (
            "py:function",
            "generated/$.html#$",
        ),
        "torch.nn.functional.softmax": ("py:function", "generated/$.html#$"),
        "torch.nn.MultiheadAttention": ("py:class", "generated/$.html#$"),
        "torch.nn.Transformer": ("py:class", "generated/$.html#$"),
    },
    "numpy": {
        "numpy.ndarray": ("py:class", "reference/generated/numpy.ndarray.html#$"),
        "numpy.integer": ("py:class", "reference/arrays.scalars.html#$"),
        "numpy.random.Generator": ("py:class", "reference/random/generator.html#$"),
    },
    "matplotlib": {
        "matplotlib.axes.Axes": ("py:class", "api/_as_gen/$.html#$"),
        "matplotlib.axes._axes.Axes": (
            "py:class",
            "api/_as_gen/matplotlib.axes.Axes.html#matplotlib.axes.Axes",
        ),
        "matplotlib.figure.Figure": ("py:class", "api/_as_gen/$.html#$"),
    },
}


def inventory(project: str, objects: dict[str, tuple[str, str]]) -> bytes:
    """Return a Sphinx inventory, version 2: four lines of text, then compressed rows."""
    head = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    rows = [
        f"{name} {role} 1 {page.replace('$', name)} -\n"
        for name, (role, page) in sorted(objects.items())
    ]
    return head.encode() + zlib.compress("".join(rows).encode(), 9)


if __name__ == "__main__":
    for project, objects in INVENTORIES.items():
        (ROOT / "_inv" / f"{project}.inv").write_bytes(inventory(project, objects))
