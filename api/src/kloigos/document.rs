//! The OpenAPI document of this surface, and its interactive documentation.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use serde_json::{Map, Value, json};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The document at `/openapi.json` and the interactive documentation at `/docs`, below a prefix.
pub fn routes(config: &mut ServiceConfig, prefix: &'static str) {
    let there = format!("{prefix}/openapi.json");
    let document = web::Data::new(document(&format!("{prefix}/api")));
    config
        .service(
            web::resource("/openapi.json").app_data(document).route(
                web::get().to(async |document: web::Data<Value>| {
                    HttpResponse::Ok().json(document.as_ref())
                }),
            ),
        )
        .service(web::redirect("/docs", format!("{prefix}/docs/")))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from(there)));
}

/// In the words of the published document; refusals beyond those of its own are told as well.
fn document(base: &str) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Kloigos", "version": "0.2.0" },
        "servers": [{ "url": base }],
        "security": [{ "bearer": [] }],
        "paths": {
            "/compute_units/allocate": { "post": allocate() },
            "/compute_units/deallocate/{compute_id}": { "delete": deallocate() },
            "/compute_units/": { "get": list() },
            "/admin/init_server": { "post": init_server() },
            "/admin/decommission_server/{hostname}": { "delete": decommission_server() },
        },
        "components": { "schemas": schemas(), "securitySchemes": { "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "An API token, or an access token from a log-in; nothing where the \
                            operator has switched that off",
        } } },
    })
}

fn allocate() -> Value {
    let mut responses = responses(&reference("ComputeUnitResponse"), &["402", "422"]);
    let own = [
        ("460", "No free Compute Unit found to match your request"),
        ("470", "Error running allocating playbook"),
    ];
    responses.extend(own.map(|(status, words)| (status.to_owned(), refused(words))));
    json!({ "tags": ["compute_units"], "summary": "Allocate",
        "description": "Hands out a free Compute Unit once its key can log in.",
        "operationId": "allocate_compute_units_allocate_post",
        "requestBody": body("ComputeUnitRequest"), "responses": responses })
}

fn deallocate() -> Value {
    json!({ "tags": ["compute_units"], "summary": "Deallocate",
        "description": "Takes a Compute Unit back, which is wiped in the background.",
        "operationId": "deallocate_compute_units_deallocate__compute_id__delete",
        "parameters": [parameter("compute_id", "path", &json!({ "type": "string" }))],
        "responses": responses(&json!({}), &["404", "409", "422"]) })
}

fn list() -> Value {
    let text = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
    let whole = json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] });
    let names =
        ["compute_id", "hostname", "region", "zone", "cpu_count", "deployment_id", "status"];
    let parameters: Vec<Value> = names
        .iter()
        .map(|name| parameter(name, "query", if *name == "cpu_count" { &whole } else { &text }))
        .collect();
    let rows = json!({ "type": "array", "items": reference("ComputeUnitResponse") });
    json!({ "tags": ["compute_units"], "summary": "List Servers",
        "description": "Returns a list of all servers.\nOptionally filter the results by \
            'deployment_id' or 'status' query parameters.\n\nExample:\n- /servers\n\
            - /servers?deployment_id=web_app_v1\n- /servers?status=free",
        "operationId": "list_servers_compute_units__get",
        "parameters": parameters, "responses": responses(&rows, &["422"]) })
}

fn init_server() -> Value {
    json!({ "tags": ["admin"], "summary": "Init Server",
        "description": "Has a server cut into Compute Units in the background.",
        "operationId": "init_server_admin_init_server_post",
        "requestBody": body("InitServerRequest"),
        "responses": responses(&json!({}), &["403", "409", "422"]) })
}

fn decommission_server() -> Value {
    json!({ "tags": ["admin"], "summary": "Decommission Server",
        "description": "Has all that was made on a server removed in the background.",
        "operationId": "decommission_server_admin_decommission_server__hostname__delete",
        "parameters": [parameter("hostname", "path", &json!({ "type": "string" }))],
        "responses": responses(&json!({}), &["403", "404", "409", "422"]) })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn body(schema: &str) -> Value {
    json!({ "required": true, "content": content(&reference(schema)) })
}

fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn parameter(name: &str, place: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "schema": schema })
}

fn refused(description: &str) -> Value {
    json!({ "description": description, "content": content(&reference("Refusal")) })
}

/// A success, and the refusals that an operation has beside the one that nobody is signed in.
fn responses(success: &Value, refusals: &[&str]) -> Map<String, Value> {
    let done = json!({ "description": "Successful Response" });
    let done = if success.as_object().is_some_and(Map::is_empty) {
        done
    } else {
        json!({ "description": "Successful Response", "content": content(success) })
    };
    let usual = [("200", done), ("401", refused("Not authenticated"))];
    let refusals = refusals.iter().map(|status| {
        let refusal = match *status {
            "402" => refused("The wallet does not cover a priced Compute Unit"),
            "403" => refused("Only an operator may do this"),
            "404" => refused("There is none of this name"),
            "409" => refused("Its present state stands against this"),
            _ => json!({ "description": "Validation Error",
                "content": content(&reference("HTTPValidationError")) }),
        };
        (*status, refusal)
    });
    let all = usual.into_iter().chain(refusals);
    all.map(|(status, response)| (status.to_owned(), response)).collect()
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let whole = json!({ "type": "integer" });
    let nullable = |schema: &Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let labels = nullable(&json!({ "type": "object", "additionalProperties": { "anyOf": [
        text, whole, { "type": "array", "items": text },
    ] } }));
    let of_unit = [
        "compute_id",
        "hostname",
        "ip",
        "cpu_count",
        "cpu_range",
        "region",
        "zone",
        "status",
        "started_at",
        "tags",
        "cpu_list",
        "ports_range",
    ];
    let of_server = ["ip", "region", "zone", "hostname", "cpu_ranges"];
    json!({
        "ComputeUnitRequest": { "type": "object", "required": ["tags", "ssh_public_key"],
            "properties": {
                "cpu_count": { "anyOf": [whole, { "type": "null" }], "default": 4 },
                "region": nullable(&text), "zone": nullable(&text),
                "tags": labels, "ssh_public_key": text,
            } },
        "ComputeUnitResponse": { "type": "object", "required": of_unit, "properties": {
            "compute_id": text, "hostname": text, "ip": text, "cpu_count": whole,
            "cpu_range": text, "region": text, "zone": text, "status": text,
            "started_at": nullable(&json!({ "type": "string", "format": "date-time" })),
            "tags": labels, "cpu_list": text, "ports_range": nullable(&text),
        } },
        "InitServerRequest": { "type": "object", "required": of_server, "properties": {
            "ip": text, "region": text, "zone": text, "hostname": text,
            "cpu_ranges": { "type": "array", "items": text },
        } },
        "HTTPValidationError": { "type": "object", "properties": {
            "detail": { "type": "array", "items": reference("ValidationError") },
        } },
        "ValidationError": { "type": "object", "required": ["loc", "msg", "type"],
            "properties": {
                "loc": { "type": "array", "items": { "anyOf": [text, whole] } },
                "msg": text, "type": text,
            } },
        "Refusal": { "type": "object", "required": ["detail"], "properties": { "detail": text } },
    })
}
