"""A client of the tracker, as somebody else writes one, with the Python package `mcp`.

    client.py legacy|auto|VERSION http URL
    client.py legacy|auto|VERSION stdio COMMAND ARGUMENT…

Opens a session, opens it again, ends it, asks for it, and prints what it was answered as one JSON document.
"""

import asyncio
import json
import sys
import uuid

from mcp import StdioServerParameters
from mcp.client.client import Client

MODE, WAY, *PLACE = sys.argv[1:]


async def main():
    place = PLACE[0] if WAY == "http" else StdioServerParameters(command=PLACE[0], args=PLACE[1:])
    async with Client(place, mode=MODE) as client:
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)

        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            return {"error": result.is_error, "answer": result.structured_content}

        start = {
            "event_id": str(uuid.uuid4()),
            "event_type": "session_start",
            "component_name": "python",
            "shell_type": "PythonShell",
            "timestamp": "2026-02-06T10:30:00Z",
            "pid": 7,
            "user": {"username": "les", "home": "/home/les"},
            "hostname": "mbp-local",
            "environment": {"python_version": "3.13.0", "platform": "macOS", "cwd": "/"},
        }
        began = await call("track_session_start", **start)
        id = began["answer"]["session_id"]
        print(
            json.dumps(
                {
                    "tools": tools,
                    "began": began,
                    "again": await call("track_session_start", **start),
                    "refused": await call("track_session_start", **{**start, "pid": 0}),
                    "ended": await call("track_session_end", session_id=id, timestamp="2026-02-06T10:31:00Z"),
                    "unknown": await call("track_session_end", session_id="sess_x", timestamp="2026-02-06T10:31:00Z"),
                    "shown": await call("show_session", session_id=id, events=9),
                    "listed": await call("list_sessions", component="python"),
                    "stats": await call("session_stats", days=365),
                    "metrics": await call("get_prometheus_metrics"),
                    "health": await call("health_check"),
                    "beaten": await call("heartbeat", presence=[]),
                    "wrong": await call("list_sessions", limit=0),
                }
            )
        )


asyncio.run(main())
