//! How hosts are logged in to, and what was done there.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::page::Page;
use domain::remote::{
    HostKey, HostLogin, Identity, IdentityName, JournalEntry, JournalEntryId, Outcome,
    RemoteQueries, Remotes, Step,
};
use domain::vault::Sealed;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::entity::{host_login, journal_entry, ssh_identity};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::number;

fn login(row: host_login::Model) -> Result<HostLogin> {
    Ok(HostLogin {
        host_id: HostId::from_uuid(row.host_id),
        address: row.address.parse().map_err(|_| corrupt("an address"))?,
        port: number(row.port)?,
        username: row.username,
        identity: IdentityName::from_stored(row.identity),
        host_key: row.host_key.map(HostKey::from_stored),
        shown_key: row.shown_key.map(HostKey::from_stored),
        updated_at: row.updated_at,
    })
}

fn identity(row: ssh_identity::Model) -> Identity {
    Identity {
        name: IdentityName::from_stored(row.name),
        public_key: row.public_key,
        private_key: Sealed::from_bytes(row.private_key),
        created_at: row.created_at,
    }
}

fn entry(row: journal_entry::Model) -> JournalEntry {
    JournalEntry {
        id: JournalEntryId::from_uuid(row.id),
        host_id: HostId::from_uuid(row.host_id),
        subject: row.subject,
        step: row.step,
        begun_at: row.begun_at,
        ended_at: row.ended_at,
        exit_status: row.exit_status,
        output: row.output,
    }
}

#[async_trait]
impl RemoteQueries for Handle {
    async fn login(&self, host_id: HostId) -> Result<Option<HostLogin>> {
        let find = host_login::Entity::find_by_id(host_id.uuid()).one(&self.connection);
        find.await.map_err(failed)?.map(login).transpose()
    }

    async fn logins_with(&self, identity: &IdentityName) -> Result<u64> {
        let find =
            host_login::Entity::find().filter(host_login::Column::Identity.eq(identity.as_str()));
        find.count(&self.connection).await.map_err(failed)
    }

    async fn identity(&self, name: &IdentityName) -> Result<Option<Identity>> {
        let find = ssh_identity::Entity::find_by_id(name.as_str()).one(&self.connection);
        Ok(find.await.map_err(failed)?.map(identity))
    }

    async fn identities(&self) -> Result<Vec<Identity>> {
        let find = ssh_identity::Entity::find().order_by_asc(ssh_identity::Column::Name);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(identity).collect())
    }

    async fn journal(
        &self,
        host_id: HostId,
        subject: Option<&str>,
        page: &Page<JournalEntryId>,
    ) -> Result<Vec<JournalEntry>> {
        use journal_entry::Column;
        let find = journal_entry::Entity::find()
            .filter(Column::HostId.eq(host_id.uuid()))
            .apply_if(subject, |find, subject| find.filter(Column::Subject.eq(subject)))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(entry).collect())
    }
}

#[async_trait]
impl Remotes for Handle {
    async fn login_for_update(&self, host_id: HostId) -> Result<Option<HostLogin>> {
        let find = host_login::Entity::find_by_id(host_id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(login).transpose()
    }

    async fn save_login(&self, login: &HostLogin) -> Result<()> {
        use host_login::Column;
        let row = host_login::ActiveModel {
            host_id: Set(login.host_id.uuid()),
            address: Set(login.address.to_string()),
            port: Set(login.port.into()),
            username: Set(login.username.clone()),
            identity: Set(login.identity.to_string()),
            host_key: Set(login.host_key.as_ref().map(ToString::to_string)),
            shown_key: Set(login.shown_key.as_ref().map(ToString::to_string)),
            updated_at: Set(login.updated_at),
        };
        let columns = [
            Column::Address,
            Column::Port,
            Column::Username,
            Column::Identity,
            Column::HostKey,
            Column::ShownKey,
            Column::UpdatedAt,
        ];
        let replace = OnConflict::column(Column::HostId).update_columns(columns).to_owned();
        let insert = host_login::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn identity_for_update(&self, name: &IdentityName) -> Result<Option<Identity>> {
        let find = ssh_identity::Entity::find_by_id(name.as_str()).lock(LockType::NoKeyUpdate);
        Ok(find.one(&self.connection).await.map_err(failed)?.map(identity))
    }

    async fn save_identity(&self, identity: &Identity) -> Result<()> {
        use ssh_identity::Column;
        let row = ssh_identity::ActiveModel {
            name: Set(identity.name.to_string()),
            public_key: Set(identity.public_key.clone()),
            private_key: Set(identity.private_key.as_bytes().to_vec()),
            created_at: Set(identity.created_at),
        };
        let columns = [Column::PublicKey, Column::PrivateKey, Column::CreatedAt];
        let replace = OnConflict::column(Column::Name).update_columns(columns).to_owned();
        let insert = ssh_identity::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_identity(&self, name: &IdentityName) -> Result<()> {
        let delete = ssh_identity::Entity::delete_by_id(name.as_str()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }

    async fn add_journal_entry(
        &self,
        id: JournalEntryId,
        step: &Step,
        now: Timestamp,
    ) -> Result<()> {
        let row = journal_entry::ActiveModel {
            id: Set(id.uuid()),
            host_id: Set(step.host_id.uuid()),
            subject: Set(step.subject.clone()),
            step: Set(step.name.to_owned()),
            begun_at: Set(now),
            ended_at: Set(None),
            exit_status: Set(None),
            output: Set(String::new()),
        };
        let insert = journal_entry::Entity::insert(row);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn end_journal_entry(
        &self,
        id: JournalEntryId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<()> {
        use journal_entry::Column;
        let update = journal_entry::Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(now))
            .col_expr(Column::ExitStatus, Expr::value(outcome.exit_status))
            .col_expr(Column::Output, Expr::value(outcome.output.clone()))
            .filter(Column::Id.eq(id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn forget_journal(&self, before: Timestamp) -> Result<u64> {
        let delete = journal_entry::Entity::delete_many()
            .filter(journal_entry::Column::BegunAt.lt(before))
            .exec(&self.connection);
        Ok(delete.await.map_err(failed)?.rows_affected)
    }
}
