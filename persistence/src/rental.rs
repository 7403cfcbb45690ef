//! Rentals.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use domain::Error;
use domain::clock::Timestamp;
use domain::error::Conflict;
use domain::host::HostId;
use domain::job::JobKind;
use domain::money::Money;
use domain::page::Page;
use domain::pool::PoolId;
use domain::rental::{
    EndReason, Escrow, Mandate, Phase, Rental, RentalId, RentalQueries, RentalStatus,
    RentalWithHost, Rentals,
};
use domain::user::{UserId, Viewer};
use domain::wallet::PostingId;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, JoinType, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, RelationDef, Select, SelectTwo,
};

use crate::entity::rental::{ActiveModel, Column, Entity, Model};
use crate::entity::{host, job};
use crate::failure::{Result, corrupt, failed, violated_key};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, from_word, number, to_json, word};

pub(crate) fn rental(row: Model) -> Result<Rental> {
    let ended = |reason| {
        let at = row.ended_at.ok_or_else(|| corrupt("an ended rental without its end"))?;
        Ok(Phase::Ended { at, reason })
    };
    let phase = match from_word(&row.status)? {
        RentalStatus::Active => Phase::Active,
        RentalStatus::Hold => Phase::Hold,
        RentalStatus::Expired => ended(EndReason::Expired)?,
        RentalStatus::Terminated => ended(EndReason::Terminated)?,
    };
    let escrow = row.earned_until.map(|earned_until| Escrow {
        held: Money::from_e8(row.escrow_e8),
        earned_until,
        next_at: row.earn_at,
    });
    Ok(Rental {
        id: RentalId::from_uuid(row.id),
        host_id: HostId::from_uuid(row.host_id),
        renter_id: UserId::from_uuid(row.renter_id),
        pool_id: row.pool_id.map(PoolId::from_uuid),
        phase,
        started_at: row.started_at,
        ends_at: row.ends_at,
        hold_days: number(row.hold_days)?,
        amount: Money::from_e8(row.amount_e8),
        terms: from_json(row.terms)?,
        charge_id: PostingId::from_uuid(row.charge_id),
        access: from_word(&row.access)?,
        refunded: Money::from_e8(row.refunded_e8),
        escrow,
        ready_at: row.ready_at,
        ready_by: row.ready_by,
    })
}

/// The columns of [`changeable`].
const CHANGEABLE: [Column; 12] = [
    Column::Status,
    Column::EndsAt,
    Column::HoldDays,
    Column::HeldUntil,
    Column::EndedAt,
    Column::AmountE8,
    Column::Access,
    Column::RefundedE8,
    Column::EscrowE8,
    Column::EarnedUntil,
    Column::EarnAt,
    Column::ReadyAt,
];

/// What may change in a rental's life.
fn changeable(rental: &Rental) -> Result<ActiveModel> {
    Ok(ActiveModel {
        status: Set(word(rental.status())?),
        ends_at: Set(rental.ends_at),
        hold_days: Set(rental.hold_days.into()),
        held_until: Set(rental.held_until()),
        ended_at: Set(match rental.phase {
            Phase::Ended { at, .. } => Some(at),
            Phase::Active | Phase::Hold => None,
        }),
        amount_e8: Set(rental.amount.e8()),
        access: Set(word(rental.access)?),
        refunded_e8: Set(rental.refunded.e8()),
        escrow_e8: Set(rental.escrow.map_or(0, |escrow| escrow.held.e8())),
        earned_until: Set(rental.escrow.map(|escrow| escrow.earned_until)),
        earn_at: Set(rental.escrow.and_then(|escrow| escrow.next_at)),
        ready_at: Set(rental.ready_at),
        ..Default::default()
    })
}

fn whole(rental: &Rental) -> Result<ActiveModel> {
    Ok(ActiveModel {
        id: Set(rental.id.uuid()),
        host_id: Set(rental.host_id.uuid()),
        renter_id: Set(rental.renter_id.uuid()),
        pool_id: Set(rental.pool_id.map(PoolId::uuid)),
        started_at: Set(rental.started_at),
        terms: Set(to_json(rental.terms)?),
        charge_id: Set(rental.charge_id.uuid()),
        ready_by: Set(rental.ready_by),
        supplier_id: Set(rental.terms.supplier.map(|terms| terms.supplier_id.uuid())),
        ..changeable(rental)?
    })
}

