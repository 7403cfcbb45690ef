//! What differed between hosts and the books, for operators.

use serde_json::json;
use tracing::instrument;

use super::InstanceId;
use crate::clock::Timestamp;
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::host::HostId;
use crate::id::entity_id;
use crate::job::JobContext;
use crate::money::Money;
use crate::page::{Page, Paged};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;
use crate::volume::VolumeId;

entity_id!(
    /// Identifies a finding.
    FindingId
);

/// A difference between a host and the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Identifies the finding.
    pub id: FindingId,
    /// On which host.
    pub host_id: HostId,
    /// What.
    pub kind: FindingKind,
    /// The instance's or volume's id; the host's where it is about that.
    pub subject: String,
    /// What it takes of the host in an hour at its own price, where that is known.
    pub per_hour: Money,
    /// Whether it was put right at once; else an operator has to see to it.
    pub is_repaired: bool,
    /// When it was found.
    pub found_at: Timestamp,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// An instance that was deleted is on the host: it is removed. One that was given up as lost and came
    /// back is left for an operator to look at, as it may hold the only copy of somebody's data.
    OrphanInstance,
    /// A volume that was deleted is on the host: it is destroyed.
    OrphanVolume,
    /// Something carries our mark that the books have never known: an operator decides.
    UnknownInstance,
    /// The same of a volume.
    UnknownVolume,
    /// An instance is not on its host: it is given up, and costs nothing more.
    LostInstance,
    /// An instance that should run does not: it is started.
    StoppedInstance,
    /// The host does not answer: no new instance comes to it.
    UnreachableHost,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::OrphanInstance,
        Self::OrphanVolume,
        Self::UnknownInstance,
        Self::UnknownVolume,
        Self::LostInstance,
        Self::StoppedInstance,
        Self::UnreachableHost,
    ];

    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrphanInstance => "orphan_instance",
            Self::OrphanVolume => "orphan_volume",
            Self::UnknownInstance => "unknown_instance",
            Self::UnknownVolume => "unknown_volume",
            Self::LostInstance => "lost_instance",
            Self::StoppedInstance => "stopped_instance",
            Self::UnreachableHost => "unreachable_host",
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the reconciler found, newest first, for operators.
pub async fn findings(
    store: &dyn Store,
    operator: &Operator,
    page: Page<FindingId>,
) -> Result<Paged<Finding, FindingId>> {
    operator.may(Permission::AdminRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().findings(&fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |finding| finding.id))
}

/// Removes from its host what the books have never known.
#[instrument(name = "instance.remove_orphan", skip_all, fields(%id))]
pub async fn remove_orphan(
    context: JobContext<'_>,
    operator: &Operator,
    id: FindingId,
) -> Result<Finding> {
    operator.may(Permission::AdminWrite)?;
    let reads = context.store.reads();
    let finding = reads.finding(id).await?.ok_or(Error::NotFound(Thing::Finding))?;
    let capacity = reads.capacity(finding.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let site = capacity.site();
    let unknown = || Error::NotFound(Thing::Finding);
    let done = match finding.kind {
        FindingKind::UnknownInstance | FindingKind::OrphanInstance => {
            let id = InstanceId::parse(&finding.subject).ok_or_else(unknown)?;
            context.instances.remove(&site, id, None).await
        }
        FindingKind::UnknownVolume | FindingKind::OrphanVolume => {
            let id = VolumeId::parse(&finding.subject).ok_or_else(unknown)?;
            context.instances.delete_volume(&site, id).await
        }
        _ => return Err(unknown()),
    };
    done.map_err(Error::HostUnreachable)?;
    let finding = Finding { is_repaired: true, ..finding };
    atomically(context.store, async |tx: &dyn Tx| {
        tx.save_finding(&finding).await?;
        tx.record(vec![Event {
            kind: "host.orphan_removed",
            subject: Subject::Host(finding.host_id),
            actor: operator.actor(),
            before: None,
            data: json!({ "finding_id": finding.id, "kind": finding.kind.as_str(),
                "subject": finding.subject }),
            recipient: None,
            at: context.clock.now(),
        }])
        .await
    })
    .await?;
    Ok(finding)
}
