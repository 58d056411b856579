"""What a file that is no model file seems to be, and what to do with it."""

import re

_TORCH = "load it with torch.load(path, weights_only=True) and store it with elman.save"
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_KINDS: list[tuple[bytes, str, str]] = [
    (b"PK\x03\x04", "a zip archive, as torch.save writes it", _TORCH),
    (b"\x89HDF", "an HDF5 file, as Keras writes it", "load it there, store it with elman.save"),
    (b"\x93NUMPY", "a NumPy .npy file", "load it with numpy.load and store it with elman.save"),
    (b"GGUF", "a GGUF file", "use the program that wrote it"),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"<", "an HTML or XML page", "download the file again: the server sent an error page"),
    (b"{", "a JSON text", "give the path of the .safetensors file"),
]


def looks_like(start: bytes, size: int) -> tuple[str, str] | None:
    """(what came, the repair) from a file's first bytes and its size, or None."""
    if _PICKLE.match(start):
        return "a pickle, as torch.save or pickle.dump writes it", _TORCH
    # 257: where a tar archive has its name, which old versions of torch.save wrote.
    if start[257:262] == b"ustar":
        return "a tar archive, as old versions of torch.save wrote it", _TORCH
    for magic, kind, repair in _KINDS:
        if start.startswith(magic):
            return kind, repair
    if size and not any(start):
        return "zeros: the disk filled up, or the copy stopped", "copy or store the file again"
    return None
