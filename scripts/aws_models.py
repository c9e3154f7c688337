"""
Derives src/sandbox/aws/aws-constraints.json from the service models of botocore (Apache-2.0): for the operations that the
table already lists, their shapes with type, length, range, pattern, enumeration and required members, and their errors.

    npm run models                          compares the table with the newest botocore, lists what changed
    npm run models -- --write               and writes the table
    npm run models -- --botocore 1.40.0     with that version instead
    npm run models -- --botocore stored     with the version that the table names: the table must be this script's output

Ends with 1 if anything differs and is not written. To add an operation, add its name to the table first, with {} as its
value. The wheel comes from PyPI by pip and is only read.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

TABLE = pathlib.Path(__file__).parents[1] / "src/sandbox/aws/aws-constraints.json"
MODELS = {"STS": "sts", "Secrets Manager": "secretsmanager", "SSM": "ssm", "IAM": "iam", "KMS": "kms"}
META = ["protocol", "jsonVersion", "targetPrefix", "apiVersion", "xmlNamespace", "endpointPrefix", "signingName"]
RULES = ["min", "max", "pattern", "enum", "sensitive"]


def download(version, directory):
    requirement = "botocore" if version is None else f"botocore=={version}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--only-binary", ":all:", "--dest", directory, requirement], check=True)
    return next(pathlib.Path(directory).glob("botocore-*.whl"))


def read_wheel(path):
    """Version, day of the build, and the newest model of each service."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        year, month, day = max(entry.date_time for entry in wheel.infolist())[:3]
        models = {title: read_model(wheel, names, service) for title, service in MODELS.items()}
    return {"version": path.name.split("-")[1], "date": f"{year:04}-{month:02}-{day:02}"}, models


def read_model(wheel, names, service):
    found = sorted(n for n in names if n.startswith(f"botocore/data/{service}/") and "/service-2.json" in n)[-1]
    content = wheel.read(found)
    model = json.loads(gzip.decompress(content) if found.endswith(".gz") else content)
    extras = found.replace("service-2.json", "service-2.sdk-extras.json").removesuffix(".gz")
    return merge(model, json.loads(wheel.read(extras)).get("merge", {})) if extras in names else model


def merge(model, extras):
    for key, value in extras.items():
        model[key] = merge(model.get(key, {}), value) if isinstance(value, dict) else value
    return model


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


def derive_service(model, operation_names):
    meta = {key: model["metadata"].get(key) for key in META}
    # An operation that an older botocore does not know is a difference, not a failure.
    known = [name for name in operation_names if name in model["operations"]]
    operations = {name: derive_operation(model, name) for name in known}
    shapes = {}
    for operation in operations.values():
        for side in ["input", "output"]:
            if side in operation:
                collect_shapes(model, operation[side], shapes)
    return {"meta": meta, "operations": operations, "shapes": shapes}


def derive_table(source, models, table):
    note = "Derived by scripts/aws_models.py from the service models of botocore (Apache-2.0)."
    derived = {title: derive_service(models[title], table[title]["operations"]) for title in MODELS}
    return {"_source": note, "_botocore": source, **derived}


def list_changes(stored, derived, path=""):
    """One line for each value that differs; of lists, what comes and goes."""
    if stored == derived:
        return []
    if isinstance(stored, dict) and isinstance(derived, dict):
        names = [*stored, *(name for name in derived if name not in stored)]
        return [
            line
            for name in names
            for line in list_changes(stored.get(name), derived.get(name), f"{path}.{name}" if path else name)
        ]
    if isinstance(stored, list) and isinstance(derived, list) and set(stored) != set(derived):
        gone = [f"{path}: without {value}" for value in stored if value not in derived]
        return gone + [f"{path}: with {value}" for value in derived if value not in stored]
    return [f"{path}: {show(stored)} in the table, {show(derived)} in botocore"]


def show(value):
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def main():
    parser = argparse.ArgumentParser(prog="npm run models --")
    parser.add_argument("--botocore", metavar="VERSION", help="default: the newest; `stored` is the table's own")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    content = TABLE.read_text()
    table = json.loads(content)
    version = table["_botocore"]["version"] if options.botocore == "stored" else options.botocore
    with tempfile.TemporaryDirectory() as directory:
        source, models = read_wheel(download(version, directory))
    derived = derive_table(source, models, table)
    changes = list_changes(*({title: each[title] for title in MODELS} for each in (table, derived)))
    stored = table.get("_botocore", {"version": "unknown", "date": "unknown"})
    print(f"table: botocore {stored['version']} of {stored['date']}; compared with {source['version']} of {source['date']}")
    print("\n".join(changes) or "the models say the same")
    output = json.dumps(derived, separators=(",", ":"))
    if options.write:
        TABLE.write_text(output)
        print("written")
        return 0
    if not changes and source == stored and output != content:
        print("the table is not this script's output: npm run models -- --write")
        return 1
    return 1 if changes else 0


sys.exit(main())
