"""A month of a marketplace, rehearsed on the manual clock.

python month.py ADDRESS OPERATOR PASSWORD STRIPE RENTERS DAYS

Renters pay in by card, rent, renew, extend and end early; servers fail; suppliers earn and are paid.
Every day the clock is moved by 24 hours. At the end every wallet's chain is recomputed here, from what
the API tells, and a charge picked at random is explained. Any answer but the expected one ends it with
a traceback. STRIPE is the address of tests/clients/stripe_fake.py, or `-` for deposits by the operator.
"""

import json
import random
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

from chain import digest, genesis

ADDRESS, OPERATOR, PASSWORD, STRIPE = sys.argv[1:5]
RENTERS, DAYS = int(sys.argv[5]), int(sys.argv[6])
CHANCE = random.Random(20261121)
RENTER_PASSWORD = "a month of rent, rehearsed"
IBANS = ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"]


def call(method, path, body=None, token=None, key=None, base=ADDRESS + "/api/v1"):
    """Status and body of a request."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        text = refusal.read()
        return refusal.code, json.loads(text) if text else {}


def done(method, path, body=None, **named):
    """The data of a request that must succeed."""
    status, answer = call(method, path, body, **named)
    assert status in (200, 201), (method, path, body, status, answer)
    return answer["data"]


def tried(method, path, refusals, body=None, **named):
    """The data of a request, or None where it was refused for one of these reasons."""
    status, answer = call(method, path, body, **named)
    if status in (200, 201):
        return answer["data"]
    assert answer.get("error") in refusals, (method, path, body, status, answer)
    return None


def lasting_token(username, password):
    """An API token, which does not grow old while the clock moves."""
    data = done("POST", "/users/auth/login", {"username": username, "password": password})
    body = {"alias": "rehearsal", "permissions": {"*": True}}
    return done("POST", "/auth/tokens", body, token=data["token"])["token"]


def new_renter(number):
    username = f"renter-{number}"
    email = f"{username}@example.org"
    body = {"username": username, "email": email, "password": RENTER_PASSWORD}
    done("POST", "/auth/signup", body)
    return {"name": username, "token": lasting_token(username, RENTER_PASSWORD), "rentals": {}}


def pay_in(renter, amount):
    """A deposit by card: a checkout, the card at Stripe's, the webhook."""
    if STRIPE == "-":
        body = {"username": renter["name"], "amount": amount, "reason": "rehearsal"}
        done("POST", "/admin/deposits", body, token=BOSS)
        return
    body = {"amount": amount, "success_url": "https://example.org/paid",
            "cancel_url": "https://example.org/left"}
    path = "/wallet/payments/stripe/checkout"
    checkout = done("POST", path, body, token=renter["token"])
    session = checkout["checkout_url"].rstrip("/").split("/")[-1]
    status, answer = call("POST", f"/_test/sessions/{session}/pay", {}, "sk_test_month", base=STRIPE)
    assert status == 200, answer
    renter.setdefault("payments", []).append(checkout["id"])
    renter.setdefault("sessions", []).append(session)


def take_back(renter):
    """The operator refunds a payment at Stripe; what was spent of it is owed from then on."""
    session = CHANCE.choice(renter["sessions"])
    status, answer = call("POST", f"/_test/sessions/{session}/refund", {}, "sk_test_month", base=STRIPE)
    assert status in (200, 400), answer


def wait_for_payments(renter):
    for payment in renter.get("payments", []):
        path = f"/wallet/payments/stripe/intents/{payment}"
        for _ in range(600):
            if done("GET", path, token=renter["token"])["status"] == "paid":
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"{payment} of {renter['name']} was not credited")


