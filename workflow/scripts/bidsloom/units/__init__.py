"""Who is in the input, who of them is processed, and why the others are not.

completeness    whether a unit's result is complete: what is missing, what crashed
expression      `subjects.where`: a condition over participants.tsv, checked and rewritten
file_names      `subjects.require`: the files that each unit must have
further_inputs  a unit's part of the datasets beside the raw one
listing         the units of a commit, remembered between starts
named_files     files outside of a unit's folder that its job sees
offers          what other studies offer as inputs, unit by unit
output_folders  where an app writes a unit's results
participants    participants.tsv of the commit, and files of labels
produced_files  what of other studies' results a unit reads
selection       include, exclude, sessions, limit
subject_datasets  subjects and sessions that are datasets of their own
tree            the BIDS tree of a commit
unit            a unit, its name and the parts of it
unit_tables     subjects.tsv and excluded.tsv
"""
