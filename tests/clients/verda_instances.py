"""What Verda's own SDK, unmodified, does with instances, volumes, tags and clusters of Berth.

python verda_instances.py BASE_URL CLIENT_ID CLIENT_SECRET TYPE IMAGE LOCATION, at a Berth with the simulated
driver and a worker that makes things within a second or so, for a project with 100.00 and nothing in it. TYPE is
sold at LOCATION on demand and as spot, with IMAGE; so is a type of cluster; NVMe costs 0.20 per GB and month; all
hosts there share one storage. What the SDK has no words for is asked by plain HTTP with its token. Any answer but
the expected one ends it with a traceback.
"""

import datetime
import ipaddress
import sys
import time
import warnings

import requests
from verda import VerdaClient
from verda.exceptions import APIException
from verda.instances import OSVolume

BASE, ID, SECRET, TYPE, IMAGE, LOCATION = sys.argv[1:]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV4K6XwpJCwxRXA9Ix9MqH3he4BXYVPnt/jHLqxJZcf star"
UNKNOWN = "fb68976d-fd34-4b2d-adbe-c205e8e3d1d3"
GONE = "Invalid instance id"
OF_INSTANCE = (
    "contract cpu created_at description gpu gpu_memory hostname id image instance_type ip is_spot jupyter_token"
    " location memory os_name os_volume_id price_per_hour pricing ssh_key_ids startup_script_id status storage tags"
    " volume_ids"
)
OF_TRASH = (
    "base_hourly_cost contract created_at currency deleted_at id instance_id instances is_os_volume"
    " is_permanently_deleted location monthly_price name size ssh_key_ids status target type"
)
OF_VOLUME = (
    "base_hourly_cost contract create_directory_command created_at currency filesystem_to_fstab_command id instance_id"
    " instances is_os_volume location long_term monthly_price mount_command name pseudo_path size ssh_key_ids status"
    " tags target type"
)

# The SDK only warns of a field that is missing, or null where it expects a value.
missing = r".* when decoding (Instance|Volume|Cluster|SharedVolume|LongTermPeriod)\b"
warnings.filterwarnings("error", missing, RuntimeWarning)

verda = VerdaClient(ID, SECRET, base_url=BASE)


