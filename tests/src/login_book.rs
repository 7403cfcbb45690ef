//! A book of logins in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::error::Thing;
use domain::host::HostId;
use domain::remote::{HostKey, JournalEntryId, KeyVerdict, Login, LoginBook, Outcome, Step};
use domain::{Error, Result};
use secrecy::SecretString;

use crate::ssh_host::SshHost;

/// What it knows and what it was told.
#[derive(Default)]
pub struct MemoryBook {
    logins: Mutex<HashMap<HostId, Login>>,
    shown: Mutex<Vec<HostKey>>,
    journal: Mutex<BTreeMap<JournalEntryId, (Step, Option<Outcome>)>>,
}

impl MemoryBook {
    /// Notes how a host is logged in to.
    pub fn put(&self, host_id: HostId, login: Login) {
        self.logins.lock().unwrap().insert(host_id, login);
    }

    /// Changes how.
    pub fn change(&self, host_id: HostId, change: impl FnOnce(&mut Login)) {
        change(self.logins.lock().unwrap().get_mut(&host_id).unwrap());
    }

    /// The keys that hosts have shown, one for each connection.
    pub fn shown(&self) -> Vec<HostKey> {
        self.shown.lock().unwrap().clone()
    }

    /// What was begun, and how it ended.
    pub fn journal(&self) -> Vec<(Step, Option<Outcome>)> {
        self.journal.lock().unwrap().values().cloned().collect()
    }
}

/// Root's login on a host of a test.
pub fn login(host: &SshHost) -> Login {
    Login {
        address: host.address.ip(),
        port: host.address.port(),
        username: "root".to_owned(),
        private_key: SecretString::from(fs::read_to_string(&host.key).unwrap()),
        host_key: None,
    }
}

#[async_trait]
impl LoginBook for MemoryBook {
    async fn login(&self, host_id: HostId) -> Result<Login> {
        let logins = self.logins.lock().unwrap();
        logins.get(&host_id).cloned().ok_or(Error::NotFound(Thing::Server))
    }

    async fn key_shown(&self, host_id: HostId, key: &HostKey) -> Result<KeyVerdict> {
        self.shown.lock().unwrap().push(key.clone());
        let mut logins = self.logins.lock().unwrap();
        let login = logins.get_mut(&host_id).ok_or(Error::NotFound(Thing::Server))?;
        match &login.host_key {
            Some(known) if known != key => Ok(KeyVerdict::Changed { known: known.clone() }),
            _ => {
                login.host_key = Some(key.clone());
                Ok(KeyVerdict::Known)
            }
        }
    }

    async fn begun(&self, step: &Step) -> Result<JournalEntryId> {
        let mut journal = self.journal.lock().unwrap();
        let id = JournalEntryId::parse(&format!("{:024x}", journal.len() + 1)).unwrap();
        journal.insert(id, (step.clone(), None));
        Ok(id)
    }

    async fn ended(&self, id: JournalEntryId, outcome: &Outcome) -> Result<()> {
        self.journal.lock().unwrap().get_mut(&id).unwrap().1 = Some(outcome.clone());
        Ok(())
    }
}
