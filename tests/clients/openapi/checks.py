"""What schemathesis is to look at besides its own checks."""

import schemathesis

# What no schema says: an address or base64 that begins rightly and is none, and a job in another state.
BEYOND = {"unreadable", "not_resumable", "not_here"}


@schemathesis.check
def right_data_is_not_called_wrong(ctx, response, case):
    """A request that the document allows is refused by a model or an order, never for its form."""
    meta = case.meta
    if response.status_code != 400 or meta is None or not meta.generation.mode.is_positive:
        return
    error = response.json()["error"]
    # A refusal of an offer, of a policy or of a budget has its details; a fault of the form has none.
    if "details" in error or error["code"] in BEYOND:
        return
    raise AssertionError(f"the document allows it, and it is called wrong: {error['message']}")
