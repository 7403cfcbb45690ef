//! Looks at pools.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::host::Specs;
use domain::page::Page;
use domain::pool::{
    Invitation, Membership, MembershipId, Pool, PoolId, PoolQueries, PoolServer, PoolSummary,
};
use domain::user::{PublicUser, UserId, Viewer};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _, RelationDef, Select,
};
use uuid::Uuid;

use super::{membership, pool as to_domain};
use crate::entity::{host, pool, pool_member, rental, user};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::{from_json, from_word};

const PRESENT: [&str; 2] = ["pending", "accepted"];

/// The pools whose things somebody sees, for `pool_id IN (…)`.
pub(crate) fn joined_pools(viewer: Viewer) -> SelectStatement {
    joined(viewer, None).into_query()
}

fn joined(viewer: Viewer, only: Option<PoolId>) -> Select<pool_member::Entity> {
    pool_member::Entity::find()
        .select_only()
        .column(pool_member::Column::PoolId)
        .filter(pool_member::Column::UserId.eq(viewer.user_id.uuid()))
        .filter(pool_member::Column::State.eq("accepted"))
        .apply_if(viewer.pool_id, |find, id| find.filter(pool_member::Column::PoolId.eq(id.uuid())))
        .apply_if(only, |find, id| find.filter(pool_member::Column::PoolId.eq(id.uuid())))
}

impl Handle {
    /// The same, or only this one of them. Where that is one pool, the database reads a page of what
    /// belongs to it in the order of an index.
    pub(crate) async fn joined_pools(
        &self,
        viewer: Viewer,
        only: Option<PoolId>,
    ) -> Result<Vec<Uuid>> {
        let find = joined(viewer, only).into_tuple();
        find.all(&self.connection).await.map_err(failed)
    }
}

fn to_user() -> RelationDef {
    pool_member::Entity::belongs_to(user::Entity)
        .from(pool_member::Column::UserId)
        .to(user::Column::Id)
        .into()
}

fn to_pool() -> RelationDef {
    pool_member::Entity::belongs_to(pool::Entity)
        .from(pool_member::Column::PoolId)
        .to(pool::Column::Id)
        .into()
}

/// `(SELECT count(*) FROM … WHERE …)` as a column.
fn count_of(select: &mut SelectStatement) -> Expr {
    Expr::from(select.expr(Expr::cust("count(*)")).take())
}

#[async_trait]
impl PoolQueries for Handle {
    async fn pool(&self, id: PoolId) -> Result<Option<Pool>> {
        let row = pool::Entity::find_by_id(id.uuid()).one(&self.connection).await;
        row.map_err(failed)?.map(to_domain).transpose()
    }

    async fn default_pool_of(&self, owner_id: UserId) -> Result<Option<PoolId>> {
        let find = pool::Entity::find()
            .select_only()
            .column(pool::Column::Id)
            .filter(pool::Column::OwnerId.eq(owner_id.uuid()))
            .filter(pool::Column::IsDefault.into_expr());
        let id: Option<Uuid> = find.into_tuple().one(&self.connection).await.map_err(failed)?;
        Ok(id.map(PoolId::from_uuid))
    }

    async fn owner_of(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
    ) -> Result<Option<(PoolId, UserId)>> {
        let find = pool::Entity::find()
            .select_only()
            .columns([pool::Column::Id, pool::Column::OwnerId])
            .filter(pool::Column::Id.in_subquery(joined_pools(viewer)));
        let find = match pool_id.or(viewer.pool_id) {
            Some(id) => find.filter(pool::Column::Id.eq(id.uuid())),
            None => find
                .filter(pool::Column::OwnerId.eq(viewer.user_id.uuid()))
                .filter(pool::Column::IsDefault.into_expr()),
        };
        let row: Option<(Uuid, Uuid)> =
            find.into_tuple().one(&self.connection).await.map_err(failed)?;
        Ok(row.map(|(id, owner)| (PoolId::from_uuid(id), UserId::from_uuid(owner))))
    }

    async fn pools_of(
        &self,
        user_id: UserId,
        now: Timestamp,
        page: &Page<PoolId>,
    ) -> Result<Vec<PoolSummary>> {
        let mut find = pool_member::Entity::find()
            .join(JoinType::InnerJoin, to_pool())
            .select_also(pool::Entity)
            .filter(pool_member::Column::UserId.eq(user_id.uuid()))
            .filter(pool_member::Column::State.eq("accepted"))
            .order_by_asc(pool_member::Column::PoolId);
        if let Some(after) = page.after {
            find = find.filter(pool_member::Column::PoolId.gt(after.uuid()));
        }
        let find = find.limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let ids = rows.iter().map(|(member, _)| member.pool_id).collect();
        let counts = self.counts_of(ids, now).await?;
        rows.into_iter()
            .map(|(member, row)| {
                let counted = counts.get(&member.pool_id).copied();
                let (member_count, server_count) =
                    counted.ok_or_else(|| corrupt("a pool without an owner"))?;
                Ok(PoolSummary {
                    pool: to_domain(row.ok_or_else(|| corrupt("a membership without its pool"))?)?,
                    role: from_word(&member.role)?,
                    member_count,
                    server_count,
                })
            })
            .collect()
    }

