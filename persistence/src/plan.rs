//! Plans, where they are sold and to whom, and what they have cost.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::location::LocationCode;
use domain::money::Money;
use domain::page::Page;
use domain::plan::{
    Plan, PlanCode, PlanFilter, PlanId, PlanPlace, PlanPrice, PlanQueries, PlanScope, Plans,
};
use domain::pool::PoolId;
use domain::user::Viewer;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, NotSet, Order,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::entity::plan::{ActiveModel, Column, Entity, Model};
use crate::entity::{plan_location, plan_pool, plan_price};
use crate::failure::{Result, failed, overtaken};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, to_json};

/// The place of a plan without an hourly price: behind every other.
const LAST: i64 = i64::MAX;

fn place() -> Expr {
    Expr::cust(format!("COALESCE(plans.price_per_hour_e8, {LAST})"))
}

fn plan(row: Model, locations: Vec<LocationCode>, pools: Vec<PoolId>) -> Result<Plan> {
    Ok(Plan {
        id: PlanId::from_uuid(row.id),
        code: PlanCode::from_stored(row.code),
        name: row.name,
        description: row.description,
        shape: from_json(row.shape)?,
        pricing: from_json(row.pricing)?,
        locations,
        is_listed: row.is_listed,
        pools: row.is_private.then_some(pools),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn stored(plan: &Plan) -> Result<ActiveModel> {
    let gpu = plan.shape.gpu.as_ref();
    Ok(ActiveModel {
        id: Set(plan.id.uuid()),
        code: Set(plan.code.to_string()),
        name: Set(plan.name.clone()),
        description: Set(plan.description.clone()),
        shape: Set(to_json(&plan.shape)?),
        pricing: Set(to_json(&plan.pricing)?),
        is_listed: Set(plan.is_listed),
        created_at: Set(plan.created_at),
        updated_at: Set(plan.updated_at),
        price_per_hour_e8: Set(plan.pricing.per_hour.map(Money::e8)),
        cpus: Set(plan.shape.cpus.into()),
        ram_mib: Set(plan.shape.ram_mib.into()),
        gpu_model: Set(gpu.map(|gpu| gpu.model.to_lowercase())),
        gpu_count: Set(gpu.map_or(0, |gpu| gpu.count.into())),
        is_private: Set(plan.is_private()),
    })
}

fn price(row: plan_price::Model) -> PlanPrice {
    PlanPrice {
        changed_at: row.changed_at,
        per_hour: row.per_hour_e8.map(Money::from_e8),
        spot_per_hour: row.spot_per_hour_e8.map(Money::from_e8),
    }
}

/// The plans that are for some pool whose things somebody sees, for `id IN (…)`.
fn for_pools_of(viewer: Viewer) -> SelectStatement {
    Query::select()
        .column(plan_pool::Column::PlanId)
        .from(plan_pool::Entity)
        .and_where(plan_pool::Column::PoolId.in_subquery(joined_pools(viewer)))
        .take()
}

fn within(scope: PlanScope) -> Condition {
    let listed = || Condition::all().add(Column::IsListed.into_expr());
    let for_all = || Column::IsPrivate.into_expr().not();
    match scope {
        PlanScope::All => Condition::all(),
        PlanScope::Public => listed().add(for_all()),
        PlanScope::Seen(viewer) => {
            let theirs = Column::Id.in_subquery(for_pools_of(viewer));
            listed().add(Condition::any().add(for_all()).add(theirs))
        }
    }
}

fn condition(filter: &PlanFilter) -> Condition {
    let sold_in = |code: &LocationCode| {
        let there = Query::select()
            .column(plan_location::Column::PlanId)
            .from(plan_location::Entity)
            .and_where(plan_location::Column::LocationCode.eq(code.as_str()))
            .take();
        Column::Id.in_subquery(there)
    };
    Condition::all()
        .add(within(filter.scope))
        .add_option(filter.location.as_ref().map(sold_in))
        .add_option(filter.gpu_model.as_ref().map(|m| Column::GpuModel.eq(m.to_lowercase())))
        .add_option(filter.min_gpus.map(|least| Column::GpuCount.gte(i64::from(least))))
        .add_option(filter.min_cpus.map(|least| Column::Cpus.gte(i64::from(least))))
        .add_option(filter.min_ram_mib.map(|least| Column::RamMib.gte(i64::from(least))))
}

fn behind(after: PlanPlace) -> Condition {
    let last = after.per_hour.map_or(LAST, Money::e8);
    let same_price_later_id = place().eq(last).and(Column::Id.gt(after.id.uuid()));
    Condition::any().add(place().gt(last)).add(same_price_later_id)
}

#[async_trait]
impl PlanQueries for Handle {
    async fn plan(&self, id: PlanId) -> Result<Option<Plan>> {
        self.one_plan(Entity::find_by_id(id.uuid())).await
    }

    async fn plan_coded(&self, scope: PlanScope, code: &PlanCode) -> Result<Option<Plan>> {
        let find = Entity::find().filter(Column::Code.eq(code.as_str())).filter(within(scope));
        self.one_plan(find).await
    }

    async fn plans(&self, filter: &PlanFilter, page: &Page<PlanPlace>) -> Result<Vec<Plan>> {
        let find = Entity::find()
            .filter(condition(filter))
            .apply_if(page.after, |find, after| find.filter(behind(after)))
            .order_by(place(), Order::Asc)
            .order_by_asc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        self.whole(rows).await
    }

    async fn sees_private_plans(&self, viewer: Viewer) -> Result<bool> {
        let find = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::IsListed.into_expr())
            .filter(Column::IsPrivate.into_expr())
            .filter(Column::Id.in_subquery(for_pools_of(viewer)));
        let found: Option<Uuid> = find.into_tuple().one(&self.connection).await.map_err(failed)?;
        Ok(found.is_some())
    }

    fn plan_generation(&self) -> u64 {
        self.plan_generation.load(Ordering::SeqCst)
    }

    async fn plan_prices(&self, id: PlanId, limit: u32) -> Result<Vec<PlanPrice>> {
        let find = plan_price::Entity::find()
            .filter(plan_price::Column::PlanId.eq(id.uuid()))
            .order_by_desc(plan_price::Column::Id)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(price).collect())
    }

    async fn prices_since(&self, since: Timestamp, limit: u32) -> Result<Vec<(PlanId, PlanPrice)>> {
        let find = plan_price::Entity::find()
            .filter(plan_price::Column::ChangedAt.gte(since))
            .order_by_desc(plan_price::Column::Id)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(|row| (PlanId::from_uuid(row.plan_id), price(row))).collect())
    }
}

