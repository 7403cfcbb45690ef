//! Instances on the wire.

use std::collections::BTreeMap;

use domain::clock::Timestamp;
use domain::instance::{Charges, InstanceDetail, Phase};
use domain::meter::{MeterLine, Metered};
use domain::wallet::Posting;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field::{Field, Nested};
use super::plans_view::ShapeView;
use super::view::Stamp;

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct VolumeWishBody {
    /// An existing volume; then only `mount_path` may stand beside it.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub id: Field<String>,
    /// The name of a new volume.
    #[schema(value_type = Option<String>, max_length = 100)]
    #[serde(default)]
    pub name: Field<String>,
    /// One of `GET /volume-types`.
    #[serde(rename = "type", default)]
    #[schema(value_type = Option<String>)]
    pub kind: Field<String>,
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    #[serde(default)]
    pub size_gb: Field<i64>,
    /// Where it is mounted; `/mnt/` and its id if not given.
    #[schema(value_type = Option<String>, max_length = 255)]
    #[serde(default)]
    pub mount_path: Field<String>,
    /// What becomes of it when a spot instance is evicted.
    #[schema(value_type = Option<String>, pattern = "^(keep_detached|move_to_trash|delete_permanently)$")]
    #[serde(default)]
    pub on_eviction: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct InstanceBody {
    /// The pool that it is for, and whose owner pays; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub pool_id: Field<String>,
    /// Required where `gpu_offer` is not given, as is `location`.
    #[schema(value_type = Option<String>, example = "small")]
    #[serde(default)]
    pub plan: Field<String>,
    /// Graphics processors of a server in place of a plan; see `GET /gpu-offers`.
    #[schema(value_type = Option<GpuWishBody>)]
    #[serde(default)]
    pub gpu_offer: Field<Nested<GpuWishBody>>,
    /// What it is made from; left out where `template_id` is given, or `os_volume` is one that there is.
    #[schema(value_type = Option<String>, example = "ubuntu-24.04")]
    #[serde(default)]
    pub image: Field<String>,
    /// A template of the pool or of the operator, which brings image, ports, variables and start script;
    /// for containers.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub template_id: Field<String>,
    /// A volume for its disk, which can outlive it: a new one, or one that was the disk of an instance.
    /// Without it, the disk comes with the plan and ends with the instance.
    #[schema(value_type = Option<VolumeWishBody>)]
    #[serde(default)]
    pub os_volume: Field<Nested<VolumeWishBody>>,
    #[schema(value_type = Option<String>, example = "FIN-03")]
    #[serde(default)]
    pub location: Field<String>,
    #[schema(value_type = String, required, pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", example = "hazy-star")]
    #[serde(default)]
    pub hostname: Field<String>,
    /// What one calls it; its host name if not given.
    #[schema(value_type = Option<String>, max_length = 100, example = "sensible_pangolin")]
    #[serde(default)]
    pub name: Field<String>,
    #[schema(value_type = Option<String>, max_length = 500)]
    #[serde(default)]
    pub description: Field<String>,
    /// Keys of the pool that may log in.
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    #[serde(default)]
    pub ssh_key_ids: Field<Vec<String>>,
    /// A script of the pool that runs once, at the first start.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub script_id: Field<String>,
    /// A script that runs at every start, at most 64 KiB; the template's if not given.
    #[schema(value_type = Option<String>, max_length = 65_536)]
    #[serde(default)]
    pub start_script: Field<String>,
    /// Environment variables; they go before the template's of the same name.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    pub environment: Field<BTreeMap<String, String>>,
    /// Ports inside to publish; if not given those of the template, or 22.
    #[schema(value_type = Option<Vec<u16>>, max_items = 32)]
    #[serde(default)]
    pub ports: Field<Vec<i64>>,
    #[schema(value_type = Option<Vec<VolumeWishBody>>, max_items = 16)]
    #[serde(default)]
    pub volumes: Field<Vec<Nested<VolumeWishBody>>>,
    /// Whether it may be evicted, for the plan's spot price.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub is_spot: Field<bool>,
    /// Refuse if an hour costs more.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,10}([.][0-9]{1,8})?$")]
    #[serde(default)]
    pub max_per_hour: Field<String>,
    /// The time that is paid in advance, at once and again when it is used up. Without it the instance is paid
    /// by the second.
    #[schema(value_type = Option<String>, pattern = "^(HOUR|DAY|WEEK|MONTH|YEAR)$", example = "WEEK")]
    #[serde(default)]
    pub interval: Field<String>,
    /// Refuse if an interval costs anything else.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,10}([.][0-9]{1,8})?$")]
    #[serde(default)]
    pub interval_price: Field<String>,
    /// The password with which one can log in, as owners and admins are told.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128, write_only)]
    #[serde(default)]
    pub password: Field<String>,
    /// Whether one can log in with a password, also where none is named: one is made then. It is told to owners and
    /// admins.
    #[schema(value_type = Option<bool>, example = false)]
    #[serde(default)]
    pub has_password: Field<bool>,
    /// Whether it goes on at the price of the day when the longest time of its offer is over, or what was paid
    /// of a `WEEK` or longer, as it does if this is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub auto_renew: Field<bool>,
    /// Only if one graphics processor costs at most so much an hour then, or the interval at most so much.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,10}([.][0-9]{1,8})?$")]
    #[serde(default)]
    pub max_renewal_price: Field<String>,
    /// Labels of one's own.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    pub tags: Field<BTreeMap<String, String>>,
}

/// Graphics processors of a server, with their share of its processors and memory.
#[derive(Deserialize, ToSchema)]
pub struct GpuWishBody {
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub server_id: Field<String>,
    #[schema(value_type = u32, required, minimum = 1, example = 1)]
    #[serde(default)]
    pub gpus: Field<i64>,
    /// The instance's own disk, which costs what the offer says; the template's if not given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 65_536, example = 32)]
    #[serde(default)]
    pub disk_gb: Field<i64>,
    /// Whether it is to be a virtual machine; a container if it is not given.
    #[schema(value_type = Option<bool>, example = false)]
    #[serde(default)]
    pub is_machine: Field<bool>,
}

#[derive(Deserialize, ToSchema)]
pub struct InstanceEditBody {
    #[schema(value_type = Option<String>, example = "hazier-star")]
    #[serde(default)]
    pub hostname: Field<String>,
    #[schema(value_type = Option<String>, max_length = 500, example = "training")]
    #[serde(default)]
    pub description: Field<String>,
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    pub tags: Field<BTreeMap<String, String>>,
    #[schema(value_type = Option<String>, max_length = 100, example = "sensible_pangolin")]
    #[serde(default)]
    pub name: Field<String>,
    /// A script that runs at every start from the next one on, in place of any that it had.
    #[schema(value_type = Option<String>, max_length = 65_536, example = "date")]
    #[serde(default)]
    pub start_script: Field<String>,
    /// All environment variables, from its next start on.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    #[serde(default)]
    pub environment: Field<BTreeMap<String, String>>,
    /// Another template that it is made from, with an empty disk, from its next start on. Its image, ports, variables
    /// and start script take the place of what there was.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub template_id: Field<String>,
    /// A larger disk, for what is sold by the graphics processor: it costs that from now on, and has it from its next
    /// start on.
    #[schema(value_type = Option<u32>, minimum = 1, example = 64)]
    #[serde(default)]
    pub disk_gb: Field<i64>,
    /// Whether nobody may start, stop or delete it.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub is_locked: Field<bool>,
    /// Whether it goes on when its time is over; only for what has an `expires_at` or an `interval`.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub auto_renew: Field<bool>,
    /// The most that one graphics processor may cost an hour for that, or the interval; null takes any price.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,10}([.][0-9]{1,8})?$")]
    #[serde(default)]
    pub max_renewal_price: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PublishedPortView {
    inside: u16,
    outside: u16,
}

/// An instance.
#[derive(Serialize, ToSchema)]
pub struct InstanceView {
    #[schema(example = "507f1f77bcf86cd799439701")]
    id: String,
    pool_id: String,
    cluster_id: Option<String>,
    hostname: String,
    name: String,
    description: String,
    /// `ordered`, `provisioning`, `running`, `restarting`, `starting`, `stopping`, `stopped`,
    /// `hibernating`, `hibernated`, `deleting`, `deleted`, `error` or `no_capacity`.
    #[schema(example = "running")]
    status: &'static str,
    /// What its owner wants it to be: `running`, `stopped`, `hibernated` or `deleted`.
    #[schema(example = "running")]
    wanted: &'static str,
    plan: String,
    shape: ShapeView,
    location: String,
    image: String,
    /// The template that it was made from, which may have changed since.
    template_id: Option<String>,
    /// What its Jupyter server asks for; told to owners and admins, where one instance is looked at.
    jupyter_token: Option<String>,
    /// Who logs in.
    #[schema(example = "root")]
    username: String,
    /// With which password, if with one; told to owners and admins, where one instance is looked at.
    password: Option<String>,
    /// Whether nobody may start, stop or delete it.
    is_locked: bool,
    /// Where it is reached, once it has an address.
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    ports: Vec<PublishedPortView>,
    ssh_key_ids: Vec<String>,
    script_id: Option<String>,
    /// All that it has.
    volume_ids: Vec<String>,
    /// The one of them that is its disk, if any is.
    os_volume_id: Option<String>,
    tags: BTreeMap<String, String>,
    is_spot: bool,
    /// When it is evicted, if that was announced.
    #[schema(value_type = Option<String>, format = DateTime)]
    evict_at: Option<Stamp>,
    #[schema(example = "2.29")]
    price_per_hour: String,
    /// The share of that price while it is stopped.
    stopped_percent: u32,
    /// How much time is paid in advance at once.
    #[schema(example = "WEEK")]
    interval: Option<&'static str>,
    /// What that cost the last time.
    interval_price: Option<String>,
    /// How many seconds of paid time are left, if it runs all the time.
    paid_seconds: Option<i64>,
    /// When it ends or is renewed, where its offer has a longest time or its paid time is being used.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Stamp>,
    /// Whether it is renewed then.
    auto_renew: bool,
    /// Only if one graphics processor costs at most so much an hour then, or the interval at most so much.
    max_renewal_price: Option<String>,
    /// What went wrong the last time.
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ready_at: Option<Stamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Stamp>,
}

pub fn instance_view(detail: InstanceDetail, now: Timestamp) -> InstanceView {
    let InstanceDetail { instance, volumes, host_address } = detail;
    let status = instance.status().as_str();
    let volume_ids = volumes.iter().map(|volume| volume.id.to_string()).collect();
    let disk = volumes.iter().find(|volume| volume.disk.is_some());
    let ended_at = match instance.phase {
        Phase::Failed { at, .. } | Phase::Deleted { at } => Some(Stamp(at)),
        _ => None,
    };
    let address = instance.address(host_address);
    let wanted = instance.wanted.as_str();
    let renewal = instance.term.map(|term| term.renewal);
    let paid = instance.paid();
    let ports = instance.claim.ports.iter();
    let ports = ports.map(|port| PublishedPortView { inside: port.inside, outside: port.outside });
    InstanceView {
        id: instance.id.to_string(),
        pool_id: instance.pool_id.to_string(),
        cluster_id: instance.cluster_id.map(|id| id.to_string()),
        hostname: instance.hostname.to_string(),
        name: instance.name.to_string(),
        description: instance.description,
        status,
        wanted,
        plan: instance.terms.code(),
        shape: instance.terms.shape.clone().into(),
        location: instance.location.to_string(),
        image: instance.origin.image.image,
        jupyter_token: None,
        template_id: instance.origin.template.map(|template| template.template_id.to_string()),
        username: instance.origin.image.username,
        password: None,
        is_locked: instance.is_locked,
        ip: address.map(|address| address.to_string()),
        ports: ports.collect(),
        ssh_key_ids: instance.origin.key_ids.iter().map(ToString::to_string).collect(),
        script_id: instance.origin.script_id.map(|id| id.to_string()),
        volume_ids,
        os_volume_id: disk.map(|disk| disk.id.to_string()),
        tags: instance.tags.as_map().clone(),
        is_spot: instance.terms.is_spot,
        evict_at: instance.evict_at.map(Stamp),
        price_per_hour: instance.terms.hourly().to_decimal().to_string(),
        stopped_percent: instance.terms.stopped_percent,
        interval: paid.map(|paid| paid.interval.as_str()),
        interval_price: paid.map(|paid| paid.price.to_decimal().to_string()),
        paid_seconds: paid.map(|paid| paid.seconds_left(now)),
        expires_at: instance.term.and_then(|term| term.expires_at).map(Stamp),
        auto_renew: instance.term.is_some_and(|term| term.renews()),
        max_renewal_price: renewal
            .and_then(|renewal| renewal.max_price)
            .map(|price| price.to_decimal().to_string()),
        last_error: instance.last_error,
        created_at: Stamp(instance.created_at),
        ready_at: instance.ready_at.map(Stamp),
        ended_at,
    }
}

impl InstanceView {
    /// With what opens it.
    pub fn with_secrets(self, jupyter_token: Option<String>, password: Option<String>) -> Self {
        Self { jupyter_token, password, ..self }
    }
}

/// Something running at one price.
#[derive(Serialize, ToSchema)]
pub struct MeterView {
    id: String,
    instance_id: Option<String>,
    volume_id: Option<String>,
    #[schema(example = "instance hazy-star (small)")]
    name: String,
    /// The price of `per_seconds` seconds.
    #[schema(example = "2.29")]
    price: String,
    per_seconds: u32,
    #[schema(value_type = String, format = DateTime)]
    started_at: Stamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Stamp>,
    /// Whole seconds so far.
    seconds: u64,
    /// `price` × `seconds` / `per_seconds`, rounded down to 0.00000001.
    #[schema(example = "0.00063611")]
    amount: String,
    /// How much of that is booked.
    billed: String,
}

impl From<MeterLine> for MeterView {
    fn from(line: MeterLine) -> Self {
        let MeterLine { meter, seconds, amount } = line;
        let (instance_id, volume_id) = match meter.metered {
            Metered::Instance(id) => (Some(id.to_string()), None),
            Metered::Volume(id) => (None, Some(id.to_string())),
        };
        Self {
            id: meter.id.to_string(),
            instance_id,
            volume_id,
            name: meter.name,
            price: meter.rate.price.to_decimal().to_string(),
            per_seconds: meter.rate.seconds,
            started_at: Stamp(meter.started_at),
            ended_at: meter.ended_at.map(Stamp),
            seconds,
            amount: amount.to_decimal().to_string(),
            billed: meter.billed.to_decimal().to_string(),
        }
    }
}

/// A booking of a meter, or a payment.
#[derive(Serialize, ToSchema)]
pub struct MeterBookingView {
    /// To be asked for at `/ledger/entries/{id}/explain`.
    transaction_id: String,
    /// Below zero, it was given back.
    amount: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

/// What something has cost so far.
#[derive(Serialize, ToSchema)]
pub struct ChargesView {
    meters: Vec<MeterView>,
    bookings: Vec<MeterBookingView>,
    /// What was paid in advance; what was given back of that is below zero.
    payments: Vec<MeterBookingView>,
    /// The sum of the meters and the payments.
    total: String,
}

pub fn charges_view(charges: Charges) -> ChargesView {
    let Charges { lines, bookings, payments } = charges;
    let paid = payments.iter().map(|posting| posting.amount.negated());
    let total: domain::money::Money = lines.iter().map(|line| line.amount).chain(paid).sum();
    let booking = |posting: Posting| MeterBookingView {
        transaction_id: posting.id.to_string(),
        amount: posting.amount.negated().to_decimal().to_string(),
        created_at: Stamp(posting.at),
    };
    ChargesView {
        meters: lines.into_iter().map(Into::into).collect(),
        bookings: bookings.into_iter().map(booking).collect(),
        payments: payments.into_iter().map(booking).collect(),
        total: total.to_decimal().to_string(),
    }
}