    async fn pool_count(&self, user_id: UserId) -> Result<u64> {
        let mine = pool_member::Entity::find()
            .filter(pool_member::Column::UserId.eq(user_id.uuid()))
            .filter(pool_member::Column::State.eq("accepted"));
        mine.count(&self.connection).await.map_err(failed)
    }

    async fn membership_of(&self, pool_id: PoolId, user_id: UserId) -> Result<Option<Membership>> {
        let find = pool_member::Entity::find()
            .filter(pool_member::Column::PoolId.eq(pool_id.uuid()))
            .filter(pool_member::Column::UserId.eq(user_id.uuid()))
            .filter(pool_member::Column::State.is_in(PRESENT));
        find.one(&self.connection).await.map_err(failed)?.map(membership).transpose()
    }

    async fn members(&self, pool_id: PoolId) -> Result<Vec<(Membership, PublicUser)>> {
        let find = pool_member::Entity::find()
            .join(JoinType::InnerJoin, to_user())
            .select_also(user::Entity)
            .filter(pool_member::Column::PoolId.eq(pool_id.uuid()))
            .filter(pool_member::Column::State.is_in(PRESENT))
            .order_by_asc(pool_member::Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter()
            .map(|(row, owner)| {
                let owner = owner.ok_or_else(|| corrupt("a membership without its user"))?;
                Ok((membership(row)?, crate::user::public(owner)))
            })
            .collect()
    }

    async fn pool_servers(&self, pool_id: PoolId, now: Timestamp) -> Result<Vec<PoolServer>> {
        let to_host: RelationDef = rental::Entity::belongs_to(host::Entity)
            .from(rental::Column::HostId)
            .to(host::Column::Id)
            .into();
        let find = rental::Entity::find()
            .join(JoinType::InnerJoin, to_host)
            .select_also(host::Entity)
            .filter(rental::Column::PoolId.eq(pool_id.uuid()))
            .filter(rental::Column::Status.is_in(["active", "hold"]))
            .order_by_asc(rental::Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let mut servers = Vec::with_capacity(rows.len());
        for (row, host) in rows {
            let rental = crate::rental::rental(row)?.at(now);
            if !rental.is_live() {
                continue;
            }
            let specs: Specs =
                from_json(host.ok_or_else(|| corrupt("a rental without its host"))?.specs)?;
            servers.push(PoolServer {
                id: rental.host_id,
                name: specs.name,
                rental_status: rental.status(),
                is_ready: rental.is_ready(),
            });
        }
        Ok(servers)
    }

    async fn pending_invitations(
        &self,
        user_id: UserId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Invitation>> {
        let still_open = Condition::any()
            .add(pool_member::Column::ExpiresAt.is_null())
            .add(pool_member::Column::ExpiresAt.gt(now));
        let find = pool_member::Entity::find()
            .join(JoinType::InnerJoin, to_pool())
            .select_also(pool::Entity)
            .filter(pool_member::Column::UserId.eq(user_id.uuid()))
            .filter(pool_member::Column::State.eq("pending"))
            .filter(still_open)
            .order_by_desc(pool_member::Column::Id)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let inviters: HashSet<_> =
            rows.iter().filter_map(|(member, _)| member.invited_by).collect();
        let inviters =
            user::Entity::find().filter(user::Column::Id.is_in(inviters)).all(&self.connection);
        let inviters = inviters.await.map_err(failed)?;
        rows.into_iter()
            .map(|(member, row)| {
                let pool = to_domain(row.ok_or_else(|| corrupt("a membership without its pool"))?)?;
                let inviter = inviters.iter().find(|user| Some(user.id) == member.invited_by);
                Ok(Invitation {
                    id: MembershipId::from_uuid(member.id),
                    pool_id: pool.id,
                    pool_name: pool.name,
                    pool_description: pool.description,
                    role: from_word(&member.role)?,
                    invited_by: inviter.cloned().map(crate::user::public),
                    invited_at: member.invited_at,
                    expires_at: member.expires_at,
                })
            })
            .collect()
    }
}

impl Handle {
    /// How many members, and how many live rentals, each of the pools has.
    async fn counts_of(&self, ids: Vec<Uuid>, now: Timestamp) -> Result<HashMap<Uuid, (u64, u64)>> {
        let members = count_of(
            Query::select()
                .from_as(pool_member::Entity, "m")
                .and_where(Expr::cust("m.pool_id = pool_members.pool_id"))
                .and_where(Expr::cust("m.state = 'accepted'")),
        );
        let servers = count_of(
            Query::select()
                .from_as(rental::Entity, "r")
                .and_where(Expr::cust("r.pool_id = pool_members.pool_id"))
                .and_where(Expr::cust("r.status IN ('active', 'hold')"))
                // The sweep that ends it may still be to come.
                .and_where(Expr::col(("r", rental::Column::HeldUntil)).gt(now)),
        );
        let counts: Vec<(Uuid, i64, i64)> = pool_member::Entity::find()
            .select_only()
            .column(pool_member::Column::PoolId)
            .expr_as(members, "member_count")
            .expr_as(servers, "server_count")
            .filter(pool_member::Column::PoolId.is_in(ids))
            .filter(pool_member::Column::Role.eq("owner"))
            .into_tuple()
            .all(&self.connection)
            .await
            .map_err(failed)?;
        let counts = counts.into_iter();
        let counts = counts
            .map(|(id, members, servers)| (id, (members.unsigned_abs(), servers.unsigned_abs())));
        Ok(counts.collect())
    }
}
