use tests::engine::ssh_by_password;

use super::*;

/// Characters that a shell would read otherwise.
const PASSWORD: &str = "a $PATH 'b' \\n \"c\" `d` :%s";

fn with_password(user: &str, password: &str) -> InstanceSpec {
    let password = Some(password.to_owned().into());
    InstanceSpec { username: user.to_owned(), password, ..spec() }
}

fn log_in(bed: &Bed, spec: &InstanceSpec, user: &str, password: &str) -> Result<String, String> {
    let door = (bed.site.address, spec.ports[0].outside);
    let output = ssh_by_password(door, (user, password), "id -un");
    let told = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(told(output.stdout)) } else { Err(told(output.stderr)) }
}

fn is_denied(answer: &Result<String, String>) -> bool {
    answer.as_ref().is_err_and(|told| told.contains("Permission denied"))
}

// Seen failing without the server's configuration, and without `chpasswd`.
#[tokio::test]
async fn a_password_logs_in_beside_keys_and_a_wrong_one_does_not() {
    let bed = Bed::new();
    let (key, line) = bed.key("mine");
    let mut spec = InstanceSpec { public_keys: vec![line], ..with_password("root", PASSWORD) };
    bed.run(&spec).await;
    assert_eq!(log_in(&bed, &spec, "root", PASSWORD), Ok("root".to_owned()));
    assert_eq!(bed.told(&spec, &key, "id -un"), "root");
    for (user, password) in [("root", "guess"), ("root", ""), ("jane", PASSWORD), ("jane", "")] {
        let answer = log_in(&bed, &spec, user, password);
        assert!(is_denied(&answer), "{user}, {password}: {answer:?}");
    }
    // Nobody on the host reads it anywhere.
    let known = bed.engine.podman(&["inspect", &container(&spec)]);
    assert!(!known.contains("PATH 'b'"), "{known}");
    assert_eq!(bed.exec(&spec, "tr '\\0' '\\n' </proc/1/environ | head -c 0"), "");
    let hash = bed.exec(&spec, "head -n 1 /etc/shadow; ls /etc/ssh/sshd_config*");
    assert!(hash.starts_with("root:$6$") && !hash.contains("PATH"), "{hash}");

    // Another one at the next start, and the old one no more.
    spec.password = Some("another".to_owned().into());
    bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    bed.run(&spec).await;
    assert_eq!(log_in(&bed, &spec, "root", "another"), Ok("root".to_owned()));
    assert!(is_denied(&log_in(&bed, &spec, "root", PASSWORD)));
    let config = bed.exec(&spec, "cat /etc/ssh/sshd_config");
    assert_eq!(config.matches("Match User root").count(), 1, "{config}");
}

#[tokio::test]
async fn without_a_password_no_server_takes_one() {
    let bed = Bed::new();
    let config = "cat /etc/ssh/sshd_config /etc/shadow";
    let spec = spec();
    bed.run(&spec).await;
    let before = bed.exec(&spec, config);
    assert!(!before.contains("Match"), "{before}");
    assert!(is_denied(&log_in(&bed, &spec, "root", "*")));
    // One that runs is given one, and its server learns of it.
    let spec = InstanceSpec { password: Some("late".to_owned().into()), ..spec };
    bed.driver.start(&bed.site, &spec).await.unwrap();
    let began = Instant::now();
    while log_in(&bed, &spec, "root", "late").is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "the server takes none");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// As Debian and its like have it: files beside the server's own, which the image's own command
/// starts, and accounts that are locked.
#[tokio::test]
async fn a_locked_user_of_a_server_with_other_files_logs_in() {
    let bed = Bed::new();
    let image = "localhost/berth-debian:1";
    bed.engine.build(
        image,
        "RUN ssh-keygen -A && mkdir -p /run/sshd /etc/ssh/sshd_config.d && \
         echo PasswordAuthentication no >/etc/ssh/sshd_config.d/50-cloud.conf && \
         printf 'Include /etc/ssh/sshd_config.d/*.conf\\nUsePAM no\\nUseDNS no\\n' \
         >/etc/ssh/sshd_config && \
         printf 'root:!:20000:0:99999:7:::\\njane:!:20000:0:99999:7:::\\n' >/etc/shadow\n\
         CMD [\"/usr/sbin/sshd\", \"-D\"]",
    );
    let jane = InstanceSpec { image: image.to_owned(), ..with_password("jane", PASSWORD) };
    bed.run(&jane).await;
    assert_eq!(log_in(&bed, &jane, "jane", PASSWORD), Ok("jane".to_owned()));
    assert!(is_denied(&log_in(&bed, &jane, "root", PASSWORD)));
    let line = "stat -c '%U %a' /etc/ssh/sshd_config.d/00-berth.conf; cat /etc/ssh/sshd_config";
    assert!(!bed.exec(&jane, line).contains("Match"), "its own file is as it was");
    // It goes where the disk goes, and so does who may log in.
    bed.driver.stop(&bed.site, jane.id, true).await.unwrap();
    let changed = InstanceSpec { hostname: "second".to_owned(), ..jane };
    bed.run(&changed).await;
    assert_eq!(log_in(&bed, &changed, "jane", PASSWORD), Ok("jane".to_owned()));
}

#[tokio::test]
async fn a_password_that_cannot_be_set_is_told() {
    let bed = Bed::new();
    for password in ["", "two\nlines"] {
        let spec = with_password("root", password);
        bed.create(&spec).await.unwrap();
        let answer = bed.driver.start(&bed.site, &spec).await;
        assert!(is_refused(&answer, "the password"), "{answer:?}");
    }
    bed.engine.build("localhost/bare:1", "RUN rm /usr/sbin/chpasswd");
    let image = "localhost/bare:1".to_owned();
    let spec = InstanceSpec { image, ..with_password("root", PASSWORD) };
    bed.create(&spec).await.unwrap();
    let answer = bed.driver.start(&bed.site, &spec).await;
    assert!(is_failed(&answer, "set the password"), "{answer:?}");
    assert!(!format!("{answer:?}").contains("PATH"), "{answer:?}");
}
