use super::*;

const NOT_READY: u16 = 470;

with_either_database! {
    /// Seen failing where the reason is not kept.
    async fn a_host_that_goes_away_in_the_middle_of_a_step_is_told_of_and_tried_again(
        berth: &mut Berth,
    ) {
        // Before the tests' client has lost its patience.
        berth.configure("BERTH__KLOIGOS__ALLOCATE_SECONDS", "20");
        let first = SshHost::start();
        let port = first.address.port();
        let others = (1..10).map(|_| SshHost::start_at_port(port));
        let hosts: Vec<_> = std::iter::once(first).chain(others).collect();
        let boss = begin(berth, &hosts).await;
        let mut hosts = hosts.into_iter();
        let mut place = |name| Place::new(&boss, hosts.next().unwrap(), name);
        // All at once, as a silent host is waited for.
        tokio::join!(
            init_fails(place("inspect"), &INSPECT, Away::Gone),
            init_fails(place("prepare"), &PREPARE, Away::Silent),
            init_fails(place("make-unit"), &MAKE_UNIT, Away::Gone),
            decommission_fails(place("remove-unit"), &REMOVE_UNIT, Away::Silent),
            decommission_fails(place("restore"), &RESTORE, Away::Gone),
            deallocation_fails(place("remove"), Away::Gone),
            deallocation_fails(place("silent-remove"), Away::Silent),
            allocation_meets_a_host_that_is_gone(place("create"), &CREATE),
            allocation_meets_a_host_that_is_gone(place("start"), &START),
            allocation_meets_a_silent_host(place("silent-start")),
        );
    }
}

/// How a host goes away.
#[derive(Clone, Copy)]
enum Away {
    /// Connections break, and it takes no new ones.
    Gone,
    /// It does not answer.
    Silent,
}

impl Away {
    async fn take(self, place: &Place, moment: &Moment) {
        place.until_held(moment).await;
        match self {
            Self::Gone => place.host.leave(),
            Self::Silent => place.host.freeze(),
        }
    }

    /// It is back; what it was doing is held still.
    fn bring_back(self, place: &Place) {
        match self {
            Self::Gone => place.host.come_back(),
            Self::Silent => place.host.thaw(),
        }
    }

    /// What the operator is told.
    const fn words(self) -> &'static str {
        match self {
            Self::Gone => "the connection broke",
            Self::Silent => "did not end within 30 s",
        }
    }

    /// Whether the operator is told which step failed and why.
    async fn assert_is_told(self, place: &Place, moment: &Moment, reason: &Value) {
        let said = reason.as_str().unwrap_or_default();
        let is_told = said.starts_with(moment.step) && said.contains(self.words());
        assert!(is_told, "{}: {reason}", place.name);
        self.assert_is_noted(place, moment).await;
    }

    /// The same in the journal.
    async fn assert_is_noted(self, place: &Place, moment: &Moment) {
        let journal = place.journal().await;
        let is_noted = |entry: &Value| {
            let output = entry["output"].as_str().unwrap();
            entry["step"] == moment.step && output.contains(self.words())
        };
        assert!(journal.iter().any(is_noted), "{}: {journal:#?}", place.name);
    }
}

async fn init_fails(place: Place, moment: &Moment, away: Away) {
    place.host.hold(moment.call);
    place.init().await;
    away.take(&place, moment).await;
    place.until("INIT_FAIL").await;
    let shown = place.shown().await;
    assert_eq!(shown["host"]["phase"], "init_failed");
    away.assert_is_told(&place, moment, &shown["host"]["reason"]).await;
    place.assert_nobody_gets_it().await;
    away.bring_back(&place);
    place.retry_host().await;
    place.assert_is("INITIALIZING").await;
    place.host.release();
    place.until("FREE").await;
    assert_eq!(place.shown().await["host"]["reason"], Value::Null);
    place.assert_is_empty();
    place.allocate("mine").await;
}

