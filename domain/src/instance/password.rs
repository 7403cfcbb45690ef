//! The passwords with which one can log in to instances.

use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::{Instance, InstanceId};
use crate::error::{Error, Result};
use crate::store::Tx;
use crate::vault::Vault;

/// The fewest characters of a password that somebody chose.
const LEAST: usize = 8;
/// The most.
const MOST: usize = 128;

/// Which password logs in, beside keys.
#[derive(Clone, Debug, Default)]
pub enum PasswordWish {
    /// None.
    #[default]
    None,
    /// One that is made for the instance, and told to owners and admins.
    Made,
    /// One that somebody chose: 8 to 128 characters, none of them a control character.
    Own(SecretString),
}

impl PasswordWish {
    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let Self::Own(password) = self else { return None };
        let password = password.expose_secret();
        let fits = (LEAST..=MOST).contains(&password.chars().count());
        let is_good = fits && !password.contains(char::is_control);
        (!is_good).then_some("must be 8 to 128 characters, none of them a control character")
    }
}

/// What a sealed password is of: one instance, as long as there is that.
fn context(id: InstanceId) -> String {
    format!("instance {id} own password")
}

impl Instance {
    /// The password with which one can log in, if one can.
    pub(super) fn password(&self, vault: &dyn Vault) -> Result<Option<SecretString>> {
        if let Some(sealed) = &self.origin.own_password {
            return vault.open(sealed, &context(self.id)).map(Some);
        }
        let made = format!("instance {} password", self.id);
        self.origin.has_password.then(|| vault.derive(&made)).transpose()
    }

    /// The same; one that cannot be opened any more, as after a change of the signing key, is none.
    pub(super) fn password_or_none(&self, vault: &dyn Vault) -> Option<SecretString> {
        let closed = |fault: &Error| {
            warn!(instance_id = %self.id, cause = fault.for_the_log(), "a secret stays closed");
        };
        self.password(vault).inspect_err(closed).unwrap_or_default()
    }

    /// The instance with a password that somebody chose, stored.
    pub(super) async fn with_password(
        mut self,
        tx: &dyn Tx,
        vault: &dyn Vault,
        password: &SecretString,
    ) -> Result<Self> {
        self.origin.has_password = true;
        self.origin.own_password = Some(vault.seal(password, &context(self.id))?);
        tx.save_instance(&self).await?;
        Ok(self)
    }
}
