use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use super::{Program, is_refused};
use crate::ssh_keys::public_key;

const LIST: &str = "/user-ssh-keys/list";

on_both_databases! {
    async fn keys_are_those_of_the_other_surfaces(app: &TestApp) {
        let owner = app.user("jane").await;
        let jane = Program::of(&owner).await;
        let wish = json!({ "name": "laptop", "public_key": public_key("laptop") });
        owner.post("/ssh-keys", wish).await.data(201);
        app.clock.advance(chrono::Duration::seconds(1));
        let wish = json!({ "name": "Desk", "publicKey": public_key("desk") });
        let made = jane.ask(Method::POST, "/user-ssh-keys", Some(wish.clone())).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let desk = made.body;
        assert_eq!((&desk["name"], &desk["publicKey"]), (&json!("Desk"), &wish["publicKey"]));
        assert!(desk["id"].is_i64() && desk["createdAt"].as_str().unwrap().ends_with("+00:00"));
        let again = jane.ask(Method::POST, "/user-ssh-keys", Some(wish)).await;
        assert_eq!((again.status, &again.body["title"]), (409, &json!("An error occurred")));

        let rows = jane.get(LIST).await.body;
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        let names: Vec<_> = rows.as_array().unwrap().iter().map(name).collect();
        assert_eq!(names, ["Desk", "laptop"]);
        assert_eq!(rows[0], desk);
        assert_eq!(jane.get(&format!("{LIST}?search=LAP")).await.body, json!([rows[1]]));
        let second = format!("{LIST}?page=2&itemsPerPage=1");
        assert_eq!(jane.get(&second).await.body, json!([rows[1]]));
        let path = format!("/user-ssh-keys/{}", desk["id"]);
        assert_eq!(jane.get(&path).await.body, desk);
        assert_eq!(jane.ask(Method::DELETE, &path, None).await.status, 204);
        is_refused(&jane.ask(Method::DELETE, &path, None).await, 404, "Not Found");
        let left = owner.get("/ssh-keys").await.data(200);
        assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &json!("laptop")));
    }

    async fn keys_of_others_are_not_there(app: &TestApp) {
        let jane = Program::of(&app.user("jane").await).await;
        let john = Program::of(&app.user("john").await).await;
        let wish = json!({ "name": "laptop", "publicKey": public_key("laptop") });
        let made = jane.ask(Method::POST, "/user-ssh-keys", Some(wish)).await.body;
        let path = format!("/user-ssh-keys/{}", made["id"]);
        for method in [Method::GET, Method::DELETE] {
            is_refused(&john.ask(method, &path, None).await, 404, "Not Found");
        }
        assert_eq!(john.get(LIST).await.body, json!([]));
        assert_eq!(jane.get(&path).await.body, made);
        for (wish, property) in [
            (json!({ "name": "x", "publicKey": "no key" }), "publicKey"),
            (json!({ "publicKey": public_key("desk") }), "name"),
        ] {
            let refusal = jane.ask(Method::POST, "/user-ssh-keys", Some(wish)).await;
            let fault = &refusal.body["violations"][0]["propertyPath"];
            assert_eq!((refusal.status, fault), (422, &json!(property)));
        }
    }
}
