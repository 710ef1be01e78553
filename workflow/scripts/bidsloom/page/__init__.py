"""The live page of one study, or of a folder of studies, and its API.

Needs the packages of `requirements-page.txt`.  It decides nothing itself: what
it shows comes from the same functions as the report and `status`, what it does
is done by the commands that people type.

access         who may ask for what: hosts, origins, tokens, headers
actions        the command that an action stands for
api            `/api/v1/`: status, units, actions
application    all routes together
board          a study's state, computed once for all viewers, with what changed since
config_api     `/api/v1/`: config files, templates
config_files   a config file: its faults, a change of it, what differs
context        what all routes share
files          the units' own pages, served where they can do nothing
memory         notes of units, of which only those that changed are read again
old_endpoints  the six endpoints of the system before this one
openapi        the API's description, `openapi.yaml`
runs           commands that run now, from the page or a terminal, and their output
serve          a Unix socket or a port, until it is interrupted
studies        which studies there are
static/        the page itself; `openapi.yaml` describes the API
"""
