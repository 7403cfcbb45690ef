//! Templates, which is what this API calls software: what there is, what is on a server, and what to put
//! there or take away.

use std::collections::BTreeMap;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::Violation;
use domain::install::{self, ActOnInstall, AddInstall, InstallKey};
use domain::page::Page;
use domain::software::{self, MOST_OPTIONS, OptionKind, SoftwareKey, SoftwareOption};
use domain::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::account::{MaybeAccount, Owner};
use super::body::{Json, whole};
use super::templates_view::{InstallView, TemplateView, slug};
use super::{Answer, acting, order_asked_for, ordered, reading};
use crate::app::App;

/// What can be installed, and what is.
pub fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/api/templates", list))
        .service(reading("/api/template-config", configuration))
        .service(acting("/api/template-install-add", add))
        .service(acting("/api/template-install-delete", remove))
        .service(acting("/api/template-install-retry", retry));
}

/// The operator's, and those of the account's pools. There are no pages here.
async fn list(app: Data<App>, account: MaybeAccount) -> Answer {
    let (store, all) = (app.store.as_ref(), Page { after: None, limit: None });
    let found = match &account.0 {
        Some(caller) => software::list(store, caller, None, all).await?,
        None => software::global(store, all).await?,
    };
    let templates: Vec<TemplateView> = found.rows.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(templates))
}

/// What is on a server, the oldest first.
async fn configuration(app: Data<App>, owner: Owner, request: HttpRequest) -> Answer {
    let order = order_asked_for(&request)?;
    let id = ordered(&app, &owner.0, order).await?;
    let installs = install::list(app.store.as_ref(), &owner.0, id).await?;
    let templates: Vec<InstallView> = installs.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(json!({ "success": true, "templates": templates })))
}

#[derive(Deserialize)]
struct NewInstall {
    order_id: Option<Value>,
    template_id: Option<Value>,
    config: Option<Value>,
}

async fn add(app: Data<App>, owner: Owner, body: Json<NewInstall>) -> Answer {
    let mut faults = Vec::new();
    let order = whole(&mut faults, "order_id", body.0.order_id.as_ref());
    let template = whole(&mut faults, "template_id", body.0.template_id.as_ref());
    let config = values(&mut faults, body.0.config);
    Error::unless_empty(faults)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let instance_id = ordered(&app, &owner.0, order).await?;
    let (software, _) = software::numbered(store, &owner.0, template).await?;
    let request = AddInstall {
        caller: owner.0,
        instance_id,
        software: SoftwareKey::Id(software.id),
        config: chosen(&software.options, config)?,
        idempotency_key: None,
    };
    let added = install::add(store, clock, random, &request).await?;
    let message = "Template installation queued";
    let told = json!({ "success": true, "install_id": added.number, "message": message });
    Ok(HttpResponse::Ok().json(told))
}

#[derive(Deserialize)]
struct Named {
    install_id: Option<Value>,
}

fn act(owner: Owner, body: &Named) -> Result<ActOnInstall> {
    let mut faults = Vec::new();
    let number = whole(&mut faults, "install_id", body.install_id.as_ref());
    Error::unless_empty(faults)?;
    Ok(ActOnInstall { caller: owner.0, key: InstallKey::Number(number) })
}

async fn remove(app: Data<App>, owner: Owner, body: Json<Named>) -> Answer {
    let request = act(owner, &body.0)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    install::remove(store, clock, random, &request).await?;
    Ok(done("Template removal initiated"))
}

async fn retry(app: Data<App>, owner: Owner, body: Json<Named>) -> Answer {
    let request = act(owner, &body.0)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    install::retry(store, clock, random, &request).await?;
    Ok(done("Template installation retry initiated"))
}

fn done(message: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "success": true, "message": message }))
}

fn values(faults: &mut Vec<Violation>, config: Option<Value>) -> Map<String, Value> {
    let fault = match config {
        None | Some(Value::Null) => return Map::new(),
        Some(Value::Object(values)) if values.len() <= MOST_OPTIONS => return values,
        Some(Value::Object(_)) => "must be at most 32 values",
        Some(_) => "must be an object of options and their values",
    };
    faults.push(Violation::new("config", fault));
    Map::new()
}

