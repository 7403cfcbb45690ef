//! Servers as operators list, change and retire them.

use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

/// The server of the published API's examples, as an operator describes it.
async fn description(app: &TestApp, operator: &Client) -> Value {
    let id = app.server("template").await;
    let seen = operator.get(&format!("/admin/servers/{id}")).await.data(200);
    operator.delete(&format!("/admin/servers/{id}")).await.data(200);
    json!({
        "external_id": "rack-7", "specs": seen["specs"],
        "prices": {
            "7": { "price": "70.00", "hold_days": 2 },
            "30": { "price": "240", "hold_days": 3 }
        }
    })
}

async fn offered(app: &TestApp) -> Vec<Value> {
    app.stranger().get("/servers/available").await.data(200).as_array().unwrap().clone()
}

on_both_databases! {
    async fn a_listed_server_is_offered_as_described(app: &TestApp) {
        let operator = app.operator("olga").await;
        let mut body = description(app, &operator).await;
        body["specs"]["name"] = json!("node-7");
        let server = operator.post("/admin/servers", body.clone()).await.data(201);
        assert_eq!((&server["occupancy"], &server["is_listed"]), (&json!("free"), &json!(true)));
        assert_eq!((&server["external_id"], &server["specs"]), (&json!("rack-7"), &body["specs"]));
        assert_eq!(server["pricing"]["prices"], json!({ "7": "70.00", "30": "240.00" }));
        let offered = offered(app).await;
        assert_eq!(offered.len(), 1);
        assert_eq!((&offered[0]["id"], &offered[0]["name"]), (&server["id"], &json!("node-7")));
        let all = operator.get("/admin/servers").await.data(200);
        assert_eq!(all.as_array().unwrap().len(), 2);
        let jane = app.user("jane").await;
        jane.post("/admin/servers", body).await.refused(403, "OPERATOR_REQUIRED");
    }

    async fn an_external_id_names_one_server(app: &TestApp) {
        let operator = app.operator("olga").await;
        let body = description(app, &operator).await;
        operator.post("/admin/servers", body.clone()).await.data(201);
        let again = operator.post("/admin/servers", body).await;
        assert_eq!(again.faults(), ["/external_id"]);
        assert_eq!(offered(app).await.len(), 1);
    }

    async fn a_server_without_prices_waits_to_be_offered(app: &TestApp) {
        let operator = app.operator("olga").await;
        let mut body = description(app, &operator).await;
        body["is_listed"] = json!(false);
        let answer = operator.post("/admin/servers", body.clone()).await;
        assert_eq!(answer.faults(), ["/is_listed"]);
        let prices = std::mem::take(&mut body["prices"]);
        (body["is_listed"], body["prices"]) = (json!(true), json!({}));
        let server = operator.post("/admin/servers", body).await.data(201);
        assert_eq!(offered(app).await.len(), 0);
        let path = format!("/admin/servers/{}", server["id"].as_str().unwrap());
        operator.patch(&path, json!({ "prices": prices })).await.data(200);
        assert_eq!(offered(app).await.len(), 1);
    }

    async fn a_description_is_refused_with_its_faults(app: &TestApp) {
        let operator = app.operator("olga").await;
        let good = description(app, &operator).await;
        let cases = [
            ("/external_id", "/external_id", json!("")),
            ("/external_id", "/external_id", json!("x".repeat(101))),
            ("/specs", "/specs", json!({})),
            ("/specs", "/specs", json!("a server")),
            ("/specs/category", "/specs", json!("fun")),
            ("/specs/cpu/cores", "/specs", json!(-1)),
            ("/specs/cpu/cores", "/specs/cpu/cores", json!(0)),
            ("/specs/name", "/specs/name", json!(" ")),
            ("/specs/name", "/specs/name", json!("nul\0")),
            ("/specs/gpu", "/specs/gpu", json!("nul\0")),
            ("/specs/gpu", "/specs/gpu", json!("x".repeat(201))),
            ("/specs/disks/0/interface", "/specs/disks", json!("nul\0")),
            ("/specs/disks/0/interface", "/specs/disks", json!("x".repeat(101))),
            ("/specs/disks/0/count", "/specs/disks", json!(0)),
            ("/specs/location/country", "/specs/location/country", json!("de")),
            ("/specs/network/traffic_tb", "/specs/network/traffic_tb", json!(0)),
            ("/prices/7", "/prices", json!({ "price": 70 })),
            ("/prices/7", "/prices", json!({ "price": "0" })),
            ("/prices/7", "/prices", json!({ "price": "70.001" })),
            ("/prices/7", "/prices", json!({ "price": "70", "hold_days": 366 })),
            ("/prices", "/prices", json!({ "0": { "price": "1" } })),
            ("/prices", "/prices", json!({ "3651": { "price": "1" } })),
            ("/prices", "/prices", json!({ "week": { "price": "1" } })),
            ("/prices", "/prices", json!([])),
        ];
        for (at, named, value) in cases {
            let mut body = good.clone();
            *body.pointer_mut(at).unwrap() = value.clone();
            let answer = operator.post("/admin/servers", body).await;
            assert_eq!(answer.faults(), [named], "{at} = {value}");
        }
        assert_eq!(offered(app).await.len(), 0);
    }

    async fn a_new_price_holds_for_new_rentals_and_extensions(app: &TestApp) {
        let operator = app.operator("olga").await;
        let (server, jane) = (app.server("node").await, app.renter("jane", "300.00").await);
        let rental = jane.rent(&server, 7).await.data(201)["rental"]["id"].clone();
        let path = format!("/admin/servers/{server}");
        let prices =
            json!({ "prices": { "7": { "price": "90.00" }, "14": { "price": "150.50" } } });
        let changed = operator.patch(&path, prices).await.data(200);
        assert_eq!(changed["pricing"]["prices"], json!({ "7": "90.00", "14": "150.50" }));
        assert_eq!(changed["occupancy"], "rented");
        let path = format!("/rentals/{}", rental.as_str().unwrap());
        assert_eq!(jane.get(&path).await.data(200)["amount"], "70.00");
        let body = json!({ "additional_days": 7 });
        jane.post(&format!("{path}/extend"), body).await.data(200);
        assert_eq!(jane.get(&path).await.data(200)["amount"], "160.00");
        assert_eq!(jane.balance_cents().await, 14_000);
    }

    async fn what_a_change_leaves_out_stays(app: &TestApp) {
        let operator = app.operator("olga").await;
        let path = format!("/admin/servers/{}", app.server("node").await);
        let before = operator.get(&path).await.data(200);
        let same = operator.patch(&path, json!({ "colour": 1 })).await;
        assert_eq!(same.data(200), before);
        let mut specs = before["specs"].clone();
        specs["ram_gb"] = json!(512);
        let after = operator.patch(&path, json!({ "specs": specs })).await.data(200);
        assert_eq!((&after["specs"], &after["pricing"]), (&specs, &before["pricing"]));
        let found = app.stranger().get("/servers/available?min_ram_gb=512").await.data(200);
        assert_eq!(found[0]["specs"]["ram"]["capacity_gb"], 512);
        let none = operator.patch(&path, json!({ "prices": {} })).await.data(200);
        assert_eq!(none["pricing"]["prices"], json!({}));
        assert_eq!(offered(app).await.len(), 0);
        let jane = app.renter("jane", "70.00").await;
        jane.rent(path.rsplit('/').next().unwrap(), 7).await.refused(400, "NO_PRICING");
    }

    async fn a_retired_server_goes_on_to_its_end_and_is_not_offered_again(app: &TestApp) {
        let operator = app.operator("olga").await;
        let (server, jane) = (app.server("node").await, app.renter("jane", "300.00").await);
        let rental = jane.rent(&server, 7).await.data(201)["rental"]["id"].clone();
        app.do_jobs().await;
        let path = format!("/admin/servers/{server}");
        operator.delete(&path).await.data(200);
        operator.delete(&path).await.data(200);
        let mine = format!("/rentals/{}", rental.as_str().unwrap());
        let seen = jane.get(&mine).await.data(200);
        assert_eq!(seen["status"], "active");
        let extension = jane.post(&format!("{mine}/extend"), json!({ "additional_days": 7 })).await;
        extension.refused(409, "SERVER_UNAVAILABLE");
        assert_eq!(jane.balance_cents().await, 23_000);
        app.days_pass(7);
        app.sweep().await;
        app.days_pass(2);
        app.sweep().await;
        let (jane, operator) = (app.log_in("jane").await, app.log_in("olga").await);
        assert_eq!(jane.get(&mine).await.data(200)["status"], "expired");
        let seen = operator.get(&path).await.data(200);
        assert_eq!((&seen["occupancy"], &seen["is_listed"]), (&json!("free"), &json!(false)));
        assert_eq!(offered(app).await.len(), 0);
        jane.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        operator.patch(&path, json!({ "is_listed": true })).await.data(200);
        jane.rent(&server, 7).await.data(201);
    }

    async fn a_server_that_is_not_there_cannot_be_changed(app: &TestApp) {
        let operator = app.operator("olga").await;
        for id in ["507f1f77bcf86cd799439014", "nothing", "507F1F77BCF86CD799439014"] {
            let path = format!("/admin/servers/{id}");
            operator.get(&path).await.refused(404, "SERVER_NOT_FOUND");
            operator.patch(&path, json!({})).await.refused(404, "SERVER_NOT_FOUND");
            operator.delete(&path).await.refused(404, "SERVER_NOT_FOUND");
        }
    }
}
