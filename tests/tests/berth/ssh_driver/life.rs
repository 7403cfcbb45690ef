use domain::compute_unit::Limits;

use super::*;

#[tokio::test]
async fn a_host_says_what_it_is() {
    let bed = Bed::new();
    for _ in 0..2 {
        let inspection = bed.driver.inspect(&bed.site).await.unwrap();
        assert_eq!(inspection.system, bed.host.told(". /etc/os-release; echo $PRETTY_NAME"));
        let cpus: usize = bed.host.told("nproc --all").parse().unwrap();
        assert_eq!(inspection.cpus.len(), cpus);
        assert!(inspection.ram_mib > 256 && inspection.disk_gb > 0, "{inspection:?}");
        assert_eq!(inspection.limits, Limits::ControlGroups);
    }
    assert!(!is_there(&bed.host, "/var/lib/berth"), "to look changes nothing");
}

#[tokio::test]
async fn the_key_logs_in_and_finds_its_cpus_and_no_others() {
    let bed = Bed::cut(&[&unit(1)]).await;
    let holder = bed.allocate(&unit(1)).await;
    let status = bed.told(&holder, "cat /proc/self/status");
    assert!(status.contains("Cpus_allowed_list:\t1\n"), "{status}");
    let escape = bed.ssh(&holder, "taskset -c 0 true");
    assert!(!escape.status.success(), "{escape:?}");
    assert_eq!(bed.told(&holder, "pwd; ls -A; ls -dl ~ | cut -c-10"), "/home/c1\ndrwxr-x---");
    for folder in ["/opt/c1", "/mnt/c1"] {
        bed.told(&holder, &format!("echo mine >{folder}/file"));
    }
    let told = "BERTH_CPUS=1\nBERTH_RAM_MIB=256\nBERTH_TASKS=64\nBERTH_PORTS=20100-20199";
    assert_eq!(bed.told(&holder, "cat /etc/berth/c1"), told);
    assert_eq!(bed.inventory().await.instances, [(holder.spec.id, true)].into());
}
