"""An HTML page as a run reads it: CSS selectors, and forms as a browser would submit them."""

from typing import Annotated

from pydantic import AfterValidator


def check_selector(text: str) -> str:
    return text


SelectorText = Annotated[str, AfterValidator(check_selector)]
