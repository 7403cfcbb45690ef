use domain::clock::Timestamp;
use domain::host::{Host, Occupancy, Pricing};
use domain::rental::{Access, Driver, RENTER, RentalId, Tenant};
use outbound::simulated::Simulated;
use outbound::ssh::WholeHosts;
use serde_json::json;

use super::*;

fn host(id: HostId) -> Host {
    let specs = json!({
        "name": "h1", "model": "M1", "is_vm": false, "category": "compute", "featured": false,
        "popularity_rank": null, "setup_time_minutes": 5,
        "location": { "country": "DE", "region": "EU", "city": "Berlin", "datacenter": "B1" },
        "cpu": { "model": "C1", "cores": 4, "threads": 8, "score": null },
        "ram_gb": 16, "ram_type": "DDR4", "ram_speed_mhz": null, "disks": [],
        "network": {
            "bandwidth_mbps": 1000, "traffic_tb": null, "ipv4_count": 1, "ipv6_enabled": false
        },
        "gpu": null,
    });
    Host {
        id,
        external_id: None,
        specs: serde_json::from_value(specs).unwrap(),
        pricing: Pricing::default(),
        supplier_id: None,
        sla: None,
        is_listed: true,
        occupancy: Occupancy::Free,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn tenant(number: u8, keys: &[&str]) -> Tenant {
    let rental_id = RentalId::parse(&format!("{number:024x}")).unwrap();
    let public_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Tenant { rental_id, public_keys }
}

/// Seen failing without the lock of the account.
#[tokio::test]
async fn a_renter_is_let_in_as_root_and_out_again() {
    let bed = Bed::new();
    let driver = WholeHosts::new(bed.driver.clone(), Arc::<Simulated>::default());
    let server = host(bed.site.host_id);
    let before = bed.host.told("find /etc /home /var/lib -xdev ! -name '*-' | sort");
    let accounts = bed.host.told("cat /etc/passwd /etc/shadow /etc/group /etc/gshadow");
    let (one, two) = (bed.host.new_key("one"), bed.host.new_key("two"));
    let mine = tenant(1, &[&one.1]);
    for _ in 0..2 {
        driver.grant(&server, &mine).await.unwrap();
    }
    let told = |key: &PathBuf, line: &str| {
        let output = bed.host.ssh(RENTER, key, line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(told(&one.0, "whoami; sudo -n whoami; echo data >file"), "renter\nroot");
    assert!(!is_let_in(&bed.host.ssh(RENTER, &two.0, "true")));
    assert!(driver.grant(&server, &tenant(2, &[&two.1])).await.is_err(), "it is still rented");
    driver.grant(&server, &tenant(1, &[&two.1])).await.unwrap();
    assert!(!is_let_in(&bed.host.ssh(RENTER, &one.0, "true")), "other keys replace it");
    driver.grant(&server, &tenant(1, &[&one.1, &two.1])).await.unwrap();
    for key in [&one.0, &two.0] {
        assert_eq!(told(key, "cat file"), "data");
    }

    told(&one.0, "nohup sleep 1000 >/dev/null 2>&1 & cp -r ~/.ssh ~/copy; echo data >/tmp/file");
    let other = tenant(3, &[]).rental_id;
    driver.suspend(&server, other).await.unwrap();
    driver.wipe(&server, other).await.unwrap();
    assert!(is_let_in(&bed.host.ssh(RENTER, &one.0, "true")), "another rental was meant");
    for _ in 0..2 {
        driver.suspend(&server, mine.rental_id).await.unwrap();
    }
    assert!(!is_let_in(&bed.host.ssh(RENTER, &one.0, "true")));
    assert_eq!(bed.processes(RENTER), "0");
    bed.host.told("rm -rf /home/renter/.ssh; cp -a /home/renter/copy /home/renter/.ssh");
    assert!(!is_let_in(&bed.host.ssh(RENTER, &one.0, "true")), "the lock holds without the keys");
    driver.grant(&server, &tenant(1, &[&one.1, &two.1])).await.unwrap();
    assert_eq!(told(&two.0, "cat file; sudo -n whoami"), "data\nroot");
    for _ in 0..2 {
        driver.wipe(&server, mine.rental_id).await.unwrap();
    }
    assert!(!is_let_in(&bed.host.ssh(RENTER, &one.0, "true")));
    assert_eq!(bed.host.told("find /etc /home /var/lib -xdev ! -name '*-' | sort"), before);
    let after = bed.host.told("cat /etc/passwd /etc/shadow /etc/group /etc/gshadow");
    assert_eq!(after, accounts);
    assert_eq!(bed.host.told("ls -A /tmp"), "");
    let steps: Vec<_> = bed.book.journal().iter().map(|(step, _)| step.name).collect();
    assert!(["grant", "suspend", "wipe"].iter().all(|name| steps.contains(name)), "{steps:?}");
}

#[tokio::test]
async fn a_host_without_a_login_is_the_others() {
    let bed = Bed::new();
    let others = Arc::new(Simulated::default());
    let driver = WholeHosts::new(bed.driver.clone(), others.clone());
    let elsewhere = host(HostId::parse(&"e".repeat(24)).unwrap());
    let mine = tenant(1, &[]);
    driver.grant(&elsewhere, &mine).await.unwrap();
    assert_eq!(others.access(mine.rental_id), Some(Access::Granted));
    driver.suspend(&elsewhere, mine.rental_id).await.unwrap();
    assert_eq!(others.access(mine.rental_id), Some(Access::Suspended));
    driver.wipe(&elsewhere, mine.rental_id).await.unwrap();
    assert_eq!(others.access(mine.rental_id), None);
    assert!(bed.book.journal().is_empty());
}

#[tokio::test]
async fn somebody_elses_renter_is_refused() {
    let bed = Bed::new();
    let driver = WholeHosts::new(bed.driver.clone(), Arc::<Simulated>::default());
    bed.host.told("useradd -m -c 'Berth renter' renter; echo mine >/home/renter/file");
    let before = bed.host.told("cat /etc/passwd /etc/shadow; ls -laR /home/renter");
    let server = host(bed.site.host_id);
    let (_, key) = bed.host.new_key("one");
    let mine = tenant(1, &[&key]);
    let answer = driver.grant(&server, &mine).await;
    assert!(answer.unwrap_err().0.contains("did not make"));
    driver.suspend(&server, mine.rental_id).await.unwrap();
    driver.wipe(&server, mine.rental_id).await.unwrap();
    assert_eq!(bed.host.told("cat /etc/passwd /etc/shadow; ls -laR /home/renter"), before);
}
