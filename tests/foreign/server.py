"""A server of the older generation, as somebody else writes one: two tools, no more.

It refuses every argument that it does not list, makes its own session ids, forgets sessions of the component `forgotten`,
answers `error` to the component `refused`, and writes each call to a file: the tests' oracle.

    server.py CALLS            on the standard streams
    server.py CALLS PORT       streamable HTTP on this port
"""

import json
import sys
from typing import Annotated, Literal

from fastmcp import FastMCP
from pydantic import BaseModel, ConfigDict, Field

CALLS = sys.argv[1]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class User(Strict):
    username: Annotated[str, Field(max_length=100)]
    home: Annotated[str, Field(max_length=500)]


class Environment(Strict):
    python_version: str
    platform: str
    cwd: str


class Started(BaseModel):
    session_id: str | None
    status: Literal["tracked", "error"]
    error: str | None = None


class Ended(BaseModel):
    session_id: str
    status: Literal["ended", "not_found", "error"]
    error: str | None = None


server = FastMCP("somebody-elses-tracker")
sessions: dict[str, str] = {}
events: dict[str, str] = {}


def note(tool: str, arguments: dict, answer: BaseModel):
    with open(CALLS, "a") as calls:
        line = {"tool": tool, "arguments": arguments, "answer": answer.model_dump()}
        calls.write(json.dumps(line, default=lambda value: value.model_dump()) + "\n")
    return answer


@server.tool
def track_session_start(
    event_version: Literal["1.0"],
    event_id: str,
    event_type: Literal["session_start"],
    component_name: str,
    shell_type: str,
    timestamp: str,
    pid: int,
    user: User,
    hostname: str,
    environment: Environment,
    metadata: dict | None = None,
) -> Started:
    arguments = dict(locals())
    if component_name == "refused":
        answer = Started(session_id=None, status="error", error="component_name: not here")
    else:
        theirs = events.setdefault(event_id, f"theirs-{len(events) + 1}")
        sessions[theirs] = component_name
        answer = Started(session_id=theirs, status="tracked")
    return note("track_session_start", arguments, answer)


@server.tool
def track_session_end(session_id: str, timestamp: str) -> Ended:
    arguments = dict(locals())
    if sessions.get(session_id, "forgotten") == "forgotten":
        answer = Ended(session_id=session_id, status="not_found")
    else:
        answer = Ended(session_id=session_id, status="ended")
    return note("track_session_end", arguments, answer)


if len(sys.argv) > 2:
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), show_banner=False, log_level="error")
else:
    server.run(show_banner=False)
