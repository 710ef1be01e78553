"""BIDS-Prov's objects as a JSON schema.

The schema of BIDS that is published as a package has none of them yet, so this
is written after the specification's text and its YAML definitions of
`Activities`, `ProvEntities`, `Environments` and `Software`.
"""

ID = {"type": "string", "pattern": r"^bids:[A-Za-z0-9_-]*:\S"}
IDS = {"anyOf": [ID, {"type": "array", "items": ID, "minItems": 1}]}
# <label>-<uid> after the fragment.
OWN_ID = {"type": "string", "pattern": r"^bids::prov#[A-Za-z0-9._-]+-[0-9a-f]{8}$"}
TEXT = {"type": "string", "minLength": 1}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def objects(name: str, required: list[str], properties: dict) -> dict:
    """A file with an array of objects of one kind."""
    return {
        "type": "object",
        "required": [name],
        "additionalProperties": False,
        "properties": {
            name: {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": required,
                    "additionalProperties": False,
                    "properties": properties,
                },
            }
        },
    }


# By the suffix of the file.
SCHEMAS = {
    "act": objects(
        "Activities",
        ["Id", "Label", "Command"],
        {
            "Id": OWN_ID,
            "Label": TEXT,
            "Command": {"type": ["string", "null"]},
            "AssociatedWith": IDS,
            "Used": IDS,
            "Type": IDS,
            "StartedAtTime": TIME,
            "EndedAtTime": TIME,
        },
    ),
    "ent": objects(
        "ProvEntities",
        ["Id", "Label"],
        {
            "Id": ID,
            "Label": TEXT,
            "AtLocation": {"type": "string", "pattern": "^[^/]"},
            "GeneratedBy": IDS,
            "Digest": {**TEXTS, "minProperties": 1},
            "Type": IDS,
        },
    ),
    "env": objects(
        "Environments",
        ["Id", "Label"],
        {
            "Id": OWN_ID,
            "Label": TEXT,
            "EnvVars": TEXTS,
            "OperatingSystem": TEXT,
            "Dependencies": TEXTS,
        },
    ),
    "soft": objects(
        "Software",
        ["Id", "Label", "Version"],
        {
            "Id": OWN_ID,
            "Label": TEXT,
            "Version": TEXT,
            "AltIdentifier": TEXT,
            "ActedOnBehalfOf": ID,
        },
    ),
}
