"""What `check` warns about in a journey that writes into the shop: it would leave something there."""

from collections.abc import Iterator

from probes.files.mistakes import Wrong
from probes.language.journey import Journey


def untidy(journey: Journey) -> Iterator[Wrong]:
    for index, step in enumerate(journey.steps):
        if step.creates is None:
            continue
        at = ("steps", index, "creates")
        if not journey.cleanup:
            hint = "add cleanup: with steps that take it back"
            yield Wrong("nothing undoes what this step creates: it will be listed as left over", hint, at)
        elif journey.mutates == "none":
            hint = "say mutates: order (or cart, authorize) at the journey"
            yield Wrong("creates something, but the journey does not say how deep it writes into the shop", hint, at)
