"""`results/<study>/`: what is noted of a study, what still holds, why the rest is due.

attempts       failed attempts at a unit
cancellations  units that people cancelled
evidence       what failed attempts left
fingerprints   what a result is made from
job_ends       notes of jobs on nodes that came to their end
job_facts      what is known of a job, with a result or without
job_record     the record of a unit's result
json_fields    dataclasses to and from JSON, also of another version
merge_outcome  what the last merge did
open_study     a study that was opened: its units, and what is due
prepared       what jobs know of the prepared study
produced       what other studies offer, and what units therefore are made from
proof          what came out when units were computed again
reconcile      records brought in line with the output store
running        the unit that a batch's job processes now
unit_state     the state of a unit
why_due        why a unit is due, in words

The paths are in `config.results_folder`.
"""
