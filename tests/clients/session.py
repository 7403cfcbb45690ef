"""The whole session of a team, through the generated client alone.

python session.py ADDRESS OPERATOR PASSWORD, with the folder of the generated package in PYTHONPATH.
Any answer but the expected one ends it with a traceback.
"""

import sys

from berth_client import AuthenticatedClient, Client
from berth_client.api.accounts import auth_me, log_in, sign_up
from berth_client.api.invitations import accept_invitation, pending_invitations
from berth_client.api.marketplace import browse_servers, show_offer
from berth_client.api.members import invite_member
from berth_client.api.operators import book_deposit
from berth_client.api.pools import create_pool, show_pool
from berth_client.api.rentals import extend_rental, list_rentals, rent_server, show_rental
from berth_client.api.wallet import balances, list_transactions
from berth_client.models import (
    BookBody,
    CreatePoolBody,
    ErrorCode,
    ExtendBody,
    InviteBody,
    LogInBody,
    Problem,
    RentBody,
    SignUpBody,
)

ADDRESS, OPERATOR, PASSWORD = sys.argv[1:]
STRANGER = Client(base_url=ADDRESS)


def done(status, call, *arguments, client, **named):
    """The data of an answer that must have this status."""
    answer = call.sync_detailed(*arguments, client=client, **named)
    assert answer.status_code == status, (call.__name__, answer.status_code, answer.content)
    assert answer.parsed.status_code == status, answer.parsed
    return answer.parsed.data


def refused(status, code, call, *arguments, client, **named):
    """Holds a refusal against what the document says of it."""
    answer = call.sync_detailed(*arguments, client=client, **named)
    assert answer.status_code == status, (call.__name__, answer.status_code, answer.content)
    assert isinstance(answer.parsed, Problem), answer.parsed
    assert answer.parsed.error == code, answer.parsed


def signed_in(username):
    credentials = LogInBody(username=username, password=PASSWORD)
    data = done(200, log_in, client=STRANGER, body=credentials)
    assert data.user.username == username
    return AuthenticatedClient(base_url=ADDRESS, token=data.token)


def signed_up(username):
    email = f"{username}@example.org"
    body = SignUpBody(username=username, email=email, password=PASSWORD)
    assert done(201, sign_up, client=STRANGER, body=body).email == email
    refused(409, ErrorCode.USERNAME_TAKEN, sign_up, client=STRANGER, body=body)
    return signed_in(username)


operator = signed_in(OPERATOR)
lead, member = signed_up("client-lead"), signed_up("client-member")
refused(401, ErrorCode.UNAUTHORIZED, auth_me, client=AuthenticatedClient(ADDRESS, "nonsense"))

money = BookBody(username="client-lead", amount="200.00", reason="bank transfer")
refused(403, ErrorCode.OPERATOR_REQUIRED, book_deposit, client=lead, body=money)
for _ in range(2):  # The same key twice is one deposit.
    booked = done(201, book_deposit, client=operator, body=money, idempotency_key="deposit-1")
    assert booked.balance == "200.00", booked

found = done(
    200,
    browse_servers,
    client=STRANGER,
    country="US",
    min_ram_gb=64,
    disk_types=["NVMe"],
    available_durations=[7, 30],
    sort="price_per_day",
    limit=1,
)
server = found[0].id
assert found[0].pricing.prices["7"] == "70.00", found
assert done(200, show_offer, server, client=STRANGER).id == server

pool = done(201, create_pool, client=lead, body=CreatePoolBody(name="Team")).id
rent = RentBody(rental_days=7, pool_id=pool, max_charge_cents=7_000)
rented = done(201, rent_server, server, client=lead, body=rent, idempotency_key="rent-1")
again = done(201, rent_server, server, client=lead, body=rent, idempotency_key="rent-1")
assert rented == again, (rented, again)
rental = rented.rental.id
refused(409, ErrorCode.SERVER_UNAVAILABLE, rent_server, server, client=lead, body=rent)

refused(404, ErrorCode.RENTAL_NOT_FOUND, show_rental, rental, client=member)
invitee = InviteBody(username="client-member", role="user")
invitation = done(201, invite_member, pool, client=lead, body=invitee).id
assert [open.id for open in done(200, pending_invitations, client=member)] == [invitation]
done(200, accept_invitation, invitation, client=member)
assert len(done(200, show_pool, pool, client=member).members) == 2

assert [row.id for row in done(200, list_rentals, client=member)] == [rental]
before = done(200, show_rental, rental, client=member)
extension = ExtendBody(additional_days=7, expected_rental_end=before.rental_end)
extended = done(200, extend_rental, rental, client=lead, body=extension)
assert extended.rental.amount == "140.00", extended
refused(409, ErrorCode.EXTENSION_ALREADY_APPLIED, extend_rental, rental, client=lead, body=extension)

assert done(200, balances, client=lead).general_balance == "60.00"
rows = done(200, list_transactions, client=lead).transactions
assert sum(row.amount if row.transaction_type == "credit" else -row.amount for row in rows) == 60
print("the generated client has done the whole session")