async fn decommission_fails(place: Place, moment: &Moment, away: Away) {
    place.cut().await;
    place.host.hold(moment.call);
    place.decommission().await;
    away.take(&place, moment).await;
    place.until("DECOMMISSION_FAIL").await;
    let shown = place.shown().await;
    assert_eq!(shown["host"]["phase"], "decommission_failed");
    away.assert_is_told(&place, moment, &shown["host"]["reason"]).await;
    away.bring_back(&place);
    place.retry_host().await;
    place.assert_is("DECOMMISSIONING").await;
    place.host.release();
    place.until("DECOMMISSIONED").await;
    place.assert_is_restored();
}

async fn deallocation_fails(place: Place, away: Away) {
    place.cut().await;
    let mine = place.allocate("mine").await;
    assert!(place.host.ssh("c0", &mine, LEAVINGS).status.success());
    place.host.hold(REMOVE.call);
    place.deallocate().await;
    away.take(&place, &REMOVE).await;
    place.until("DEALLOCATION_FAIL").await;
    let unit = place.shown().await["units"][0].clone();
    // It is tried again by itself, so what is told may be of a later attempt already.
    let reason = unit["reason"].as_str().unwrap();
    assert!(reason.starts_with("remove as root at"), "{}: {reason}", place.name);
    away.assert_is_noted(&place, &REMOVE).await;
    assert!(matches!(away, Away::Silent) || !place.lets_in(&mine));
    away.bring_back(&place);
    place.retry_unit().await;
    // What wiped it goes on beside its repetition; so nobody has it yet.
    place.assert_nobody_gets_it().await;
    place.host.release();
    place.until("FREE").await;
    assert!(!place.lets_in(&mine));
    place.assert_is_empty();
    place.allocate("next").await;
}

/// Its unit is made whole and free again as soon as it is seen to answer, whether an operator asks
/// for that or not.
async fn allocation_meets_a_host_that_is_gone(place: Place, moment: &Moment) {
    place.cut().await;
    place.host.hold(moment.call);
    let (mine, asked) = place.asks("mine");
    Away::Gone.take(&place, moment).await;
    assert_eq!(asked.await.unwrap().unwrap().status, NOT_READY);
    place.assert_is("ALLOCATION_FAIL").await;
    Away::Gone.assert_is_noted(&place, moment).await;
    // It was tried at once to take the unit back; that this fails as well is what is told now.
    let is_told = async || {
        let reason = place.shown().await["units"][0]["reason"].clone();
        let reason = reason.as_str().unwrap_or_default().to_owned();
        reason.starts_with("remove as root at") && reason.contains("refused")
    };
    place.wait("the operator is told", is_told).await;
    Away::Gone.bring_back(&place);
    place.retry_unit().await;
    place.assert_is("ALLOCATION_FAIL").await;
    place.host.release();
    place.until("FREE").await;
    assert!(!place.lets_in(&mine));
    place.assert_is_empty();
    place.allocate("next").await;
    assert!(!place.lets_in(&mine));
}

/// Who asks is told when the time for that is over; it is the operator who knows what is there.
async fn allocation_meets_a_silent_host(place: Place) {
    place.cut().await;
    place.host.hold(START.call);
    let (mine, asked) = place.asks("mine");
    Away::Silent.take(&place, &START).await;
    assert_eq!(asked.await.unwrap().unwrap().status, NOT_READY);
    place.assert_is("ALLOCATION_FAIL").await;
    assert_eq!(place.shown().await["units"][0]["reason"], "it took too long");
    Away::Silent.bring_back(&place);
    place.host.release();
    place.until_undone().await;
    place.assert_is("ALLOCATION_FAIL").await;
    assert!(place.shown().await["units"][0]["reason"].is_string());
    assert!(!place.lets_in(&mine));
    place.assert_is_empty();
    place.assert_nobody_gets_it().await;
    place.retry_unit().await;
    place.until("FREE").await;
    place.allocate("next").await;
    assert!(!place.lets_in(&mine));
}
