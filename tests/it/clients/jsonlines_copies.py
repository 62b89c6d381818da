"""Copies streams as NDJSON with `jsonlines`, from one URL to another for each pair that standard input lists, and
prints the lines that it read and the status that it was answered."""

import io
import json
import sys
import urllib.request

import jsonlines

NDJSON = "application/x-ndjson"


def copy(source, target):
    with urllib.request.urlopen(urllib.request.Request(source, headers={"Accept": NDJSON})) as answer:
        lines = list(jsonlines.Reader(io.TextIOWrapper(answer, encoding="utf-8")))
    body = io.StringIO()
    jsonlines.Writer(body).write_all(lines)
    request = urllib.request.Request(target, body.getvalue().encode(), {"Content-Type": NDJSON})
    with urllib.request.urlopen(request) as answer:
        return {"lines": lines, "status": answer.status}


json.dump([copy(source, target) for source, target in json.load(sys.stdin)], sys.stdout)
