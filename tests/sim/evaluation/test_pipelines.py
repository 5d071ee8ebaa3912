"""What the summary says of each pipeline, by hand."""

from scheduler.messages import VERSION, Verdict
from sim.evaluation.pipelines import in_words, pipelines_of


def verdict(pipeline: str, answer: str, size: int, age_ms: float) -> Verdict:
    return Verdict(
        VERSION, "ego", "front", 1, 0, "object_detection", answer, "as placed", "", "", "", "",
        0, 0, 0, 0, age_ms, age_ms, False, {}, size, [], pipeline,
    )  # type: ignore[arg-type]  # fmt: skip


def test_figures_of_each_pipeline_by_hand() -> None:
    said = [
        verdict("escalate", "onboard", 0, 20.0),
        verdict("escalate", "onboard", 0, 22.0),
        verdict("escalate", "offloaded", 18_000, 60.0),
        verdict("split", "offloaded", 2_000, 50.0),
        verdict("split", "carried", 1_000, 96.0),
    ]
    made = pipelines_of(said)
    assert list(made) == ["escalate", "split"]
    assert made["escalate"] == {
        "verdicts": 3, "onboard": 2, "offloaded": 1, "carried": 0, "sent": 1, "kilobytes": 18.0,
        "age_ms": 22.0,
    }  # fmt: skip
    assert made["split"]["kilobytes"] == 1.5 and made["split"]["age_ms"] == 73.0
    assert in_words(made) == "escalate 3, 1 sent of 18.0 kB; split 2, 2 sent of 1.5 kB"


def test_verdicts_of_older_runs_have_no_pipeline() -> None:
    assert list(pipelines_of([verdict("", "onboard", 0, 20.0)])) == ["unknown"]
    assert pipelines_of([]) == {} and in_words(None) == ""
