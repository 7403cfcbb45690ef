//! Volumes on the wire.

use domain::clock::Timestamp;
use domain::instance::{InstanceDetail, Status};
use domain::meter::Rate;
use domain::volume::{Volume, VolumeState, VolumeStatus};
use serde_json::{Map, Value, json};

use super::instances_view::{os_volume_id, tags, word};
use crate::floats::amount;
use crate::instants::to_the_millisecond as instant;

/// A volume's state in this API's words. What is in the trash is deleted there, and can be restored.
pub fn word_of(volume: &Volume, holder: Option<&InstanceDetail>) -> &'static str {
    let is_leaving = |holder: &InstanceDetail| holder.instance.status() == Status::Deleting;
    match volume.status() {
        VolumeStatus::Creating if volume.copy_of.is_some() => "cloning",
        VolumeStatus::Creating => "ordered",
        VolumeStatus::Attached if holder.is_some_and(is_leaving) => "detaching",
        VolumeStatus::Attached => "attached",
        VolumeStatus::Detached => "detached",
        VolumeStatus::Deleting => "deleting",
        VolumeStatus::Trashed | VolumeStatus::Deleted => "deleted",
        VolumeStatus::Failed => "canceled",
    }
}

/// A volume; `holders` are the instances that have it and others.
pub fn volume(volume: &Volume, holders: &[InstanceDetail], currency: &str) -> Value {
    let holder = volume.attachment.as_ref().and_then(|attachment| {
        holders.iter().find(|holder| holder.instance.id == attachment.instance_id)
    });
    let keys = holder.filter(|_| volume.disk.is_some()).map(|holder| {
        let keys = holder.instance.origin.key_ids.iter();
        keys.map(|id| id.uuid().to_string()).collect::<Vec<_>>()
    });
    let per_month = volume.price_per_month();
    let mut shown = json!({
        "id": volume.id.uuid().to_string(),
        "instance_id": holder.map(|holder| holder.instance.id.uuid().to_string()),
        "instances": holder.into_iter().map(holder_of).collect::<Vec<_>>(),
        "name": volume.name,
        "created_at": instant(volume.created_at),
        "status": word_of(volume, holder),
        "size": volume.size_gb,
        "is_os_volume": volume.disk.is_some(),
        "target": volume.disk.as_ref().map(|_| "vda"),
        "type": volume.kind,
        "location": volume.location.as_str(),
        "ssh_key_ids": keys.unwrap_or_default(),
        "contract": "PAY_AS_YOU_GO",
        "base_hourly_cost": amount(Rate::per_month(per_month).hourly()),
        "monthly_price": amount(per_month),
        "currency": currency,
        "tags": tags(&volume.tags),
    });
    if let Some(members) = shown.as_object_mut() {
        members.extend(match gone(&volume.state) {
            Some((at, for_good)) => deleted(at, for_good),
            None => mounted(volume),
        });
    }
    shown
}

fn gone(state: &VolumeState) -> Option<(Timestamp, bool)> {
    match state {
        VolumeState::Trashed { at, .. } => Some((*at, false)),
        VolumeState::Deleted { at } | VolumeState::Failed { at, .. } => Some((*at, true)),
        VolumeState::Live | VolumeState::Deleting => None,
    }
}

fn deleted(at: Timestamp, for_good: bool) -> Map<String, Value> {
    Map::from_iter([
        ("deleted_at".to_owned(), json!(instant(at))),
        ("is_permanently_deleted".to_owned(), json!(for_good)),
    ])
}

/// Instances mount their volumes themselves, so that there is no command to do it; where, is told.
fn mounted(volume: &Volume) -> Map<String, Value> {
    let path = volume.attachment.as_ref().map(|attachment| attachment.path.as_str());
    Map::from_iter([
        ("pseudo_path".to_owned(), json!(path)),
        ("create_directory_command".to_owned(), Value::Null),
        ("mount_command".to_owned(), Value::Null),
        ("filesystem_to_fstab_command".to_owned(), Value::Null),
        ("long_term".to_owned(), Value::Null),
    ])
}

fn holder_of(holder: &InstanceDetail) -> Value {
    let InstanceDetail { instance, volumes, host_address } = holder;
    json!({
        "id": instance.id.uuid().to_string(),
        "auto_rental_extension": null,
        "ip": instance.address(*host_address),
        "instance_type": instance.terms.code(),
        "status": word(instance.status()),
        "os_volume_id": os_volume_id(volumes),
        "hostname": instance.hostname.as_str(),
    })
}
