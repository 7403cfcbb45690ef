//! Users.

use async_trait::async_trait;
use domain::Error;
use domain::error::Conflict;
use domain::user::{
    Alias, Email, PasswordHash, PublicUser, User, UserId, UserQueries, Username, Users,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::user::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed, violated_key};
use crate::store::Handle;
use crate::words::{from_word, word};

pub(crate) fn user(row: Model) -> Result<User> {
    Ok(User {
        id: UserId::from_uuid(row.id),
        username: Username::from_stored(row.username),
        email: Email::from_stored(row.email),
        alias: row.alias.map(Alias::from_stored),
        role: from_word(&row.role)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(crate) fn public(row: Model) -> PublicUser {
    PublicUser {
        id: UserId::from_uuid(row.id),
        username: Username::from_stored(row.username),
        alias: row.alias.map(Alias::from_stored),
    }
}

fn with_hash(row: Model) -> Result<(User, PasswordHash)> {
    let hash = PasswordHash::from_phc(row.password_hash.clone());
    Ok((user(row)?, hash))
}

#[async_trait]
impl UserQueries for Handle {
    async fn user(&self, id: UserId) -> Result<Option<User>> {
        let row = Entity::find_by_id(id.uuid()).one(&self.connection).await.map_err(failed)?;
        row.map(user).transpose()
    }

    async fn user_named(&self, username: &str) -> Result<Option<User>> {
        let found = Entity::find().filter(Column::UsernameKey.eq(username.to_lowercase()));
        found.one(&self.connection).await.map_err(failed)?.map(user).transpose()
    }

    async fn user_to_sign_in(&self, login: &str) -> Result<Option<(User, PasswordHash)>> {
        let key = login.to_lowercase();
        // A username has no @, so at most one of the two matches.
        let either =
            Condition::any().add(Column::UsernameKey.eq(key.clone())).add(Column::EmailKey.eq(key));
        let found = Entity::find().filter(either).one(&self.connection).await.map_err(failed)?;
        found.map(with_hash).transpose()
    }

    async fn user_count(&self) -> Result<u64> {
        Entity::find().count(&self.connection).await.map_err(failed)
    }

    async fn users_after(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>> {
        let mut find = Entity::find().order_by_asc(Column::Id).limit(u64::from(limit));
        if let Some(after) = after {
            find = find.filter(Column::Id.gt(after.uuid()));
        }
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(user).collect()
    }
}

#[async_trait]
impl Users for Handle {
    async fn add_user(&self, user: &User, password: &PasswordHash) -> Result<()> {
        let row = ActiveModel {
            id: Set(user.id.uuid()),
            username: Set(user.username.to_string()),
            username_key: Set(user.username.key()),
            email: Set(user.email.to_string()),
            email_key: Set(user.email.key()),
            alias: Set(user.alias.as_ref().map(Alias::to_string)),
            role: Set(word(user.role)?),
            password_hash: Set(password.as_phc().to_owned()),
            created_at: Set(user.created_at),
            updated_at: Set(user.updated_at),
        };
        let inserted = Entity::insert(row).exec_without_returning(&self.connection).await;
        match inserted {
            Ok(_) => Ok(()),
            Err(error) => Err(match violated_key(&error) {
                Some(key) if key.contains("username") => Error::Conflict(Conflict::UsernameTaken),
                Some(key) if key.contains("email") => Error::Conflict(Conflict::EmailTaken),
                _ => failed(error),
            }),
        }
    }

    async fn user_for_update(&self, id: UserId) -> Result<Option<(User, PasswordHash)>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(with_hash).transpose()
    }

    async fn save_user(&self, user: &User, password: Option<&PasswordHash>) -> Result<()> {
        let mut row = ActiveModel {
            id: Set(user.id.uuid()),
            alias: Set(user.alias.as_ref().map(Alias::to_string)),
            updated_at: Set(user.updated_at),
            ..Default::default()
        };
        if let Some(password) = password {
            row.password_hash = Set(password.as_phc().to_owned());
        }
        row.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn names_taken(&self, username: &Username, email: &Email) -> Result<(bool, bool)> {
        let (username, email) = (username.key(), email.key());
        let either = Condition::any()
            .add(Column::UsernameKey.eq(username.clone()))
            .add(Column::EmailKey.eq(email.clone()));
        let rows = Entity::find().filter(either).all(&self.connection).await.map_err(failed)?;
        let taken = |test: &dyn Fn(&Model) -> bool| rows.iter().any(test);
        Ok((taken(&|row| row.username_key == username), taken(&|row| row.email_key == email)))
    }
}