def list_server(number):
    specs = dict(SPECS, name=f"node-{number}")
    cents = CHANCE.randrange(300, 1_200)
    price = lambda factor: f"{cents * factor // 100}.{cents * factor % 100:02}"
    prices = {"1": {"price": price(1), "hold_days": 1}, "7": {"price": price(5), "hold_days": 2},
              "30": {"price": price(17), "hold_days": 3}}
    server = done("POST", "/admin/servers", {"specs": specs, "prices": prices}, token=BOSS)
    change = {"sla": {"grace_minutes": 30, "credit_percent": 200}}
    if number % 3:
        change["supplier"] = f"supplier-{number % 3}"
    done("PATCH", f"/admin/servers/{server['id']}", change, token=BOSS)
    return server["id"]


SPECS = {
    "name": "", "location": {"country": "DE", "region": "eu-central", "city": "Berlin",
                             "datacenter": "BER1"},
    "model": "Rack", "is_vm": False, "category": "compute", "featured": False,
    "popularity_rank": None, "setup_time_minutes": 5,
    "cpu": {"model": "EPYC 7302", "cores": 16, "threads": 32, "score": None},
    "ram_gb": 128, "ram_type": "ECC DDR4", "ram_speed_mhz": None,
    "disks": [{"count": 2, "capacity_gb": 960, "type": "NVMe", "interface": None}],
    "network": {"bandwidth_mbps": 1000, "traffic_tb": None, "ipv4_count": 1,
                "ipv6_enabled": True},
    "gpu": None,
}

BUSY = {"SERVER_UNAVAILABLE", "INSUFFICIENT_BALANCE"}
OVER = {"RENTAL_ENDED", "INSUFFICIENT_BALANCE", "SERVER_UNAVAILABLE", "INVALID_DURATION"}


def rent(renter, server, days):
    """By a quote as often as not."""
    body = {"rental_days": days}
    if CHANCE.random() < 0.5:
        asked = {"server_id": server, "rental_days": days}
        quote = tried("POST", "/quotes", BUSY, asked, token=renter["token"])
        if quote is None:
            return
        body = {"quote_id": quote["id"]}
    path = f"/servers/{server}/rent"
    data = tried("POST", path, BUSY, body, token=renter["token"])
    if data is None:
        return
    rental = data["rental"]["id"]
    renter["rentals"][rental] = server
    if CHANCE.random() < 0.5:
        body = {"days": days, "max_price": "1000.00", "notice_days": 1}
        if CHANCE.random() < 0.3:
            body["max_renewals"] = 1
        done("PUT", f"/rentals/{rental}/auto-renew", body, token=renter["token"])


def end_early(renter, rental):
    path = f"/rentals/{rental}"
    preview = tried("GET", path + "/termination-preview", {"RENTAL_ENDED"}, token=renter["token"])
    if preview is None:
        return
    wrong = {"expected_refund": str(Decimal(preview["refund_amount"]) + 1)}
    status, answer = call("POST", path + "/terminate", wrong, token=renter["token"])
    assert (status, answer["error"]) == (409, "REFUND_CHANGED"), answer
    body = {"expected_refund": preview["refund_amount"]}
    ended = done("POST", path + "/terminate", body, token=renter["token"], key="end-" + rental)
    again = done("POST", path + "/terminate", body, token=renter["token"], key="end-" + rental)
    assert ended == again and ended["refund_amount"] == preview["refund_amount"]


def fail(server):
    """An outage of some hours that is over now."""
    now = datetime.fromisoformat(done("GET", "/admin/clock", token=BOSS)["now"])
    began = now - timedelta(minutes=CHANCE.randrange(10, 600))
    wire = lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = {"server_id": server, "started_at": wire(began), "ended_at": wire(now),
            "evidence": "no ping"}
    tried("POST", "/admin/outages", {"OUTAGE_OVERLAPS"}, body, token=BOSS)


