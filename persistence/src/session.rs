//! Sessions and their refresh tokens.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::session::{RefreshToken, Session, SessionId, SessionQueries, Sessions, TokenHash};
use domain::user::{User, UserId};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, SelectTwo,
};

use crate::entity::{refresh_token, session, user};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;

fn session(row: session::Model) -> Session {
    Session {
        id: SessionId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        created_at: row.created_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
    }
}

fn with_user() -> SelectTwo<session::Entity, user::Entity> {
    let on_user = session::Entity::belongs_to(user::Entity)
        .from(session::Column::UserId)
        .to(user::Column::Id)
        .into();
    session::Entity::find().join(JoinType::InnerJoin, on_user).select_also(user::Entity)
}

fn pair(row: (session::Model, Option<user::Model>)) -> Result<(Session, User)> {
    let user_row = row.1.ok_or_else(|| corrupt("a session without its user"))?;
    Ok((session(row.0), crate::user::user(user_row)?))
}

#[async_trait]
impl SessionQueries for Handle {
    async fn session_with_user(&self, id: SessionId) -> Result<Option<(Session, User)>> {
        let find = with_user().filter(session::Column::Id.eq(id.uuid()));
        find.one(&self.connection).await.map_err(failed)?.map(pair).transpose()
    }
}

#[async_trait]
impl Sessions for Handle {
    async fn add_session(&self, session: &Session, first: &TokenHash) -> Result<()> {
        let row = session::ActiveModel {
            id: Set(session.id.uuid()),
            user_id: Set(session.user_id.uuid()),
            created_at: Set(session.created_at),
            expires_at: Set(session.expires_at),
            ended_at: Set(session.ended_at),
        };
        let insert = session::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed)?;
        self.add_refresh_token(session.id, first).await
    }

    async fn refresh_token_for_update(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(RefreshToken, Session, User)>> {
        let token = refresh_token::Entity::find_by_id(hash.as_bytes().to_vec());
        let Some(token) = token.one(&self.connection).await.map_err(failed)? else {
            return Ok(None);
        };
        let find = session::Entity::find_by_id(token.session_id).lock(LockType::NoKeyUpdate);
        let locked = find.one(&self.connection).await.map_err(failed)?;
        // Read again behind the lock: another refresh may just have used it.
        let token = refresh_token::Entity::find_by_id(hash.as_bytes().to_vec());
        let token = token.one(&self.connection).await.map_err(failed)?;
        let (Some(token), Some(row)) = (token, locked) else {
            return Ok(None);
        };
        let owner = user::Entity::find_by_id(row.user_id).one(&self.connection).await;
        let owner = owner.map_err(failed)?.ok_or_else(|| corrupt("a session without its user"))?;
        let session_id = SessionId::from_uuid(token.session_id);
        let token = RefreshToken { hash: hash.clone(), session_id, used_at: token.used_at };
        Ok(Some((token, session(row), crate::user::user(owner)?)))
    }

    async fn rotate(
        &self,
        session: &Session,
        used: &TokenHash,
        next: &TokenHash,
        at: Timestamp,
    ) -> Result<()> {
        let update = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(at))
            .filter(refresh_token::Column::TokenHash.eq(used.as_bytes().to_vec()));
        update.exec(&self.connection).await.map_err(failed)?;
        let update = session::Entity::update_many()
            .col_expr(session::Column::ExpiresAt, Expr::value(session.expires_at))
            .filter(session::Column::Id.eq(session.id.uuid()));
        update.exec(&self.connection).await.map_err(failed)?;
        self.add_refresh_token(session.id, next).await
    }

    async fn end_session(&self, id: SessionId, at: Timestamp) -> Result<()> {
        let update = session::Entity::update_many()
            .col_expr(session::Column::EndedAt, Expr::value(at))
            .filter(session::Column::Id.eq(id.uuid()).and(session::Column::EndedAt.is_null()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn end_sessions(
        &self,
        user_id: UserId,
        except: Option<SessionId>,
        at: Timestamp,
    ) -> Result<()> {
        let mut update = session::Entity::update_many()
            .col_expr(session::Column::EndedAt, Expr::value(at))
            .filter(session::Column::UserId.eq(user_id.uuid()))
            .filter(session::Column::EndedAt.is_null());
        if let Some(except) = except {
            update = update.filter(session::Column::Id.ne(except.uuid()));
        }
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}

impl Handle {
    async fn add_refresh_token(&self, session_id: SessionId, hash: &TokenHash) -> Result<()> {
        let row = refresh_token::ActiveModel {
            token_hash: Set(hash.as_bytes().to_vec()),
            session_id: Set(session_id.uuid()),
            used_at: Set(None),
        };
        let insert = refresh_token::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }
}
