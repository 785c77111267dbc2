"""Files that are whole or not there: atomic writes, and trees of arrays without pickle."""

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

# what reading a damaged file may raise
TORN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def write_atomically(path: Path, write: Any) -> None:
    """Calls `write(file)` on a temporary file that then takes the place of `path`, all of it or
    none."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def write_json(path: Path, value: Any) -> None:
    """JSON, atomically."""
    text = json.dumps(value, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def save_tree(path: Path, tree: dict[str, Any]) -> None:
    """Nested dicts and lists of arrays and JSON values as one NPZ: arrays by their path, the rest
    as JSON."""
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_take_arrays(tree, "", arrays))
    arrays["json"] = np.frombuffer(text.encode(), np.uint8)
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load_tree(path: Path) -> dict[str, Any]:
    """What `save_tree` saved. Raises one of TORN if the file is damaged."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return _put_arrays(json.loads(bytes(arrays["json"])), arrays)


# Not closures: a function that refers to itself is freed late, and with it the arrays it saw.
def _take_arrays(node: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """`node` with its arrays moved to `arrays` and their names in their places."""
    if isinstance(node, dict):
        return {k: _take_arrays(v, f"{name}/{k}", arrays) for k, v in node.items()}
    if isinstance(node, (list, tuple)):
        return [_take_arrays(v, f"{name}/{i}", arrays) for i, v in enumerate(node)]
    if isinstance(node, np.ndarray):
        if node.dtype == object:
            raise TypeError(f"{name} is an object array, which only pickle could save")
        arrays[name] = node
        return {"__array__": name}
    return node.item() if isinstance(node, np.generic) else node


def _put_arrays(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `_take_arrays`."""
    if isinstance(node, dict):
        if "__array__" in node:
            return arrays[node["__array__"]]
        return {k: _put_arrays(v, arrays) for k, v in node.items()}
    return [_put_arrays(v, arrays) for v in node] if isinstance(node, list) else node
