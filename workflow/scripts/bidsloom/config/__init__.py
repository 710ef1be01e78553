"""What a study asks for: the only reader of configuration keys, and the frozen `Study`.

study           the types
request         CPUs, memory and time of a job
results_folder  every path of `results/<study>/`
loading         YAML or JSON files, read strictly, with the lines of their keys
text_files      their text: encoding, size, control characters
layout          the output folder of a study that names none
reading         from a mapping to a `Study`
producer        another study whose results are read
producers       inputs that are results of other studies
faults          everything that is wrong with a configuration, found in one pass
plain_values    faults of any value: its kind, hidden characters, huge numbers
schema          the schema, and hints that every fault may need
schema_faults   faults by the schema
places          faults of paths and URLs, alone and together
amounts         faults of memory, time, and lengths of command lines
call_format     faults of `container.call_fmt`
content_faults  faults of `datalad.output_content`
secret_variables  `datalad.credentials_file`, and other variables with credentials
environment     `hpc.environment`: what a job gets, and what the app alone
sbatch          `hpc.sbatch` as arguments
expects         when a result is complete: `container.expects`, built-in sets, nipoppy's trackers
expects_faults  faults of these patterns
export_faults   faults of the section `export`
values          single values: memory, times, paths, flags
"""

from .loading import read_config
from .reading import read_study
from .study import Study

__all__ = ["Study", "read_config", "read_study"]
