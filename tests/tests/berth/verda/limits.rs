use chrono::Duration;
use tests::{TestApp, at_once, on_both_databases};

use super::{get, halves, is_refused, program, token};
use crate::belongings::default_pool;

on_both_databases! {
    async fn a_project_is_told_what_is_left_and_stopped_when_nothing_is(app: &TestApp) {
        let jane = app.user("jane").await;
        let first = program(&jane).await;
        let policy = "\"project\";q=500;w=60, \"endpoint\";q=60;w=60";
        let answer = get(&first, "/balance").await;
        assert_eq!(answer.headers["ratelimit-policy"], policy);
        let left = "\"project\";r=499;t=60, \"endpoint\";r=59;t=60";
        assert_eq!(answer.headers["ratelimit"], left);
        app.clock.advance(Duration::milliseconds(20_500));
        // Another program of the same project has the same window; another endpoint its own.
        let again = token(&jane, &halves(&jane, &default_pool(&jane).await).await).await;
        let second = jane.with_token(again.body["access_token"].as_str().unwrap());
        let answer = get(&second, "/locations").await;
        let left = "\"project\";r=498;t=40, \"endpoint\";r=59;t=60";
        assert_eq!(answer.headers["ratelimit"], left);
        for _ in 0..59 {
            assert_eq!(get(&second, "/balance").await.status, 200);
        }
        let stopped = get(&first, "/balance").await;
        is_refused(&stopped, 429, "rate_limit_exceeded", "Too many requests");
        assert_eq!(stopped.headers["retry-after"], "40");
        assert!(stopped.headers["ratelimit"].contains("\"endpoint\";r=0;t=40"));
        // Another spelling of the path is the same endpoint.
        assert_eq!(get(&first, "/%62alance").await.status, 429);
        // Another project, and another endpoint of this one, go on.
        let john = program(&app.user("john").await).await;
        assert_eq!(get(&john, "/balance").await.status, 200);
        assert_eq!(get(&first, "/locations").await.status, 200);
        app.clock.advance(Duration::seconds(40));
        let next = get(&first, "/balance").await;
        assert_eq!(next.headers["ratelimit"], "\"project\";r=499;t=60, \"endpoint\";r=59;t=60");
    }

    async fn all_endpoints_together_have_a_limit_too(app: &TestApp) {
        let program = program(&app.user("jane").await).await;
        let mut stopped = None;
        for number in 0..501 {
            // A path each.
            let answer = get(&program, &format!("/sshkeys/{number}")).await;
            if answer.status == 429 {
                stopped = Some((number, answer));
                break;
            }
        }
        let (number, answer) = stopped.expect("the project's limit");
        assert_eq!((number, answer.headers["retry-after"].as_str()), (500, "60"));
        is_refused(&answer, 429, "rate_limit_exceeded", "Too many requests");
    }

    async fn requests_at_once_are_counted_one_by_one(app: &TestApp) {
        let program = program(&app.user("jane").await).await;
        let answers = at_once((0..100).map(|_| {
            let client = program.clone();
            async move { get(&client, "/balance").await }
        }));
        let answers = answers.await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(200), count(429)), (60, 40));
    }
}
