"""Files of records."""

from bidsloom.base.files import read_json, write_json


def test_records_hold_names_that_are_not_utf8(tmp_path):
    write_json(tmp_path / "record.json", {"message": "file \udce4.nii"})
    assert {"message": "file \udce4.nii"} == read_json(tmp_path / "record.json")
