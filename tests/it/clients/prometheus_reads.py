"""Reads pages of numbers as Prometheus does, with its own parser, which takes nothing that is not OpenMetrics."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def read(path):
    with urllib.request.urlopen(sys.argv[1] + path) as answer:
        text = answer.read().decode("utf-8")
    return [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
        }
        for family in text_string_to_metric_families(text)
    ]


print(json.dumps([read(path) for path in json.load(sys.stdin)]))
