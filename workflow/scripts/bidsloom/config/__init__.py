"""What a study asks for: the only reader of configuration keys, and the frozen `Study`.

study           the types
request         CPUs, memory and time of a job
results_folder  every path of `results/<study>/`
reading         from YAML or JSON to a `Study`
faults          everything that is wrong with a configuration, found in one pass
expects         when a result is complete: `container.expects`, built-in sets, nipoppy's trackers
values          single values: memory, times, paths, flags
"""

from .reading import read_config, read_study
from .study import Study

__all__ = ["Study", "read_config", "read_study"]
