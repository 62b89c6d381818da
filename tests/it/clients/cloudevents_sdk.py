"""Sends and reads events with the CloudEvents SDK, as standard input lists it, and prints what came of each call:
an answer's status and headers, or the events that the SDK read."""

import json
import sys
import urllib.request
from datetime import datetime

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

MODES = {"binary": http.to_binary_event, "structured": http.to_structured_event}


def event(attributes, data):
    if "time" in attributes:
        attributes["time"] = datetime.fromisoformat(attributes["time"])
    # A list of numbers stands for bytes.
    return CloudEvent(attributes, bytes(data) if isinstance(data, list) else data)


def post(url, message):
    request = urllib.request.Request(url, data=message.body, headers=message.headers)
    with urllib.request.urlopen(request) as answer:
        return {"status": answer.status, "headers": dict(answer.headers)}


def get(url, accept):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept})) as answer:
        return http.HTTPMessage(headers=dict(answer.headers), body=answer.read())


def plain(event):
    return {"attributes": event.get_attributes(), "data": event.get_data()}


def send(mode, url, attributes, data):
    return post(url, MODES[mode](event(attributes, data)))


def send_batch(url, events):
    # The SDK knows no batches, only what stands in them.
    body = b"[" + b",".join(JSONFormat().write(event(*each)) for each in events) + b"]"
    return post(url, http.HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body))


def read(url):
    return plain(http.from_http_event(get(url, "application/cloudevents+json")))


def read_batch(url):
    events = json.loads(get(url, "application/cloudevents-batch+json").body)
    return [plain(JSONFormat().read(None, json.dumps(each))) for each in events]


def written(value):
    return value.isoformat() if isinstance(value, datetime) else list(value)


CALLS = {"send": send, "send_batch": send_batch, "read": read, "read_batch": read_batch}
answers = [CALLS[name](*parameters) for name, *parameters in json.load(sys.stdin)]
json.dump(answers, sys.stdout, default=written)
