//! Instances, and what the reconciler found.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::cluster::ClusterId;
use domain::host::HostId;
use domain::instance::{
    Finding, FindingId, FindingKind, HostedFilter, Hostname, Instance, InstanceFilter, InstanceId,
    InstanceQueries, Instances, Status,
};
use domain::job::JobKind;
use domain::location::LocationCode;
use domain::money::Money;
use domain::page::Page;
use domain::pool::{Label, PoolId};
use domain::user::{UserId, Viewer};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, TryInsertResult,
};
use uuid::Uuid;

use crate::entity::finding;
use crate::entity::instance::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, corrupt, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{contains, from_json, to_json};

pub(crate) fn instance(row: Model) -> Result<Instance> {
    Ok(Instance {
        id: InstanceId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        payer_id: UserId::from_uuid(row.payer_id),
        author: UserId::from_uuid(row.author_id),
        cluster_id: row.cluster_id.map(ClusterId::from_uuid),
        location: LocationCode::from_stored(row.location_code),
        host_id: HostId::from_uuid(row.host_id),
        hostname: Hostname::from_stored(row.hostname),
        name: Label::from_stored(row.name),
        description: row.description,
        tags: from_json(row.tags)?,
        terms: from_json(row.terms)?,
        term: row.term.map(from_json).transpose()?,
        origin: from_json(row.origin)?,
        moved: row.moved.map(from_json).transpose()?,
        successor_id: row.successor_id.map(InstanceId::from_uuid),
        claim: from_json(row.claim)?,
        wanted: from_json(row.wanted)?,
        is_locked: row.is_locked,
        restart: row.restart,
        phase: from_json(row.phase)?,
        stage_until: row.stage_until,
        evict_at: row.evict_at,
        last_error: row.last_error,
        driver_fault: row.driver_fault,
        missing_since: row.missing_since,
        created_at: row.created_at,
        ready_at: row.ready_at,
    })
}

fn stored(instance: &Instance) -> Result<ActiveModel> {
    Ok(ActiveModel {
        id: Set(instance.id.uuid()),
        pool_id: Set(instance.pool_id.uuid()),
        payer_id: Set(instance.payer_id.uuid()),
        author_id: Set(instance.author.uuid()),
        cluster_id: Set(instance.cluster_id.map(ClusterId::uuid)),
        location_code: Set(instance.location.to_string()),
        host_id: Set(instance.host_id.uuid()),
        hostname: Set(instance.hostname.to_string()),
        name: Set(instance.name.to_string()),
        description: Set(instance.description.clone()),
        tags: Set(to_json(&instance.tags)?),
        terms: Set(to_json(&instance.terms)?),
        term: Set(instance.term.map(to_json).transpose()?),
        expires_at: Set(instance.term.and_then(|term| term.expires_at)),
        origin: Set(to_json(&instance.origin)?),
        moved: Set(instance.moved.as_ref().map(to_json).transpose()?),
        successor_id: Set(instance.successor_id.map(InstanceId::uuid)),
        claim: Set(to_json(&instance.claim)?),
        wanted: Set(to_json(instance.wanted)?),
        is_locked: Set(instance.is_locked),
        restart: Set(instance.restart),
        phase: Set(to_json(&instance.phase)?),
        stage_until: Set(instance.stage_until),
        evict_at: Set(instance.evict_at),
        last_error: Set(instance.last_error.clone()),
        driver_fault: Set(instance.driver_fault.clone()),
        missing_since: Set(instance.missing_since),
        per_hour_e8: Set(instance.terms.metered().e8()),
        created_at: Set(instance.created_at),
        ready_at: Set(instance.ready_at),
        status: Set(instance.status().as_str().to_owned()),
        is_live: Set(instance.is_live()),
        is_settled: Set(instance.is_settled()),
        is_spot: Set(instance.terms.is_spot),
        // A text that is searched for has no line break, so that none is found across two.
        search_text: Set(searched(instance)),
    })
}

fn searched(instance: &Instance) -> String {
    let image = &instance.origin.image;
    let texts =
        [instance.name.as_str(), instance.hostname.as_str(), &image.image_name, &image.image];
    texts.join("\n").to_lowercase()
}

fn finding(row: finding::Model) -> Result<Finding> {
    Ok(Finding {
        id: FindingId::from_uuid(row.id),
        host_id: HostId::from_uuid(row.host_id),
        kind: FindingKind::parse(&row.kind).ok_or_else(|| corrupt("a finding"))?,
        subject: row.subject,
        per_hour: Money::from_e8(row.per_hour_e8),
        is_repaired: row.is_repaired,
        found_at: row.found_at,
    })
}

/// In these words, so that the database sees that an index with them serves.
const PRESENT: &str = "status <> 'deleted'";

