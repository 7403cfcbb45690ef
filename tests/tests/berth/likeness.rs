//! Whether an answer is like the example of a document.

use std::path::Path;

use serde_json::Value;

/// An example of a document, from the folder of its surface.
pub fn example(surface: &str, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/berth").join(surface);
    let text = std::fs::read_to_string(folder.join(format!("examples/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A request of a document with other values at some members.
pub fn request(surface: &str, name: &str, change: &Value) -> Value {
    let mut body = example(surface, name)["request"].clone();
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

/// What an answer lacks of its example, of which it has at least the members, each of the same
/// type or null. An empty object of an example stands for anything. Members named in `except` may
/// be missing.
pub fn faults(ours: &Value, example: &Value, except: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    compare("", (ours, example), except, &mut faults);
    faults
}

fn compare(
    path: &str,
    (ours, expected): (&Value, &Value),
    except: &[&str],
    faults: &mut Vec<String>,
) {
    match (ours, expected) {
        (_, Value::Object(expected)) if expected.is_empty() => {}
        (Value::Object(ours), Value::Object(expected)) => {
            for (key, expected) in expected {
                let path = format!("{path}.{key}");
                match ours.get(key) {
                    Some(ours) => compare(&path, (ours, expected), except, faults),
                    None if except.contains(&key.as_str()) => {}
                    None => faults.push(format!("{path}: is missing")),
                }
            }
        }
        (Value::Array(ours), Value::Array(expected)) => {
            // Lists within may be empty, such as keys of what is no disk.
            if path.is_empty() && ours.is_empty() {
                faults.push("is empty".to_owned());
            }
            for ours in ours {
                compare(path, (ours, expected.first().unwrap_or(ours)), except, faults);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ if std::mem::discriminant(ours) != std::mem::discriminant(expected) => {
            faults.push(format!("{path}: {ours} is not of the type of {expected}"));
        }
        _ => {}
    }
}

/// The examples of a folder that a source does not name.
pub fn left_out(folder: &str, source: &str) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let names = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").map(ToOwned::to_owned)
    });
    names.filter(|name| !source.contains(&format!("\"{name}\""))).collect()
}
