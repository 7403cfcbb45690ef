"""What Verda's own SDK, unmodified, does with Berth: log in, refresh, look around, keep keys and scripts.

python verda_catalogue.py BASE_URL CLIENT_ID CLIENT_SECRET, at a Berth that sells a plan `gpu` and the image
`box` at FIN-03, to a project with 100.00. Any answer but the expected one ends it with a traceback.
"""

import sys

from verda import VerdaClient
from verda.exceptions import APIException

BASE, ID, SECRET = sys.argv[1:]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane"


def refused(code, message, call, *arguments):
    try:
        call(*arguments)
    except APIException as refusal:
        assert (refusal.code, refusal.message) == (code, message), refusal
    else:
        sys.exit(f"{call} was not refused")


verda = VerdaClient(ID, SECRET, base_url=BASE)
balance = verda.balance.get()
assert (balance.amount, balance.currency) == (100.0, "usd"), (balance.amount, balance.currency)

# What is expired is refreshed before the next call.
before = verda._authentication._access_token
verda._authentication._expires_at = 0
assert verda.balance.get().amount == 100.0
assert verda._authentication._access_token != before
# A refresh token that is none makes it authenticate again.
verda._authentication._refresh_token = "nonsense"
verda._authentication._expires_at = 0
assert verda.balance.get().amount == 100.0
refused("unauthorized_request", "Invalid client id or client secret", VerdaClient, ID, "wrong", BASE)

assert verda.locations.get() == [{"code": "FIN-03", "name": "Helsinki", "country_code": "FI"}]
(image,) = verda.images.get()
assert (image.image_type, image.name) == ("box", "Box"), image
assert [image.image_type for image in verda.images.get(instance_type="gpu")] == ["box"]
refused("not_found", "Instance type not found", verda.images.get, "nothing")
(kind,) = verda.instance_types.get()
assert kind.instance_type == "gpu" and kind.price_per_hour == 3.6, kind
assert kind.gpu["number_of_gpus"] == 1 and kind.supported_os == ["box"], kind
assert verda.instances.is_available("gpu") is True
assert verda.instances.is_available("gpu", is_spot=True) is False
assert verda.instances.is_available("gpu", location_code="FIN-01") is False
assert verda.instances.get_availabilities() == [{"location_code": "FIN-03", "availabilities": ["gpu"]}]
(nvme,) = [kind for kind in verda.volume_types.get() if kind.type == "NVMe"]
assert nvme.price_per_month_per_gb > 0

key = verda.ssh_keys.create("laptop", KEY)
assert verda.ssh_keys.get_by_id(key.id).public_key == KEY
assert [(found.id, found.name, found.public_key) for found in verda.ssh_keys.get()] == [(key.id, "laptop", KEY)]
verda.ssh_keys.delete_by_id(key.id)
refused("not_found", "SSH key not found", verda.ssh_keys.get_by_id, key.id)
verda.ssh_keys.delete([verda.ssh_keys.create("again", KEY).id])
assert verda.ssh_keys.get() == []

script = verda.startup_scripts.create("hello", "#!/bin/sh\necho hello")
assert verda.startup_scripts.get_by_id(script.id).script == script.script
assert [found.id for found in verda.startup_scripts.get()] == [script.id]
verda.startup_scripts.delete_by_id(script.id)
verda.startup_scripts.delete([verda.startup_scripts.create("bye", "#!/bin/sh").id])
assert verda.startup_scripts.get() == []

print("all that was expected")