def refused(code, message, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except APIException as refusal:
        assert refusal.code == code and message in (None, refusal.message), refusal
    else:
        sys.exit(f"{call} was not refused")


def plain(status, method, path, body=None, **options):
    token = {"Authorization": f"Bearer {verda._authentication._access_token}"}
    answer = requests.request(method, BASE + path, json=body, headers=token, timeout=30, **options)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    return answer.json() if answer.text else None


def has(fields, thing):
    assert not set(fields.split()) - thing.keys(), set(fields.split()) - thing.keys()


def until(ask, is_so):
    """Asks until the answer is so, at most for a minute and 40 times."""
    end, pause = time.monotonic() + 60, 0.25
    while not is_so(seen := ask()):
        assert time.monotonic() < end, seen
        time.sleep(pause)
        pause = min(pause * 1.5, 2)
    return seen


def became(status, things, id):
    return until(lambda: things.get_by_id(id), lambda seen: seen.status == status)


def destroyed(id):
    def is_so(seen):
        return seen["status"] == "deleted" and seen["is_permanently_deleted"]

    has(OF_TRASH, until(lambda: plain(200, "GET", f"/volumes/{id}"), is_so))
    assert verda.volumes.get_by_id(id).status == "deleted"


def ids(things):
    return {thing.id for thing in things}


def tagged(path):
    """Ten tags and no more, each key once."""
    tags = f"{path}/tags"
    first = plain(201, "POST", tags, {"key": "Team", "value": "red"})
    assert first == {"id": first["id"], "key": "team", "value": "red"}, first
    assert plain(409, "POST", tags, {"key": "tEAM", "value": "blue"})["code"] == "conflict"
    made = [plain(201, "POST", tags, {"key": f"key-{n}", "value": ""}) for n in range(9)]
    assert plain(400, "POST", tags, {"key": "eleventh", "value": ""})["code"] == "invalid_request"
    seen = {tag["key"]: tag for tag in plain(200, "GET", path)["tags"]}
    assert seen == {tag["key"]: tag for tag in [first, *made]}, seen
    plain(204, "DELETE", f"{tags}/team")
    assert plain(404, "DELETE", f"{tags}/team")["code"] == "not_found"
    # The document calls the last segment an id.
    plain(204, "DELETE", f"{tags}/{made[0]['id']}")
    assert len(plain(200, "GET", path)["tags"]) == 8


key = verda.ssh_keys.create("star", KEY)
script = verda.startup_scripts.create("star", "#!/bin/sh\necho star")
(plan,) = [kind for kind in verda.instance_types.get() if kind.instance_type == TYPE]
(image,) = [image for image in verda.images.get(instance_type=TYPE) if image.image_type == IMAGE]

# An instance, all of it.
assert verda.instances.get() == [] and verda.volumes.get() == []
instance = verda.instances.create(
    TYPE,
    IMAGE,
    "star",
    "first of all",
    [key.id],
    LOCATION,
    script.id,
    volumes=[{"name": "more", "size": 10, "type": "NVMe"}],
    os_volume=OSVolume("star-os", 20, "keep_detached"),
    wait_for_status="running",
    max_wait_time=60,
)
assert (instance.hostname, instance.description, instance.location) == ("star", "first of all", LOCATION), instance
assert (instance.status, instance.instance_type, instance.image) == ("running", TYPE, IMAGE), instance
assert (instance.is_spot, instance.contract, instance.pricing) == (False, "PAY_AS_YOU_GO", "FIXED_PRICE"), instance
assert (instance.ssh_key_ids, instance.startup_script_id) == ([key.id], script.id), instance
assert instance.price_per_hour == plan.price_per_hour, instance
assert (instance.cpu, instance.memory) == (plan.cpu, plan.memory), instance
assert (instance.gpu, instance.gpu_memory) == (plan.gpu, plan.gpu_memory), instance
assert instance.storage["description"] is not None, instance
assert datetime.datetime.fromisoformat(instance.created_at).tzinfo, instance
ipaddress.ip_address(instance.ip)
os_volume = verda.volumes.get_by_id(instance.os_volume_id)
assert (os_volume.name, os_volume.size, os_volume.type, os_volume.is_os_volume) == ("star-os", 20, "NVMe", True)
assert (os_volume.status, os_volume.instance_id) == ("attached", instance.id), os_volume
assert os_volume.ssh_key_ids == [key.id], os_volume
(more,) = [volume for volume in verda.volumes.get() if not volume.is_os_volume]
assert (more.name, more.size, more.status, more.instance_id) == ("more", 10, "attached", instance.id), more
seen = plain(200, "GET", f"/instances/{instance.id}")
has(OF_INSTANCE, seen)
assert set(seen["volume_ids"]) == {os_volume.id, more.id} and seen["tags"] == [], seen
assert verda.instances.get_by_id(instance.id) == instance
assert verda.instances.get() == [instance] == verda.instances.get(status="running")
assert verda.instances.get(status="offline") == []

# What is not there, and what is not sold.
refused("not_found", GONE, verda.instances.get_by_id, UNKNOWN)
refused("not_found", GONE, verda.instances.action, UNKNOWN, "shutdown")
refused("invalid_request", None, verda.instances.create, "nothing", IMAGE, "star", "-", [key.id], LOCATION)
refused("invalid_request", None, verda.instances.create, TYPE, "nothing", "star", "-", [key.id], LOCATION)
refused("not_found", None, verda.volumes.get_by_id, UNKNOWN)
refused("invalid_request", None, verda.volumes.create, "nothing", "data", 10, None, LOCATION)

# A volume; running instances get and give none.
data = became("detached", verda.volumes, verda.volumes.create("NVMe", "data", 20, location=LOCATION).id)
assert (data.name, data.size, data.type, data.is_os_volume) == ("data", 20, "NVMe", False), data
assert (data.location, data.instance_id, data.instances, data.deleted_at) == (LOCATION, None, [], None), data
assert (data.monthly_price, data.currency, data.contract) == (4.0, "usd", "PAY_AS_YOU_GO"), data
assert abs(data.base_hourly_cost - 4 / 730) < 1e-6, data
assert datetime.datetime.fromisoformat(data.created_at).tzinfo, data
has(OF_VOLUME, plain(200, "GET", f"/volumes/{data.id}"))
assert ids(verda.volumes.get()) == {os_volume.id, more.id, data.id}
assert verda.volumes.get(status="detached") == [data]
refused("forbidden_action", None, verda.volumes.attach, data.id, instance.id)
refused("forbidden_action", None, verda.volumes.detach, more.id)
refused("forbidden_action", None, verda.volumes.create, "NVMe", "side", 10, instance.id, LOCATION)

tagged(f"/instances/{instance.id}")
tagged(f"/volumes/{data.id}")

# Several actions at once are told of one by one; the SDK does not look.
verda.instances.action([instance.id, UNKNOWN], "shutdown")
became("offline", verda.instances, instance.id)
assert ids(verda.instances.get(status="offline")) == {instance.id}
assert plain(204, "PUT", "/instances", {"id": instance.id, "action": "shutdown"}) is None

# An offline instance takes volumes and gives them back.
verda.volumes.attach(data.id, instance.id)
data = became("attached", verda.volumes, data.id)
assert data.instance_id == instance.id, data
(holder,) = data.instances
assert (holder["id"], holder["hostname"], holder["os_volume_id"]) == (instance.id, "star", os_volume.id), holder
assert (holder["status"], holder["instance_type"]) == ("offline", TYPE), holder
has("auto_rental_extension ip", holder)
side = verda.volumes.create("NVMe", "side", 10, instance.id, LOCATION)
side = became("attached", verda.volumes, side.id)
assert side.instance_id == instance.id, side
verda.volumes.detach([data.id, side.id])
assert became("detached", verda.volumes, data.id).instance_id is None
became("detached", verda.volumes, side.id)
verda.volumes.attach([side.id], instance.id)
became("attached", verda.volumes, side.id)
verda.volumes.detach(side.id)
became("detached", verda.volumes, side.id)

# Other names, more room, copies.
verda.volumes.rename(data.id, "facts")
verda.volumes.increase_size(data.id, 25)
data = until(lambda: verda.volumes.get_by_id(data.id), lambda seen: seen.size == 25)
assert (data.name, data.monthly_price) == ("facts", 5.0), data
refused("invalid_request", None, verda.volumes.increase_size, data.id, 20)
copy = verda.volumes.clone(data.id, name="copy")
assert copy.status in ("cloning", "detached"), copy
copy = became("detached", verda.volumes, copy.id)
assert copy.id != data.id and (copy.name, copy.size, copy.type) == ("copy", 25, "NVMe"), copy
copies = verda.volumes.clone([data.id, side.id])
assert len(ids(copies) | {data.id, side.id, copy.id}) == 5, copies
sizes = {became("detached", verda.volumes, clone.id).size for clone in copies}
assert sizes == {25, 10}, sizes

# The trash, out of it, and what is gone for good.
verda.volumes.delete(copy.id)
(trashed,) = until(verda.volumes.get_in_trash, lambda seen: seen)
assert (trashed.id, trashed.status) == (copy.id, "deleted"), trashed
assert datetime.datetime.fromisoformat(trashed.deleted_at).tzinfo, trashed
(seen,) = plain(200, "GET", "/volumes/trash")
has(OF_TRASH, seen)
assert seen["is_permanently_deleted"] is False, seen
assert plain(200, "GET", f"/volumes/{copy.id}")["is_permanently_deleted"] is False
assert verda.volumes.get_by_id(copy.id).status == "deleted"
assert copy.id not in ids(verda.volumes.get())
plain(202, "PUT", "/volumes", {"id": copy.id, "action": "restore"})
assert became("detached", verda.volumes, copy.id).deleted_at is None
assert verda.volumes.get_in_trash() == []
verda.volumes.delete_by_id(copy.id)
became("deleted", verda.volumes, copy.id)
verda.volumes.delete(copy.id, is_permanent=True)
destroyed(copy.id)
verda.volumes.delete(copy.id, is_permanent=True)
verda.volumes.delete_by_id(copy.id, is_permanent=True)
assert plain(204, "DELETE", f"/volumes/{copy.id}", {"is_permanent": True}) is None
# As Verda's SDK for Go does it.
plain(202, "DELETE", f"/volumes/{copies[0].id}", params={"force": "true"})
destroyed(copies[0].id)
verda.volumes.delete([copies[1].id, side.id], is_permanent=True)
destroyed(copies[1].id)
destroyed(side.id)

done = plain(207, "PUT", "/instances", {"id": [instance.id, UNKNOWN], "action": "start"})
assert len(done) == 2 and {one["action"] for one in done} == {"start"}, done
done = {one["instanceId"]: one for one in done}
assert done[instance.id]["status"] == "success", done
assert (done[UNKNOWN]["status"], done[UNKNOWN]["error"], done[UNKNOWN]["statusCode"]) == ("error", GONE, 404), done
became("running", verda.instances, instance.id)
assert plain(204, "PUT", "/instances", {"id": [instance.id], "action": "start"}) is None

# Deleted without its volumes: another is made from its OS volume.
verda.instances.action(instance.id, "delete", volume_ids=[])
became("discontinued", verda.instances, instance.id)
assert verda.instances.get() == []
verda.instances.action(instance.id, "delete")
assert plain(204, "PUT", "/instances", {"id": instance.id, "action": "delete", "volume_ids": None}) is None
assert became("detached", verda.volumes, os_volume.id).is_os_volume
became("detached", verda.volumes, more.id)
second = verda.instances.create(
    TYPE,
    os_volume.id,
    "second",
    "from its volume",
    [key.id],
    LOCATION,
    existing_volumes=[more.id],
    wait_for_status=None,
)
assert second.status in ("ordered", "provisioning", "running"), second
second = became("running", verda.instances, second.id)
assert (second.os_volume_id, second.startup_script_id) == (os_volume.id, None), second
assert verda.volumes.get_by_id(os_volume.id).instance_id == second.id
assert verda.volumes.get_by_id(more.id).instance_id == second.id

# Deleted without a word of its volumes: the OS volume goes to the trash, the other stays.
done = plain(202, "PUT", "/instances", {"id": second.id, "action": "shutdown"})
assert [(one["instanceId"], one["action"], one["status"]) for one in done] == [(second.id, "shutdown", "success")], done
became("offline", verda.instances, second.id)
verda.instances.action([second.id], "delete")
became("discontinued", verda.instances, second.id)
became("deleted", verda.volumes, os_volume.id)
assert ids(until(verda.volumes.get_in_trash, lambda seen: seen)) == {os_volume.id}
assert became("detached", verda.volumes, more.id).instance_id is None
verda.volumes.delete([os_volume.id], is_permanent=True)
destroyed(os_volume.id)

# Deleted with its volumes, for good.
third = verda.instances.create(
    TYPE,
    IMAGE,
    "third",
    "not for long",
    [key.id],
    LOCATION,
    os_volume={"name": "third-os", "size": 20},
    existing_volumes=[more.id],
    max_wait_time=60,
)
assert third.status != "ordered", third
third = became("running", verda.instances, third.id)
assert verda.volumes.get_by_id(third.os_volume_id).name == "third-os"
verda.instances.action(third.id, "delete", volume_ids=[third.os_volume_id, more.id], delete_permanently=True)
became("discontinued", verda.instances, third.id)
destroyed(third.os_volume_id)
destroyed(more.id)

# A spot instance, its image by id; deleted as dstack does it.
assert verda.instances.is_available(TYPE, is_spot=True, location_code=LOCATION) is True
(place,) = verda.instances.get_availabilities(is_spot=True, location_code=LOCATION)
assert place["location_code"] == LOCATION and TYPE in place["availabilities"], place
spot = verda.instances.create(
    TYPE,
    image.id,
    "spot",
    "not for long either",
    [key.id],
    LOCATION,
    os_volume=OSVolume("spot-os", 20, "move_to_trash"),
    is_spot=True,
    contract="SPOT",
    pricing="FIXED_PRICE",
    wait_for_status="running",
    max_wait_time=60,
)
assert (spot.is_spot, spot.contract, spot.price_per_hour) == (True, "SPOT", plan.spot_price_per_hour), spot
verda.instances.action(spot.id, "delete", delete_permanently=True)
became("discontinued", verda.instances, spot.id)
became("deleted", verda.volumes, spot.os_volume_id)

# A cluster.
kinds = verda.cluster_types.get()
on_sale = verda.clusters.get_availabilities(LOCATION)
kind = next(kind for kind in kinds if kind.cluster_type in on_sale)
assert kind.price_per_hour > 0 and kind.gpu.keys() == {"description", "number_of_gpus"}, kind
assert verda.clusters.is_available(kind.cluster_type, LOCATION) is True
images = verda.clusters.get_cluster_images(kind.cluster_type)
assert set(images) <= set(verda.clusters.get_cluster_images()), images
assert verda.clusters.get() == []
refused(
    "invalid_request",
    None,
    verda.clusters.create,
    "nothing",
    images[0],
    "many",
    ssh_key_ids=[key.id],
    location=LOCATION,
)
# The SDK waits for exactly this status, and for a quarter of an hour if it has passed.
cluster = verda.clusters.create(
    kind.cluster_type,
    images[0],
    "many",
    description="all as one",
    ssh_key_ids=[key.id],
    location=LOCATION,
    startup_script_id=script.id,
    shared_volume_name="home",
    shared_volume_size=50,
    max_wait_time=60,
)
assert cluster.status == "provisioning", cluster
cluster = became("running", verda.clusters, cluster.id)
assert (cluster.hostname, cluster.description, cluster.location) == ("many", "all as one", LOCATION), cluster
assert (cluster.cluster_type, cluster.image) == (kind.cluster_type, images[0]), cluster
assert (cluster.ssh_key_ids, cluster.startup_script_id) == ([key.id], script.id), cluster
assert datetime.datetime.fromisoformat(cluster.created_at).tzinfo, cluster
ipaddress.ip_address(cluster.ip)
assert len(ids(cluster.worker_nodes)) == len(cluster.worker_nodes) > 0, cluster
for node in cluster.worker_nodes:
    assert node.status == "running" and node.hostname, node
    ipaddress.ip_address(node.private_ip)
(home,) = cluster.shared_volumes
assert (home.name, home.size_in_gigabytes, home.mount_point) == ("home", 50, "/home"), home
assert verda.clusters.get() == [cluster] == verda.clusters.get(status="running")
refused("not_found", None, verda.clusters.get_by_id, UNKNOWN)
tagged(f"/clusters/{cluster.id}")
verda.clusters.delete(cluster.id)
became("discontinued", verda.clusters, cluster.id)
assert verda.clusters.get() == []

# What is only looked at.
for period in [*verda.long_term.get_instance_periods(), *verda.long_term.get_cluster_periods()]:
    assert period.code and period.name and period.is_enabled in (True, False), period
    assert period.unit_name in ("hour", "day", "week", "month", "year") and period.unit_value > 0, period
    assert 0 <= period.discount_percentage < 100, period
assert isinstance(plain(200, "GET", "/long-term/periods"), list)
for sold in verda.container_types.get():
    assert sold.serverless_price > 0 and sold.currency == "usd", sold
history = plain(200, "GET", "/instance-types/price-history", params={"num_of_months": 1, "currency": "usd"})
assert isinstance(history, dict), history
for day in [day for days in history.values() for day in days]:
    has("date fixed_price_per_hour dynamic_price_per_hour currency", day)

# Nothing is left but what was kept, and that goes too, once no instance has it.
until(verda.volumes.get, lambda seen: {volume.status for volume in seen} <= {"detached"})
left = {volume.id for volume in [*verda.volumes.get(), *verda.volumes.get_in_trash()]}
assert data.id in left and ids(verda.instances.get()) == set(), left
verda.volumes.delete(sorted(left), is_permanent=True)
for id in left:
    destroyed(id)
verda.ssh_keys.delete([key.id])
verda.startup_scripts.delete([script.id])
assert verda.instances.get() == [] == verda.volumes.get()
assert 0 < verda.balance.get().amount <= 100

print("all that was expected")
