"""`/-/reload`: the configuration read again, as in Prometheus. For administrators."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor, Role
from incident.errors import ChannelMisconfigured
from probes.files.mistakes import WorkspaceInvalid

NO_STORE = {"Cache-Control": "no-store"}


def reload_routes(reload: Callable[[], Awaitable[None]]) -> list[Route]:
    """`reload` raises WorkspaceInvalid or ChannelMisconfigured where the files are not fit to be used."""

    async def handle(request: Request) -> Response:
        actor: Actor = request.state.actor
        actor.must_be(Role.ADMIN, "reload the configuration")
        try:
            await reload()
        except (WorkspaceInvalid, ChannelMisconfigured) as error:
            text = f"The configuration was refused, the old one runs on.\n{error}\n"
            return PlainTextResponse(text, 500, headers=NO_STORE)
        return PlainTextResponse("The configuration was reloaded.\n", headers=NO_STORE)

    return [Route("/-/reload", handle, methods=["POST", "PUT"])]
