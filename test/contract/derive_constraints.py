"""
Derives src/sandbox/aws/aws-constraints.json from botocore's service models (Apache-2.0): for the operations that the
table already lists, their shapes with type, length, range, pattern, enumeration and required members, and their errors.

    .cache/moto/bin/python test/contract/derive_constraints.py [--write]

Without --write it only tells whether the table is still what the models say. To add an operation, add its name to the
table first, with {} as its value.
"""

import json
import pathlib
import sys

import botocore
from botocore.loaders import Loader

TABLE = pathlib.Path(__file__).parents[2] / "src/sandbox/aws/aws-constraints.json"
MODELS = {"STS": "sts", "Secrets Manager": "secretsmanager", "SSM": "ssm", "IAM": "iam"}
META = ["protocol", "jsonVersion", "targetPrefix", "apiVersion", "xmlNamespace", "endpointPrefix", "signingName"]
RULES = ["min", "max", "pattern", "enum", "sensitive"]


def derive_error(model, name):
    error = model["shapes"][name].get("error", {})
    return {key: error[key] for key in ["code", "httpStatusCode", "senderFault"] if key in error}


def derive_operation(model, name):
    operation = model["operations"][name]
    derived = {}
    if "input" in operation:
        derived["input"] = operation["input"]["shape"]
    if "output" in operation:
        derived["output"] = operation["output"]["shape"]
        if "resultWrapper" in operation["output"]:
            derived["wrapper"] = operation["output"]["resultWrapper"]
    derived["errors"] = {e["shape"]: derive_error(model, e["shape"]) for e in operation.get("errors", [])}
    return derived


def derive_member(member):
    return {key: member[key] for key in ["shape", "idempotencyToken"] if key in member}


def derive_shape(shape):
    derived = {"type": shape["type"]}
    derived.update({key: shape[key] for key in RULES if key in shape})
    if shape.get("required"):
        derived["required"] = shape["required"]
    if shape["type"] == "structure":
        derived["members"] = {name: derive_member(member) for name, member in shape["members"].items()}
    if shape["type"] == "list":
        derived["member"] = shape["member"]["shape"]
    if shape["type"] == "map":
        derived["key"], derived["value"] = shape["key"]["shape"], shape["value"]["shape"]
    return derived


def collect_shapes(model, name, found):
    if name in found:
        return
    found[name] = derive_shape(model["shapes"][name])
    shape = found[name]
    below = [member["shape"] for member in shape.get("members", {}).values()]
    below += [shape[key] for key in ["member", "key", "value"] if key in shape]
    for child in below:
        collect_shapes(model, child, found)


def derive_service(title, operation_names):
    model = Loader().load_service_model(MODELS[title], "service-2")
    meta = {key: model["metadata"].get(key) for key in META}
    operations = {name: derive_operation(model, name) for name in operation_names}
    shapes = {}
    for operation in operations.values():
        for side in ["input", "output"]:
            if side in operation:
                collect_shapes(model, operation[side], shapes)
    return {"meta": meta, "operations": operations, "shapes": shapes}


def main():
    table = json.loads(TABLE.read_text())
    derived = {title: derive_service(title, table[title]["operations"]) for title in MODELS}
    changed = [title for title in MODELS if derived[title] != table[title]]
    print(f"botocore {botocore.__version__}: " + (f"differs in {', '.join(changed)}" if changed else "the table is what the models say"))
    if changed and "--write" in sys.argv:
        source = f"Derived from the service models of botocore {botocore.__version__} (Apache-2.0): operations, shapes, min/max/pattern/enum/required, error codes and HTTP status."
        TABLE.write_text(json.dumps({"_source": source, **derived}, separators=(",", ":")))
        return 0
    return 1 if changed else 0


sys.exit(main())
