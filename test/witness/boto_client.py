"""Talks to AWS with boto3 for the witness: one JSON request a line on stdin, one JSON answer a line on stdout."""

import datetime
import json
import sys

import boto3
import botocore.config
import botocore.exceptions

CONFIG = botocore.config.Config(retries={"total_max_attempts": 2}, connect_timeout=10, read_timeout=60)
clients = {}


def client_for(request):
    place = (request["service"], request["region"], request["endpoint"], request["accessKeyId"])
    if place not in clients:
        clients[place] = boto3.client(
            request["service"],
            region_name=request["region"],
            endpoint_url=request["endpoint"],
            aws_access_key_id=request["accessKeyId"],
            aws_secret_access_key=request["secretAccessKey"],
            aws_session_token=request.get("sessionToken"),
            config=CONFIG,
        )
    return clients[place]


def perform(request):
    client = client_for(request)
    if client.can_paginate(request["method"]):
        pages = client.get_paginator(request["method"]).paginate(**request["parameters"])
        return pages.build_full_result()
    answer = getattr(client, request["method"])(**request["parameters"])
    answer.pop("ResponseMetadata", None)
    return answer


def answer_to(request):
    try:
        return {"id": request["id"], "result": perform(request)}
    except botocore.exceptions.ClientError as error:
        return {"id": request["id"], "error": error.response["Error"]}
    except Exception as error:  # noqa: BLE001: every failure is an answer
        return {"id": request["id"], "error": {"Code": type(error).__name__, "Message": str(error)}}


def to_json(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} cannot be written as JSON")


for line in sys.stdin:
    print(json.dumps(answer_to(json.loads(line)), default=to_json), flush=True)
