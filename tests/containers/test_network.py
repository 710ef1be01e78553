"""Whether an app has a network."""

from pathlib import Path

import pytest
from bidsloom.checks.app import lay_out_app, start_app
from bidsloom.config import read_study
from bidsloom.containers.runtimes import Runtime


def interfaces(text: str) -> set[str]:
    """The network interfaces that Linux lists in /proc/net/dev."""
    return {line.partition(":")[0].strip() for line in text.splitlines() if ":" in line}


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize("runtime", ["apptainer", "charliecloud", "podman"])
def test_an_app_has_a_network_only_where_it_is_asked_for(runtime, network, in_container):
    study = in_container(runtime)
    study.config["container"] |= {"executable": "cat /proc/net/dev", "network": network}
    made = read_study(study.config, base=study.root)
    dataset = study.scratch / "job" / "dataset"
    lay_out_app(made, Runtime(runtime), dataset, Path(made.container.image))
    # podman has none in these tests, whatever it is asked for.
    here = Path("/proc/net/dev").read_text() if network and runtime != "podman" else "lo:"
    assert interfaces(here) == interfaces(start_app(made, Runtime(runtime), dataset))