/// The values by the keys of their options. Clients of this API see an option's name, and make of
/// `Python Version` a key such as `python_version` themselves.
fn chosen(
    options: &[SoftwareOption],
    config: Map<String, Value>,
) -> Result<BTreeMap<String, String>> {
    let (mut chosen, mut faults) = (BTreeMap::new(), Vec::new());
    for (name, value) in config {
        let option = named(options, &name);
        let mut fault = |message| faults.push(Violation::new(format!("config/{name}"), message));
        let Some(text) = text(option, value) else {
            fault("must be a text");
            continue;
        };
        // What names no option is refused by the software itself, beside all else.
        let key = option.map_or(&name, |option| &option.key).clone();
        if chosen.insert(key, text).is_some() {
            fault("is given twice, once by another name");
        }
    }
    Error::unless_empty(faults)?;
    Ok(chosen)
}

/// The option of this key; else the only one of this name, as it is or as a key would spell it.
fn named<'a>(options: &'a [SoftwareOption], name: &str) -> Option<&'a SoftwareOption> {
    if let Some(option) = options.iter().find(|option| option.key == name) {
        return Some(option);
    }
    let mut named =
        options.iter().filter(|option| option.name == name || slug(&option.name) == name);
    named.next().filter(|_| named.next().is_none())
}

/// A value as software takes it. A bare number is none but of an option for numbers: 3.10 would come as 3.1.
fn text(option: Option<&SoftwareOption>, value: Value) -> Option<String> {
    let kind = option.map(|option| option.kind);
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) if matches!(kind, None | Some(OptionKind::Number)) => {
            Some(number.to_string())
        }
        Value::Bool(flag) if matches!(kind, None | Some(OptionKind::Boolean)) => {
            Some(flag.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(key: &str, name: &str, kind: OptionKind) -> SoftwareOption {
        let (key, name) = (key.to_owned(), name.to_owned());
        SoftwareOption { key, name, kind, default_value: None, possible_values: Vec::new() }
    }

    fn read(config: Value) -> Result<Value, Vec<(String, String)>> {
        let options = [
            option("python_version", "Python Version", OptionKind::Select),
            option("workers", "How many workers?", OptionKind::Number),
            option("gpu", "With GPU", OptionKind::Boolean),
            option("name", "Twice", OptionKind::Text),
            option("twice_2", "Twice", OptionKind::Text),
        ];
        let Value::Object(config) = config else { panic!("no object") };
        match chosen(&options, config) {
            Ok(chosen) => Ok(json!(chosen)),
            Err(Error::Invalid(faults)) => {
                Err(faults.into_iter().map(|fault| (fault.path, fault.message)).collect())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_option_is_named_by_its_key_or_its_name() {
        for key in ["python_version", "Python Version"] {
            assert_eq!(read(json!({ key: "3.9" })), Ok(json!({ "python_version": "3.9" })));
        }
        let config = json!({ "how_many_workers": 2, "with_gpu": true, "workerz": "x" });
        assert_eq!(read(config), Ok(json!({ "workers": "2", "gpu": "true", "workerz": "x" })));
        assert_eq!(read(json!({ "Twice": "x" })), Ok(json!({ "Twice": "x" })), "which of them?");
        let both = read(json!({ "python_version": "3.9", "Python Version": "3.8" })).unwrap_err();
        assert_eq!(both[0].1, "is given twice, once by another name");
    }

    #[test]
    fn a_value_is_a_text_or_what_its_option_is_for() {
        for value in [json!(3.1), json!(true), json!(null), json!([]), json!({})] {
            let fault = ("config/python_version".to_owned(), "must be a text".to_owned());
            assert_eq!(read(json!({ "python_version": value })), Err(vec![fault]));
        }
        assert!(read(json!({ "gpu": 1 })).is_err());
        assert_eq!(read(json!({ "workers": -1.5 })), Ok(json!({ "workers": "-1.5" })));
    }
}