fn with_host() -> SelectTwo<Entity, host::Entity> {
    let to_host: RelationDef =
        Entity::belongs_to(host::Entity).from(Column::HostId).to(host::Column::Id).into();
    Entity::find().join(JoinType::InnerJoin, to_host).select_also(host::Entity)
}

fn pair((row, host_row): (Model, Option<host::Model>)) -> Result<RentalWithHost> {
    let host_row = host_row.ok_or_else(|| corrupt("a rental without its host"))?;
    Ok(RentalWithHost { rental: rental(row)?, host: crate::host::host(host_row)? })
}

fn visible_to(viewer: Viewer) -> Condition {
    let own = viewer.pool_id.is_none().then(|| Column::RenterId.eq(viewer.user_id.uuid()));
    Condition::any().add_option(own).add(Column::PoolId.in_subquery(joined_pools(viewer)))
}

#[async_trait]
impl RentalQueries for Handle {
    async fn rental_with_host(&self, id: RentalId) -> Result<Option<RentalWithHost>> {
        let find = with_host().filter(Column::Id.eq(id.uuid()));
        find.one(&self.connection).await.map_err(failed)?.map(pair).transpose()
    }

    async fn rental_visible_to(
        &self,
        viewer: Viewer,
        id: RentalId,
    ) -> Result<Option<RentalWithHost>> {
        let find = with_host().filter(Column::Id.eq(id.uuid())).filter(visible_to(viewer));
        find.one(&self.connection).await.map_err(failed)?.map(pair).transpose()
    }

    async fn rental_of_host_visible_to(
        &self,
        viewer: Viewer,
        host_id: HostId,
    ) -> Result<Option<RentalWithHost>> {
        let find = with_host()
            .filter(Column::HostId.eq(host_id.uuid()))
            .filter(visible_to(viewer))
            .order_by_desc(Column::Id);
        find.one(&self.connection).await.map_err(failed)?.map(pair).transpose()
    }

    async fn rentals_visible_to(
        &self,
        viewer: Viewer,
        page: &Page<RentalId>,
    ) -> Result<Vec<RentalWithHost>> {
        let mut find = with_host().filter(visible_to(viewer)).order_by_desc(Column::Id);
        if let Some(after) = page.after {
            find = find.filter(Column::Id.lt(after.uuid()));
        }
        let rows = find.limit(page.limit.map(u64::from)).all(&self.connection).await;
        rows.map_err(failed)?.into_iter().map(pair).collect()
    }

    async fn rental_count(&self, viewer: Viewer) -> Result<u64> {
        Entity::find().filter(visible_to(viewer)).count(&self.connection).await.map_err(failed)
    }

    async fn due_rentals(&self, now: Timestamp, limit: u32) -> Result<Vec<(RentalId, HostId)>> {
        // A statement for each, driven by its own partial index.
        let changed = [
            ("active", Column::EndsAt, Column::EndsAt.lte(now)),
            ("hold", Column::HeldUntil, Column::HeldUntil.lte(now)),
            // Only a clock that ran ahead for a while makes these.
            ("hold", Column::HeldUntil, Column::EndsAt.gt(now)),
        ];
        let mut due = Vec::new();
        for (status, order, has_changed) in changed {
            let find = Entity::find().filter(Column::Status.eq(status)).filter(has_changed);
            let find = find.select_only().column(Column::Id).column(Column::HostId);
            let find = find.order_by_asc(order).limit(u64::from(limit)).into_tuple();
            let pairs: Vec<(uuid::Uuid, uuid::Uuid)> =
                find.all(&self.connection).await.map_err(failed)?;
            let pairs = pairs.into_iter();
            due.extend(pairs.map(|(id, host)| (RentalId::from_uuid(id), HostId::from_uuid(host))));
        }
        Ok(due)
    }

