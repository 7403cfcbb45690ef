//! Clients that come through the HTTP door.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::host::{self, HostDraft};
use domain::money::Money;
use domain::user::{self, Email, Operator, Password, SignUp, Username};
use domain::wallet::{self, Book};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::contract;

/// The password of every test user.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody with or without credentials.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    /// The `Authorization` header, if any.
    pub authorization: Option<String>,
    /// The user's id, if signed in.
    pub id: String,
    /// The user's name, if signed in.
    pub username: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, null if it was empty; a string if it was no JSON.
    pub body: Value,
}

impl Answer {
    /// The `data` of a success of this status; anything else fails the test.
    #[track_caller]
    pub fn data(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body["data"].clone()
    }

    /// Fails the test unless this is the refusal.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["error"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
    }

    /// The paths that a `VALIDATION_ERROR` names, in its order; anything else fails the test.
    #[track_caller]
    pub fn faults(&self) -> Vec<&str> {
        self.refused(400, "VALIDATION_ERROR");
        let faults = self.body["data"].as_array().unwrap();
        faults.iter().map(|fault| fault["path"].as_str().unwrap()).collect()
    }
}

/// Sends all at once; answers what came back, in the order of the requests.
pub async fn at_once<F>(requests: impl IntoIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let tasks: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// The whole path of one below `/api/v1`, or below the root if it begins with `/!`.
fn rooted(path: &str) -> String {
    path.strip_prefix("/!").map_or(format!("/api/v1{path}"), |root| format!("/{root}"))
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, address: String) -> Self {
        Self { http, address, authorization: None, id: String::new(), username: String::new() }
    }

    /// A stranger to a server that runs at this address. It keeps no connection between requests,
    /// so that the server may be killed and started again.
    pub fn at(address: &str) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0);
        let http = http.timeout(Duration::from_secs(30)).build().unwrap();
        Self::new(http, address.to_owned())
    }

    /// The same client with other credentials.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..self.clone() }
    }

    /// The same client at another server on the same database.
    #[must_use]
    pub fn through(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    /// The same client with an API token that may do everything and does not run out as days pass.
    pub async fn lasting(&self) -> Self {
        let wish = json!({ "alias": "lasting", "permissions": { "*": true } });
        let made = self.post("/auth/tokens", wish).await.data(201);
        self.with_token(made["token"].as_str().unwrap())
    }

    /// Signs up, with [`PASSWORD`].
    pub async fn sign_up(&self, username: &str) -> Value {
        let email = format!("{username}@example.org");
        let body = json!({ "username": username, "email": email, "password": PASSWORD });
        self.post("/auth/signup", body).await.data(201)
    }

    /// The same client with a new session.
    pub async fn log_in(&self, username: &str) -> Self {
        let body = json!({ "username": username, "password": PASSWORD });
        let data = self.post("/users/auth/login", body).await.data(200);
        Self {
            id: data["user"]["id"].as_str().unwrap().to_owned(),
            username: username.to_owned(),
            ..self.with_token(data["token"].as_str().unwrap())
        }
    }

    /// Any request; `path` is below `/api/v1` unless it begins with `/!`, which stands for the
    /// root.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// The same, for a server that may be killed: an error says that no whole answer came.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let path = rooted(path);
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.address));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        let headers = headers.collect();
        let text = response.text().await?;
        let as_it_is = || if text.is_empty() { Value::Null } else { text.clone().into() };
        let body = serde_json::from_str(&text).unwrap_or_else(|_| as_it_is());
        let answer = Answer { status, headers, body };
        contract::hold(&method, &path, &answer);
        Ok(answer)
    }

    /// POST of a text as it is; the path is as in [`Client::send`].
    pub async fn post_text(&self, path: &str, headers: &[(&str, &str)], text: &str) -> Answer {
        let mut request = self.http.post(format!("{}{}", self.address, rooted(path)));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(text.to_owned()).send().await.unwrap();
        let status = response.status().as_u16();
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null);
        Answer { status, headers: BTreeMap::new(), body }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(&body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(&body)).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// POST with an idempotency key.
    pub async fn post_once(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(&body)).await
    }

    /// Rents a server for some days.
    pub async fn rent(&self, server: &str, days: u32) -> Answer {
        self.post(&format!("/servers/{server}/rent"), json!({ "rental_days": days })).await
    }

    /// The balance in cents.
    pub async fn balance_cents(&self) -> i64 {
        let data = self.get("/wallet/balances").await.data(200);
        data["general_balance"].as_str().unwrap().replace('.', "").parse().unwrap()
    }
}

impl TestApp {
    /// Somebody who signed up and logged in, without money.
    pub async fn user(&self, username: &str) -> Client {
        self.stranger().sign_up(username).await;
        self.log_in(username).await
    }

    /// Somebody with money, in the deployment's currency, such as `"100.00"`.
    pub async fn renter(&self, username: &str, amount: &str) -> Client {
        let client = self.user(username).await;
        self.deposit(username, amount).await;
        client
    }

    /// An operator.
    pub async fn operator(&self, username: &str) -> Client {
        let app = &self.app;
        let request = SignUp {
            username: Username::parse(username).unwrap(),
            email: Email::parse(&format!("{username}@example.org")).unwrap(),
            password: Password::parse(PASSWORD).unwrap(),
            alias: None,
            from: None,
        };
        let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
        user::create_operator(store, clock, random, app.passwords.as_ref(), request).await.unwrap();
        self.log_in(username).await
    }

    /// A client with a new session.
    pub async fn log_in(&self, username: &str) -> Client {
        self.stranger().log_in(username).await
    }

    /// Books money, as the console does.
    pub async fn deposit(&self, username: &str, amount: &str) {
        let app = &self.app;
        let request = Book {
            operator: Operator::Console,
            username: username.to_owned(),
            amount: Money::parse(amount).unwrap(),
            reason: "test money".to_owned(),
            corrects: None,
            idempotency_key: None,
        };
        let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
        wallet::deposit(store, clock, random, request).await.unwrap();
    }

    /// Lists servers; answers their ids.
    pub async fn list_servers(&self, drafts: Vec<HostDraft>) -> Vec<String> {
        let app = &self.app;
        let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
        let mut ids = Vec::new();
        for draft in drafts {
            let operator = Operator::Console;
            let host = host::enlist(store, clock, random, &operator, draft).await.unwrap();
            ids.push(host.id.to_string());
        }
        ids
    }

    /// Lists one server like that of the published API's examples: 7 days cost 70.00 with 2 days of
    /// hold, 30 days 240.00 with 3.
    pub async fn server(&self, name: &str) -> String {
        self.list_servers(vec![crate::contract::example_server(name)]).await.remove(0)
    }
}
