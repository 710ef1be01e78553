"""Compute merged units again and compare.

outcome  what came out, in words
prove    fresh clone, `datalad rerun`, comparison
"""
