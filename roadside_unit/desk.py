"""The roadside unit without its sockets: messages in, messages out, the worker in between.

Every request of a bound session is answered exactly once, at once when it is refused: a refusal
in time is worth as much to a vehicle as a result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from roadside_unit.admission import Admission, Offer, Refused
from roadside_unit.guard import BadPeers, check_payload
from roadside_unit.session import Session, Sessions, is_authorised
from scheduler import messages, wire
from scheduler.errors import WireError
from scheduler.messages import VERSION
from scheduler.offload_messages import (
    MOST_HEAD_BYTES,
    Bye,
    Hello,
    Ping,
    Pong,
    Request,
    Result,
    ResultStatus,
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
class Counters:
    """What became of what came.

    `received` = ok + rejected + late + bad + dropped + what waits or is in work.
    """

    received: int = 0  # requests of a bound session
    ok: int = 0
    rejected: int = 0
    late: int = 0  # not in time for inference, or replaced by a newer frame
    bad: int = 0  # the picture or the inference failed
    dropped: int = 0  # waited when their vehicle left
    malformed: int = 0  # messages that are not of the protocol
    aliens: int = 0  # a vehicle id that is not of this key
    unbound: int = 0  # of no session that is open here
    muted: int = 0  # dropped unread from a peer that sent too much rubbish
    undeliverable: int = 0  # answers to a vehicle that had gone


@dataclass(slots=True)
class Desk:
    """One roadside unit's state.

    Attributes:
        send: Hands parts to a connection of the control socket; False when it is gone.
        say: Publishes a line for watchers: level, text.
        splits: Models whose second half runs here; known once the worker has loaded.
        heads: Further results, by model; likewise.
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
    counters: Counters = field(default_factory=Counters)
    sessions: Sessions = field(default_factory=Sessions)
    bad_peers: BadPeers = field(default_factory=BadPeers)
    admission: Admission = field(default_factory=lambda: Admission({}))
    _running: dict[int, tuple[Offer, int]] = field(default_factory=dict)  # job -> offer, started
    _job_id: int = 0
    _busy_ns: int = 0  # of the worker, since the last status

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
            self._on_request(message, payload, peer, now_ns)
        elif isinstance(message, Ping):
            session.control = connection
            queue = len(self.admission) + len(self._running)
            pong = Pong(VERSION, self.unit_id, session.session, message.number, queue)
            self._deliver(session, wire.pack(pong))
        else:
            self._left(speaker, "left")
            self.sessions.leave(speaker, message.session)

    def on_answers(self, answers: list[Answer], now_ns: int) -> None:
        """What the worker made of its jobs."""
        for answer in answers:
            running = self._running.pop(answer.job_id, None)
            if running is None:
                continue
            offer, started_ns = running
            if answer.is_ok and answer.detections is not None:
                worked_ns = now_ns - started_ns
                self._busy_ns += worked_ns
                self.admission.learn(offer.work, worked_ns)
                # The worker counts compute time; what else passed here was waiting, so that the
                # three add up and none of it looks like the link's.
                computed_ns = answer.decode_ns + answer.infer_ns
                waited_ns = max(0, now_ns - offer.received_ns - computed_ns)
                durations = (waited_ns, answer.decode_ns, answer.infer_ns)
                heads = {
                    name: result
                    for name, result in answer.heads.items()
                    if len(result) <= MOST_HEAD_BYTES
                }
                found = (answer.detections.to_bytes(), heads)
                self._answer(offer, "ok", "", durations, found)
            else:
                self._answer(offer, "bad", answer.error, (now_ns - offer.received_ns, 0, 0))
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
            if not self._give(offer):
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
            queue_length=len(self.admission) + len(self._running),
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
            self.counters.dropped += self.admission.forget(hello.vehicle_id)
            self.say("info", f"{hello.vehicle_id} opened a session")
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

    def _on_request(self, request: Request, payload: list[bytes], peer: bytes, now_ns: int) -> None:
        self.counters.received += 1
        offer = Offer(request, b"", now_ns)
        try:
            offer = Offer(request, check_payload(request, payload), now_ns)
        except WireError as error:
            self._answer(offer, "bad", str(error), (0, 0, 0))
            self._blame(peer, now_ns)
            return
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
            self._answer(each.offer, each.status, each.reason, (waited_ns, 0, 0))

    def _answer(
        self,
        offer: Offer,
        status: ResultStatus,
        reason: str,
        durations_ns: tuple[int, int, int],
        found: tuple[bytes, Mapping[str, bytes]] | None = None,
    ) -> None:
        """Count and send the one result of a request; durations are queue, decode, inference.

        `found`: detections, and the results of those heads that were asked for.
        """
        counters, request = self.counters, offer.request
        counters.ok += status == "ok"
        counters.rejected += status == "reject"
        counters.late += status == "late"
        counters.bad += status == "bad"
        queue_us, decode_us, infer_us = (min(MOST_US, ns // NS_PER_US) for ns in durations_ns)
        detections, heads = found if found is not None else (b"", {})
        is_closed = status == "reject" and not self.worker.is_ready
        result = Result(
            version=VERSION,
            unit_id=self.unit_id,
            session=request.session,
            seq=request.seq,
            status=status,
            reason=reason[:300],
            model=request.model,
            budget_us=request.budget_us,
            queue_us=queue_us,
            decode_us=decode_us,
            infer_us=infer_us,
            queue_length=len(self.admission),
            credits=self.credits,
            retry_after_us=RESTART_RETRY_US if is_closed else 0,
            heads={name: len(result) for name, result in heads.items()},
        )
        payload = () if found is None else (detections, *heads.values())
        session = self.sessions.find(request.vehicle_id, request.session)
        if session is None:
            counters.undeliverable += 1
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
        return min(MOST_US, self.admission.expected_ns(model) // NS_PER_US)
