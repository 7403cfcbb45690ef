//! Used idempotency keys.

use async_trait::async_trait;
use domain::Error;
use domain::clock::Timestamp;
use domain::idempotency::{Claim, Idempotency, IdempotencyKey};
use domain::user::UserId;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use crate::entity::idempotency_record::{ActiveModel, Column, Entity};
use crate::failure::{Result, failed};
use crate::store::Handle;

#[async_trait]
impl Idempotency for Handle {
    async fn claim(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        fingerprint: &[u8],
        at: Timestamp,
    ) -> Result<Claim> {
        let row = ActiveModel {
            user_id: Set(user_id.uuid()),
            idempotency_key: Set(key.as_str().to_owned()),
            fingerprint: Set(fingerprint.to_vec()),
            outcome: Set(None),
            created_at: Set(at),
        };
        let nothing =
            OnConflict::columns([Column::UserId, Column::IdempotencyKey]).do_nothing().to_owned();
        // PostgreSQL waits here for a transaction that holds the same key; SQLite has one writer.
        let insert = Entity::insert(row).on_conflict(nothing);
        match insert.exec_without_returning(&self.connection).await {
            Ok(1) => return Ok(Claim::Mine),
            Ok(_) => {}
            Err(error) => {
                return match failed(error) {
                    Error::Busy => Ok(Claim::Running),
                    other => Err(other),
                };
            }
        }
        let id = (user_id.uuid(), key.as_str().to_owned());
        let found = Entity::find_by_id(id).one(&self.connection).await.map_err(failed)?;
        Ok(match found.map(|row| (row.fingerprint, row.outcome)) {
            Some((fingerprint, Some(outcome))) => Claim::Done { fingerprint, outcome },
            // Committed without an outcome, or gone again: neither is ours to decide.
            Some((_, None)) | None => Claim::Running,
        })
    }

    async fn keep_outcome(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        outcome: Value,
    ) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::Outcome, Expr::value(outcome))
            .filter(Column::UserId.eq(user_id.uuid()))
            .filter(Column::IdempotencyKey.eq(key.as_str()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
