//! What credentials allow: a tree of paths such as `{"rentals": {"read": true}}`, or `{"*": true}`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Declares every permission with its path.
macro_rules! permissions {
    ($($(#[$meta:meta])* $name:ident = $path:literal,)*) => {
        /// One thing that credentials can allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $($(#[$meta])* $name,)* }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its path in the tree.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }
        }
    };
}

permissions! {
    /// See one's own account.
    ProfileRead = "profile.read",
    /// Change one's own account, end sessions.
    ProfileWrite = "profile.write",
    /// Browse the marketplace with credentials (without any it is open to everybody).
    MarketplaceRead = "marketplace.read",
    /// See rentals.
    RentalsRead = "rentals.read",
    /// Rent servers.
    RentalsRent = "rentals.rent",
    /// Extend rentals.
    RentalsExtend = "rentals.extend",
    /// End rentals early.
    RentalsTerminate = "rentals.terminate",
    /// See pools, members and invitations.
    PoolsRead = "pools.read",
    /// Change pools, members and invitations.
    PoolsWrite = "pools.write",
    /// See the SSH keys of one's pools.
    KeysRead = "keys.read",
    /// Add and delete SSH keys.
    KeysWrite = "keys.write",
    /// See the scripts of one's pools.
    ScriptsRead = "scripts.read",
    /// Add and delete scripts.
    ScriptsWrite = "scripts.write",
    /// See the templates of one's pools and the operator's.
    TemplatesRead = "templates.read",
    /// Add, change and delete templates.
    TemplatesWrite = "templates.write",
    /// See instances and clusters.
    InstancesRead = "instances.read",
    /// Order, use and delete instances and clusters.
    InstancesWrite = "instances.write",
    /// See volumes.
    VolumesRead = "volumes.read",
    /// Order, attach and delete volumes.
    VolumesWrite = "volumes.write",
    /// See balances and transactions.
    WalletRead = "wallet.read",
    /// Pay money in.
    WalletWrite = "wallet.write",
    /// See what the wallets hold that pay for one's pools, which may be somebody else's.
    BalanceRead = "balance.read",
    /// See what instances have cost and what was paid in.
    BillingRead = "billing.read",
    /// See API tokens.
    TokensRead = "tokens.read",
    /// Make, change and delete API tokens.
    TokensWrite = "tokens.write",
    /// See the client credentials of one's pools.
    CredentialsRead = "credentials.read",
    /// Make and revoke client credentials.
    CredentialsWrite = "credentials.write",
    /// See what operators see; only for operators.
    AdminRead = "admin.read",
    /// Do what operators do; only for operators.
    AdminWrite = "admin.write",
}

/// A set of permissions. What is not in it is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    allowed: BTreeSet<Permission>,
    /// `{"*": true}`: everything, also what is added to [`Permission`] later.
    everything: bool,
}

impl Permissions {
    /// Everything: what a log-in carries.
    pub const fn everything() -> Self {
        Self { allowed: BTreeSet::new(), everything: true }
    }

    /// These and no others.
    pub fn of(allowed: impl IntoIterator<Item = Permission>) -> Self {
        Self { allowed: allowed.into_iter().collect(), everything: false }
    }

    /// Whether it allows this.
    pub fn allow(&self, permission: Permission) -> bool {
        self.everything || self.allowed.contains(&permission)
    }

    /// Whether it allows all that the other does.
    pub fn cover(&self, other: &Self) -> bool {
        self.everything || (!other.everything && other.allowed.is_subset(&self.allowed))
    }

    /// Reads a tree: objects nest the segments of a path (or a key holds a whole path), `true`
    /// allows, `false` does not, `*` stands for everything at its place.
    pub fn parse(tree: &Map<String, Value>) -> Result<Self, String> {
        let mut permissions = Self { allowed: BTreeSet::new(), everything: false };
        permissions.read(tree, "")?;
        Ok(permissions)
    }

    fn read(&mut self, tree: &Map<String, Value>, above: &str) -> Result<(), String> {
        for (key, value) in tree {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            match value {
                Value::Bool(allowed) => self.set(&path, *allowed)?,
                // Paths have two segments, so a tree needs no more levels than that.
                Value::Object(below) if path.matches('.').count() < 1 => self.read(below, &path)?,
                _ => {
                    return Err(format!("`{path}` must be true, false or an object of paths"));
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, path: &str, allowed: bool) -> Result<(), String> {
        let group = path.strip_suffix('*').unwrap_or(path);
        let whole = path == "*";
        let named: Vec<Permission> = Permission::ALL
            .iter()
            .copied()
            .filter(|p| p.path() == path || (group.ends_with('.') && p.path().starts_with(group)))
            .collect();
        if named.is_empty() && !whole {
            let known: Vec<&str> = Permission::ALL.iter().map(|p| p.path()).collect();
            return Err(format!(
                "`{path}` is not a permission; there are * and {}",
                known.join(", ")
            ));
        }
        if allowed {
            self.everything |= whole;
            self.allowed.extend(named);
        }
        Ok(())
    }

    /// The tree, in the spelling that [`Self::parse`] reads.
    pub fn to_tree(&self) -> Map<String, Value> {
        let mut tree = Map::new();
        if self.everything {
            tree.insert("*".into(), true.into());
        }
        for permission in &self.allowed {
            if let Some((group, action)) = permission.path().split_once('.') {
                let group = tree.entry(group).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(group) = group {
                    group.insert(action.into(), true.into());
                }
            }
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(tree: &Value) -> Result<Permissions, String> {
        Permissions::parse(tree.as_object().unwrap())
    }

    #[test]
    fn a_tree_is_read_in_every_spelling() {
        let trees = [
            json!({"rentals": {"read": true, "rent": true}}),
            json!({"rentals.read": true, "rentals.rent": true, "pools.read": false}),
        ];
        for tree in trees {
            let permissions = parse(&tree).unwrap();
            assert!(permissions.allow(Permission::RentalsRent));
            assert!(!permissions.allow(Permission::RentalsExtend));
            assert!(!permissions.allow(Permission::PoolsRead));
        }
        assert!(parse(&json!({"*": true})).unwrap().allow(Permission::AdminWrite));
        assert!(parse(&json!({"pools": {"*": true}})).unwrap().allow(Permission::PoolsWrite));
        assert!(!parse(&json!({})).unwrap().allow(Permission::PoolsWrite));
        assert!(!parse(&json!({"*": false})).unwrap().allow(Permission::PoolsRead));
    }

    #[test]
    fn what_is_not_a_permission_is_named() {
        for tree in
            [json!({"rentals": {"burn": true}}), json!({"x.*": true}), json!({"rentals": 1})]
        {
            assert!(parse(&tree).unwrap_err().contains(['r', 'x']));
        }
        let deep = json!({"a": {"b": {"c": true}}});
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn a_tree_survives_its_storage_and_covers_no_more_than_it_holds() {
        let some = parse(&json!({"pools": {"read": true}})).unwrap();
        assert_eq!(Permissions::parse(&some.to_tree()).unwrap(), some);
        assert!(Permissions::everything().cover(&some));
        assert!(!some.cover(&Permissions::everything()));
        assert!(!some.cover(&parse(&json!({"pools": {"write": true}})).unwrap()));
    }
}
