"""Holds a document to the standard (OpenAPI 3.1), its examples to their schemas, and what was seen of a server to the
schemas that the document gives it. Prints what is wrong."""

import json
import sys
from urllib.parse import quote

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

told = json.load(sys.stdin)
document = told["document"]
complaints = [f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]

registry = Registry().with_resource("urn:contract", Resource(contents=document, specification=DRAFT202012))


def hold(pointer, value):
    schema = {"$ref": "urn:contract#" + quote(pointer)}
    for error in OAS31Validator(schema, registry=registry, format_checker=oas31_format_checker).iter_errors(value):
        complaints.append(f"{pointer}: {error.message[:300]} at {error.json_path} in {json.dumps(value)[:300]}")


def step(name):
    return name.replace("~", "~0").replace("/", "~1")


def hold_examples(node, pointer):
    """A schema that has an example, or examples, beside it."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            hold_examples(child, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    if "schema" in node:
        examples = [node["example"]] if "example" in node else []
        examples += [example["value"] for example in node.get("examples", {}).values()]
        for example in examples:
            hold(pointer + "/schema", example)
            if "x-line" in node:
                for line in example.splitlines():
                    hold(pointer + "/x-line", json.loads(line))
    for name, child in node.items():
        if name not in ("example", "examples"):
            hold_examples(child, f"{pointer}/{step(name)}")


hold_examples(document, "")
for pointer, text in told["observed"]:
    hold(pointer, json.loads(text))
json.dump(complaints, sys.stdout)
