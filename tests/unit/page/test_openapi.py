"""The description of the API names what there is, and nothing else."""

import re

from bidsloom.page.access import Access
from bidsloom.page.application import make_application
from bidsloom.page.openapi import load_description
from bidsloom.page.studies import Studies
from jsonschema import Draft202012Validator


def test_every_route_is_described(tmp_path):
    app = make_application(Studies(root=tmp_path), Access(), environment={})
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    described = {
        (path, method)
        for path, item in load_description()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == there


def test_its_schemas_are_schemas():
    for schema in load_description()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
