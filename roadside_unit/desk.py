"""The roadside unit without its sockets: messages in, messages out, the worker in between.

Every request of a bound session is answered exactly once, at once when it is refused: a refusal
in time is worth as much to a vehicle as a result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from roadside_unit.admission import Admission, Offer, Refused
from roadside_unit.beacon import Beacons, listeners
from roadside_unit.counters import Counters
from roadside_unit.duplicates import Duplicates, Outcome
from roadside_unit.guard import BadPeers, check_payload
from roadside_unit.session import Session, Sessions, is_authorised
from scheduler import messages, wire
from scheduler.errors import WireError
from scheduler.messages import VERSION, Metres3
from scheduler.offload_messages import (
    MOST_HEAD_BYTES,
    Bye,
    Hello,
    Ping,
    Pong,
    Request,
    Result,
    Welcome,
)
from scheduler.placement import split_name
from scheduler.security import Site
from vehicle.perception.worker import Answer

PAYLOAD_KINDS = ("jpeg", "features")
NS_PER_US = 1000
RESTART_RETRY_US = 200_000  # a replaced worker loads for 0.3 to 1 s; who asks sooner, asks in vain
MOST_US = 3_600_000_000  # the wire's bound of a duration


class Inference(Protocol):
    """What the desk needs of `vehicle.perception.worker.Worker`."""

    typical_ns: Mapping[str, int]

    @property
    def is_ready(self) -> bool:
        """Whether a job would be taken."""
        ...

    def detect_jpeg(
        self,
        job_id: int,
        model: str,
        jpeg: bytes,
        width: int,
        height: int,
        heads: Sequence[str] = (),
    ) -> bool:
        """Give it a picture; False when it was not taken."""
        ...

    def decode(self, job_id: int, model: str, features: bytes, width: int, height: int) -> bool:
        """Give it what a first half made of a picture; False when it was not taken."""
        ...


@dataclass(slots=True)
class Desk:
    """One roadside unit's state.

    Attributes:
        send: Hands parts to a connection of the control socket; False when it is gone.
        say: Publishes a line for watchers: level, text.
        splits: Models whose second half runs here; known once the worker has loaded.
        heads: Further results, by model; likewise.
        position: Of the antenna, world, m; None where nobody told the unit.
    """

    unit_id: str
    credits: int
    models: list[str]
    worker: Inference
    site: Site | None
    send: Callable[[bytes, list[bytes]], bool]
    say: Callable[[str, str], object]
    splits: Sequence[str] = ()
    heads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    position: Metres3 | None = None
    counters: Counters = field(default_factory=Counters)
    sessions: Sessions = field(default_factory=Sessions)
    bad_peers: BadPeers = field(default_factory=BadPeers)
    admission: Admission = field(default_factory=lambda: Admission({}))
    _running: dict[int, tuple[Offer, int]] = field(default_factory=dict)  # job -> offer, started
    _job_id: int = 0
    _busy_ns: int = 0  # of the worker, since the last status
    _duplicates: Duplicates[Outcome] = field(default_factory=Duplicates)
    _beacons: Beacons = field(init=False)

    def __post_init__(self) -> None:
        self._beacons = Beacons(self.unit_id, self.position)

    def on_message(
        self, connection: bytes, key: bytes | None, parts: list[bytes], now_ns: int
    ) -> None:
        """One message from either socket.

        Args:
            connection: Its routing id on the socket.
            key: The CURVE key of the sender; None without CURVE.
            parts: `[kind, header, payload...]`.
            now_ns: Now.
        """
        peer = key if key is not None else connection
        if self.bad_peers.is_muted(peer, now_ns):
            self.counters.muted += 1
            return
        kinds = (
            Request,
            Ping,
            Hello,
            Bye,
        )
        try:
            message, payload = wire.unpack(parts, *kinds)
        except WireError:
            self._blame(peer, now_ns)
            return
        assert isinstance(message, kinds)
        speaker = message.name if isinstance(message, Bye) else message.vehicle_id
        if not is_authorised(self.site, key, speaker):
            self.counters.aliens += 1
            return
        if isinstance(message, Hello):
            self._on_hello(message, connection, now_ns)
            return
        session = self.sessions.find(speaker, message.session, now_ns)
        if session is None:
            self.counters.unbound += 1
        elif isinstance(message, Request):
            self._on_request(message, payload, key, connection, now_ns)
        elif isinstance(message, Ping):
            session.control = connection
            queue = self._queue_length
            clock_us = now_ns // 1000
            pong = Pong(VERSION, self.unit_id, session.session, message.number, queue, clock_us)
            self._deliver(session, wire.pack(pong))
        else:
            self.sessions.leave(speaker, message.session)
            if not self.sessions.paths(speaker):
                self._left(speaker, "left")

    def on_answers(self, answers: list[Answer], now_ns: int) -> None:
        """What the worker made of its jobs."""
        for answer in answers:
            running = self._running.pop(answer.job_id, None)
            if running is None:
                continue
            offer, started_ns = running
            self._beacons.on_end(now_ns)
            if answer.is_ok and answer.detections is not None:
                # The worker counts compute time; what else passed here was waiting, so that the
                # three add up and none of it looks like the link's.
                computed_ns = answer.decode_ns + answer.infer_ns
                waited_ns = max(0, now_ns - offer.received_ns - computed_ns)
                durations = (waited_ns, answer.decode_ns, answer.infer_ns)
                heads = answer.heads
                if heads:
                    heads = {n: head for n, head in heads.items() if len(head) <= MOST_HEAD_BYTES}
                found = answer.packed or answer.detections.to_bytes()
                self._answer(offer, Outcome("ok", "", durations, found, heads), now_ns)
                worked_ns = now_ns - started_ns
                self._busy_ns += worked_ns
                self.admission.learn(offer.work, worked_ns)
            else:
                durations = (now_ns - offer.received_ns, 0, 0)
                self._answer(offer, Outcome("bad", answer.error, durations), now_ns)
        self.work(now_ns)

    def work(self, now_ns: int) -> None:
        """Give the worker its next job, if it has none.

        One at a time: what waits here can still be replaced by a newer frame or found too late.
        """
        if not self.worker.is_ready:
            self._refuse(self.admission.refuse_all("the worker is being replaced"), now_ns)
        while not self._running and self.worker.is_ready:
            offer, refused = self.admission.take(now_ns)
            self._refuse(refused, now_ns)
            if offer is None:
                return
            self._job_id += 1
            self._running[self._job_id] = offer, now_ns
            self._beacons.on_begin(now_ns)
            if not self._give(offer):
                self._beacons.on_end(now_ns)
                del self._running[self._job_id]
                self._refuse([Refused(offer, "reject", "the worker takes no job")], now_ns)
                return

    def _give(self, offer: Offer) -> bool:
        request, size = offer.request, (offer.request.width, offer.request.height)
        if offer.is_split:
            return self.worker.decode(self._job_id, request.model, offer.payload, *size)
        return self.worker.detect_jpeg(
            self._job_id, request.model, offer.payload, *size, request.heads
        )

    def tell(self, now_ns: int) -> None:
        """Beacons, when they are due."""
        if not self._beacons.is_due(now_ns):
            return
        load = self._beacons.load(
            self._queue_length,
            self.credits,
            {model: self.admission.expected_ns(model) for model in self.models},
            {model: self.admission.expected_ns(split_name(model)) for model in self.splits},
            now_ns,
        )
        for session in listeners(self.sessions.all(), now_ns):
            beacon = self._beacons.message(session.session, load)
            if session.control is not None:  # one that does not get through is worth no count
                self.counters.beacons += self.send(session.control, wire.pack(beacon))

    @property
    def _queue_length(self) -> int:
        return len(self.admission) + len(self._running)

    def status(self, period_ns: int, now_ns: int) -> messages.UnitStatus:
        """Counters for watchers, every `period_ns`; vehicles that fell silent are forgotten."""
        for vehicle_id in self.sessions.expire(now_ns):
            self._left(vehicle_id, "has been silent")
        busy, self._busy_ns = self._busy_ns / period_ns, 0
        counters = self.counters
        return messages.UnitStatus(
            version=VERSION,
            unit_id=self.unit_id,
            vehicles=self.sessions.vehicles(),
            received=counters.received,
            ok=counters.ok,
            rejected=counters.rejected,
            late=counters.late,
            bad=counters.bad,
            aliens=counters.aliens,
            queue_length=self._queue_length,
            busy_share=min(1.0, busy),
            infer_ms={model: self.admission.expected_ns(model) / 1e6 for model in self.models},
        )

    def report(self) -> dict[str, int]:
        """All counters, for the run folder."""
        return asdict(self.counters)

    def _on_hello(self, hello: Hello, connection: bytes, now_ns: int) -> None:
        session, is_new = self.sessions.hello(hello, connection, now_ns)
        if session is None:
            self.counters.unbound += 1
            return
        if is_new:
            if self.sessions.paths(hello.vehicle_id) == 1:  # else another path may want the answer
                self.counters.dropped += self.admission.forget(hello.vehicle_id)
            over = f" over {hello.path}" if hello.path else ""
            self.say("info", f"{hello.vehicle_id} opened a session{over}")
        if session.is_bound:
            welcome = Welcome(
                VERSION,
                self.unit_id,
                session.session,
                self.credits,
                self.models,
                [self._expected_us(model) for model in self.models],
                {model: self._expected_us(split_name(model)) for model in self.splits},
                {model: list(heads) for model, heads in self.heads.items()},
            )
            self._deliver(session, wire.pack(welcome))

    def _on_request(
        self,
        request: Request,
        payload: list[bytes],
        key: bytes | None,
        connection: bytes,
        now_ns: int,
    ) -> None:
        has_paths = self.sessions.paths(request.vehicle_id) > 1
        if has_paths and self._duplicates.is_copy(request, now_ns):
            self.counters.copies += 1
            outcome = self._duplicates.outcome(request)
            if outcome is not None:
                self._say_result(request, outcome.within(0))
            return
        self.counters.received += 1
        try:
            data = check_payload(request, payload, is_sealed=key is not None)
        except WireError as error:
            refused = Offer(request, b"", now_ns)
            self._answer(refused, Outcome("bad", str(error), (0, 0, 0)), now_ns)
            self._blame(key if key is not None else connection, now_ns)
            return
        offer = Offer(request, data, now_ns)
        problem = self._objection(request)
        if problem:
            self._refuse([Refused(offer, "reject", problem)], now_ns)
        elif not self.worker.is_ready:
            self._refuse([Refused(offer, "reject", "the worker is starting")], now_ns)
        else:
            self._refuse(self.admission.offer(offer, now_ns), now_ns)
            self.work(now_ns)

    def _objection(self, request: Request) -> str:
        """Why this unit cannot serve a request; empty when it can."""
        model = request.model
        if request.payload_kind not in PAYLOAD_KINDS:
            return f"payload {request.payload_kind!r}: expected {' or '.join(PAYLOAD_KINDS)}"
        if model not in self.models:
            return f"no model {model!r} here, only {', '.join(self.models)}"
        if request.payload_kind == "features" and model not in self.splits:
            return f"no decoder for {model!r} here, only {', '.join(self.splits) or 'pictures'}"
        known = self.heads.get(model, ())
        missing = [head for head in request.heads if head not in known]
        if missing:
            return f"{model} has no head {missing[0]!r} here, only {', '.join(known) or 'boxes'}"
        return ""

    def _refuse(self, refused: list[Refused], now_ns: int) -> None:
        for each in refused:
            waited_ns = max(0, now_ns - each.offer.received_ns)
            outcome = Outcome(each.status, each.reason, (waited_ns, 0, 0))
            self._answer(each.offer, outcome, now_ns)

    def _answer(self, offer: Offer, outcome: Outcome, now_ns: int) -> None:
        """Count a request, send its one result, and to each copy its own."""
        self._say_result(offer.request, outcome)  # first: its vehicle waits
        counters, status = self.counters, outcome.status
        counters.ok += status == "ok"
        counters.rejected += status == "reject"
        counters.late += status == "late"
        counters.bad += status == "bad"
        if status == "ok":
            self._beacons.waits.add(outcome.durations_ns[0])
        for copy, received_ns in self._duplicates.finish(offer.request, outcome):
            self._say_result(copy, outcome.within(now_ns - received_ns))

    def _say_result(self, request: Request, outcome: Outcome) -> None:
        queue_ns, decode_ns, infer_ns = outcome.durations_ns
        is_closed = outcome.status == "reject" and not self.worker.is_ready
        result = Result(
            version=VERSION,
            unit_id=self.unit_id,
            session=request.session,
            seq=request.seq,
            status=outcome.status,
            reason=outcome.reason[:300],
            model=request.model,
            budget_us=request.budget_us,
            queue_us=_micros(queue_ns),
            decode_us=_micros(decode_ns),
            infer_us=_micros(infer_ns),
            queue_length=len(self.admission),
            credits=self.credits,
            retry_after_us=RESTART_RETRY_US if is_closed else 0,
            heads={name: len(result) for name, result in outcome.heads.items()},
        )
        payload = (outcome.detections, *outcome.heads.values()) if outcome.status == "ok" else ()
        session = self.sessions.find(request.vehicle_id, request.session)
        if session is None:
            self.counters.undeliverable += 1
        else:
            self._deliver(session, wire.pack(result, *payload))

    def _deliver(self, session: Session, parts: list[bytes]) -> None:
        if session.control is None or not self.send(session.control, parts):
            self.counters.undeliverable += 1

    def _left(self, vehicle_id: str, how: str) -> None:
        self.counters.dropped += self.admission.forget(vehicle_id)
        self.say("info", f"{vehicle_id} {how}")

    def _blame(self, peer: bytes, now_ns: int) -> None:
        self.counters.malformed += 1
        if self.bad_peers.blame(peer, now_ns):
            known = self.site.by_key(peer) if self.site is not None else None
            name = known.name if known is not None else "a peer"
            self.say("warning", f"{name} sends malformed messages: not heard for 10 s")

    def _expected_us(self, model: str) -> int:
        return _micros(self.admission.expected_ns(model))


def _micros(duration_ns: int) -> int:
    return min(MOST_US, duration_ns // NS_PER_US)
