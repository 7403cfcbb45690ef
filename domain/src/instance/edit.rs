//! Changes what an instance is called, what it starts with, what it is made from and how large its disk is, and
//! whether it is renewed.

use std::collections::BTreeMap;

use tracing::instrument;

use super::act::locked;
use super::create::event;
use super::remake::Remaking;
use super::{Hostname, Instance, InstanceId, InstancePolicy, Renewal, Tags, Term};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result, Violation};
use crate::inside::{environment_fault, start_script, start_script_fault};
use crate::money::Money;
use crate::pool::Label;
use crate::store::{Store, Tx, atomically};
use crate::template::TemplateId;
use crate::token::Permission;
use crate::user::Caller;

/// What to change in an instance; what is `None` stays.
#[derive(Clone, Debug)]
pub struct EditInstance {
    /// Who asks: an owner or admin of its pool.
    pub caller: Caller,
    /// Which instance.
    pub id: InstanceId,
    /// What it calls itself from its next start on.
    pub hostname: Option<Hostname>,
    /// What its owner calls it.
    pub name: Option<Label>,
    /// In the owner's words.
    pub description: Option<String>,
    /// All labels.
    pub tags: Option<Tags>,
    /// The script that runs at every start from the next one on, in place of any that it had.
    pub start_script: Option<String>,
    /// All environment variables, from its next start on.
    pub environment: Option<BTreeMap<String, String>>,
    /// The template that it is made from, with an empty disk, from its next start on. Its image, ports, variables and start
    /// script take the place of what there was.
    pub template_id: Option<TemplateId>,
    /// The size of its disk in GB, at least what it is, for what is sold by the graphics processor. It costs that from
    /// now on, and has it from its next start on.
    pub disk_gb: Option<u32>,
    /// Whether nobody may start, stop or delete it.
    pub is_locked: Option<bool>,
    /// Whether it is renewed.
    pub renews: Option<bool>,
    /// The most that it may cost for that, as [`Renewal`] says; `Some(None)` takes any price.
    pub renewal_max: Option<Option<Money>>,
}

impl EditInstance {
    /// Changes nothing yet.
    pub const fn nothing(caller: Caller, id: InstanceId) -> Self {
        Self {
            caller,
            id,
            hostname: None,
            name: None,
            description: None,
            tags: None,
            start_script: None,
            environment: None,
            template_id: None,
            disk_gb: None,
            is_locked: None,
            renews: None,
            renewal_max: None,
        }
    }

    fn violations(&self) -> Vec<Violation> {
        let is_long = |text: &&String| text.chars().count() > 500 || text.contains('\0');
        let faults = [
            self.description
                .as_ref()
                .filter(is_long)
                .map(|_| ("/description", "must be at most 500 characters".to_owned())),
            self.start_script
                .as_deref()
                .and_then(start_script_fault)
                .map(|fault| ("/start_script", fault.to_owned())),
            self.environment
                .as_ref()
                .and_then(environment_fault)
                .map(|fault| ("/environment", fault)),
        ];
        let faults = faults.into_iter().flatten();
        faults.map(|(path, message)| Violation::new(path, &message)).collect()
    }

    /// The instance as it is to be.
    fn of(&self, instance: Instance) -> Result<Instance> {
        let is_made_of_it = self.start_script.is_some() || self.environment.is_some();
        if instance.terms.is_of_a_unit() && is_made_of_it {
            return Err(Error::Conflict(Conflict::NotForUnits));
        }
        let mut origin = instance.origin;
        if let Some(script) = &self.start_script {
            origin.script_id = None;
            origin.is_autostart = true;
            origin.script = start_script(script.clone());
        }
        if let Some(environment) = &self.environment {
            origin.environment.clone_from(environment);
        }
        Ok(Instance {
            hostname: self.hostname.clone().unwrap_or(instance.hostname),
            name: self.name.clone().unwrap_or(instance.name),
            description: self.description.clone().unwrap_or(instance.description),
            tags: self.tags.clone().unwrap_or(instance.tags),
            is_locked: self.is_locked.unwrap_or(instance.is_locked),
            term: self.term(instance.term)?,
            origin,
            ..instance
        })
    }

    fn term(&self, term: Option<Term>) -> Result<Option<Term>> {
        if self.renews.is_none() && self.renewal_max.is_none() {
            return Ok(term);
        }
        let endless = || Error::invalid("/renewal", "is for what has a term; this one has none");
        let term = term.ok_or_else(endless)?;
        let renewal = Renewal {
            is_on: self.renews.unwrap_or(term.renewal.is_on),
            max_price: self.renewal_max.unwrap_or(term.renewal.max_price),
        };
        Ok(Some(Term { renewal, ..term }))
    }
}

/// Changes an instance.
#[instrument(name = "instance.edit", skip_all, fields(id = %request.id))]
pub async fn edit(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: EditInstance,
) -> Result<Instance> {
    let caller = &request.caller;
    caller.may(Permission::InstancesWrite)?;
    Error::unless_empty(request.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (wallet, instance) = locked(tx, caller, request.id, None).await?;
        let work = Remaking { tx, random, policy, request: &request, now };
        let instance = request.of(Box::pin(work.of(wallet, instance)).await?)?;
        tx.save_instance(&instance).await?;
        tx.record(vec![event("instance.edited", &instance, caller.actor(), now)]).await?;
        Ok(instance)
    })
    .await
}
