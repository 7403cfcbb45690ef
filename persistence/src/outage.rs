//! Outages of hosts.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::outage::{Outage, OutageId, OutageQueries, Outages};
use domain::page::Page;
use domain::user::UserId;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    SelectExt,
};

use crate::entity::outage::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;

fn outage(row: Model) -> Outage {
    Outage {
        id: OutageId::from_uuid(row.id),
        host_id: HostId::from_uuid(row.host_id),
        started_at: row.started_at,
        ended_at: row.ended_at,
        evidence: row.evidence,
        author: row.author_id.map(UserId::from_uuid),
        created_at: row.created_at,
    }
}

#[async_trait]
impl OutageQueries for Handle {
    async fn outages(&self, host_id: Option<HostId>, page: &Page<OutageId>) -> Result<Vec<Outage>> {
        let find = Entity::find()
            .apply_if(host_id, |find, id| find.filter(Column::HostId.eq(id.uuid())))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(outage).collect())
    }

    async fn has_outage_between(
        &self,
        host_id: HostId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let overlapping = Entity::find()
            .filter(Column::HostId.eq(host_id.uuid()))
            .filter(Column::StartedAt.lt(until))
            .filter(Column::EndedAt.gt(from));
        overlapping.exists(&self.connection).await.map_err(failed)
    }
}

#[async_trait]
impl Outages for Handle {
    async fn add_outage(&self, outage: &Outage) -> Result<()> {
        let row = ActiveModel {
            id: Set(outage.id.uuid()),
            host_id: Set(outage.host_id.uuid()),
            started_at: Set(outage.started_at),
            ended_at: Set(outage.ended_at),
            evidence: Set(outage.evidence.clone()),
            author_id: Set(outage.author.map(UserId::uuid)),
            created_at: Set(outage.created_at),
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }
}
