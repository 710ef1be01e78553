"""Make the study dataset that jobs clone.

scaffolding    what it holds before any result
study_dataset  made, connected to its store, published
"""
