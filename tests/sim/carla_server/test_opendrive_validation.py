import pytest

from sim.carla_server.opendrive.errors import REFUSAL, OpenDriveError
from sim.carla_server.opendrive.validation import LARGEST_FILE, MOST_ROADS, parse_opendrive

GEOMETRY = '<geometry s="0" x="0" y="0" hdg="0" length="50"><line/></geometry>'
LANE = '<right><lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>'
SECTION = f'<laneSection s="0">{LANE}</right></laneSection>'


def road(number="1", length="50", geometry=GEOMETRY, section=SECTION):
    return (
        f'<road id="{number}" length="{length}" junction="-1"><planView>{geometry}</planView>'
        f"<lanes>{section}</lanes></road>"
    )


def drive(*roads):
    return f"<OpenDRIVE>{''.join(roads)}</OpenDRIVE>"


def test_a_plain_road_is_taken():
    assert parse_opendrive(drive(road())).tag == "OpenDRIVE"


def test_what_some_makers_write_is_taken():
    text = drive(road())
    assert parse_opendrive("\ufeff" + text).tag == "OpenDRIVE"
    assert parse_opendrive('<!-- ours -->\n<?xml version="1.0"?>' + text).tag == "OpenDRIVE"
    spaced = text.replace("<OpenDRIVE>", '<OpenDRIVE xmlns="http://code.asam.net/x">', 1)
    assert parse_opendrive(spaced).find("road") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "XML expected"),
        ("<OpenDRIVE><road></OpenDRIVE>", "XML expected"),
        ("<scene/>", "root element OpenDRIVE expected, got scene"),
        (drive(), "at least one road expected"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + drive(road()), "no document type"),
        (drive(road(), road()), "'1' twice"),
        (drive(road(number="Kalle")), "whole number as road id expected, got 'Kalle'"),
        (drive(road(length="long")), "a number as length expected, got 'long'"),
        (drive(road(length="nan")), "a number as length expected, got 'nan'"),
        (drive(road(geometry="")), "planView with a geometry expected"),
        (drive(road(geometry=GEOMETRY.replace("<line/>", "<wave/>"))), "one of line, spiral"),
        (drive(road(geometry=GEOMETRY.replace('x="0"', 'x="1e9"'))), "x within 1e+06 m expected"),
        (drive(road(section="")), "a laneSection expected"),
        (drive(road(section=SECTION.replace("driving", "none"))), "lane to drive on expected"),
        (drive(road(length="3e6")), "at most 2000 km of lanes expected, got 3000"),
        ("<" * (LARGEST_FILE + 1), "at most 64 MiB expected"),
    ],
)
def test_others_are_refused_with_the_reason(text, reason):
    with pytest.raises(OpenDriveError) as caught:
        parse_opendrive(text)
    assert str(caught.value).startswith(REFUSAL + ": ")
    assert reason in str(caught.value)


def test_too_many_roads_are_refused():
    empty = "".join(f'<road id="{k}"/>' for k in range(MOST_ROADS + 1))
    with pytest.raises(OpenDriveError, match="at most 50000 roads expected, got 50001"):
        parse_opendrive(f"<OpenDRIVE>{empty}</OpenDRIVE>")
