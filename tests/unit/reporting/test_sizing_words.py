"""What is said of a sizing."""

from bidsloom.config.request import Request
from bidsloom.reporting.sizing import (
    Usage,
    size_study,
)
from bidsloom.reporting.sizing_words import describe_estimates, describe_limits, describe_proposals


def make_usages(*minutes: float, **facts) -> list[Usage]:
    """Usages of units that took some minutes, nearly all of them in the app."""
    return [Usage(seconds=60 * m, run_seconds=60 * m, **facts) for m in minutes]


def advise(usages, **facts):
    """The words on a sizing: proposals by key, estimates by name, limits."""
    sizing = size_study(usages, units=50, left=50 - len(usages), jobs=10, price=0.1)
    short = {"short_mb": (), "short_minutes": ()}
    size = {"beyond": 0, "sample_bytes": 1e9, "study_bytes": 1e9} | facts
    return (
        {row["key"]: row for row in describe_proposals(sizing, usages, **short)},
        {row["what"]: row for row in describe_estimates(sizing)},
        "\n".join(describe_limits(sizing, usages, **short, **size)),
    )


def test_words_on_three_units():
    """A small sample is called one; three units have a range."""
    usages = make_usages(
        50,
        55,
        60,
        requested=Request(8, 8192),
        cpu_seconds=3600.0,
        memory_mb=2000.0,
        sampled=True,
    )
    proposals, estimates, limits = advise(usages)
    assert ("8G", "2,000 MB", "53 %", "3500M") == tuple(
        proposals["mem"][name] for name in ("asked", "seen", "margin", "value")
    )
    assert ("not set", "01:45:00") == (proposals["time"]["asked"], proposals["time"]["value"])
    assert ("8", "2") == (proposals["cpus"]["asked"], proposals["cpus"]["value"])
    assert estimates["Core hours reserved"]["whole"][1], "there is a range"
    assert estimates["Cost"]["whole"][0] == "36.7"
    assert "3 units are a small sample" in limits
    assert "one in 4 needs more" in limits
    assert "Fewer CPUs" in limits


def test_words_on_what_is_not_known():
    """Docker hides the app; an old record has its largest process alone; a sample may be small."""
    *_, limits = advise(make_usages(50), sample_bytes=1e9, study_bytes=3e9)
    assert "1 unit is a small sample" in limits
    assert "docker and podman run the app where its job cannot see it" in limits
    assert "1.0 GB of input on average, those of the whole study 3.0 GB: expect more" in limits
    *_, limits = advise(make_usages(50, memory_mb=2000.0), beyond=45)
    assert "The 45 unit(s) beyond subjects.limit are taken to be like those seen" in limits
    assert "only the largest single process is known" in limits
