//! What people ask for when they order an instance.

use domain::host::HostId;
use domain::image::ImageCode;
use domain::instance::{
    Boot, CreateInstance, Hostname, Keys, Offering, PasswordWish, Prepaid, Renewal, VolumeWish,
};
use domain::location::LocationCode;
use domain::plan::{Interval, PlanCode};
use domain::pool::{Label, PoolId};
use domain::script::ScriptId;
use domain::ssh_key::SshKeyId;
use domain::tag::Tags;
use domain::template::TemplateId;
use domain::volume::{Afterwards, VolumeId};

use super::extract::{Authenticated, IdempotencyHeader};
use super::field::{Check, Field, ID, Nested, amount, as_is, count, ports, whole};
use super::instances_view::{GpuWishBody, InstanceBody, VolumeWishBody};

/// Reads a wish for an instance; faults go to `check`.
pub fn wish(
    body: InstanceBody,
    check: &mut Check,
    (signed, once): (Authenticated, IdempotencyHeader),
) -> Option<CreateInstance> {
    let pool_id = check.optional("/pool_id", body.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let offering = match check.optional("/gpu_offer", body.gpu_offer, as_is) {
        Some(Nested(wish)) => gpus(wish, (body.plan, body.location), check),
        None => plan(body.plan, body.location, check),
    };
    let template_id =
        check.optional("/template_id", body.template_id, |text| TemplateId::parse(&text).ok_or(ID));
    let boot = match template_id {
        Some(id) => Some(of_template(id, (&body.image, &body.os_volume), check)),
        None => boot(body.image, body.os_volume, check),
    };
    let hostname = check.required("/hostname", body.hostname, |text| Hostname::parse(&text));
    let name = check.optional("/name", body.name, |text| Label::parse(&text));
    let description = check.optional("/description", body.description, as_is);
    let key_ids = check.optional("/ssh_key_ids", body.ssh_key_ids, |ids| {
        ids.iter().map(|id| SshKeyId::parse(id).ok_or(ID)).collect::<Result<Vec<_>, _>>()
    });
    let script_id =
        check.optional("/script_id", body.script_id, |text| ScriptId::parse(&text).ok_or(ID));
    let start_script = check.optional("/start_script", body.start_script, as_is);
    let environment = check.optional("/environment", body.environment, as_is);
    let ports = check.optional("/ports", body.ports, ports);
    let volumes = check.optional("/volumes", body.volumes, as_is).unwrap_or_default();
    let volumes = volumes.into_iter().enumerate();
    let volumes: Vec<Option<VolumeWish>> = volumes
        .map(|(at, Nested(wish))| volume_wish(wish, check, &format!("/volumes/{at}")))
        .collect();
    let is_spot = check.optional("/is_spot", body.is_spot, as_is).unwrap_or(false);
    let max_per_hour = check.optional("/max_per_hour", body.max_per_hour, amount);
    let prepaid = prepaid(body.interval, body.interval_price, check);
    let password = password(body.password, body.has_password, check);
    let is_on = check.optional("/auto_renew", body.auto_renew, as_is);
    let max_price = check.optional("/max_renewal_price", body.max_renewal_price, amount);
    let renewal = Renewal { is_on: is_on.unwrap_or(true), max_price };
    let tags = check.optional("/tags", body.tags, Tags::parse).unwrap_or_default();
    Some(CreateInstance {
        caller: signed.caller,
        pool_id,
        offering: offering?,
        boot: boot?,
        ordered_as: None,
        hostname: hostname?,
        name,
        description: description.unwrap_or_default(),
        keys: Keys::These(key_ids.unwrap_or_default()),
        script_id,
        start_script,
        environment: environment.unwrap_or_default(),
        ports,
        volumes: volumes.into_iter().collect::<Option<_>>()?,
        is_spot,
        max_per_hour,
        prepaid,
        renewal,
        password,
        software: Vec::new(),
        tags,
        is_numbered: false,
        idempotency_key: once.0,
    })
}

/// The password that is named, or one that is made.
fn password(own: Field<String>, is_made: Field<bool>, check: &mut Check) -> PasswordWish {
    let own = check.optional("/password", own, as_is).map(|text: String| text.into());
    let is_made = check.optional("/has_password", is_made, as_is).unwrap_or(false);
    match own {
        Some(own) => PasswordWish::Own(own),
        None if is_made => PasswordWish::Made,
        None => PasswordWish::None,
    }
}

/// A plan, where it is sold.
fn plan(code: Field<String>, location: Field<String>, check: &mut Check) -> Option<Offering> {
    let code = check.required("/plan", code, |text| PlanCode::parse(&text));
    let location = check.required("/location", location, |text| LocationCode::parse(&text));
    Some(Offering::Plan { code: code?, location: location? })
}

/// Graphics processors of a server, which say where it is.
fn gpus(
    wish: GpuWishBody,
    (plan, location): (Field<String>, Field<String>),
    check: &mut Check,
) -> Option<Offering> {
    for (path, field) in [("/plan", plan), ("/location", location)] {
        if !field.is_absent() {
            check.fault(path, "is not given with gpu_offer, which says it");
        }
    }
    let at = |name: &str| format!("/gpu_offer/{name}");
    let host_id =
        check.required(&at("server_id"), wish.server_id, |text| HostId::parse(&text).ok_or(ID));
    let gpus = check.required(&at("gpus"), wish.gpus, count);
    let disk_gb = check.optional(&at("disk_gb"), wish.disk_gb, whole(1, 65_536));
    let is_machine = check.optional(&at("is_machine"), wish.is_machine, as_is).unwrap_or(false);
    Some(Offering::Gpus { host_id: host_id?, gpus: gpus?, disk_gb, is_machine })
}

/// What a template says, which stands for an image on its own disk.
fn of_template(
    id: TemplateId,
    (image, os_volume): (&Field<String>, &Field<Nested<VolumeWishBody>>),
    check: &mut Check,
) -> Boot {
    let is_given = [("/image", !image.is_absent()), ("/os_volume", !os_volume.is_absent())];
    for (path, _) in is_given.into_iter().filter(|(_, is_given)| *is_given) {
        check.fault(path, "is not given with template_id, which says it");
    }
    Boot::Template(id)
}

/// What it is made from: an image, on a disk of its own or a new volume, or a volume that there is.
fn boot(
    image: Field<String>,
    os_volume: Field<Nested<VolumeWishBody>>,
    check: &mut Check,
) -> Option<Boot> {
    let parse = |text: String| ImageCode::parse(&text);
    let Some(Nested(wish)) = check.optional("/os_volume", os_volume, as_is) else {
        return Some(Boot::OwnDisk(check.required("/image", image, parse)?));
    };
    if !wish.mount_path.is_absent() {
        check.fault("/os_volume/mount_path", "an instance's own disk is mounted at /");
    }
    let wish = volume_wish(wish, check, "/os_volume");
    if let Some(VolumeWish::Existing { id, .. }) = wish {
        if !image.is_absent() {
            check.fault("/image", "is what the volume was made from, and not given again");
        }
        return Some(Boot::Volume(id));
    }
    let image = check.required("/image", image, parse);
    let VolumeWish::New { name, kind, size_gb, on_eviction, .. } = wish? else { return None };
    Some(Boot::NewVolume { image: image?, name, kind, size_gb, on_eviction })
}

/// Reads a wish for a volume: an existing one by its id, or a new one.
pub fn volume_wish(body: VolumeWishBody, check: &mut Check, at: &str) -> Option<VolumeWish> {
    let place = |name: &str| format!("{at}/{name}");
    let path = check.optional(&place("mount_path"), body.mount_path, as_is);
    if !body.id.is_absent() {
        let parse = |text: String| VolumeId::parse(&text).ok_or(ID);
        let id = check.required(&place("id"), body.id, parse)?;
        return Some(VolumeWish::Existing { id, path });
    }
    let name = check.required(&place("name"), body.name, as_is);
    let kind = check.required(&place("type"), body.kind, as_is);
    let size_gb = check.required(&place("size_gb"), body.size_gb, count);
    let on_eviction = check.optional(&place("on_eviction"), body.on_eviction, |text| {
        let advice = "must be keep_detached, move_to_trash or delete_permanently";
        Afterwards::parse(&text).ok_or(advice)
    });
    let on_eviction = on_eviction.unwrap_or_default();
    Some(VolumeWish::New { name: name?, kind: kind?, size_gb: size_gb?, path, on_eviction })
}

/// The time that is paid in advance.
fn prepaid(interval: Field<String>, price: Field<String>, check: &mut Check) -> Option<Prepaid> {
    let interval = check.optional("/interval", interval, |text| Interval::parse(&text));
    let price = check.optional("/interval_price", price, amount);
    if interval.is_none() && price.is_some() {
        check.fault("/interval_price", "is given with interval");
    }
    interval.map(|interval| Prepaid { interval, price, price_of_hour: None })
}