    async fn unready_rentals(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>> {
        // The predicate of the partial index, word for word.
        let unready = Expr::cust(
            "(ready_at IS NULL AND (status IN ('active', 'hold') \
             OR (status = 'expired' AND refunded_e8 < amount_e8)))",
        );
        self.ids(
            Entity::find().filter(unready).filter(Column::ReadyBy.lte(now)),
            Column::ReadyBy,
            limit,
        )
        .await
    }

    async fn rentals_to_earn(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>> {
        let ready = Expr::cust("(earn_at IS NOT NULL AND ready_at IS NOT NULL)");
        let find = Entity::find().filter(ready).filter(Column::EarnAt.lte(now));
        self.ids(find, Column::EarnAt, limit).await
    }

    async fn due_mandates(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>> {
        crate::mandate::due(self, now, limit).await
    }

    async fn mandate(&self, rental_id: RentalId) -> Result<Option<Mandate>> {
        crate::mandate::find(self, rental_id, false).await
    }

    async fn rentals_of_host_between(
        &self,
        host_id: HostId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Rental>> {
        let lived = Condition::any().add(Column::EndedAt.is_null()).add(Column::EndedAt.gt(from));
        let find = Entity::find()
            .filter(Column::HostId.eq(host_id.uuid()))
            .filter(Column::StartedAt.lt(until))
            .filter(lived)
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(rental).collect()
    }

    async fn misaligned_rentals(&self, limit: u32) -> Result<Vec<RentalId>> {
        // The predicate of the partial index, word for word.
        let misaligned = Expr::cust(
            "(access = 'pending' OR (access = 'granted' AND status <> 'active') \
             OR (access = 'suspended' AND status <> 'hold'))",
        );
        let (mut lost, mut after) = (Vec::new(), uuid::Uuid::nil());
        loop {
            let find = Entity::find().select_only().column(Column::Id).filter(misaligned.clone());
            let find = find.filter(Column::Id.gt(after)).order_by_asc(Column::Id);
            let ids = find.limit(u64::from(limit)).into_tuple();
            let ids: Vec<uuid::Uuid> = ids.all(&self.connection).await.map_err(failed)?;
            let Some(newest) = ids.last() else {
                return Ok(lost);
            };
            after = *newest;
            lost.extend(self.nobodys(ids).await?);
            if lost.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(lost);
            }
        }
    }
}

impl Handle {
    /// The ids of the first rows by a column.
    async fn ids(&self, find: Select<Entity>, order: Column, limit: u32) -> Result<Vec<RentalId>> {
        let find =
            find.select_only().column(Column::Id).order_by_asc(order).limit(u64::from(limit));
        let ids: Vec<uuid::Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(RentalId::from_uuid).collect())
    }

    /// Those of the rentals whose access no job is to align, not even one that waits for an operator.
    async fn nobodys(&self, ids: Vec<uuid::Uuid>) -> Result<Vec<RentalId>> {
        let ids = ids.into_iter().map(RentalId::from_uuid);
        let lanes: BTreeMap<String, RentalId> =
            ids.map(|rental_id| (JobKind::AlignAccess { rental_id }.lane(), rental_id)).collect();
        let worked_on = job::Entity::find()
            .select_only()
            .column(job::Column::Lane)
            .filter(job::Column::Lane.is_in(lanes.keys()))
            .into_tuple();
        let worked_on: HashSet<String> =
            worked_on.all(&self.connection).await.map_err(failed)?.into_iter().collect();
        let lost = lanes.into_iter().filter(|(lane, _)| !worked_on.contains(lane));
        Ok(lost.map(|(_, rental_id)| rental_id).collect())
    }
}

#[async_trait]
impl Rentals for Handle {
    async fn add_rental(&self, rental: &Rental) -> Result<()> {
        let insert = Entity::insert(whole(rental)?).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(|error| match violated_key(&error) {
            Some(_) => Error::Conflict(Conflict::ServerUnavailable),
            None => failed(error),
        })
    }

    async fn rental_for_update(&self, id: RentalId) -> Result<Option<Rental>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(rental).transpose()
    }

    async fn mandate_for_update(&self, rental_id: RentalId) -> Result<Option<Mandate>> {
        crate::mandate::find(self, rental_id, true).await
    }

    async fn save_mandate(&self, mandate: &Mandate) -> Result<()> {
        crate::mandate::save(self, mandate).await
    }

    async fn remove_mandate(&self, rental_id: RentalId) -> Result<()> {
        crate::mandate::remove(self, rental_id).await
    }

    async fn rentals_for_update(&self, ids: &[RentalId]) -> Result<Vec<Rental>> {
        let find = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(rental).collect()
    }

    async fn save_rentals(&self, rentals: &[Rental]) -> Result<()> {
        // Both databases know no shorter spelling of an update with other values for each row.
        let rows = rentals.iter().map(whole).collect::<Result<Vec<_>>>()?;
        let replace = OnConflict::column(Column::Id).update_columns(CHANGEABLE).to_owned();
        let insert = Entity::insert_many(rows).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn save_rental(&self, rental: &Rental) -> Result<()> {
        let update =
            Entity::update_many().set(changeable(rental)?).filter(Column::Id.eq(rental.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
