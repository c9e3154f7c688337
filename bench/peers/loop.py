"""The same as loop.mjs with boto3, whose retries are its own, and with threads."""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

JOB = json.load(sys.stdin)
WORK, SERVICE, OBJECTS = JOB["work"], JOB["service"], JOB["objects"]
CLIENT, CREDENTIALS = JOB["client"], JOB["client"]["credentials"]
NAMES = list(OBJECTS)


def new_client():
    return boto3.client(
        SERVICE,
        endpoint_url=CLIENT["endpoint"],
        region_name=CLIENT["region"],
        aws_access_key_id=CREDENTIALS["accessKeyId"],
        aws_secret_access_key=CREDENTIALS["secretAccessKey"],
        config=Config(max_pool_connections=JOB["concurrency"]),
    )


class Parameters:
    per_read = per_deletion = 10

    def __init__(self, client):
        self.client = client

    def create(self, name):
        self.client.put_parameter(Name=name, Value=OBJECTS[name], Type="SecureString")

    def update(self, name):
        self.client.put_parameter(Name=name, Value=OBJECTS[name], Type="SecureString", Overwrite=True)

    def read(self, names):
        answer = self.client.get_parameters(Names=names, WithDecryption=True)
        return {one["Name"]: one["Value"] for one in answer["Parameters"]}

    def remove(self, names):
        self.client.delete_parameters(Names=names)


class Secrets:
    per_read, per_deletion = 20, 1

    def __init__(self, client):
        self.client = client

    def create(self, name):
        self.client.create_secret(Name=name, SecretString=OBJECTS[name])

    def update(self, name):
        self.client.put_secret_value(SecretId=name, SecretString=OBJECTS[name])

    def read(self, names):
        answer = self.client.batch_get_secret_value(SecretIdList=names)
        return {one["Name"]: one["SecretString"] for one in answer["SecretValues"]}

    def remove(self, names):
        self.client.delete_secret(SecretId=names[0], RecoveryWindowInDays=30)


def chunks(size):
    return [NAMES[n : n + size] for n in range(0, len(NAMES), size)]


def each(pool, action, items):
    """What AWS refuses for good is left out; how many that are is counted by who looks at AWS."""

    def guarded(item):
        try:
            return action(item)
        except Exception:
            return None

    return list(pool.map(guarded, items))


def perform(store, pool):
    if WORK == "first":
        each(pool, store.create, NAMES)
    elif WORK == "deleted":
        each(pool, store.remove, chunks(store.per_deletion))
    else:
        found = {}
        for part in each(pool, store.read, chunks(store.per_read)):
            found.update(part or {})
        write = lambda name: (store.update if name in found else store.create)(name)
        each(pool, write, [name for name in NAMES if found.get(name) != OBJECTS[name]])


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


store = (Parameters if SERVICE == "ssm" else Secrets)(new_client())
with ThreadPoolExecutor(JOB["concurrency"]) as pool:
    before, started_at = cpu_seconds(), time.perf_counter()
    perform(store, pool)
    seconds, used = time.perf_counter() - started_at, cpu_seconds() - before
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "cpuSeconds": used, "peakMb": peak_mb}))
