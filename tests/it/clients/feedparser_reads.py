"""Reads with feedparser every URL that standard input lists, each with the options of `feedparser.parse`, and
prints what it made of each of them."""

import json
import sys

import feedparser

calls = json.load(sys.stdin)
json.dump([feedparser.parse(url, **options) for url, options in calls], sys.stdout, default=str)
