"""The reference table of the configuration."""

from helpers.studies import REPOSITORY, run


def test_config_table_is_current():
    """config/README.md is what `make docs` writes."""
    script = REPOSITORY / "tools" / "describe_config.py"
    wanted = run("python", script, cwd=REPOSITORY).stdout
    assert wanted == (REPOSITORY / "config" / "README.md").read_text(), "run: make docs"