impl Handle {
    async fn one_plan(&self, find: Select<Entity>) -> Result<Option<Plan>> {
        let row = find.one(&self.connection).await.map_err(failed)?;
        Ok(self.whole(row.into_iter().collect()).await?.pop())
    }

    /// The plans of the rows, all their locations and pools by one statement each.
    async fn whole(&self, rows: Vec<Model>) -> Result<Vec<Plan>> {
        let mut pools = self.pools_of_plans(&rows).await?;
        let mut locations: HashMap<Uuid, Vec<LocationCode>> = HashMap::new();
        let find = plan_location::Entity::find()
            .filter(plan_location::Column::PlanId.is_in(rows.iter().map(|row| row.id)));
        for row in find.all(&self.connection).await.map_err(failed)? {
            let code = LocationCode::from_stored(row.location_code);
            locations.entry(row.plan_id).or_default().push(code);
        }
        let of = |row: Model| {
            let mut codes = locations.remove(&row.id).unwrap_or_default();
            // Here and not in SQL, because the domain knows no collation.
            codes.sort();
            let pools = pools.remove(&row.id).unwrap_or_default();
            plan(row, codes, pools)
        };
        rows.into_iter().map(of).collect()
    }

    async fn pools_of_plans(&self, rows: &[Model]) -> Result<HashMap<Uuid, Vec<PoolId>>> {
        let mut pools: HashMap<Uuid, Vec<PoolId>> = HashMap::new();
        let private: Vec<Uuid> =
            rows.iter().filter(|row| row.is_private).map(|row| row.id).collect();
        if private.is_empty() {
            return Ok(pools);
        }
        let find = plan_pool::Entity::find()
            .filter(plan_pool::Column::PlanId.is_in(private))
            .order_by_asc(plan_pool::Column::PoolId);
        for row in find.all(&self.connection).await.map_err(failed)? {
            pools.entry(row.plan_id).or_default().push(PoolId::from_uuid(row.pool_id));
        }
        Ok(pools)
    }

    async fn add_plan_pools(&self, plan: &Plan) -> Result<()> {
        let pools = plan.pools.iter().flatten();
        let rows = pools.map(|id| plan_pool::ActiveModel {
            plan_id: Set(plan.id.uuid()),
            pool_id: Set(id.uuid()),
        });
        self.add_all(rows.collect()).await
    }

    async fn add_plan_locations(&self, plan: &Plan) -> Result<()> {
        let rows = plan.locations.iter().map(|code| plan_location::ActiveModel {
            plan_id: Set(plan.id.uuid()),
            location_code: Set(code.to_string()),
        });
        self.add_all(rows.collect()).await
    }

    async fn add_all<A: ActiveModelTrait>(&self, rows: Vec<A>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let insert = A::Entity::insert_many(rows);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }
}

#[async_trait]
impl Plans for Handle {
    async fn plan_for_update(&self, code: &PlanCode) -> Result<Option<Plan>> {
        let find = Entity::find().filter(Column::Code.eq(code.as_str()));
        self.one_plan(find.lock(LockType::NoKeyUpdate)).await
    }

    async fn add_plan(&self, plan: &Plan) -> Result<()> {
        self.changes_plans();
        let insert = Entity::insert(stored(plan)?).exec_without_returning(&self.connection);
        insert.await.map_err(overtaken)?;
        self.add_plan_locations(plan).await?;
        self.add_plan_pools(plan).await
    }

    async fn save_plan(&self, plan: &Plan) -> Result<()> {
        self.changes_plans();
        stored(plan)?.update(&self.connection).await.map_err(failed)?;
        let of_plan = plan_location::Column::PlanId.eq(plan.id.uuid());
        let delete = plan_location::Entity::delete_many().filter(of_plan);
        delete.exec(&self.connection).await.map_err(failed)?;
        self.add_plan_locations(plan).await?;
        let of_plan = plan_pool::Column::PlanId.eq(plan.id.uuid());
        let delete = plan_pool::Entity::delete_many().filter(of_plan);
        delete.exec(&self.connection).await.map_err(failed)?;
        self.add_plan_pools(plan).await
    }

    async fn add_plan_price(&self, id: PlanId, price: &PlanPrice) -> Result<()> {
        let row = plan_price::ActiveModel {
            id: NotSet,
            plan_id: Set(id.uuid()),
            changed_at: Set(price.changed_at),
            per_hour_e8: Set(price.per_hour.map(Money::e8)),
            spot_per_hour_e8: Set(price.spot_per_hour.map(Money::e8)),
        };
        let insert = plan_price::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }
}
