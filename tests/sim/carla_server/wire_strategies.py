"""Hypothesis strategies for what a client may send: of the right shape, of nearly that, of none."""

import math
import types
import typing

import msgspec
from hypothesis import strategies as st

INTEGERS = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 255, 256, 65535, 2**31, 2**32 - 1])
WILD_INTEGERS = INTEGERS | st.integers(-(2**63), 2**64 - 1)
FLOATS = st.sampled_from([0.0, 1.0, -1.0, 0.05, 3.7, 100.0, -250.0, 1e6])
WILD_FLOATS = FLOATS | st.sampled_from([math.nan, math.inf, -math.inf, 1e39, -1e300, 1e-45])
TEXTS = st.sampled_from(
    ["", "hero", "vehicle.audi.tt", "sensor.camera.rgb", "127.0.0.1", "a" * 300]
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | WILD_INTEGERS | WILD_FLOATS | TEXTS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=8,
)


def of_type(kind, floats=WILD_FLOATS):
    """Values that a decoder of `kind` may take."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        low, high = inner[1].ge or 0, inner[1].le or 2**64 - 1
        return INTEGERS.filter(lambda value: low <= value <= high) | st.integers(low, high)
    if origin is list:
        return st.lists(of_type(inner[0], floats), max_size=3)
    if origin is tuple:
        return st.tuples(*(of_type(one, floats) for one in inner)).map(list)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(one, floats) for one in inner])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = [of_type(hints[name], floats) for name in kind.__struct_fields__]
        return st.tuples(*fields).map(list)
    plain = {bool: st.booleans(), int: INTEGERS, float: floats, str: TEXTS}
    return plain.get(kind, ANYTHING)


def arguments(types_of_call):
    """Arguments of a call: mostly of the right types, with strange numbers; sometimes not."""
    right = st.tuples(*(of_type(kind) for kind in types_of_call)).map(list)
    calm = st.tuples(*(of_type(kind, FLOATS) for kind in types_of_call)).map(list)
    return calm | right | st.lists(ANYTHING, max_size=4)
