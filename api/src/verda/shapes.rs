//! What instances have, in this API's words.

use domain::plan::GpuShape;
use serde_json::{Value, json};

use crate::sizes::gigabytes;

/// Graphics processors of AMD's are called MI; the others that are rented today are NVIDIA's.
pub fn manufacturer(gpu: Option<&GpuShape>) -> &'static str {
    match gpu {
        None => "",
        Some(gpu) if gpu.model.starts_with("MI") => "AMD",
        Some(_) => "NVIDIA",
    }
}

pub fn cpu(cpus: u32) -> Value {
    json!({ "description": format!("{cpus} CPU"), "number_of_cores": cpus })
}

pub fn memory(ram_mib: u32) -> Value {
    let gigabytes = gigabytes(ram_mib);
    json!({ "description": format!("{gigabytes}GB RAM"), "size_in_gigabytes": gigabytes })
}

/// Such as `1x H100 SXM5 80GB`: gpuhunt, and dstack with it, know processors by these very words, so that
/// plans are to be named as Verda names its types.
pub fn gpus(count: u32, name: &str) -> Value {
    let description = if count == 0 { String::new() } else { format!("{count}x {name}") };
    json!({ "description": description, "number_of_gpus": count })
}

/// Of all of them together.
pub fn gpu_memory(gpu: Option<&GpuShape>) -> Value {
    let all = gpu.map_or(0, |gpu| gigabytes(gpu.memory_mib.saturating_mul(gpu.count)));
    let description = if all == 0 { String::new() } else { format!("{all}GB GPU RAM") };
    json!({ "description": description, "size_in_gigabytes": all })
}