def day(renters, servers):
    for renter in CHANCE.sample(renters, max(1, len(renters) // 3)):
        live = list(renter["rentals"])
        choice = CHANCE.random()
        if choice < 0.5 or not live:
            rent(renter, CHANCE.choice(servers), CHANCE.choice([1, 7, 7, 30]))
        elif choice < 0.7:
            path = f"/rentals/{CHANCE.choice(live)}/extend"
            tried("POST", path, OVER, {"additional_days": 7}, token=renter["token"])
        elif choice < 0.9:
            end_early(renter, CHANCE.choice(live))
        elif choice < 0.97 or STRIPE == "-":
            pay_in(renter, "50.00")
        else:
            take_back(renter)
    for server in CHANCE.sample(servers, 2):
        fail(server)


def chain(token):
    """All rows of a wallet's chain."""
    rows = []
    while True:
        cursor = f"&cursor={rows[-1]['sequence']}" if rows else ""
        part = done("GET", "/wallet/ledger?limit=500" + cursor, token=token)
        rows += part
        if len(part) < 500:
            return rows


def check_wallet(name, token):
    """Recomputes a chain; the balance must be the sum of its entries."""
    before, balance, rows = None, Decimal(0), chain(token)
    for row in rows:
        own = row["user_id"]
        before = before or genesis(own)
        assert row["previous_hash"] == before, (name, row)
        assert digest(row) == row["hash"], (name, row)
        assert sum(Decimal(entry["amount"]) for entry in row["entries"]) == 0, (name, row)
        wallet = [e for e in row["entries"] if (e["account"], e["owner_id"]) == ("wallet", own)]
        balance += sum(Decimal(entry["amount"]) for entry in wallet)
        before = row["hash"]
    shown = done("GET", "/wallet/balances", token=token)["general_balance"]
    assert Decimal(shown) == balance, (name, shown, balance)
    return rows


BOSS = lasting_token(OPERATOR, PASSWORD)


def main():
    suppliers = []
    for index in (1, 2):
        name = f"supplier-{index}"
        body = {"username": name, "email": f"{name}@example.org", "password": RENTER_PASSWORD}
        done("POST", "/auth/signup", body)
        body = {"commission_percent": f"{index * 10}.00", "account_holder": f"Supplier {index}",
                "iban": IBANS[index]}
        done("PUT", f"/admin/suppliers/{name}", body, token=BOSS)
        suppliers.append((name, lasting_token(name, RENTER_PASSWORD)))
    servers = [list_server(index) for index in range(max(4, RENTERS * 3 // 5))]
    with ThreadPoolExecutor(2) as pool:
        renters = list(pool.map(new_renter, range(RENTERS)))
    for renter in renters:
        pay_in(renter, CHANCE.choice(["100.00", "400.00", "1500.00"]))
    for renter in renters:
        wait_for_payments(renter)
    for index in range(DAYS):
        day(renters, servers)
        done("POST", "/admin/clock", {"advance_hours": 24}, token=BOSS)
        if index % 7 == 6:
            done("POST", "/admin/payouts", {}, token=BOSS, key=f"week-{index}")
    for renter in renters:
        wait_for_payments(renter)
    rows = [row for renter in renters for row in check_wallet(renter["name"], renter["token"])]
    for name, token in suppliers:
        earned = check_wallet(name, token)
        account = done("GET", "/supplier", token=token)
        print(name, "earned", account["earned"], "in", len(earned), "rows; escrow",
              account["escrow"], "payable", account["payable"])
    kinds = {}
    for row in rows:
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    print("postings of renters:", json.dumps(kinds, sort_keys=True))
    renewed = sum(1 for row in rows if (row["basis"] or {}).get("by_mandate"))
    print("renewed by mandate:", renewed)
    assert all(kinds.get(kind) for kind in ("charge", "refund", "credit", "deposit")), kinds
    assert renewed > 0
    picked = CHANCE.choice([row for row in rows if row["kind"] == "charge"])
    explained = done("GET", f"/ledger/entries/{picked['id']}/explain", token=BOSS)
    assert explained["amount_holds"] and explained["hash_holds"], explained
    print("picked at random:", json.dumps(explained["steps"]), json.dumps(explained["rounding"]))


main()
