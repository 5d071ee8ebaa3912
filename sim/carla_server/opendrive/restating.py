"""Says again what CARLA's parser would not read, in a way that it does: same roads, other words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

EVEN = 1e-7  # 1/m; the parser divides by what a spiral's curvature changes by


def restate(root: Element) -> bool:
    """Change a file's tree where the parser needs it; tell whether anything was changed."""
    changes = [_even_spirals(root), _crosswalk_outlines(root)]
    return any(changes)


def _even_spirals(root: Element) -> bool:
    """Write spirals of one curvature as lines and arcs: the parser makes no numbers of them."""
    found = False
    for piece in root.iterfind("road/planView/geometry"):
        spiral = piece.find("spiral")
        if spiral is None:
            continue
        start, end = (float(spiral.get(key, "0")) for key in ("curvStart", "curvEnd"))
        if abs(end - start) < EVEN:
            piece.remove(spiral)
            if abs(start) < EVEN:
                ElementTree.SubElement(piece, "line")
            else:
                ElementTree.SubElement(piece, "arc", curvature=repr(start))
            found = True
    return found


def _crosswalk_outlines(root: Element) -> bool:
    """Write crosswalks of OpenDRIVE 1.5 and later as one closed outline without a list around."""
    found = False
    for crosswalk in root.iterfind("road/objects/object[@type='crosswalk']"):
        outlines = crosswalk.find("outlines")
        corners = [] if outlines is None else outlines.findall("outline/cornerLocal")
        if outlines is not None and len(corners) > 2:
            crosswalk.remove(outlines)
            ElementTree.SubElement(crosswalk, "outline").extend([*corners, corners[0]])
            found = True
    return found
