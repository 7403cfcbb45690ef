use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use super::{Program, is_refused};
use crate::deals::boss;

const OWN: &str = "/instances/templates";
const GLOBAL: &str = "/instances/global-templates";

/// The body of the document's example, letter by letter.
fn example() -> Value {
    json!({
        "username": "simplepod", "password": "password", "name": "ubuntu", "imageName": "ubuntu",
        "categoryName": "ubuntu", "defaultTag": "latest", "diskSize": 32,
        "exposePorts": "22,80,443", "startScript": "string", "argOptions": "string",
        "envVariables": "[ { \"name\": \"ENV1\", \"value\": \"VALUE1\" } ]", "notes": "string",
        "isPasswordProtected": false, "isRunSshServerOn": true, "isRunJupyterOn": true
    })
}

/// Members that the document shows in a whole template, with its types.
const WHOLE: [(&str, &str); 17] = [
    ("id", "number"),
    ("imageName", "text"),
    ("categoryName", "text"),
    ("defaultTag", "text"),
    ("diskSize", "number"),
    ("exposePorts", "text"),
    ("startScript", "text"),
    ("argOptions", "list"),
    ("envVariables", "list"),
    ("notes", "text"),
    ("host", "text"),
    ("username", "text"),
    ("password", "text"),
    ("isPublic", "bool"),
    ("isPasswordProtected", "bool"),
    ("isRunSshServerOn", "bool"),
    ("isRunJupyterOn", "bool"),
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Bool(_) => "bool",
        Value::Null => "null",
        Value::Object(_) => "object",
    }
}

