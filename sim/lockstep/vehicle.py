"""A vehicle in virtual time: the deployed dispatcher and policy, and stages that have durations.

What `vehicle.driver` does in real time with sockets, a worker process and an encoder's thread,
event by event, is done here in the loop of virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scheduler.dispatcher import Dispatcher
from scheduler.effects import (
    Cancel,
    Close,
    Correct,
    Effect,
    Emit,
    Encode,
    EncodeFeatures,
    Open,
    Ping,
    Reopen,
    RunFlow,
    RunLocal,
    Send,
    UnitLoad,
    UnitReport,
)
from scheduler.handover import FIRST_RANGE_M, Candidate, Handover
from scheduler.messages import VERSION
from scheduler.offload_messages import Request
from scheduler.onboard import EncoderSpec, RungSpec
from scheduler.placement import split_name
from scheduler.policies import load_policy
from scheduler.tasks import Task, deadline_by_speed_ns
from sim.lockstep.encoder import VirtualEncoder
from sim.lockstep.link import VirtualLink
from sim.lockstep.loop import Loop
from sim.lockstep.outcome import VehicleTotals
from sim.lockstep.recorder import Recorder
from sim.lockstep.scenario import CameraSpec, LinkSpec, PoseAt, UnitModel, VehicleSpec
from sim.lockstep.stages import Stage, StageProfile

NS_PER_S = 1_000_000_000
FOREVER_NS = 1 << 62
US = 1000  # ns


def expected_ns(typical_ns: int) -> int:
    """A rung's first guess, as `vehicle.expectations` makes it of a trial at start."""
    return round(typical_ns * 1.3) + 3_000_000


def deployed_dispatcher(
    spec: VehicleSpec, models: Sequence[UnitModel], now_ns: int = 0
) -> Dispatcher:
    """The dispatcher as `vehicle.app` builds it; `models` are those of all units.

    Raises:
        ConfigError: No such policy, or options that it refuses.
    """
    accuracies = {m.model: m.accuracy for m in models}
    accuracies |= {split_name(m.model): m.split_accuracy for m in models if m.second_half}
    return Dispatcher(
        load_policy(spec.policy, spec.options),
        [RungSpec(m.model, m.accuracy, expected_ns(m.time.q50_ns)) for m in spec.onboard],
        [link.name for link in spec.links],
        accuracies=accuracies,
        now_ns=now_ns,
        window=spec.window,
        qualities=spec.qualities,
        resolutions=spec.resolutions,
        shrunk={m.model: m.shrunk for m in models},
        frame_interval_ns=round(NS_PER_S / max(camera.rate_hz for camera in spec.cameras)),
        watts=spec.watts,
        pipelines=spec.pipelines,
        encoders=[
            EncoderSpec(m.model, expected_ns(m.first_half.q50_ns), m.feature_bytes)
            for m in spec.onboard
            if m.first_half is not None
        ],
        doubt_above=spec.doubt_above,
        flow_ns=spec.flow_ns,
        handover=Handover([candidate_of(link) for link in spec.links], spec.max_links),
    )


def candidate_of(link: LinkSpec) -> Candidate:
    """A link as handover sees it, as `vehicle.assembly` makes it of the configuration."""
    return Candidate(
        link.name,
        link.place,
        link.range_m or FIRST_RANGE_M,
        is_everywhere=link.is_everywhere,
        is_learning=link.range_m is None,
    )


