"""A run that dies at a call of git or git-annex, whichever, is finished by the same command.

The ordinary tests take a sample of the calls; `make test-kills` takes all of
them, for each kind of study, and a thousand deaths at random moments.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
import yaml
from helpers.deaths import VARIANTS, calls, is_killed, make_study, set_kill, start_runner

PHASES = ("prepare", "process", "merge")
# Every so many calls, in the ordinary tests.
SAMPLE = {"bare": 60, "ria": 90, "outputs": 250}
# How many deaths at random moments, and the seed of these.
KILLS = int(os.environ.get("BIDSLOOM_TEST_KILLS", "1000"))
SEED = int(os.environ.get("BIDSLOOM_TEST_SEED", "1"))
# Seconds after the start of a call.
DELAY = 0.05


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with start_runner(tmp_path_factory.mktemp("runner") / "bin") as started:
        yield started


def undisturbed(study) -> list[str]:
    """What is published when nothing goes wrong; the study is put back to its start."""
    study.save()
    assert 0 == study.run(), study.said()
    expected = study.outcome()
    study.restore()
    return expected


def assert_finished(study, expected, *, killed: str) -> None:
    """Type the same command again: it ends well, all is merged, and nothing is left over."""
    code = study.run()
    assert 0 == code, f"killed at: {killed}\n{study.said()}"
    assert expected == study.outcome(), f"killed at: {killed}"
    assert [] == study.left_over(), f"killed at: {killed}"


def kill_everywhere(study, kills, *, step: int, first: int = 1) -> Counter:
    """Kill at every `step`-th call of each phase, one after the other; returns how many there were."""
    expected, counts = undisturbed(study), Counter()
    for number, phase in enumerate(PHASES):
        study.save()
        at = first + (number * step) // len(PHASES)
        while True:
            code = study.run(phase, kills=set_kill(kills, at))
            if not is_killed(kills):
                assert 0 == code, study.said()
                break
            counts[phase] += 1
            text = f"call {at} of {phase}: {(kills / 'killed').read_text()}"
            assert_finished(study, expected, killed=text)
            study.restore()
            at += step
    return counts


@pytest.mark.parametrize(
    "variant", ["outputs", *(pytest.param(v, marks=pytest.mark.more) for v in ("bare", "ria"))]
)
def test_killed_at_some_calls(variant, runner, tmp_path):
    study = make_study(tmp_path / "study", variant, runner, {"01": [None]})
    counts = kill_everywhere(study, tmp_path / "kills", step=SAMPLE[variant], first=7)
    assert set(PHASES) == set(counts)


@pytest.mark.kills
@pytest.mark.parametrize("variant", SAMPLE)
def test_killed_at_every_call(variant, runner, tmp_path):
    study = make_study(tmp_path / "study", variant, runner, {"01": [None]})
    counts = kill_everywhere(study, tmp_path / "kills", step=1)
    print(f"{variant}: killed at {counts.total()} calls: {dict(counts)}")
    assert counts.total() > 100


@pytest.mark.kills
@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_at_random_moments(variant, runner, tmp_path):
    """Up to five deaths in a row, before a call or within it; whenever a run ends well, all is merged."""
    moments = random.Random(f"{SEED} {variant}")
    study = make_study(tmp_path / "study", variant, runner)
    expected, kills, counts = undisturbed(study), tmp_path / "kills", Counter()
    study.run(kills=set_kill(kills, 0))
    total = calls(kills)
    study.restore()
    while counts["deaths"] < KILLS / len(VARIANTS):
        for _ in range(moments.randint(1, 5)):
            delay = moments.choice([None, moments.uniform(0, DELAY)])
            at = moments.randint(1, max(2, total if moments.random() < 0.5 else total // 4))
            code = study.run(kills=set_kill(kills, at, delay=delay))
            died = is_killed(kills)
            text = (kills / "killed").read_text() if died else "nowhere"
            counts["deaths"] += died
            if code == 0:
                counts["ended with 0"] += 1
                assert expected == study.outcome(), f"0, and not merged; killed at: {text}"
        assert_finished(study, expected, killed=text)
        counts["finished"] += 1
        study.restore()
    print(f"{variant}: {dict(counts)}")


@pytest.mark.more
def test_erasing_killed_at_some_calls(runner, tmp_path):
    """Erased again, a subject is gone as if nothing had happened, and what others have is there."""
    study, kills = make_study(tmp_path / "study", "outputs", runner), tmp_path / "kills"
    assert 0 == study.run(), study.said()
    config = yaml.safe_load(study.config.read_text())
    study.config.write_text(yaml.safe_dump(config | {"subjects": {"exclude": ["02"]}}))
    study.save()
    assert 0 == study.run("erase"), study.said()
    expected = [*study.outcome(), *study.held()]
    assert not [line for line in expected if "sub-02" in line]
    at = 4
    while True:
        study.restore()
        study.run("erase", kills=set_kill(kills, at))
        if not is_killed(kills):
            break
        text = f"call {at}: {(kills / 'killed').read_text()}"
        assert 0 == study.run("erase"), f"killed at {text}\n{study.said()}"
        assert expected == [*study.outcome(), *study.held()], f"killed at {text}"
        at += 15
    assert at > 60
