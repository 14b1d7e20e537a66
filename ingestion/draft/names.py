"""What a field's name tells: of private data, of money, of a range. Names are in lower case, words joined by `_`."""

from __future__ import annotations

# Words that, next to each other in a name, tell of a person or a secret, and what they tell of.
PRIVATE: dict[str, str] = {
    "email": "an e-mail address",
    "mail": "an e-mail address",
    "phone": "a telephone number",
    "mobile": "a telephone number",
    "fax": "a telephone number",
    "first_name": "a person's name",
    "last_name": "a person's name",
    "given_name": "a person's name",
    "family_name": "a person's name",
    "full_name": "a person's name",
    "middle_name": "a person's name",
    "surname": "a person's name",
    "passenger_name": "a person's name",
    "customer_name": "a person's name",
    "user_name": "a person's name",
    "username": "a person's name",
    "login": "a person's name",
    "birth": "a date of birth",
    "birthday": "a date of birth",
    "dob": "a date of birth",
    "gender": "a person's gender",
    "sex": "a person's gender",
    "nationality": "a person's nationality",
    "religion": "a person's religion",
    "passport": "an identity document",
    "ssn": "an identity document",
    "national_id": "an identity document",
    "license": "an identity document",
    "licence": "an identity document",
    "tax_id": "an identity document",
    "iban": "a bank account",
    "account_number": "a bank account",
    "card_number": "a payment card",
    "cvv": "a payment card",
    "street": "an address",
    "address": "an address",
    "postcode": "an address",
    "postal_code": "an address",
    "zip_code": "an address",
    "ip": "an IP address",
    "ip_address": "an IP address",
    "salary": "a salary",
    "password": "a secret",
    "secret": "a secret",
    "token": "a secret",
    "api_key": "a secret",
    "tail_number": "an aircraft, which leads to its owner",
    "tailnum": "an aircraft, which leads to its owner",
    "plate": "a vehicle, which leads to its owner",
    "vin": "a vehicle, which leads to its owner",
}

# Words of names that hold amounts of money.
MONEY = frozenset(
    {"amount", "balance", "charge", "cost", "discount", "fare", "fee", "paid", "price", "revenue", "subtotal", "tax"}
)

# The last word of a name, and the range that its numbers have by definition.
RANGES: dict[str, tuple[int, int]] = {
    "lat": (-90, 90),
    "latitude": (-90, 90),
    "lon": (-180, 180),
    "lng": (-180, 180),
    "longitude": (-180, 180),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "humidity": (0, 100),
    "humid": (0, 100),
    "percent": (0, 100),
    "pct": (0, 100),
}

# Last words of names of moments at which records happened, the best first.
EVENT_TIMES = ("event_time", "occurred_at", "happened_at", "event_at", "timestamp", "at", "time", "date", "on", "hour")


def private(name: str) -> str | None:
    """What private thing a name tells of; None if it tells of none."""
    padded = f"_{name}_"
    return next((told for words, told in PRIVATE.items() if f"_{words}_" in padded), None)


def is_money(name: str) -> bool:
    """Whether a name tells of an amount of money."""
    return not MONEY.isdisjoint(name.split("_"))


def event_time_rank(name: str) -> int:
    """How little a name tells of the moment of an event: 0 is most."""
    padded = f"_{name}"
    return next((rank for rank, end in enumerate(EVENT_TIMES) if padded.endswith(f"_{end}")), len(EVENT_TIMES))
