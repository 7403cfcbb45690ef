use sea_orm::ConnectionTrait;
use tests::ssh_host::SshHost;

use super::*;

impl Place {
    /// Kills the server once the host has come to this moment of a step, starts it again when the
    /// lease of the dead is over, and waits until it has begun this step: while what the dead had
    /// begun still goes on. `passed` is what else time has brought about by then.
    async fn dies(&self, berth: &mut Berth, moment: &Moment, (next, passed): (&str, &str)) {
        self.until_held(moment).await;
        let before = self.begun(next).await;
        berth.kill();
        let database = berth.database().connect().await;
        // A lease is compared with the clock of whoever wants it.
        let over = "UPDATE jobs SET leased_until = run_at WHERE state = 'running'";
        for sql in [over, passed] {
            database.execute_unprepared(sql).await.unwrap();
        }
        database.close().await.unwrap();
        berth.start(&["serve"]).await;
        let what = format!("{next} after {}", moment.step);
        self.wait(&what, async || self.begun(next).await > before).await;
    }

    /// The same, where the step is repeated.
    async fn dies_in(&self, berth: &mut Berth, moment: &Moment) {
        self.dies(berth, moment, (moment.step, "SELECT 1")).await;
    }

    /// Whether the operator sees that each of these steps was cut off, and no other.
    async fn assert_were_cut_off(&self, steps: &[&str]) {
        let journal = self.journal().await;
        let cut_off = journal.iter().filter(|entry| entry["ended_at"].is_null());
        let mut cut_off: Vec<_> = cut_off.map(|entry| entry["step"].as_str().unwrap()).collect();
        cut_off.reverse();
        assert_eq!(cut_off, steps);
    }
}

with_either_database! {
    /// Seen failing with a `prepare` that does not take what it finds.
    async fn a_host_is_cut_and_restored_though_its_server_is_killed_in_every_step(
        berth: &mut Berth,
    ) {
        let host = SshHost::start();
        let boss = begin(berth, std::slice::from_ref(&host)).await;
        let place = Place::new(&boss, host, "metal");
        place.host.hold(INSPECT.call);
        place.init().await;
        place.dies_in(berth, &INSPECT).await;
        place.assert_is("INITIALIZING").await;
        // What was held goes on now, beside its repetition.
        place.host.hold(PREPARE.call);
        place.dies_in(berth, &PREPARE).await;
        place.host.hold(MAKE_UNIT.call);
        place.dies_in(berth, &MAKE_UNIT).await;
        place.assert_is("INITIALIZING").await;
        place.host.release();
        place.until("FREE").await;
        place.assert_is_empty();
        place.assert_were_cut_off(&["inspect", "prepare", "make_unit"]).await;
        let mine = place.allocate("mine").await;
        place.deallocate().await;
        place.until("FREE").await;
        assert!(!place.lets_in(&mine));

        place.host.hold(REMOVE_UNIT.call);
        place.decommission().await;
        place.dies_in(berth, &REMOVE_UNIT).await;
        place.host.hold(RESTORE.call);
        place.dies_in(berth, &RESTORE).await;
        place.assert_is("DECOMMISSIONING").await;
        place.host.release();
        place.until("DECOMMISSIONED").await;
        place.assert_is_restored();
        let steps = ["inspect", "prepare", "make_unit", "remove_unit", "restore"];
        place.assert_were_cut_off(&steps).await;
    }

    /// Seen failing without the lock on the host (what the dead had begun marked the unit as in
    /// use), without the wiping of folders, and where a unit that failed is free at once.
    async fn a_unit_has_one_holder_or_none_whenever_its_server_is_killed(berth: &mut Berth) {
        let host = SshHost::start();
        let boss = begin(berth, std::slice::from_ref(&host)).await;
        let place = Place::new(&boss, host, "metal");
        place.cut().await;

        // Nobody is told of it, and it is theirs all the same: they see it, and can give it back.
        place.host.hold(CREATE.call);
        let (mine, asked) = place.asks("mine");
        place.dies_in(berth, &CREATE).await;
        assert!(asked.await.unwrap().is_err());
        place.assert_is("ALLOCATING").await;
        place.assert_nobody_gets_it().await;
        place.host.release();
        place.until("ALLOCATED").await;
        assert!(place.lets_in(&mine));
        place.assert_nobody_gets_it().await;

        let left = place.host.ssh("c0", &mine, LEAVINGS);
        assert!(left.status.success(), "{left:?}");
        place.host.hold(REMOVE.call);
        place.deallocate().await;
        place.dies_in(berth, &REMOVE).await;
        place.assert_is("DEALLOCATING").await;
        place.assert_nobody_gets_it().await;
        place.host.release();
        place.until("FREE").await;
        assert!(!place.lets_in(&mine));
        place.assert_is_empty();

        // The lease ends after the time in which it must be ready, as it does as a rule.
        place.host.hold(START.call);
        let (second, asked) = place.asks("second");
        let late = "UPDATE instances SET stage_until = created_at WHERE stage_until IS NOT NULL";
        place.dies(berth, &START, ("remove", late)).await;
        assert!(asked.await.unwrap().is_err());
        let fails = async || {
            place.assert_is("ALLOCATION_FAIL").await;
            assert_eq!(place.shown().await["units"][0]["reason"], "it took too long");
        };
        fails().await;
        place.assert_nobody_gets_it().await;
        // The account would be opened now, after its time was over.
        place.host.release();
        place.until_undone().await;
        fails().await;
        place.assert_nobody_gets_it().await;
        assert!(!place.lets_in(&second));
        place.assert_is_empty();
        place.retry_unit().await;
        place.until("FREE").await;
        place.allocate("third").await;
        assert!(!place.lets_in(&mine) && !place.lets_in(&second));
        place.assert_were_cut_off(&["create", "remove", "start"]).await;
    }
}
