"""Tell whether the live page of this machine has a camera that gives pictures: a container's health check.

python -m edge.web.health              port 8000, with the token of EDGE_EMOTION_TOKEN
python -m edge.web.health 9000

The exit status is 1 if the camera is lost or the page does not answer, and 0 if it gives pictures, if nothing is served
on the port, or if the page has a token that is not known here.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Sequence

from edge.arguments import ArgumentParser, whole
from edge.web.access import TOKEN_VARIABLE

PORT = 8000
TIMEOUT_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = ArgumentParser("python -m edge.web.health", __doc__)
    parser.add_argument("port", nargs="?", type=whole(1, 65535), default=PORT)
    is_healthy, text = health(parser.parse_args(argv).port)
    print(text)
    return 0 if is_healthy else 1


def health(port: int) -> tuple[bool, str]:
    """Return whether all is well on this machine's port, and the reason."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    token = os.environ.get(TOKEN_VARIABLE)
    try:
        connection.request("GET", "/healthz", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace").strip()
    except ConnectionRefusedError:
        return True, f"nothing is served on port {port}"
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer on port {port}: {error or type(error).__name__}"
    finally:
        connection.close()
    if answer.status == 401:
        return True, f"the page answers; set {TOKEN_VARIABLE} to check the camera too"
    return answer.status == 200, text


if __name__ == "__main__":
    raise SystemExit(main())
