//! SSH keys. What they have in common with scripts is tried in `belongings`.

use serde_json::json;
use tests::{TestApp, on_both_databases};

use crate::belongings::{Noun, default_pool};

/// The text of a key; each comment makes another text.
pub fn public_key(comment: &str) -> String {
    let key = include_str!("../../../domain/src/ssh_key/examples/ed25519.pub");
    format!("{} {comment}", key.trim_end().strip_suffix(" me@example.org").unwrap())
}

pub const KEYS: Noun = Noun {
    path: "/ssh-keys",
    code: "SSH_KEY",
    event: "ssh_key",
    table: "ssh_keys (id, pool_id, name, public_key, fingerprint, digest, created_at)",
    wish: |name| json!({ "name": name, "public_key": public_key(name) }),
};

on_both_databases! {
    async fn a_key_is_kept_as_it_was_sent(app: &TestApp) {
        let jane = app.user("jane").await;
        let text = format!("{}\r\n", public_key("jane  ä "));
        let wish = json!({ "name": " laptop ", "public_key": text.clone() });
        let made = jane.post("/ssh-keys", wish).await.data(201);
        assert_eq!(made["public_key"], text);
        let fingerprint = "SHA256:VgS3deG2Wl/BxsL7HCYOZG47z5foxn8BdWE+eE2pBJw";
        assert_eq!((&made["fingerprint"], &made["name"]), (&json!(fingerprint), &json!("laptop")));
        assert_eq!(made["author_id"], jane.id);
        assert_eq!(made["pool_id"], default_pool(&jane).await);
        let seen = jane.get(&KEYS.one(made["id"].as_str().unwrap())).await.data(200);
        assert_eq!(seen, made);
        assert_eq!(jane.get("/ssh-keys").await.data(200), json!([made]));
    }

    async fn every_fault_of_a_key_is_named(app: &TestApp) {
        let jane = app.user("jane").await;
        let faults = ["/name", "/public_key"];
        assert_eq!(jane.post("/ssh-keys", json!({})).await.faults(), faults);
        let two = format!("{}\n{}", public_key("a"), public_key("b"));
        let wish = json!({ "name": "\u{7}", "public_key": two, "pool_id": "x" });
        let faults = ["/name", "/public_key", "/pool_id"];
        assert_eq!(jane.post("/ssh-keys", wish).await.faults(), faults);
        for text in [
            include_str!("../../../domain/src/ssh_key/examples/rsa_1024.pub"),
            include_str!("../../../domain/src/ssh_key/examples/certificate.pub"),
            "ssh-ed25519",
            "no-pty",
        ] {
            let wish = json!({ "name": "a", "public_key": text });
            assert_eq!(jane.post("/ssh-keys", wish).await.faults(), ["/public_key"], "{text}");
        }
        assert_eq!(jane.get("/ssh-keys").await.data(200), json!([]));
    }
}