class VirtualVehicle:
    """One vehicle; `links` by the name that its dispatcher knows."""

    def __init__(
        self,
        loop: Loop,
        spec: VehicleSpec,
        dispatcher: Dispatcher,
        links: Sequence[VirtualLink],
        seed: int,
        recorder: Recorder | None = None,
    ) -> None:
        self.spec = spec
        self.dispatcher = dispatcher
        self.totals = VehicleTotals(dispatcher.counters)
        self.recorder = recorder or Recorder(loop, spec, seed)
        self._loop = loop
        self._purpose = f"{seed}/{spec.id}"
        self._links = {link.name: link for link in links}
        for link in links:
            link.on_welcome, link.on_pong = self._on_welcome, self._on_pong
            link.on_answer, link.on_beacon = self._on_answer, self._on_beacon
        self._encode = VirtualEncoder(
            loop, self._stage(spec.encode, "encode"), self._jpeg_bytes, self._on_encoded
        )
        self._capture = self._stage(spec.capture, "capture")
        self._timer_lag = self._stage(spec.timer_lag, "timer")
        self._flow = self._stage(spec.flow, "flow")
        self._rungs = {m.model: self._stage(m.time, m.model) for m in spec.onboard}
        self._halves = {
            m.model: (self._stage(m.first_half, split_name(m.model)), m.feature_bytes)
            for m in spec.onboard
            if m.first_half is not None
        }
        self._payloads: dict[int, int] = {}  # bytes of what is about to be sent, by task
        self._sent: dict[tuple[str, int], Send] = {}  # by link and seq
        self._timer_ns = FOREVER_NS  # what the timer that is set is for
        self._timer = 0  # its number
        self._next_task = 1
        self._deadline_ns = round(spec.deadline_ms * 1e6)
        self._ways = self._hands()

    def _stage(self, profile: StageProfile, purpose: str) -> Stage:
        return Stage(profile, f"{self._purpose}/{purpose}")

    # --- what happens ------------------------------------------------------------------------

    def start(self) -> None:
        """The worker is ready; links are opened."""
        self._carry_out(self.dispatcher.on_worker(True, self._loop.now_ns))
        for name, link in self._links.items():
            if self.dispatcher.uplinks[name].is_open:
                link.reopen()

    def take(self, camera: CameraSpec, tick: int, stamp_ns: int, sim_ns: int | None = None) -> None:
        """A picture was taken at `stamp_ns`; the vehicle has it a little later."""
        source_ns = stamp_ns if sim_ns is None else sim_ns
        at_ns = stamp_ns + self._capture.draw()
        self._loop.at(at_ns, self.arrive, camera, tick, source_ns, stamp_ns)

    def capture_ns(self) -> int:
        """How long the next picture takes from its instant to the vehicle."""
        return self._capture.draw()

    def drive(self, pose: PoseAt) -> None:
        """The vehicle is there now."""
        now_ns = self._loop.now_ns
        self.recorder.pose(pose, now_ns)
        if self.spec.is_deadline_by_speed:
            self._deadline_ns = deadline_by_speed_ns(pose.speed)
        self._carry_out(self.dispatcher.on_pose(pose.x, pose.y, pose.heading, pose.speed, now_ns))

    def shutdown(self) -> None:
        """Every open task gets its verdict now."""
        self._carry_out(self.dispatcher.shutdown(self._loop.now_ns))
        for link in self._links.values():
            self.totals.up_bytes += link.up_bytes
            self.totals.dn_bytes += link.dn_bytes
        self.totals.joules = self.totals.local_ns / NS_PER_S * self.spec.watts

    def arrive(self, camera: CameraSpec, tick: int, sim_ns: int, stamp_ns: int) -> None:
        """The vehicle has the picture of `stamp_ns` now."""
        change = self.recorder.frame(camera, tick, sim_ns, stamp_ns)
        spec = self.spec
        task = Task(
            self._next_task,
            spec.id,
            camera.id,
            tick,
            sim_ns,
            spec.service,
            stamp_ns,
            stamp_ns + self._deadline_ns,
            camera.width,
            camera.height,
            spec.stays_on_board,
            change=change,
        )
        self._next_task += 1
        self._carry_out(self.dispatcher.on_frame(task, self._loop.now_ns))

    def _on_timer(self, number: int) -> None:
        if number != self._timer:
            return  # another one was set since
        due_ns, self._timer_ns = self._timer_ns, FOREVER_NS
        self._carry_out(self.dispatcher.on_timer(self._loop.now_ns, due_ns))

    def _set_timer(self) -> None:
        due_ns = self.dispatcher.next_timer_ns()
        if due_ns is None or due_ns == self._timer_ns:
            return
        self._timer_ns = due_ns
        self._timer += 1
        fires_ns = max(due_ns, self._loop.now_ns) + self._timer_lag.draw()
        self._loop.at(fires_ns, self._on_timer, self._timer)

    def _on_encoded(self, job: Encode, size_bytes: int, duration_ns: int) -> None:
        task_id = job.task.task_id
        self._payloads[task_id] = size_bytes
        now_ns = self._loop.now_ns
        self._carry_out(self.dispatcher.on_encoded(task_id, size_bytes, duration_ns, now_ns))
        del self._payloads[task_id]

    def _on_features(self, task: Task, model: str, size_bytes: int, duration_ns: int) -> None:
        self._payloads[task.task_id] = size_bytes
        self.totals.local_ns += duration_ns
        effects = self.dispatcher.on_features(
            task.task_id, model, size_bytes, duration_ns, self._loop.now_ns
        )
        self._carry_out(effects)
        del self._payloads[task.task_id]

    def _on_looked(self, task: Task, model: str, duration_ns: int) -> None:
        self.totals.local_ns += duration_ns
        answer = self.recorder.answer_on_board(task, model)
        doubt = self.recorder.doubt(answer)
        now_ns = self._loop.now_ns
        self._carry_out(
            self.dispatcher.on_local_done(task.task_id, model, answer, duration_ns, now_ns, doubt)
        )

    def _on_welcome(self, link: VirtualLink) -> None:
        unit, now_ns = link.unit, self._loop.now_ns
        self._carry_out(
            self.dispatcher.on_welcome(
                link.name, unit.spec.credits, unit.models(), now_ns, unit.splits()
            )
        )

    def _on_pong(self, link: VirtualLink, number: int) -> None:
        self._carry_out(self.dispatcher.on_pong(link.name, number, self._loop.now_ns))

    def _on_beacon(self, link: VirtualLink, load: UnitLoad) -> None:
        self._carry_out(self.dispatcher.on_beacon(link.name, load, self._loop.now_ns))

    def _on_answer(self, link: VirtualLink, seq: int, report: UnitReport) -> None:
        now_ns = self._loop.now_ns
        sent = self._sent.pop((link.name, seq), None)
        if report.status == "ok" and sent is not None:
            answer = self.recorder.answer_of(sent)
            effects = self.dispatcher.on_result(link.name, seq, report, answer, now_ns)
        else:
            effects = self.dispatcher.on_reject(link.name, seq, report, now_ns)
        self._carry_out(effects)

    # --- what is to be done --------------------------------------------------------------------

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:  # grows while it is walked through
            more = self._ways[type(effect)](effect)
            if more:
                effects.extend(more)
        self._set_timer()

    def _hands(self) -> dict[type, Callable[[Any], list[Effect] | None]]:
        """What carries out each kind of effect."""
        links = self._links
        return {
            Emit: self.recorder.emit,
            Correct: self.recorder.correct,
            Encode: self._encode.encode,
            Cancel: lambda effect: self._encode.cancel(effect.task.task_id),
            Send: self._send,
            RunLocal: self._run_local,
            EncodeFeatures: self._encode_features,
            RunFlow: self._run_flow,
            Ping: lambda effect: links[effect.unit_id].ping(effect.number),
            Reopen: lambda effect: links[effect.unit_id].reopen(),
            Open: lambda effect: links[effect.unit_id].reopen(),
            Close: lambda effect: links[effect.unit_id].leave(),
        }

    def _run_local(self, effect: RunLocal) -> None:
        duration_ns = self._rungs[effect.model].draw()
        ends_ns = self._loop.now_ns + duration_ns
        self._loop.at(ends_ns, self._on_looked, effect.task, effect.model, duration_ns)

    def _run_flow(self, effect: RunFlow) -> list[Effect] | None:
        answer = self.recorder.measured(effect.task)
        if answer is None:  # nothing to measure
            return self.dispatcher.on_flow_done(0, self._loop.now_ns)
        duration_ns = self._flow.draw()
        ends_ns = self._loop.now_ns + duration_ns
        self._loop.at(ends_ns, self._on_motion, effect.task, answer, duration_ns)
        return None

    def _on_motion(self, task: Task, answer: bytes, duration_ns: int) -> None:
        self.totals.local_ns += duration_ns
        self.recorder.motion(task, answer)
        self._carry_out(self.dispatcher.on_flow_done(duration_ns, self._loop.now_ns))

    def _encode_features(self, effect: EncodeFeatures) -> None:
        stage, usual_bytes = self._halves[effect.model]
        size_bytes = self.recorder.payload_bytes(effect.task, effect.model, usual_bytes)
        duration_ns = stage.draw()
        ends_ns = self._loop.now_ns + duration_ns
        arguments = (effect.task, effect.model, size_bytes, duration_ns)
        self._loop.at(ends_ns, self._on_features, *arguments)

    def _send(self, effect: Send) -> list[Effect]:
        task, now_ns = effect.task, self._loop.now_ns
        link = self._links[effect.unit_id]
        size_bytes = self._payloads[task.task_id]
        request = Request(
            VERSION, task.vehicle_id, link.session, effect.seq, task.camera_id, task.tick,
            task.sim_ns, task.service, effect.model, max(0, now_ns - task.stamp_ns) // US,
            max(0, effect.budget_ns) // US, effect.width or task.width,
            effect.height or task.height, 1.0, size_bytes, 0,
            effect.payload_kind, list(effect.heads),
        )  # fmt: skip
        is_sent = link.send(request, size_bytes)
        if is_sent:
            self._sent[link.name, effect.seq] = effect
        return self.dispatcher.on_sent(effect, is_sent, now_ns)

    def _jpeg_bytes(self, job: Encode) -> int:
        self.recorder.encoding(job)
        return self.recorder.jpeg_bytes(job)
