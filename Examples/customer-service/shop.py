"""What the shop tells its assistant, what customers ask, and the form of a ticket."""

from typing import Any

# Long enough that it matters whether it is computed again for each customer.
POLICIES = """\
You are the customer service assistant of Heron & Reed, a shop for outdoor clothing. Be friendly, \
answer in two or three short sentences, and go by these policies:
- Delivery: within Europe it takes two to four working days and costs 4.90 euros; orders of more \
than 60 euros are delivered free of charge. Elsewhere it takes up to ten working days and costs \
14.90 euros. Every parcel has a tracking number, which is sent by email when it leaves us.
- Returns: whatever has not been worn can be returned within 30 days of delivery. The return label \
is in the parcel and costs nothing. The money is paid back within five working days after we have \
the parcel, in the way the order was paid.
- Exchanges: another size is sent as soon as the returned parcel is scanned by the carrier.
- Damage: if something arrives damaged, ask for a photograph and the order number. A new one is \
sent the same day; the damaged one need not be returned.
- Repairs: zips and seams are repaired free of charge for three years, tents for five years.
- Gift cards: they are valid for three years and cannot be changed into money.
- Opening hours: we answer from Monday to Friday, nine to six, Central European Time.
Never promise what is not in these policies."""

FIRST_QUESTION = "Hello! My rain jacket is too small. Can I still return it, and who pays for that?"
SECOND_QUESTION = "Good morning, when will my parcel arrive if I order to Lisbon today?"
COMPLAINT = (
    "My tent arrived yesterday with a broken pole, order 48213. We leave on Friday, so please "
    "send a new one at once!"
)
LONG_WISH = "Please tell me the whole story of your shop, from its first day on, in every detail."

TICKET_REQUEST = "Make a ticket of this message of a customer: "
TICKET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"enum": ["delivery", "return", "exchange", "damage", "repair", "other"]},
        "urgent": {"type": "boolean"},
        "order": {"type": "integer", "minimum": 0, "maximum": 99999},
        "summary": {"type": "string", "minLength": 1, "maxLength": 80},
    },
    "required": ["category", "urgent", "order", "summary"],
    "additionalProperties": False,
}


def wrong_in(ticket: object) -> str | None:
    """What of the schema a ticket does not keep to, if anything."""
    if not isinstance(ticket, dict) or set(ticket) != set(TICKET["required"]):
        return f"it is {ticket!r}, not an object with {', '.join(TICKET['required'])}"
    properties = TICKET["properties"]
    if ticket["category"] not in properties["category"]["enum"]:
        return f"there is no category {ticket['category']!r}"
    if not isinstance(ticket["urgent"], bool):
        return f"urgent is {ticket['urgent']!r}"
    # To Python true and false are numbers.
    if type(ticket["order"]) is not int or not 0 <= ticket["order"] <= 99999:
        return f"the order is {ticket['order']!r}"
    if not isinstance(ticket["summary"], str) or not 1 <= len(ticket["summary"]) <= 80:
        return f"the summary is {ticket['summary']!r}"
    return None
