use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn steps_share_a_connection_until_nobody_needs_it() {
    let idle = Duration::from_millis(1500);
    let bed = Bed::with(SshHost::start(), SshSettings { idle, ..SshSettings::default() });
    let count = || bed.host.told("pgrep -c -f '[s]shd: root@notty' || true");
    for _ in 0..5 {
        bed.driver.inspect(&bed.site).await.unwrap();
    }
    let ask = || bed.driver.inspect(&bed.site);
    let answers =
        tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    for answer in [answers.0, answers.1, answers.2, answers.8, answers.9] {
        answer.unwrap();
    }
    assert_eq!(bed.book.shown().len(), 1);
    assert_eq!(count(), "1");
    tokio::time::sleep(idle * 3).await;
    assert_eq!(count(), "0");
    bed.driver.inspect(&bed.site).await.unwrap();
    assert_eq!(bed.book.shown().len(), 2);
}

/// Seen failing without the second try: the first step after the cut failed.
#[tokio::test]
async fn a_dead_connection_is_made_anew() {
    let bed = Bed::new();
    bed.driver.inspect(&bed.site).await.unwrap();
    for _ in 0..3 {
        bed.host.told("pkill -KILL -f '[s]shd: root@notty'");
        bed.driver.inspect(&bed.site).await.unwrap();
    }
    assert_eq!(bed.book.shown().len(), 4);
}

#[tokio::test]
async fn another_login_is_another_connection() {
    let bed = Bed::new();
    bed.driver.inspect(&bed.site).await.unwrap();
    bed.book.change(bed.site.host_id, |login| login.username = "keeper".to_owned());
    bed.driver.inspect(&bed.site).await.unwrap();
    assert_eq!(bed.book.shown().len(), 2);
    assert!(bed.host.log().contains("Accepted publickey for keeper"));
    let other = SshHost::start();
    bed.book.put(bed.site.host_id, login(&other));
    bed.driver.inspect(&bed.site).await.unwrap();
    assert!(other.log().contains("Accepted publickey for root"));
}

#[tokio::test]
async fn fifty_hosts_are_worked_on_a_few_at_a_time() {
    let host = SshHost::start();
    let count =
        "#!/bin/sh\necho + >>/run/steps; sleep 0.1; echo - >>/run/steps; exec /bin/uname \"$@\"\n";
    std::fs::write(host.path("/usr/local/sbin/uname"), count).unwrap();
    host.told("chmod 0755 /usr/local/sbin/uname");
    let most = 6;
    let bed = Bed::with(host, SshSettings { most_connections: most, ..SshSettings::default() });
    let mut steps = tokio::task::JoinSet::new();
    for number in 1..=50 {
        let site = site(number, &bed.host);
        bed.book.put(site.host_id, login(&bed.host));
        let driver = bed.driver.clone();
        steps.spawn(async move {
            let inspected = driver.inspect(&site).await;
            inspected.and(driver.prepare(&site).await)
        });
    }
    while let Some(step) = steps.join_next().await {
        step.unwrap().unwrap();
    }
    let (mut now, mut greatest) = (0, 0);
    for line in read(&bed.host, "/run/steps").lines() {
        now += if line == "+" { 1 } else { -1 };
        greatest = greatest.max(now);
    }
    assert!((2..=i32::try_from(most).unwrap()).contains(&greatest), "{greatest}");
    // Connections that nobody needs make way: seen failing without a bound on them, with 50.
    let count = || bed.host.told("pgrep -c -f '[s]shd: root@notty' || true");
    let began = Instant::now();
    while count().parse::<usize>().unwrap() > most {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", count());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(bed.book.shown().len() >= 50);
}

#[tokio::test]
async fn hosts_take_turns_at_the_only_connection() {
    let hosts = [SshHost::start(), SshHost::start()];
    let [one, two] = &hosts;
    let bed =
        Bed::with(SshHost::start(), SshSettings { most_connections: 1, ..SshSettings::default() });
    for (number, host) in [(2, one), (3, two)] {
        bed.book.put(site(number, host).host_id, login(host));
    }
    for _ in 0..3 {
        for site in [site(2, one), site(3, two), bed.site.clone()] {
            bed.driver.inspect(&site).await.unwrap();
        }
    }
    // One that leads elsewhere by now is in nobody's way.
    bed.book.put(bed.site.host_id, login(one));
    bed.driver.inspect(&bed.site).await.unwrap();
    assert_eq!(bed.book.shown().len(), 10);
}
