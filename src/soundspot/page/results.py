"""The addresses under which visitors fetch what was found for them."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import HTTPException
from fastapi.responses import FileResponse

from soundspot.page.visits import Visits
from soundspot.types import UserError

SHOWN = {".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg"}
"""What a page may show; everything else is only to be saved."""


def route(visits: Visits) -> Callable[..., FileResponse]:
    """A handler of result/TOKEN/NUMBER/NAME: TOKEN is the visitor's secret, NAME one of a fixed list."""

    def result(token: str, number: str, name: str, take: bool = False) -> FileResponse:
        visit = visits.by_token(token)
        found = None if visit is None else visit.found
        if found is None or found.folder.name != number:
            raise HTTPException(404, "Nothing is here any more.")
        try:
            path = found.file(name)
        except UserError:
            raise HTTPException(404, "Nothing is here.") from None
        if not path.is_file():
            raise HTTPException(404, "Nothing is here any more.")
        kind = SHOWN.get(path.suffix)
        saved = take or kind is None
        return FileResponse(
            path,
            media_type=kind or "application/octet-stream",
            filename=path.name,
            content_disposition_type="attachment" if saved else "inline",
            headers={"cache-control": "private, max-age=600"},
        )

    return result
