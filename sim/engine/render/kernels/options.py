"""How kernels are compiled: whole ones, and the parts that only other kernels call.

A part needs no way in from Python and no cache of its own: it is compiled into what calls it.
Without them the first picture after an installation comes two seconds sooner.
"""

from typing import Any, Final

Options = dict[str, Any]

_PART: Final[Options] = {
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "no_cpython_wrapper": True,
}
_WHOLE: Final[Options] = {
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "cache": True,
    "nogil": True,
}
# Of visibility, where a rounding may decide whose a pixel is.
EXACT: Final[Options] = _WHOLE
EXACT_PART: Final[Options] = _PART
# Of colours.
FAST: Final[Options] = {**_WHOLE, "fastmath": True}
FAST_PART: Final[Options] = {**_PART, "fastmath": True}
