"""The vehicle's main: one thread that owns the sockets, the dispatcher and its timers.

Nothing in its loop takes over a millisecond: models run in the inference worker, JPEGs are written
in a thread, the log in the recorder's process.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from scheduler import messages, processes
from scheduler.clock import MonotonicClock
from scheduler.config import Config
from scheduler.dispatcher import Dispatcher
from scheduler.onboard import RungSpec
from scheduler.policies import load_policy
from vehicle import report
from vehicle.assembly import Assembly
from vehicle.driver import Driver
from vehicle.expectations import (
    TimedPolicy,
    accuracies_of,
    encoders_of,
    expected_ns,
    interval_ns,
    most_flow_ns,
    shrunk_of,
    timed,
    unserved_heads,
)
from vehicle.offload import OffloadLink
from vehicle.polling import Lead, Periodic, Polled
from vehicle.services.motion import has_motion

log = logging.getLogger(__name__)

LOAD_SECONDS = 60.0  # for the models at the start
LINK_PERIOD_NS = 100_000_000
STATUS_PERIOD_NS = 500_000_000
EARLY_NS = 500_000  # polling counts in whole milliseconds
LONGEST_WAIT_NS = 50_000_000  # signals and the worker are looked at this often
CARRY_ACCURACY = 0.2  # of tracks moved without a model, below every detector's


class VehicleApp:
    """One vehicle and its loop."""

    def __init__(self, parts: Assembly) -> None:
        """Loads cameras, services, policy and models, and opens the sockets.

        Raises:
            VdapError: Anything that the user can put right, in one line.
        """
        self.parts = parts
        self.config, self.vehicle, self.clock = parts.config, parts.vehicle, parts.clock
        self._states: dict[str, str] = {}  # of the links, as last told
        self._links_due, self._status_due = Periodic(LINK_PERIOD_NS), Periodic(STATUS_PERIOD_NS)
        self._lead = Lead()
        policy = self.vehicle.policy
        policy_in_time = timed(load_policy(policy.name, policy.options), self.clock)
        services = parts.services()
        self.service_names = sorted({n for s in services.values() for n in s.every_frame})
        self.cameras = parts.cameras()
        heads = {head for each in services.values() for head in each.heads}
        self.worker = parts.worker(sorted(heads))
        self.recorder = parts.recorder()
        self.outlet = parts.outlet(self.recorder)
        self.encoder = parts.encoder()
        self.links = parts.links()
        self.feed = parts.feed()
        brake = parts.brake()
        self.worker.wait_ready(LOAD_SECONDS)
        for complaint in self.recorder.wait_ready() if self.recorder is not None else []:
            self.outlet.event("error", complaint)
        for head in unserved_heads(heads, self.worker.loaded.heads):
            self.outlet.event("info", f"no detector on board brings {head}: only units may")
        onboard, remote = accuracies_of(self.config, self.vehicle)
        flow_ns = most_flow_ns(self.vehicle) if has_motion(services) else 0
        self.dispatcher = self._dispatcher(policy_in_time, onboard, remote, flow_ns)
        self.driver = Driver(
            self.vehicle,
            self.dispatcher,
            self.worker,
            self.encoder,
            self.links,
            services,
            {**remote, **onboard},
            self.outlet,
            self.clock,
            brake=brake,
            surroundings=self.feed,
        )

    def _dispatcher(
        self,
        policy: TimedPolicy,
        onboard: dict[str, float],
        remote: dict[str, float],
        flow_ns: int,
    ) -> Dispatcher:
        typical_ns = self.worker.typical_ns
        rungs = [
            RungSpec(model, accuracy, expected_ns(typical_ns[model]))
            for model, accuracy in onboard.items()
        ]
        return Dispatcher(
            policy,
            rungs,
            list(self.links),
            accuracies=remote,
            now_ns=self.clock.now_ns(),
            window=self.vehicle.window,
            qualities=self.vehicle.qualities,
            resolutions=self.vehicle.resolutions,
            shrunk=shrunk_of(self.config, self.vehicle),
            frame_interval_ns=interval_ns(self.config, self.vehicle),
            carry_accuracy=CARRY_ACCURACY,
            watts=self.vehicle.compute.watts,
            pipelines=self.vehicle.pipelines,
            encoders=encoders_of(self.vehicle, self.worker.loaded.encode_ns),
            doubt_above=self.vehicle.doubt_above,
            flow_ns=flow_ns,
            handover=self.parts.handover(list(self.links)),
            radio_maps=self.parts.radio_maps(),
        )

    # --- the loop ----------------------------------------------------------------------------

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Drive until told to stop, or until the source or the drive's time is over."""
        polled = Polled()
        start_ns = self.clock.now_ns()
        self.driver.watch_worker()
        for link_id, link in self.links.items():
            if self.dispatcher.uplinks[link_id].is_open:
                link.reopen(start_ns)
        for camera_id, camera in self.cameras.items():
            camera.open(start_ns)
            polled.add(camera.pollable(), partial(self._on_camera, camera_id))
        if self.feed is not None:
            polled.add(self.feed.pollable(), self._on_feed)
        polled.add(self.encoder.fileno(), lambda: self.driver.on_encoded(self.encoder.take()))
        if self.recorder is not None:
            polled.add(self.recorder.fileno(), lambda: self._on_recorder(polled))
        # A thread in Python code gives way to main within half a millisecond, not five.
        sys.setswitchinterval(0.0005)
        gc.collect()
        gc.freeze()  # a full collection then has little to walk through
        is_draining = False
        while not is_stopping():
            self._follow(polled)
            polled.wait(self._wait_ns())
            self._on_turn()
            is_draining = is_draining or self._is_over(start_ns, polled)
            if is_draining and not self.dispatcher.open_tasks:
                break

    def _follow(self, polled: Polled) -> None:
        worker = self.worker
        polled.follow("worker", worker.generation, worker.fileno(), self._on_worker)
        for unit_id, link in self.links.items():
            call = partial(self._on_link, unit_id, link)
            polled.follow(unit_id, link.generation, link.pollable, call)

    def _wait_ns(self) -> int:
        now_ns = self.clock.now_ns()
        due = [now_ns + LONGEST_WAIT_NS, self._links_due.due_ns, self._status_due.due_ns]
        due += [hello for link in self.links.values() if (hello := link.next_hello_ns())]
        timer_ns = self.dispatcher.next_timer_ns()
        if timer_ns is not None:
            due.append(timer_ns - self._lead.ns)
        return min(due) - now_ns

    def _on_turn(self) -> None:
        now_ns = self.clock.now_ns()
        timer_ns = self.dispatcher.next_timer_ns()
        if timer_ns is not None and self._lead.is_due(timer_ns, now_ns + EARLY_NS):
            self.driver.on_timer(timer_ns)
        for link in self.links.values():
            link.greet(now_ns)
        self._on_worker()
        if self._links_due.is_due(now_ns):
            self._tell_links(now_ns)
        if self._status_due.is_due(now_ns):
            self.outlet.publish(self._status(now_ns), self.vehicle.id)

    def _is_over(self, start_ns: int, polled: Polled) -> bool:
        """Whether the drive has had its time; a simulated one ends when its bridge says so.

        A replay begins later than this process, and ends with its pictures.
        """
        is_timed = not any(camera.source == "bridge" for camera in self.vehicle.cameras)
        is_timed = is_timed and self.config.replay is None
        has_ended = all(camera.is_finished for camera in self.cameras.values())
        elapsed = self.clock.now_ns() - start_ns
        if not has_ended and not (is_timed and elapsed >= self.config.duration_s * 1e9):
            return False
        for camera in self.cameras.values():
            polled.remove(camera.pollable())
        return True

    # --- what wakes it -----------------------------------------------------------------------

    def _on_camera(self, camera_id: str) -> None:
        frame = self.cameras[camera_id].read(self.clock.now_ns())
        if frame is not None:
            self.driver.on_frame(frame)

    def _on_link(self, unit_id: str, link: OffloadLink) -> None:
        self.driver.on_heard(unit_id, link.receive(self.clock.now_ns()))

    def _on_worker(self) -> None:
        restarts = self.worker.restarts
        answers = self.worker.poll(self.clock.now_ns())
        self.driver.on_answers(answers)
        if self.worker.restarts != restarts:
            self.driver.tally.faults["worker_restarts"] += 1

    def _on_feed(self) -> None:
        assert self.feed is not None
        for topic, message in self.feed.read(self.clock.now_ns()):
            self.outlet.record(topic, message)
            if isinstance(message, messages.Pose):
                self.driver.on_pose(message)
            else:
                self._on_site(message)

    def _on_site(self, site: messages.Site) -> None:
        """A map says where units stand, those by rule too."""
        for unit in site.units:
            x, y, _ = unit.position
            for link_id, link in self.links.items():
                if link.unit_id == unit.unit_id:
                    self.dispatcher.on_place(link_id, x, y)

    def _on_recorder(self, polled: Polled) -> None:
        assert self.recorder is not None
        alarms, is_alive = self.recorder.alarms()
        for text in alarms:
            self.outlet.event("error", text)
        if not is_alive:
            polled.remove(self.recorder.fileno())
            self.driver.tally.faults["recorder"] += 1
            self.outlet.event("error", "the recorder died: this drive's log ends here")

    def _tell_links(self, now_ns: int) -> None:
        for unit_id, link in self.links.items():
            uplink, counts = self.dispatcher.uplinks[unit_id], self.driver.tally.units[unit_id]
            status = report.link_status(self.vehicle.id, uplink, counts, now_ns)
            if status.state != self._states.get(unit_id):
                self._states[unit_id] = status.state
                self.outlet.event("info", f"link to {unit_id}: {status.state}")
            self.outlet.publish(status, self.vehicle.id, unit_id)
            if link.watch_handshakes() and link.faults.refused < 3:
                self.outlet.event("error", f"{unit_id} refused the key of {self.vehicle.id}")

    def _status(self, now_ns: int) -> messages.VehicleStatus:
        self._count_faults()
        feed = self.feed
        return report.vehicle_status(
            self.vehicle,
            self.dispatcher,
            self.driver.tally,
            self.driver.stages,
            sum(camera.missed for camera in self.cameras.values()),
            feed.pose if feed else None,
            feed.pose_stamp_ns if feed else 0,
            now_ns,
        )

    def _count_faults(self) -> None:
        faults = self.driver.tally.faults
        faults["aliens"] = sum(link.faults.aliens for link in self.links.values())
        faults["wire"] = sum(link.faults.malformed for link in self.links.values())
        faults["wire"] += self.feed.malformed if self.feed is not None else 0
        faults["recorder_dropped"] = self.outlet.dropped

    # --- the end -----------------------------------------------------------------------------

    def finish(self) -> report.Drive:
        """Close every open task, leave the last status and the final record."""
        self.driver.shutdown()
        now_ns = self.clock.now_ns()
        self.outlet.publish(self._status(now_ns), self.vehicle.id)
        drive = report.drive(
            self.vehicle,
            self.service_names,
            self.dispatcher,
            self.driver.tally,
            self.driver.stages,
            sum(camera.missed for camera in self.cameras.values()),
            self.worker.restarts,
            self.outlet.dropped,
            self.worker.loaded.backends,
            now_ns,
        )
        if self.recorder is not None:
            self.recorder.end()
        if self.parts.run_folder is not None:
            report.write_json(self.parts.run_folder / f"vehicle-{self.vehicle.id}.json", drive)
        return drive


def run(config: Config, vehicle_id: str, run_folder: Path | None) -> int:
    """The whole life of the process.

    Raises:
        VdapError: it cannot start.
    """
    vehicle = config.vehicle(vehicle_id)
    if run_folder is not None:
        run_folder.mkdir(parents=True, exist_ok=True)
    parts = Assembly(config, vehicle, run_folder, MonotonicClock())
    try:
        app = VehicleApp(parts)
        stop = processes.Stop()  # until here a signal ends us at once: nothing is recorded yet
        with contextlib.suppress(OSError):  # where the system lets us: this thread needs little
            os.nice(-5)
        processes.ready()
        app.run(lambda: stop.is_set)
        drive = app.finish()
        log.info(
            "%s: %d frames, %d verdicts, %d late; %s",
            vehicle.id, drive.captured, drive.verdicts, drive.late, drive.answers,
        )  # fmt: skip
    finally:
        parts.close()
    return 0
