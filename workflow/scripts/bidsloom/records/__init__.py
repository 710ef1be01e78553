"""`results/<study>/`: what is noted of a study, what still holds, why the rest is due.

attempts       failed attempts at a unit
cancellations  units that people cancelled
fingerprints   what a result is made from
open_study     a study that was opened: its units, and what is due
reconcile      records brought in line with the output store
why_due        why a unit is due, in words
"""
