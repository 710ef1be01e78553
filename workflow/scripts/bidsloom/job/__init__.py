"""One unit, from clone to push.

app_command  the app's command line
clone_steps  the commands of a job's clones
failures     what a failure means
find_result  the result of the unit, in the output store
group_job    the job of the app's group level
inputs       the unit's files, fetched, and named where there is no copy
judgement    whether what the app wrote is complete
measure      what a job takes: time, memory, disk
open_job     the job of a unit, by its name
part_steps   the commands of the unit's datasets in the input
process      carry a job out
produced     what the job reads of other studies' results
run_app      the app, by `datalad containers-run`
save         every file that the app wrote, into git
scratch      a job's private folder
steps        the commands of a job, in order
survey       what the app left, and what becomes of each file
unit_job     the job itself
"""
