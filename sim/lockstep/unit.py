"""A roadside unit in virtual time: the deployed admission before a serial worker."""

from __future__ import annotations

import bisect

from roadside_unit.admission import Admission, Offer, Refused
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
        self._sessions: dict[str, tuple[int, VirtualLink]] = {}
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
        return self._sessions.get(link.vehicle_id) == (session, link)

    def on_hello(self, link: VirtualLink, session: int) -> None:
        """A vehicle opens a session, or says it again."""
        if not self.knows(link, session):
            self._sessions[link.vehicle_id] = (session, link)
            self.totals.dropped += self.admission.forget(link.vehicle_id)
        link.welcome()

    def on_bye(self, link: VirtualLink, session: int) -> None:
        """A vehicle leaves."""
        if self.knows(link, session):
            del self._sessions[link.vehicle_id]
            self.totals.dropped += self.admission.forget(link.vehicle_id)

    def on_request(self, link: VirtualLink, session: int, request: Request) -> None:
        """A complete request came."""
        if not self.knows(link, session):
            self.totals.unbound += 1
            return
        now_ns = self._loop.now_ns
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
        self.totals.ok += 1
        self.admission.learn(offer.work, decode_ns + infer_ns)
        waited_ns = max(0, now_ns - offer.received_ns - decode_ns - infer_ns)
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
        session, link = self._sessions.get(request.vehicle_id, (-1, None))
        if link is None or session != request.session:
            self.totals.undeliverable += 1
            return
        link.answer(request.seq, report, boxes)
