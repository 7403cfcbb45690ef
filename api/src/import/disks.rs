//! The disks of a row.

use domain::host::{Disk, DiskType};
use serde_json::Value;

use super::fields::{Fields, count, shown, text, word};

const NAME: &str = "disks";

/// Reads the field `disks`: an array of `{count, capacity_gb, type, interface?}`, or a text such as
/// `2x1000 NVMe (PCIe 4.0) + 6x15000 HDD`, or `none`.
pub(super) fn take(fields: &mut Fields) -> Vec<Disk> {
    match fields.take(NAME) {
        Some(Value::Array(items)) => {
            let numbered = (1..).zip(items);
            numbered.filter_map(|(nth, item): (u32, _)| element(fields, nth, item)).collect()
        }
        Some(Value::String(list)) if list.trim().eq_ignore_ascii_case("none") => Vec::new(),
        Some(Value::String(list)) => {
            list.split('+').filter_map(|item| written(fields, item.trim())).collect()
        }
        Some(_) => {
            fields.fault(NAME, "must be an array of disks or a text such as `2x1000 NVMe`");
            Vec::new()
        }
        None => {
            fields.fault(NAME, "is missing; a server without disks has `none`");
            Vec::new()
        }
    }
}

fn element(fields: &mut Fields, nth: u32, item: Value) -> Option<Disk> {
    fields.within(&format!("{NAME}.{nth}"), item, |disk| Disk {
        count: disk.need("count", count, 1),
        capacity_gb: disk.need("capacity_gb", count, 1),
        kind: disk.need("type", word(DiskType::parse), DiskType::Hdd),
        interface: disk.want("interface", text),
    })
}

fn written(fields: &mut Fields, item: &str) -> Option<Disk> {
    let disk = parse(item);
    if disk.is_none() {
        let kinds: Vec<&str> = DiskType::ALL.iter().map(|kind| kind.as_str()).collect();
        let wanted = "must be written like `2x1000 NVMe` or `2x1000 NVMe (PCIe 4.0)`";
        let kinds = kinds.join(", ");
        fields.fault(NAME, format!("`{}` {wanted}; kinds are {kinds}", shown(item)));
    }
    disk
}

fn parse(item: &str) -> Option<Disk> {
    let (size, kind) = item.split_once(char::is_whitespace)?;
    let (count, capacity_gb) = size.split_once(['x', 'X'])?;
    let (kind, interface) = match kind.split_once('(') {
        Some((kind, interface)) => (kind, Some(interface.strip_suffix(')')?.trim())),
        None => (kind, None),
    };
    if interface.is_some_and(str::is_empty) {
        return None;
    }
    Some(Disk {
        count: count.parse().ok()?,
        capacity_gb: capacity_gb.parse().ok()?,
        kind: DiskType::parse(kind.trim()).ok()?,
        interface: interface.map(str::to_owned),
    })
}
