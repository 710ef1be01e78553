"""Make the folder of a study, and the study dataset that jobs clone.

scaffolding    what it holds before any result
study_dataset  made, connected to its store, published
study_folder   the folder of a new study: config, profiles, Snakefile
"""
