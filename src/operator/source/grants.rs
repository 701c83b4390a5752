//! Checks the grants of a source. Repeats the rules of the schema, since the one in the cluster may be older.

use std::collections::BTreeSet;

use crate::api;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::grant::{Grant, HostPattern};
use crate::domain::municipality::Municipality;
use crate::domain::resource::{ProtectedPersons, Sector};
use crate::operator::refusal::Refusal;

/// The grants of a source in namespace `own`. One that cannot be used refuses all.
pub fn of(own: &str, grants: &[api::grant::Grant]) -> Result<Vec<Grant>, Refusal> {
    let mut seen = BTreeSet::new();
    for grant in grants {
        let namespace = grant.namespace.as_str();
        if namespace == own {
            return Err(invalid(format!(
                "grants: {own} is the source's own namespace and needs none: remove its entry"
            )));
        }
        if !seen.insert(namespace) {
            return Err(invalid(format!("grants: {namespace} is there twice: make one entry of both")));
        }
    }
    grants.iter().map(parse).collect()
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn parse(grant: &api::grant::Grant) -> Result<Grant, Refusal> {
    let namespace = grant.namespace.as_str().to_owned();
    let wrong = |what: &str| invalid(format!("the grant to {namespace}: {what}"));
    let fields: GroupSet = grant.fields.iter().copied().collect();
    if grant.sector == Sector::Private && grant.protected_persons == ProtectedPersons::Allow {
        return Err(wrong("protectedPersons: Allow needs sector Public: use Mask or Deny"));
    }
    if grant.sector == Sector::Private && fields.contains(FieldGroup::PersonId) {
        return Err(wrong("PersonId may not be given to sector Private: remove it from fields"));
    }
    if grant.everyone && !grant.municipalities.is_empty() {
        return Err(wrong("everyone covers every municipality: remove municipalities, or everyone"));
    }
    let municipalities: Result<BTreeSet<Municipality>, _> =
        grant.municipalities.iter().map(|code| code.parse()).collect();
    let municipalities = municipalities
        .map_err(|_| wrong("municipalities must be four-digit codes of municipalities, such as 0851: correct them"))?;
    let hosts: Result<Vec<_>, _> = grant.hosts.iter().map(|host| HostPattern::parse(host.as_str())).collect();
    let hosts = hosts.map_err(|_| {
        wrong("hosts must be names in lower case, such as receiver.example.org or *.example.org: correct them")
    })?;
    if hosts.is_empty() {
        return Err(wrong("hosts must name where deliveries may go: add one"));
    }
    let (sector, everyone, protected_persons) = (grant.sector, grant.everyone, grant.protected_persons);
    Ok(Grant { namespace, sector, fields, municipalities, everyone, protected_persons, hosts })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The smallest grant to `tenant`, with members replaced.
    pub fn granted(replaced: &[(&str, Value)]) -> api::grant::Grant {
        let mut grant = json!({
            "namespace": "tenant", "sector": "Public", "fields": ["Number", "Status", "Name"],
            "municipalities": ["0851"], "protectedPersons": "Mask", "hosts": ["*.example.org"],
        });
        for (name, value) in replaced {
            grant[*name] = value.clone();
        }
        serde_json::from_value(grant).unwrap()
    }

    #[test]
    fn each_rule_refuses_with_what_to_do() {
        for (replaced, message) in [
            (vec![("namespace", json!("owner"))], "own namespace"),
            (vec![("sector", json!("Private")), ("protectedPersons", json!("Allow"))], "Allow needs"),
            (vec![("sector", json!("Private")), ("fields", json!(["PersonId"]))], "PersonId"),
            (vec![("everyone", json!(true))], "every municipality"),
            (vec![("municipalities", json!(["0001"]))], "0851"),
            (vec![("hosts", json!(["*"]))], "hosts"),
            (vec![("hosts", json!([]))], "hosts"),
        ] {
            let refusal = of("owner", &[granted(&replaced)]).unwrap_err();
            assert_eq!(refusal.reason, "InvalidSpec");
            assert!(refusal.message.contains(message), "{}", refusal.message);
        }
        assert!(of("owner", &[granted(&[]), granted(&[])]).unwrap_err().message.contains("twice"));
        let good =
            of("owner", &[granted(&[]), granted(&[("namespace", json!("other")), ("municipalities", json!([]))])]);
        assert_eq!(good.unwrap().len(), 2);
    }
}
