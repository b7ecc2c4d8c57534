"""What a returned notebook may not do in its process, and what shows that it changed the package.

This keeps accidents from doing harm, and simple tricks from giving marks. It is no sandbox: whoever
means harm finds a way around it, so strangers' notebooks are marked in a container.
"""

from __future__ import annotations

import builtins
import os
import sys
import time
from types import FunctionType

import torch
from torch.nn import functional

MEMORY = 4 * 2**30  # bytes that the process may ask for
FILES = 50 * 2**20  # bytes of the largest file that it may write

# Events of Python's audit hooks: https://docs.python.org/3/library/audit_events.html
NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg")
PROCESSES = (
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"),
    *("os.spawn", "os.startfile", "os.kill", "os.killpg", "pty.spawn"),
)
CHANGES = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse_harm(folder: str) -> None:
    """Refuse, for good, the network, new processes, and changes to files outside of a folder."""
    network, processes, changes = map(frozenset, (NETWORK, PROCESSES, CHANGES))
    root = os.path.realpath(folder)
    inside, nowhere = root + os.sep, os.path.realpath(os.devnull)
    resolve, decode = os.path.realpath, os.fsdecode

    def is_inside(path: object) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):  # an open file, a number
            return True
        place = resolve(decode(path))
        return place in (root, nowhere) or place.startswith(inside)

    def hook(event: str, arguments: tuple) -> None:
        if event in network:
            raise PermissionError("a notebook that is marked has no network")
        if event in processes:
            raise PermissionError("a notebook that is marked may not start or stop processes")
        if event == "open":
            path, mode, flags = arguments
            writes = set(mode or "") & set("wax+") or (flags or 0) & WRITING
            if writes and not is_inside(path):
                raise PermissionError(f"a notebook that is marked may not write to {path}")
        elif event in changes and not all(map(is_inside, arguments)):
            raise PermissionError(f"a notebook that is marked may not change {arguments[0]}")

    sys.addaudithook(hook)


def limit_resources(seconds: float) -> None:
    """Limit memory, the size of files and the time of computing, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    # Some threads may compute at the same time, so this only stops what nobody else stops.
    computing = int(time.process_time() + 4 * seconds) + 10
    for name, most in (
        ("RLIMIT_DATA", MEMORY),
        ("RLIMIT_FSIZE", FILES),
        ("RLIMIT_CPU", computing),
        ("RLIMIT_CORE", 0),
    ):
        try:
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard)
            resource.setrlimit(kind, (most, most))
        except (AttributeError, OSError, ValueError):  # a system that does not know this limit
            continue


class Bindings:
    """What the names of the package, of PyTorch and of Python stand for, to see them replaced.

    Example:
        >>> before = Bindings()
        >>> before.changed()
        ''
    """

    def __init__(self) -> None:
        owners: dict[str, object] = {"builtins": builtins, "torch.nn.functional": functional}
        owners |= {"torch": torch, "torch.Tensor": torch.Tensor}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "attncourse":
                owners[name] = module
                for key, value in list(vars(module).items()):
                    if isinstance(value, type) and value.__module__.startswith("attncourse."):
                        owners[f"{value.__module__}.{key}"] = value
        self.owners = owners
        self.held = {name: _held(owner) for name, owner in owners.items()}

    def changed(self) -> str:
        """Name the first that stands for something else now, or nothing."""
        for name, owner in self.owners.items():
            now = _held(owner)
            for key, (value, code) in self.held[name].items():
                other, other_code = now.get(key, (None, None))
                if value is not other or code is not other_code:
                    return f"{name}.{key}"
        return ""


def _held(owner: object) -> dict[str, tuple[object, object]]:
    """What the names of a module or a class stand for, with the code of the functions."""
    return {
        key: (value, value.__code__ if isinstance(value, FunctionType) else None)
        for key, value in list(vars(owner).items())
        if callable(value) or isinstance(value, (property, staticmethod, classmethod))
        if not key.endswith("seed")  # torch.compile wraps torch.manual_seed when it is imported
    }
