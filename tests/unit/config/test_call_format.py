"""`container.call_fmt`, as DataLad formats it and a shell reads it."""

import pytest
from bidsloom.config.call_format import find_call_format_faults


@pytest.mark.parametrize(
    "text",
    [
        "python3 -I {img} {cmd}",
        'singularity exec -B "{{pwd}}" {img} {cmd}',
        "{python} {img_dspath}/run {img_dirpath} {img} {cmd}",
        "X=${{{{HOME}}}} sh {img} {cmd}",
        "mkdir -p {{tmpdir}} && {img} {cmd} > {{outputs[0]}}",
        "\"$(docker load -q -i {img} | sed 's/^Loaded image[^:]*: //')\" {cmd}",
    ],
)
def test_what_datalad_formats_is_accepted(text):
    """Both stages of formatting know these names."""
    assert [] == list(find_call_format_faults(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("python3 {img} {cmd} }", "braces do not pair"),
        ("python3 {img} {cmd} {", "braces do not pair"),
        ("python3 {img} {cmd} {nothing}", "{nothing} is not a known placeholder"),
        ("python3 {img} {cmd} {}", "{} is not a known placeholder"),
        ("python3 {img} {cmd} {{nothing}}", "{nothing} is not a known placeholder"),
        ("python3 {img} {cmd} }}", "braces do not pair"),
        ("python3 {img!r} {cmd}", "':' or a '!'"),
        ("python3 {img.__class__} {cmd}", "is not a known placeholder"),
        ("python3 {img} {cmd} 'x", "a shell cannot read"),
        ('python3 {img} {cmd} "x', "a shell cannot read"),
        ("( python3 {img} {cmd}", "a shell cannot read"),
    ],
)
def test_what_cannot_be_run_is_named(text, words):
    """Found before the store is made."""
    (fault,) = find_call_format_faults(text)
    assert words in fault.message
    assert fault.hint


def test_the_text_is_read_not_run(tmp_path):
    """A shell checks the syntax alone."""
    (tmp_path / "x").mkdir()
    list(find_call_format_faults(f"touch {tmp_path}/X; $(touch {tmp_path}/X) {{img}} {{cmd}}"))
    assert not (tmp_path / "X").exists()
