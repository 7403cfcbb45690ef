//! Rentals to try things on, for the files about early ends, quotes, renewals, suppliers, outages.
//! The clients of this file have tokens that do not run out as days pass.

use domain::money::Money;
use serde_json::{Value, json};
use tests::{Client, TestApp};

/// Somebody with money.
pub async fn payer(app: &TestApp, name: &str, amount: &str) -> Client {
    app.renter(name, amount).await.lasting().await
}

/// The operator `boss`.
pub async fn boss(app: &TestApp) -> Client {
    app.operator("boss").await.lasting().await
}

/// Rents a server for 7 days that becomes ready at once; answers the rental's path.
pub async fn rented(app: &TestApp, renter: &Client, server: &str) -> String {
    let rental = unready(renter, server).await;
    app.do_jobs().await;
    rental
}

/// Rents a server for 7 days that does not become ready until the jobs are done.
pub async fn unready(renter: &Client, server: &str) -> String {
    let data = renter.rent(server, 7).await.data(201);
    format!("/rentals/{}", data["rental"]["id"].as_str().unwrap())
}

/// Extends a rental by 7 days.
pub async fn extended(payer: &Client, rental: &str) -> Value {
    payer.post(&format!("{rental}/extend"), json!({ "additional_days": 7 })).await.data(200)
}

/// Gives a server one price, for 7 days, with 2 days of hold.
pub async fn price(boss: &Client, server: &str, price: &str) {
    let prices = json!({ "prices": { "7": { "price": price, "hold_days": 2 } } });
    boss.patch(&format!("/admin/servers/{server}"), prices).await.data(200);
}

/// What ending a rental now would give back.
pub async fn refund_of(client: &Client, rental: &str) -> String {
    let preview = client.get(&format!("{rental}/termination-preview")).await.data(200);
    preview["refund_amount"].as_str().unwrap().to_owned()
}

/// Ends a rental that must give back what the preview says; answers that.
pub async fn ended(client: &Client, rental: &str) -> String {
    let refund = refund_of(client, rental).await;
    let body = json!({ "expected_refund": refund });
    let data = client.post(&format!("{rental}/terminate"), body).await.data(200);
    assert_eq!(data["refund_amount"], refund, "the preview and the booking differ");
    assert_eq!(data["rental"]["status"], "terminated");
    let rows = data["transactions"].as_array().unwrap().iter();
    let sum: Money = rows.map(|row| Money::parse(&row["amount"].to_string()).unwrap()).sum();
    assert_eq!(sum.to_string(), refund, "the transactions are not the refund");
    refund
}

/// The status of a rental.
pub async fn status(client: &Client, rental: &str) -> String {
    client.get(rental).await.data(200)["status"].as_str().unwrap().to_owned()
}

/// The kinds of a wallet's transactions with their amounts, newest first, without deposits.
pub async fn moves(client: &Client) -> Vec<(String, f64)> {
    let path = "/wallet/transactions?transaction_type=payment,refund,debit,adjustment&limit=100";
    let page = client.get(path).await.data(200);
    let rows = page["transactions"].as_array().unwrap().clone();
    let row = |row: &Value| {
        let kind = row["transaction_type"].as_str().unwrap().to_owned();
        (kind, row["amount"].as_f64().unwrap())
    };
    rows.iter().map(row).collect()
}

/// How many of a wallet's transactions are of this kind.
pub async fn count(client: &Client, kind: &str) -> usize {
    moves(client).await.iter().filter(|(of, _)| of == kind).count()
}

/// What somebody was told, oldest first: the kinds, with the reason of those that have one.
pub async fn told(client: &Client) -> Vec<String> {
    let rows = client.get("/notifications").await.data(200);
    let mut told = Vec::new();
    for row in rows.as_array().unwrap().iter().rev() {
        let kind = row["kind"].as_str().unwrap();
        match row["after"]["reason"].as_str().filter(|_| kind.contains("renewal")) {
            Some(reason) => told.push(format!("{kind}: {reason}")),
            None => told.push(kind.to_owned()),
        }
    }
    told
}

/// A number out of the database.
pub async fn number(app: &TestApp, sql: &str) -> i64 {
    let connection = app.database.connect().await;
    let backend = sea_orm::ConnectionTrait::get_database_backend(&connection);
    let query = sea_orm::Statement::from_string(backend, sql);
    let row = sea_orm::ConnectionTrait::query_one_raw(&connection, query).await.unwrap().unwrap();
    let found = row.try_get_by_index(0).unwrap();
    connection.close().await.unwrap();
    found
}
