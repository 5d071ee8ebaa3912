from roadside_unit.session import IDLE_NS, MOST_PATHS, Sessions, is_authorised
from scheduler.messages import VERSION
from scheduler.offload_messages import Hello
from scheduler.security import Site, write_site


def hello(session, channel="control", vehicle="ego", path=""):
    return Hello(VERSION, vehicle, session, channel, path)


def test_session_is_bound_when_both_sockets_have_said_hello():
    sessions = Sessions()
    first, is_new = sessions.hello(hello(1, "frames"), b"f", 0)
    assert is_new and not first.is_bound
    both, is_new = sessions.hello(hello(1), b"c", 0)
    assert both is first and both.is_bound and not is_new
    assert both.control == b"c"


def test_new_session_replaces_the_old_and_the_old_cannot_come_back():
    sessions = Sessions()
    sessions.hello(hello(1), b"a", 0)
    sessions.hello(hello(2), b"b", 0)
    assert sessions.find("ego", 1) is None
    assert sessions.hello(hello(1), b"a", 0) == (None, False)
    assert sessions.find("ego", 2).control == b"b"


def test_leaving_needs_the_present_session():
    sessions = Sessions()
    sessions.hello(hello(2), b"b", 0)
    assert not sessions.leave("ego", 1)
    assert sessions.vehicles() == ["ego"]
    assert sessions.leave("ego", 2)
    assert sessions.vehicles() == []


def test_silent_vehicle_is_forgotten():
    sessions = Sessions()
    sessions.hello(hello(1), b"b", 0)
    sessions.find("ego", 1, IDLE_NS)
    assert sessions.expire(IDLE_NS + 1) == []
    assert sessions.expire(2 * IDLE_NS + 1) == ["ego"]


def test_key_must_be_that_of_the_vehicle(tmp_path):
    write_site(tmp_path, [("ego", "vehicle"), ("other", "vehicle"), ("rsu", "roadside_unit")])
    site = Site(tmp_path)
    assert is_authorised(site, site.keys("ego").public, "ego")
    assert not is_authorised(site, site.keys("other").public, "ego")
    assert not is_authorised(site, site.keys("rsu").public, "rsu")
    assert not is_authorised(site, None, "ego")
    assert is_authorised(None, None, "ego")


def test_revoked_key_is_refused_at_the_next_message(tmp_path):
    import os

    import yaml

    write_site(tmp_path, [("ego", "vehicle")])
    site = Site(tmp_path)
    key = site.keys("ego").public
    assert is_authorised(site, key, "ego")
    listed = tmp_path / "allowed.yaml"
    listed.write_text(yaml.safe_dump({"nobody": {"role": "vehicle", "key": "x" * 40}}))
    os.utime(listed, ns=(1, 1))
    assert not is_authorised(site, key, "ego")


def test_each_path_has_a_session_of_its_own_and_the_vehicle_is_one():
    sessions = Sessions()
    for path, session, connection in (("5g", 1, b"a"), ("11p", 2, b"b")):
        sessions.hello(hello(session, path=path), connection, 0)
    assert (sessions.find("ego", 1).control, sessions.find("ego", 2).control) == (b"a", b"b")
    assert sessions.vehicles() == ["ego"] and sessions.paths("ego") == 2
    sessions.hello(hello(3, path="5g"), b"c", 0)  # this one was opened anew, the other lives on
    assert sessions.find("ego", 1) is None and sessions.find("ego", 2) is not None
    assert sessions.leave("ego", 2) and sessions.vehicles() == ["ego"]
    assert sessions.leave("ego", 3) and sessions.vehicles() == []


def test_a_vehicle_has_few_paths():
    sessions = Sessions()
    for number in range(MOST_PATHS):
        assert sessions.hello(hello(number, path=f"p{number}"), b"a", 0)[1]
    assert sessions.hello(hello(99, path="one-more"), b"a", 0) == (None, False)
    assert sessions.hello(hello(99, path="p0"), b"a", 0)[1]


def test_a_vehicle_is_here_until_its_last_path_is_silent():
    sessions = Sessions()
    sessions.hello(hello(1, path="5g"), b"a", 0)
    sessions.hello(hello(2, path="11p"), b"a", 0)
    sessions.find("ego", 2, IDLE_NS)
    assert sessions.expire(IDLE_NS + 1) == []
    assert sessions.paths("ego") == 1
    assert sessions.expire(2 * IDLE_NS + 1) == ["ego"]


def test_paths_that_come_and_go_leave_little_behind():
    sessions = Sessions()
    for number in range(1000):
        sessions.hello(hello(2 * number, path=f"p{number}"), b"a", 0)
        sessions.hello(hello(2 * number + 1, path=f"p{number}"), b"a", 0)
        sessions.leave("ego", 2 * number + 1)
    assert sessions.vehicles() == [] and len(sessions._replaced["ego"]) <= 32
