"""Files that are whole or not there, and are files: atomic writes, trees of arrays without pickle.

A run directory may come from a stranger. Of what lies in it only regular files and real folders are
opened: a link could lead out of it, a pipe would never answer, a device never end.
"""

import errno
import json
import math
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Union

import numpy as np

from rl.config import UserError

PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: opening a pipe doesn't wait


class Damaged(ValueError):
    """A file whose content is not what was written there."""


def expanded(path: Union[str, os.PathLike[str]]) -> Path:
    """A path that a person gave: `~` and `~name` are homes, where there is such a one."""
    return Path(os.path.expanduser(path))


# Opening ----------------------------------------------------------------------


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file at `path`.

    Args:
      flags: of os.open; a file that O_CREAT makes gets the usual permissions.

    Raises:
      UserError: there is something else than a regular file, or reading it is not allowed.
      OSError: as os.open.
    """
    try:
        descriptor = os.open(path, flags | PLAIN, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise UserError(f"{path} is not a regular file") from None
        if error.errno == errno.EACCES and not flags & (os.O_WRONLY | os.O_RDWR):
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is not a regular file")
    return descriptor


def read_bytes(path: Path) -> bytes:
    """All of the regular file at `path`. Raises what `open_plain` does."""
    with open(open_plain(path), "rb") as file:
        return file.read()


def read_text(path: Path) -> str:
    """The same, UTF-8."""
    return read_bytes(path).decode()


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False where there is nothing.

    Raises:
      UserError: there is something else, a link to a folder included.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        raise UserError(f"{path} is not a folder")
    return True


def file_names(folder: Path, ours: Callable[[str], bool]) -> list[str]:
    """Names of the files in a folder for which `ours` holds, sorted; none where there is no folder.

    Raises:
      UserError: one of them is not a regular file, or `folder` is none or can't be read.
    """
    if not is_folder(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if ours(entry.name)]
    except PermissionError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}") from None
    for entry in found:
        if not entry.is_file(follow_symlinks=False):
            raise UserError(f"{folder / entry.name} is not a regular file")
    return sorted(entry.name for entry in found)


# Writing ----------------------------------------------------------------------


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Calls `write(file)` on a temporary file that then takes the place of `path`, all of it or
    none."""
    temporary = path.with_name(path.name + ".tmp")
    remove(temporary)
    descriptor = open_plain(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except IsADirectoryError:
        temporary.unlink()
        raise UserError(f"{path} is a folder where a file should be") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove(path: Path) -> None:
    """Removes a file, or a link without what it leads to; a folder is not touched.

    Raises:
      UserError: there is a folder.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError:
        if not is_folder(path):
            raise
        raise UserError(f"{path} is a folder where a file should be") from None


def write_json(path: Path, value: Any) -> None:
    """JSON, atomically."""
    text = json.dumps(value, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def extend(path: Path, start: int, text: bytes) -> bool:
    """Appends `text` to a file of `start` bytes, which is made if `start` is 0.

    Returns:
      Whether it was: False, and nothing was written, if the file is of another size or not there.
    """
    flags = os.O_WRONLY | os.O_APPEND
    try:
        descriptor = open_plain(path, flags if start else flags | os.O_CREAT)
    except FileNotFoundError:
        return False
    with open(descriptor, "ab") as file:
        if os.fstat(descriptor).st_size != start:
            return False
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


# Trees ------------------------------------------------------------------------


def save_tree(path: Path, tree: dict[str, Any]) -> None:
    """Nested dicts and lists of arrays and JSON values as one NPZ: arrays by their path, the rest
    as JSON."""
    arrays: dict[str, np.ndarray] = {}
    values = _take_arrays(tree, "", arrays)
    sums = {name: _checksum(array) for name, array in arrays.items()}
    text = json.dumps({"tree": values, "checksums": sums})
    arrays["json"] = np.frombuffer(text.encode(), np.uint8)
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load_tree(path: Path) -> dict[str, Any]:
    """What `save_tree` saved, every byte of it checked.

    Raises:
      Damaged: the file is not there, or its content is not what `save_tree` writes.
      UserError: it is not a regular file, or may not be read.
    """
    try:
        with open(open_plain(path), "rb") as file:
            arrays = _read_arrays(file)
        written = json.loads(bytes(arrays.pop("json")))
        _check_sums(arrays, written["checksums"])
        tree = _put_arrays(written["tree"], arrays)
    except UserError:
        raise
    # What zipfile, NumPy and json raise for bytes that nobody wrote is listed nowhere.
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise Damaged(f"{path.name}: {str(error) or type(error).__name__}") from error
    if not isinstance(tree, dict):
        raise Damaged(f"{path.name}: not a tree")
    return tree


def _read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """The arrays of an NPZ. No more memory is asked for than the file has bytes."""
    left = os.fstat(file.fileno()).st_size
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            left -= entry.compress_size
            stored = entry.compress_type == zipfile.ZIP_STORED
            if not stored or entry.file_size != entry.compress_size or left < 0 or name in arrays:
                raise ValueError(f"entry {name[:80]} is not one that is written here")
            arrays[name] = _read_array(archive, entry)
    return arrays


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """An entry of an NPZ, read to its end, where its checksum is compared."""
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"format {version} is not the one that is written here")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        if dtype.hasobject:
            raise ValueError("an object array, which only pickle could read")
        if member.tell() + math.prod(shape) * dtype.itemsize != entry.file_size:
            raise ValueError(f"an array of shape {shape} doesn't fill its entry")
    with archive.open(entry) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError("an entry goes on after its array")
    return array


def _checksum(array: np.ndarray) -> int:
    """CRC-32 of an array's type, shape and bytes: the one of zip does not tell a replaced array."""
    kind = f"{array.dtype.str} {array.shape}".encode()
    return zlib.crc32(np.ascontiguousarray(array).data, zlib.crc32(kind))


def _check_sums(arrays: dict[str, np.ndarray], sums: dict[str, int]) -> None:
    if arrays.keys() != sums.keys():
        raise ValueError("its arrays are not those that were written")
    for name, array in arrays.items():
        if _checksum(array) != sums[name]:
            raise ValueError(f"{name} is not what was written")


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


def check_tree(tree: Any, like: Any, varying: tuple[str, ...] = (), name: str = "state") -> None:
    """Compares a tree that was loaded with one of the kind that is expected.

    Dicts must have the same keys, lists the same lengths, arrays the same shapes and dtypes, other
    values the same types. Below the places named in `varying`, such as "state/envs", the axes of
    arrays have any lengths and lists hold anything. None in `like` stands for anything.

    Raises:
      Damaged: they differ; the message names the first place.
    """
    free = any(name == place or name.startswith(place + "/") for place in varying)
    if isinstance(like, dict):
        if not isinstance(tree, dict) or tree.keys() != like.keys():
            raise Damaged(f"{name} needs {_keys(like)}, got {_keys(tree)}")
        for key, value in like.items():
            check_tree(tree[key], value, varying, f"{name}/{key}")
    elif isinstance(like, (list, tuple)):
        if not isinstance(tree, list) or (len(tree) != len(like) and not free):
            raise Damaged(f"{name} needs a list of {len(like)}, got {_kind(tree)}")
        for i, value in enumerate(() if free else like):
            check_tree(tree[i], value, varying, f"{name}/{i}")
    elif like is not None and not _alike(tree, like, free):
        raise Damaged(f"{name} needs {_kind(like)}, got {_kind(tree)}")


def _alike(value: Any, like: Any, free: bool) -> bool:
    """Whether a leaf of a tree is of the kind of another."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(like, np.ndarray):
        if not isinstance(value, np.ndarray):
            return number and like.ndim == 0  # NumPy makes numbers of arrays without axes
        fits = value.ndim == like.ndim if free else value.shape == like.shape
        return fits and value.dtype == like.dtype
    if isinstance(like, np.generic):
        like = like.item()
    if isinstance(value, np.ndarray):  # of each task, where it was one of all at first
        return free and isinstance(like, float) and value.dtype.kind == "f"
    if isinstance(like, float):
        return number
    if isinstance(like, int) and not isinstance(like, bool):
        return number and isinstance(value, int)
    return isinstance(value, type(like))


def _keys(node: Any) -> str:
    return ", ".join(sorted(map(str, node)))[:200] if isinstance(node, dict) else _kind(node)


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return type(value).__name__
