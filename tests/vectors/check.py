"""Checks the vectors with nothing but Python's standard library: python3 check.py"""

import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).parent


def canonical(value):
    """RFC 8785 for what events hold: no fractions, integers within 2^53 - 1."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    assert not isinstance(value, float) and (isinstance(value, bool) or not isinstance(value, int) or abs(value) < 2**53)
    return json.dumps(value, ensure_ascii=False)


def digest(event):
    rest = {key: value for key, value in event.items() if key != "hash"}
    return "sha256:" + hashlib.sha256(canonical(rest).encode()).hexdigest()


heads = {}
for number, line in enumerate((HERE / "events.jsonl").read_text("utf-8").split("\n")[:-1], 1):
    event = json.loads(line)
    assert canonical(event) == line, f"line {number}: not canonical"
    assert event["hash"] == digest(event), f"line {number}: hash"
    seq, prev = heads.get(event["session_id"], (-1, None))
    assert (event["seq"], event["prev"]) == (seq + 1, prev), f"line {number}: chain"
    heads[event["session_id"]] = (event["seq"], event["hash"])
    print(number, event["event_type"], event["seq"], "ok")
