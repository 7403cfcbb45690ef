//! Templates on the wire.

use domain::template::Template;
use serde_json::{Value, json};

/// A template with all that may be told of it; its password never is.
pub fn shown(template: &Template) -> Value {
    let recipe = &template.recipe;
    // With what the operator logs in is nobody else's to know.
    let registry = template.registry.as_ref().filter(|_| template.pool_id.is_some());
    let ports: Vec<String> = recipe.ports.iter().map(ToString::to_string).collect();
    let variables: Vec<Value> = recipe
        .environment
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({
        "id": template.number,
        "name": recipe.name,
        "imageName": recipe.image,
        "categoryName": recipe.category,
        "defaultTag": recipe.tag,
        "diskSize": recipe.disk_gb,
        "exposePorts": ports.join(","),
        "startScript": recipe.start_script,
        "argOptions": recipe.build_arguments.lines().collect::<Vec<_>>(),
        "envVariables": variables,
        "notes": recipe.notes,
        "host": registry.map(|registry| &registry.host),
        "username": registry.map(|registry| &registry.username),
        "password": null,
        "isPublic": template.pool_id.is_none(),
        "isPasswordProtected": template.registry.is_some(),
        "isRunSshServerOn": recipe.runs_ssh,
        "isRunJupyterOn": recipe.runs_jupyter,
    })
}

/// A template as lists have it: without its registry.
pub fn listed(template: &Template) -> Value {
    let mut shown = shown(template);
    if let Some(members) = shown.as_object_mut() {
        members.retain(|name, _| !["host", "username", "password"].contains(&name.as_str()));
    }
    shown
}
