//! Invitations when many requests meet.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{Answer, TestApp, at_once, on_both_databases};

use crate::pools::{invite, new_pool, row};

/// How often each outcome came.
fn tally(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let code = answer.body["error"].as_str().unwrap_or_default().to_owned();
        *tally.entry((answer.status, code)).or_default() += 1;
    }
    tally
}

fn outcomes(expected: &[(u16, &str, usize)]) -> BTreeMap<(u16, String), usize> {
    let pairs =
        expected.iter().map(|(status, code, count)| ((*status, (*code).to_owned()), *count));
    pairs.collect()
}

on_both_databases! {
    // Seen failing on both databases without the refusal in invite.rs: 64 times 201.
    async fn of_64_invitations_of_one_user_one_is_made(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        let answers = at_once((0..64).map(|_| {
            let (jane, path) = (jane.clone(), format!("/pools/{pool}/members"));
            async move { jane.post(&path, json!({ "username": "john", "role": "user" })).await }
        }))
        .await;
        assert_eq!(tally(&answers), outcomes(&[(201, "", 1), (409, "ALREADY_INVITED", 63)]));
        let open = john.get("/pools/invitations/pending").await.data(200);
        assert_eq!(open.as_array().unwrap().len(), 1);
        let made = answers.into_iter().find(|answer| answer.status == 201).unwrap().data(201);
        assert_eq!(open[0]["id"], made["id"]);
    }

    // Seen failing on PostgreSQL without reading the invitation again under the pool's lock: 200
    // twice. SQLite has one writer, which reads no older state.
    async fn an_invitation_is_answered_once_by_64_accepts_and_rejects_at_once(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        for _ in 0..4 {
            let pool = new_pool(&jane, "p").await;
            let id = invite(&jane, &pool, "john", "user").await;
            let answers = at_once((0..64).map(|number| {
                let verb = if number % 2 == 0 { "accept" } else { "reject" };
                let (john, path) = (john.clone(), format!("/pools/{id}/{verb}"));
                async move { john.post(&path, json!({})).await }
            }))
            .await;
            assert_eq!(
                tally(&answers),
                outcomes(&[(200, "", 1), (409, "INVITATION_ANSWERED", 63)])
            );
            let accepted = answers.iter().position(|answer| answer.status == 200).unwrap() % 2 == 0;
            assert_eq!(row(&john, &pool).await.is_some(), accepted);
            let count = row(&jane, &pool).await.unwrap()["member_count"].clone();
            assert_eq!(count, if accepted { 2 } else { 1 });
        }
    }

    // Seen failing on PostgreSQL without reading the invitation again: he stayed a member.
    async fn an_invitation_accepted_while_it_is_withdrawn_ends_without_a_member(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        for turn in 0..16 {
            let id = invite(&jane, &pool, "john", "user").await;
            let accept = {
                let (john, path) = (john.clone(), format!("/pools/{id}/accept"));
                async move { john.post(&path, json!({})).await }
            };
            let withdraw = {
                let (jane, path) = (jane.clone(), format!("/pools/{pool}/members/{id}"));
                async move { jane.delete(&path).await }
            };
            let (accepted, withdrawn) = tokio::join!(accept, withdraw);
            // Whichever came first, the withdrawal found him: as an invitee or as a member.
            assert_eq!(withdrawn.status, 200, "turn {turn}: {}", withdrawn.body);
            if accepted.status != 200 {
                accepted.refused(404, "INVITATION_NOT_FOUND");
            }
            assert!(row(&john, &pool).await.is_none());
            assert_eq!(row(&jane, &pool).await.unwrap()["member_count"], 1);
            let again = john.post(&format!("/pools/{id}/accept"), json!({})).await;
            let code = if accepted.status == 200 {
                (409, "INVITATION_ANSWERED")
            } else {
                (404, "INVITATION_NOT_FOUND")
            };
            again.refused(code.0, code.1);
        }
    }

    async fn a_pool_deleted_while_64_join_it_leaves_nothing(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        let id = invite(&jane, &pool, "john", "user").await;
        let answers = at_once((0..64).map(|number| {
            let (jane, john) = (jane.clone(), john.clone());
            let (pool, id) = (format!("/pools/{pool}"), format!("/pools/{id}/accept"));
            async move {
                if number == 32 {
                    jane.delete(&pool).await
                } else {
                    john.post(&id, json!({})).await
                }
            }
        }))
        .await;
        assert_eq!(answers[32].status, 200, "{}", answers[32].body);
        let accepted = answers.iter().filter(|answer| answer.status == 200).count() - 1;
        assert!(accepted <= 1);
        for answer in &answers {
            let code = answer.body["error"].as_str();
            assert!(
                matches!(code, None | Some("INVITATION_ANSWERED" | "INVITATION_NOT_FOUND")),
                "{}",
                answer.body
            );
        }
        assert!(row(&john, &pool).await.is_none());
        jane.get(&format!("/pools/{pool}")).await.refused(404, "POOL_NOT_FOUND");
    }
}