fn of_pools(pools: &[Uuid], filter: &InstanceFilter) -> Select<Entity> {
    let location = filter.location.as_ref();
    let search =
        filter.search.as_ref().map(|text| contains(Column::SearchText, &text.to_lowercase()));
    let find = Entity::find()
        .filter(Column::PoolId.is_in(pools.iter().copied()))
        .apply_if(search, QueryFilter::filter)
        .apply_if(filter.without_going.then_some("deleting"), |find, going| {
            find.filter(Column::Status.ne(going))
        })
        .apply_if(location, |find, code| find.filter(Column::LocationCode.eq(code.as_str())))
        .apply_if(filter.cluster_id, |find, id| find.filter(Column::ClusterId.eq(id.uuid())));
    with_status(find, filter.status)
}

fn with_status(find: Select<Entity>, status: Option<Status>) -> Select<Entity> {
    match status {
        Some(status) => find.filter(Column::Status.eq(status.as_str())),
        None => find.filter(Expr::cust(PRESENT)),
    }
}

impl Handle {
    async fn found_instances(&self, find: Select<Entity>) -> Result<Vec<Instance>> {
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(instance).collect()
    }
}

#[async_trait]
impl InstanceQueries for Handle {
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        let find = Entity::find_by_id(id.uuid()).one(&self.connection).await;
        find.map_err(failed)?.map(instance).transpose()
    }

    async fn instance_visible_to(
        &self,
        viewer: Viewer,
        id: InstanceId,
    ) -> Result<Option<Instance>> {
        let find =
            Entity::find_by_id(id.uuid()).filter(Column::PoolId.in_subquery(joined_pools(viewer)));
        find.one(&self.connection).await.map_err(failed)?.map(instance).transpose()
    }

    async fn instances_visible_to(
        &self,
        viewer: Viewer,
        filter: &InstanceFilter,
        page: &Page<InstanceId>,
    ) -> Result<Vec<Instance>> {
        let pools = self.joined_pools(viewer, filter.pool_id).await?;
        // Rows are wide: those of the page are read when it is known which they are.
        let ids = of_pools(&pools, filter)
            .select_only()
            .column(Column::Id)
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from))
            .into_query();
        let find = Entity::find().filter(Column::Id.in_subquery(ids)).order_by_desc(Column::Id);
        self.found_instances(find).await
    }

    async fn instances_part(
        &self,
        viewer: Viewer,
        filter: &InstanceFilter,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<Instance>> {
        let pools = self.joined_pools(viewer, filter.pool_id).await?;
        let ids = of_pools(&pools, filter)
            .select_only()
            .column(Column::Id)
            .order_by_desc(Column::Id)
            .offset(u64::from(skip))
            .limit(u64::from(limit))
            .into_query();
        let find = Entity::find().filter(Column::Id.in_subquery(ids)).order_by_desc(Column::Id);
        self.found_instances(find).await
    }

    async fn hosted_instances(
        &self,
        filter: &HostedFilter,
        page: &Page<InstanceId>,
    ) -> Result<Vec<Instance>> {
        let find = Entity::find()
            .apply_if(filter.host_id, |find, id| find.filter(Column::HostId.eq(id.uuid())))
            .apply_if(filter.payer_id, |find, id| find.filter(Column::PayerId.eq(id.uuid())));
        let find = with_status(find, filter.status)
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        self.found_instances(find).await
    }

    async fn instance_count(&self, viewer: Viewer, filter: &InstanceFilter) -> Result<u64> {
        let pools = self.joined_pools(viewer, filter.pool_id).await?;
        of_pools(&pools, filter).count(&self.connection).await.map_err(failed)
    }

    async fn live_instances_visible_to(
        &self,
        viewer: Viewer,
        limit: u32,
    ) -> Result<(Vec<InstanceId>, u64)> {
        let pools = self.joined_pools(viewer, None).await?;
        let live = Entity::find().filter(Column::PoolId.is_in(pools)).filter(Expr::cust("is_live"));
        let total = live.clone().count(&self.connection).await.map_err(failed)?;
        let find = live.select_only().column(Column::Id).order_by_desc(Column::Id);
        let find = find.limit(u64::from(limit)).into_tuple().all(&self.connection);
        let ids: Vec<Uuid> = find.await.map_err(failed)?;
        Ok((ids.into_iter().map(InstanceId::from_uuid).collect(), total))
    }

    async fn live_instances_of_payer(&self, payer_id: UserId) -> Result<Vec<Instance>> {
        let find = Entity::find()
            .filter(Column::PayerId.eq(payer_id.uuid()))
            .filter(Expr::cust("is_live"))
            .order_by_asc(Column::Id);
        self.found_instances(find).await
    }

    async fn instances_of_cluster(&self, id: ClusterId) -> Result<Vec<Instance>> {
        self.instances_of_clusters(&[id]).await
    }

    async fn instances_of_clusters(&self, ids: &[ClusterId]) -> Result<Vec<Instance>> {
        let find = Entity::find()
            .filter(Column::ClusterId.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(Column::Id);
        self.found_instances(find).await
    }

    async fn instances_leaving(&self, host_id: HostId) -> Result<Vec<Instance>> {
        let from = Expr::cust("moved ->> 'from_host'").eq(host_id.to_string());
        let find = Entity::find().filter(Expr::cust("is_live")).filter(from);
        let mut found = self.found_instances(find).await?;
        found.retain(|instance| instance.left_behind() == Some(host_id));
        Ok(found)
    }

    async fn live_instances_of_host(&self, host_id: HostId) -> Result<Vec<Instance>> {
        let find = Entity::find()
            .filter(Column::HostId.eq(host_id.uuid()))
            .filter(Expr::cust("is_live"))
            .order_by_asc(Column::Id);
        self.found_instances(find).await
    }

    async fn instances_among(&self, ids: &[InstanceId]) -> Result<Vec<Instance>> {
        let find = Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        self.found_instances(find).await
    }

    async fn misaligned_instances(&self, limit: u32) -> Result<Vec<InstanceId>> {
        let lane = |id| JobKind::AlignInstance { instance_id: InstanceId::from_uuid(id) }.lane();
        let ids = self.unsettled_without_job("instances", lane, limit).await?;
        Ok(ids.into_iter().map(InstanceId::from_uuid).collect())
    }

    async fn instances_to_evict(&self, now: Timestamp, limit: u32) -> Result<Vec<InstanceId>> {
        let find = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Expr::cust("is_live"))
            .filter(Expr::cust("evict_at IS NOT NULL"))
            .filter(Column::EvictAt.lte(now))
            .filter(Column::Status.ne("deleting"))
            .order_by_asc(Column::EvictAt)
            .limit(u64::from(limit));
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(InstanceId::from_uuid).collect())
    }

    async fn instances_to_renew(&self, now: Timestamp, limit: u32) -> Result<Vec<InstanceId>> {
        let find = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Expr::cust("is_live"))
            .filter(Expr::cust("expires_at IS NOT NULL"))
            .filter(Column::ExpiresAt.lte(now))
            .filter(Column::Status.ne("deleting"))
            .order_by_asc(Column::ExpiresAt)
            .limit(u64::from(limit));
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(InstanceId::from_uuid).collect())
    }

    async fn findings(&self, page: &Page<FindingId>) -> Result<Vec<Finding>> {
        let find = finding::Entity::find()
            .apply_if(page.after, |find, after| find.filter(finding::Column::Id.lt(after.uuid())))
            .order_by_desc(finding::Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(finding).collect()
    }

    async fn finding(&self, id: FindingId) -> Result<Option<Finding>> {
        let find = finding::Entity::find_by_id(id.uuid()).one(&self.connection).await;
        find.map_err(failed)?.map(finding).transpose()
    }

    async fn hosts_with_spot(&self, location: &LocationCode, limit: u32) -> Result<Vec<HostId>> {
        let find = Entity::find()
            .select_only()
            .column(Column::HostId)
            .filter(Column::LocationCode.eq(location.as_str()))
            .filter(Expr::cust("is_live AND is_spot"))
            .group_by(Column::HostId)
            .order_by_asc(Column::HostId)
            .limit(u64::from(limit));
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(HostId::from_uuid).collect())
    }

    async fn live_instance_count(&self, pool_id: PoolId) -> Result<u64> {
        let find =
            Entity::find().filter(Column::PoolId.eq(pool_id.uuid())).filter(Expr::cust("is_live"));
        find.count(&self.connection).await.map_err(failed)
    }
}

