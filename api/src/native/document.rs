//! The OpenAPI document: what the handlers declare, completed by what is true of all of them.
//!
//! A handler names the codes that are its own in `x-errors`. What follows from having a body, from
//! needing credentials or from being a server at all is added here, so that it cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ArrayBuilder, Components, OpenApi, Ref, RefOr, Schema, SecurityRequirement};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_actix_web::AppExt;

use super::code::Code;
use super::error::Problem;
use super::{PREFIX, headers, operations};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Berth",
        description = "Rent servers, alone or in teams. Times are RFC 3339 in UTC, ids 24 hexadecimal characters.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, Code)),
    tags(
        (name = "accounts", description = "Sign up, log in, one's own account"),
        (name = "tokens", description = "API tokens for programs"),
        (name = "pools", description = "Teams that share servers"),
        (name = "invitations", description = "Joining a pool"),
        (name = "members", description = "Who is in a pool"),
        (name = "marketplace", description = "What can be rented"),
        (name = "catalogue", description = "What instances are made of and cost"),
        (name = "keys", description = "SSH keys of one's pools"),
        (name = "scripts", description = "Scripts of one's pools, for new instances"),
        (name = "templates", description = "What containers are started from: those of one's pools and the operator's"),
        (name = "software", description = "What can be put onto instances, and what is there"),
        (name = "rentals", description = "Rent, look, extend"),
        (name = "instances", description = "What runs for one, and what it costs"),
        (name = "volumes", description = "Disks that outlive an instance"),
        (name = "clusters", description = "Several instances as one"),
        (name = "suppliers", description = "What one earns with one's own servers"),
        (name = "audit", description = "Who did what"),
        (name = "wallet", description = "Balance and transactions"),
        (name = "operators", description = "Running the marketplace; for operators only")
    )
)]
struct Frame;

/// The document of the native surface.
pub fn document() -> OpenApi {
    let app = actix_web::App::new().into_utoipa_app().openapi(Frame::openapi());
    let app = app.service(utoipa_actix_web::scope(PREFIX).configure(operations));
    let (_, mut document) = app.split_for_parts();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token from a log-in, or an API token"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    name_data(components);
    for (path, item) in &mut document.paths.paths {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(operation, path);
        }
    }
    share_filters(&mut document);
    document
}

/// The facets take every filter of the list that they count, but neither its order nor its pages.
fn share_filters(document: &mut OpenApi) {
    let paths = &mut document.paths.paths;
    let list = paths.get(&format!("{PREFIX}/servers/available")).and_then(|item| item.get.as_ref());
    let parameters = list.and_then(|operation| operation.parameters.clone()).unwrap_or_default();
    let is_filter = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => !["sort", "limit", "cursor"].contains(&parameter.name.as_str()),
        RefOr::Ref(_) => true,
    };
    let filters = parameters.into_iter().filter(is_filter);
    let facets = paths.get_mut(&format!("{PREFIX}/servers/facets"));
    if let Some(operation) = facets.and_then(|item| item.get.as_mut()) {
        operation.parameters = Some(filters.collect());
    }
}

/// Points from each envelope to the schema of its data, where the derived schema repeats it whole.
fn name_data(components: &mut Components) {
    let names: BTreeSet<String> = components.schemas.keys().cloned().collect();
    for (name, schema) in &mut components.schemas {
        let (Some(data), RefOr::T(Schema::Object(envelope))) =
            (name.strip_prefix("Success_"), schema)
        else {
            continue;
        };
        let row = data.strip_prefix("Vec_");
        let reference = row.unwrap_or(data);
        if names.contains(reference) {
            let reference = Ref::from_schema_name(reference);
            let list = || RefOr::T(ArrayBuilder::new().items(reference.clone()).into());
            let data = if row.is_some() { list() } else { RefOr::Ref(reference.clone()) };
            envelope.properties.insert("data".to_owned(), data);
        }
    }
}

/// What nobody needs to sign in for, and what heeds credentials that come along.
const OPEN_TO_ALL: [&str; 5] = ["/servers/", "/locations", "/plans", "/gpu-offers", "/images"];

fn complete(operation: &mut Operation, path: &str) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            // OpenAPI wants a description of every response.
            "Done".clone_into(&mut response.description);
        }
    }
    let bearer = || SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []);
    let signed = operation.security.is_none();
    operation.security.get_or_insert_with(|| vec![bearer()]);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    let mut add = |code: Code| {
        let codes = by_status.entry(code.status().as_u16()).or_default();
        if !codes.contains(&code) {
            codes.push(code);
        }
    };
    own_codes(operation).for_each(&mut add);
    add(Code::InternalError);
    add(Code::ServiceUnavailable);
    if signed || OPEN_TO_ALL.iter().any(|part| path.contains(part)) {
        add(Code::Unauthorized);
        add(Code::InsufficientScope);
    }
    if operation.request_body.is_some() {
        let body = [
            Code::MalformedJson,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ];
        body.into_iter().for_each(&mut add);
    }
    for (status, codes) in by_status {
        operation.responses.responses.insert(status.to_string(), RefOr::T(response(&codes)));
    }
    headers::declare(operation, path);
}

/// The codes in `x-errors`, which is taken out of the document.
fn own_codes(operation: &mut Operation) -> impl Iterator<Item = Code> + use<> {
    let declared = operation.extensions.as_mut().and_then(|all| all.remove("x-errors"));
    let names: Vec<Value> =
        declared.and_then(|value| value.as_array().cloned()).unwrap_or_default();
    names.into_iter().filter_map(|name| {
        Code::ALL.iter().copied().find(|code| Some(code.as_str()) == name.as_str())
    })
}

fn response(codes: &[Code]) -> utoipa::openapi::Response {
    let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let example = |code: &Code| {
        let body = json!({
            "statusCode": code.status().as_u16(),
            "error": code.as_str(),
            "message": "a sentence that a person can act on",
        });
        let example = utoipa::openapi::example::ExampleBuilder::new().value(Some(body)).build();
        (code.as_str(), example)
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .examples_from_iter(codes.iter().map(example))
        .build();
    ResponseBuilder::new()
        .description(names.join(", "))
        .content("application/json", content)
        .build()
}
