"""The compiled inner loops of the renderer; they compile when the first picture is drawn."""

from pathlib import Path


def _forget_stale_code() -> None:
    """Remove compiled kernels that are older than any source here.

    Numba compares a kernel's cache with the file that defines it, not with the files whose
    functions were compiled into it.
    """
    folder = Path(__file__).parent
    try:
        newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
        for index in (folder / "__pycache__").glob("*.nbi"):
            if index.stat().st_mtime < newest:
                index.unlink(missing_ok=True)
    except OSError:
        return  # a read-only or vanished folder holds no cache of ours


_forget_stale_code()