#[async_trait]
impl Instances for Handle {
    async fn add_instance(&self, instance: &Instance) -> Result<()> {
        let insert = Entity::insert(stored(instance)?);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn instance_for_update(&self, id: InstanceId) -> Result<Option<Instance>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(instance).transpose()
    }

    async fn save_instance(&self, instance: &Instance) -> Result<()> {
        let row = ActiveModel { id: sea_orm::NotSet, ..stored(instance)? };
        let update = Entity::update_many().set(row).filter(Column::Id.eq(instance.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn save_finding(&self, found: &Finding) -> Result<bool> {
        let same = Condition::all()
            .add(finding::Column::HostId.eq(found.host_id.uuid()))
            .add(finding::Column::Kind.eq(found.kind.as_str()))
            .add(finding::Column::Subject.eq(&found.subject))
            .add(Expr::cust("NOT is_repaired"));
        if found.is_repaired {
            // What was open is closed; what was never open is noted as repaired.
            let close = finding::Entity::update_many()
                .col_expr(finding::Column::IsRepaired, Expr::value(true))
                .filter(same);
            let closed = close.exec(&self.connection).await.map_err(failed)?;
            if closed.rows_affected > 0 {
                return Ok(false);
            }
        }
        let row = finding::ActiveModel {
            id: Set(found.id.uuid()),
            host_id: Set(found.host_id.uuid()),
            kind: Set(found.kind.as_str().to_owned()),
            subject: Set(found.subject.clone()),
            per_hour_e8: Set(found.per_hour.e8()),
            is_repaired: Set(found.is_repaired),
            found_at: Set(found.found_at),
        };
        let insert = finding::Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .try_insert();
        let inserted = insert.exec_without_returning(&self.connection).await.map_err(failed)?;
        Ok(matches!(inserted, TryInsertResult::Inserted(_)))
    }
}