async fn made(program: &Program, body: Value) -> Value {
    let made = program.ask(Method::POST, OWN, Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

fn one(template: &Value) -> String {
    format!("{OWN}/{}", template["id"])
}

/// A template of the operator's, by its number.
async fn global(boss: &Client) -> i64 {
    let body = json!({
        "name": "PyTorch", "image": "pytorch/pytorch", "tag": "2.5", "category": "ml",
        "disk_gb": 64, "ports": [8888], "runs_jupyter": true
    });
    let made = boss.post("/admin/templates", body).await.data(201);
    made["number"].as_i64().unwrap()
}

on_both_databases! {
    async fn the_examples_of_the_document_are_taken(app: &TestApp) {
        let jane = Program::of(&app.user("jane").await).await;
        let template = made(&jane, example()).await;
        let seen = jane.get(&one(&template)).await.body;
        assert_eq!(seen, template);
        for (member, expected) in WHOLE {
            let kind = kind(&seen[member]);
            assert!(kind == expected || kind == "null", "{member} is a {kind}");
        }
        assert_eq!((&seen["exposePorts"], &seen["envVariables"], &seen["argOptions"]),
            (&json!("22,80,443"), &json!([{ "name": "ENV1", "value": "VALUE1" }]),
                &json!(["string"])));
        // Without a repository of its own there is nothing to log in to.
        assert_eq!((&seen["isPasswordProtected"], &seen["username"]),
            (&json!(false), &Value::Null));
        let mut change = example();
        change["startScript"] = json!(0);
        let changed = jane.ask(Method::PUT, &one(&template), Some(change)).await;
        assert_eq!((changed.status, &changed.body["startScript"]), (200, &json!("0")));

        let list = jane.get(&format!("{OWN}/list")).await.body;
        let mut row = changed.body.clone();
        for member in ["host", "username", "password"] {
            row.as_object_mut().unwrap().remove(member);
        }
        assert_eq!(list, json!([row]));
        assert_eq!(jane.ask(Method::DELETE, &one(&template), None).await.status, 204);
        is_refused(&jane.get(&one(&template)).await, 404, "Not Found");
        is_refused(&jane.ask(Method::DELETE, &one(&template), None).await, 404, "Not Found");
    }

    async fn what_is_left_out_stays_and_a_password_is_never_told(app: &TestApp) {
        let jane = Program::of(&app.user("jane").await).await;
        let body = json!({
            "imageName": "registry.example:5000/team/model", "isPasswordProtected": true,
            "host": "registry.example:5000", "username": "team", "password": "very secret",
            "envVariables": [{ "name": "A", "value": "1" }, { "name": "B", "value": 2 }]
        });
        let template = made(&jane, body).await;
        assert_eq!((&template["name"], &template["defaultTag"], &template["diskSize"]),
            (&template["imageName"], &json!("latest"), &json!(32)));
        let path = one(&template);
        let renamed = json!({ "name": "Model", "exposePorts": "" });
        let renamed = jane.ask(Method::PUT, &path, Some(renamed)).await;
        let mut expected = template.clone();
        expected["name"] = json!("Model");
        assert_eq!((renamed.status, &renamed.body), (200, &expected));
        assert_eq!((&expected["host"], &expected["password"]),
            (&json!("registry.example:5000"), &Value::Null));
        // A password belongs to its registry.
        let moved = json!({ "host": "other.example" });
        let moved = jane.ask(Method::PUT, &path, Some(moved)).await;
        assert_eq!((moved.status, &moved.body["violations"][0]["propertyPath"]),
            (422, &json!("password")));
        let open = json!({ "isPasswordProtected": false });
        let open = jane.ask(Method::PUT, &path, Some(open)).await.body;
        assert_eq!((&open["isPasswordProtected"], &open["host"]), (&json!(false), &Value::Null));
    }

    async fn the_operators_are_for_everybody_and_nobodys_to_change(app: &TestApp) {
        let boss = boss(app).await;
        let number = global(&boss).await;
        let jane = Program::of(&app.user("jane").await).await;
        let path = format!("{GLOBAL}/{number}");
        let seen = jane.get(&path).await.body;
        assert_eq!((&seen["isPublic"], &seen["exposePorts"], &seen["isRunJupyterOn"]),
            (&json!(true), &json!("8888"), &json!(true)));
        let list = jane.get(&format!("{GLOBAL}/list?search=PYTORCH")).await.body;
        assert_eq!(list[0]["id"], number);
        assert_eq!(jane.get(&format!("{GLOBAL}/list?search=ubuntu")).await.body, json!([]));
        let own = made(&jane, example()).await;
        for (method, path) in [
            (Method::GET, format!("{OWN}/{number}")),
            (Method::PUT, format!("{OWN}/{number}")),
            (Method::DELETE, format!("{OWN}/{number}")),
            (Method::GET, format!("{GLOBAL}/{}", own["id"])),
        ] {
            let body = (method == Method::PUT).then(|| json!({ "name": "mine" }));
            is_refused(&jane.ask(method, &path, body).await, 404, "Not Found");
        }
        assert_eq!(jane.get(&path).await.body, seen);
    }

    async fn templates_of_others_are_not_there(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let (jane, john) = (Program::of(&jane).await, Program::of(&john).await);
        let template = made(&jane, example()).await;
        for (method, body) in [
            (Method::GET, None),
            (Method::PUT, Some(json!({ "name": "mine" }))),
            (Method::DELETE, None),
        ] {
            is_refused(&john.ask(method, &one(&template), body).await, 404, "Not Found");
        }
        assert_eq!(john.get(&format!("{OWN}/list")).await.body, json!([]));
        assert_eq!(jane.get(&one(&template)).await.body, template);
        for id in ["x", "0", "-1", "99999999999999999999"] {
            is_refused(&jane.get(&format!("{OWN}/{id}")).await, 404, "Not Found");
        }
    }

    async fn lists_come_in_pages(app: &TestApp) {
        let jane = Program::of(&app.user("jane").await).await;
        for number in 0..5 {
            app.clock.advance(chrono::Duration::seconds(1));
            made(&jane, json!({ "imageName": format!("image-{number}") })).await;
        }
        let names = async |query: &str| -> Vec<String> {
            let rows = jane.get(&format!("{OWN}/list?{query}")).await.body;
            let name = |row: &Value| row["imageName"].as_str().unwrap()[6..].to_owned();
            rows.as_array().unwrap().iter().map(name).collect()
        };
        assert_eq!(names("").await, ["4", "3", "2", "1", "0"]);
        assert_eq!(names("page=2&itemsPerPage=2").await, ["2", "1"]);
        assert_eq!(names("search=GE-3").await, ["3"]);
        let refusal = jane.get(&format!("{OWN}/list?itemsPerPage=1001")).await;
        assert_eq!(refusal.status, 422);
    }

    async fn every_fault_of_a_template_is_named(app: &TestApp) {
        let jane = Program::of(&app.user("jane").await).await;
        let wrong = json!({
            "imageName": "a b", "defaultTag": "", "diskSize": 70_000, "isPasswordProtected": true
        });
        let refusal = jane.ask(Method::POST, OWN, Some(wrong)).await;
        assert_eq!(refusal.status, 422, "{}", refusal.body);
        let paths: Vec<_> = refusal.body["violations"].as_array().unwrap().iter()
            .map(|fault| fault["propertyPath"].as_str().unwrap()).collect();
        for path in ["imageName", "defaultTag", "diskSize", "username", "password"] {
            assert!(paths.contains(&path), "{path}: {paths:?}");
        }
        let wrong = json!({
            "imageName": "a", "diskSize": "x", "exposePorts": "22;80",
            "envVariables": [{ "name": "A" }], "argOptions": {}, "startScript": []
        });
        let refusal = jane.ask(Method::POST, OWN, Some(wrong)).await;
        assert_eq!(refusal.body["violations"].as_array().unwrap().len(), 5, "{}", refusal.body);
        assert_eq!(jane.get(&format!("{OWN}/list")).await.body, json!([]));
    }
}
