"""A roadside unit in virtual time: the deployed admission before a serial worker."""

from __future__ import annotations

import bisect

from msgspec.structs import replace

from roadside_unit.admission import Admission, Offer, Refused
from roadside_unit.beacon import PERIOD_NS, SILENT_NS, Beacons
from roadside_unit.duplicates import Duplicates, shares
from scheduler.effects import UnitReport
from scheduler.offload_messages import Request
from scheduler.placement import split_name
from sim.lockstep.link import VirtualLink
from sim.lockstep.loop import Loop
from sim.lockstep.outcome import UnitTotals
from sim.lockstep.scenario import UnitModel, UnitSpec
from sim.lockstep.stages import NOTHING, Stage

BOXES = 12  # in an answer, where no drive says
US = 1000  # ns


class VirtualUnit:
    """Answers each request of an open session exactly once, as `roadside_unit.desk` does."""

    def __init__(self, loop: Loop, spec: UnitSpec, seed: int) -> None:
        self.spec = spec
        self.totals = UnitTotals()
        typical: dict[str, int] = {}
        self._decode: dict[str, Stage] = {}
        self._infer: dict[str, Stage] = {}
        for model in spec.models:
            self._add(model.model, model.decode.q50_ns, model, seed, typical)
            if model.second_half is not None:
                self._add(split_name(model.model), 0, model, seed, typical)
        self.admission = Admission(typical)
        self._loop = loop
        self._sessions: dict[str, dict[str, tuple[int, VirtualLink]]] = {}  # vehicle -> link
        self._duplicates: Duplicates[UnitReport] = Duplicates()
        self._beacons = Beacons(spec.id, spec.position)
        self._is_telling = False
        self._is_busy = False
        self._taken_from = [start_ns for start_ns, _ in spec.taken]

    def _add(
        self, work: str, decode_ns: int, model: UnitModel, seed: int, typical: dict[str, int]
    ) -> None:
        is_split = work != model.model
        profile = model.second_half if is_split else model.infer
        assert profile is not None
        purpose = f"{seed}/{self.spec.id}/{work}"
        self._decode[work] = Stage(NOTHING if is_split else model.decode, f"{purpose}/decode")
        self._infer[work] = Stage(profile, f"{purpose}/infer")
        typical[work] = decode_ns + profile.q50_ns

    def models(self) -> list[tuple[str, int]]:
        """What the welcome lists."""
        return [(m.model, self.admission.expected_ns(m.model)) for m in self.spec.models]

    def splits(self) -> list[tuple[str, int]]:
        """Likewise, of second halves."""
        return [
            (m.model, self.admission.expected_ns(split_name(m.model)))
            for m in self.spec.models
            if m.second_half is not None
        ]

    def knows(self, link: VirtualLink, session: int) -> bool:
        """Whether this is the open session of its vehicle."""
        links = self._sessions.get(link.vehicle_id)
        return links is not None and links.get(link.name) == (session, link)

    def on_hello(self, link: VirtualLink, session: int) -> None:
        """A vehicle opens a session, or says it again."""
        if not self.knows(link, session):
            links = self._sessions.setdefault(link.vehicle_id, {})
            links[link.name] = (session, link)
            if len(links) == 1:  # else another path may want the answer
                self.totals.dropped += self.admission.forget(link.vehicle_id)
        link.welcome()
        if not self._is_telling:
            self._is_telling = True
            self._beacons.is_due(self._loop.now_ns)  # the first period begins
            self._loop.at(self._loop.now_ns + PERIOD_NS, self._tell)

    def on_bye(self, link: VirtualLink, session: int) -> None:
        """A vehicle leaves."""
        if self.knows(link, session):
            links = self._sessions[link.vehicle_id]
            del links[link.name]
            if not links:
                del self._sessions[link.vehicle_id]
                self.totals.dropped += self.admission.forget(link.vehicle_id)

    def on_request(self, link: VirtualLink, session: int, request: Request) -> None:
        """A complete request came."""
        if not self.knows(link, session):
            self.totals.unbound += 1
            return
        now_ns = self._loop.now_ns
        link.heard_ns = now_ns
        has_paths = len(self._sessions[link.vehicle_id]) > 1
        if has_paths and self._duplicates.is_copy(request, now_ns):
            self.totals.copies += 1
            known = self._duplicates.outcome(request)
            if known is not None:
                self._send_result(request, _within(known, 0), BOXES)
            return
        self.totals.received += 1
        offer = Offer(request, b"", now_ns)
        self._refuse(self.admission.offer(offer, now_ns), now_ns)
        self._work()

    def _work(self) -> None:
        if self._is_busy:
            return
        now_ns = self._loop.now_ns
        if (until_ns := self._taken_until(now_ns)) > now_ns:
            self._is_busy = True
            self._loop.at(until_ns, self._go_on)
            return
        offer, refused = self.admission.take(now_ns)
        self._refuse(refused, now_ns)
        if offer is None:
            return
        self._is_busy = True
        self._beacons.on_begin(now_ns)
        work = offer.work
        decode_ns = self._decode[work].draw()
        infer_ns = self._infer[work].draw()
        self._loop.at(now_ns + decode_ns + infer_ns, self._done, offer, decode_ns, infer_ns)

    def _taken_until(self, now_ns: int) -> int:
        """When the worker is done with what others asked; not after now where it is ours."""
        index = bisect.bisect_right(self._taken_from, now_ns) - 1
        return self.spec.taken[index][1] if index >= 0 else 0

    def _go_on(self) -> None:
        self._is_busy = False
        self._work()

    def _done(self, offer: Offer, decode_ns: int, infer_ns: int) -> None:
        now_ns = self._loop.now_ns
        self._is_busy = False
        self.totals.busy_ns += decode_ns + infer_ns
        self._beacons.on_end(now_ns)
        self.totals.ok += 1
        self.admission.learn(offer.work, decode_ns + infer_ns)
        waited_ns = max(0, now_ns - offer.received_ns - decode_ns - infer_ns)
        self._beacons.waits.add(waited_ns)
        self._answer(
            offer.request,
            UnitReport(
                "ok", waited_ns // US * US, decode_ns // US * US, infer_ns // US * US,
                self.spec.credits,
            ),
            BOXES,
        )  # fmt: skip
        self._work()

    def _refuse(self, refused: list[Refused], now_ns: int) -> None:
        for each in refused:
            self.totals.late += each.status == "late"
            self.totals.rejected += each.status == "reject"
            waited_ns = max(0, now_ns - each.offer.received_ns) // US * US
            status = "late" if each.status == "late" else "reject"
            report = UnitReport(
                status, waited_ns, 0, 0, self.spec.credits, 0, each.reason  # type: ignore[arg-type]
            )  # fmt: skip
            self._answer(each.offer.request, report, -1)

    def _answer(self, request: Request, report: UnitReport, boxes: int) -> None:
        self._send_result(request, report, boxes)
        now_ns = self._loop.now_ns
        for copy, received_ns in self._duplicates.finish(request, report):
            self._send_result(copy, _within(report, now_ns - received_ns), boxes)

    def _send_result(self, request: Request, report: UnitReport, boxes: int) -> None:
        for session, link in self._sessions.get(request.vehicle_id, {}).values():
            if session == request.session:
                link.answer(request.seq, report, boxes if report.status == "ok" else -1)
                return
        self.totals.undeliverable += 1

    def _tell(self) -> None:
        """Beacons, as `roadside_unit.desk` sends them."""
        now_ns = self._loop.now_ns
        self._loop.at(now_ns + PERIOD_NS, self._tell)
        models, splits = dict(self.models()), dict(self.splits())
        load = self._beacons.load(
            len(self.admission) + self._is_busy, self.spec.credits, models, splits, now_ns
        )
        for links in self._sessions.values():
            for _, link in links.values():
                if now_ns - link.heard_ns < SILENT_NS:
                    link.beacon(load)


def _within(report: UnitReport, here_ns: int) -> UnitReport:
    """The report for a copy that was here for a part of the work; see `duplicates.shares`."""
    durations_ns = (report.queue_ns, report.decode_ns, report.infer_ns)
    queue_ns, decode_ns, infer_ns = (ns // US * US for ns in shares(here_ns, durations_ns))
    return replace(report, queue_ns=queue_ns, decode_ns=decode_ns, infer_ns=infer_ns)
