//! The manifests of the demo: the samples, and those of its own acts, with the demo's addresses and dates in them.

use anyhow::Context;
use jiff::Span;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::runtime::clock::Clock;

const SAMPLES: &[&str] = &[
    include_str!("../../../config/samples/secrets.yaml"),
    SOURCE,
    include_str!("../../../config/samples/consumer.yaml"),
    include_str!("../../../config/samples/subscription.yaml"),
];
const SOURCE: &str = include_str!("../../../config/samples/source.yaml");
const CLIENTS: &str = include_str!("manifests/clients.yaml");
const GRANT: &str = include_str!("manifests/grant.yaml");
const SCHOOLS: &str = include_str!("manifests/schools.yaml");

/// What stands in the manifests in place of the examples.
#[derive(Clone, Debug)]
pub struct Places {
    /// Address of the register.
    pub register: String,
    /// Where the sample's consumer receives.
    pub casework: String,
    /// Where the other team receives.
    pub schools: String,
    /// Namespace of the samples, which is the authority's.
    pub own: String,
    /// Namespace of the other team.
    pub theirs: String,
}

impl Places {
    /// The samples.
    pub fn samples(&self) -> anyhow::Result<Vec<DynamicObject>> {
        SAMPLES.iter().map(|sample| self.read(sample)).collect::<Result<Vec<_>, _>>().map(|all| all.concat())
    }

    /// The subscription with a list.
    pub fn clients(&self) -> anyhow::Result<Vec<DynamicObject>> {
        self.read(CLIENTS)
    }

    /// All that the other team applies.
    pub fn schools(&self) -> anyhow::Result<Vec<DynamicObject>> {
        self.read(SCHOOLS)
    }

    /// The same, asking for no address.
    pub fn schools_mended(&self) -> anyhow::Result<Vec<DynamicObject>> {
        self.read(&SCHOOLS.replace("fields: [Number, Name, Address]", "fields: [Number, Name]"))
    }

    /// The sample's source, with a grant for the other team.
    pub fn source_with_grant(&self) -> anyhow::Result<Vec<DynamicObject>> {
        let grant: Value = serde_saphyr::from_str(&self.fill(GRANT)).context("grant")?;
        let mut objects = self.read(SOURCE)?;
        for object in &mut objects {
            object.data["spec"]["grants"] = Value::Array(vec![grant.clone()]);
        }
        Ok(objects)
    }

    fn read(&self, text: &str) -> anyhow::Result<Vec<DynamicObject>> {
        let parts = self.fill(text);
        parts.split("\n---\n").map(|part| serde_saphyr::from_str(part).context("a manifest")).collect()
    }

    fn fill(&self, text: &str) -> String {
        let review = Clock::system().today().saturating_add(Span::new().days(200));
        text.replace("https://graphql.register.example.org", &self.register)
            .replace("https://auth.register.example.org", &self.register)
            .replace("https://casework.example.org/cpr/events", &self.casework)
            .replace("pollInterval: 10s", "pollInterval: 1s")
            .replace("initial: 5s", "initial: 1s")
            .replace("2027-06-01", &review.to_string())
            .replace("AUTHORITY", &self.own)
            .replace("SCHOOLS", &self.theirs)
            .replace("RECEIVER", &self.schools.replace("127.0.0.1", "localhost"))
    }
}

/// The signing secret of the sample's consumer.
pub fn casework_secret() -> String {
    signing_secret(SAMPLES[0])
}

/// The signing secret of the other team.
pub fn schools_secret() -> String {
    signing_secret(SCHOOLS)
}

fn signing_secret(text: &str) -> String {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("first: "));
    line.unwrap_or_default().to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_example_is_left_in_what_is_applied() {
        let places = Places {
            register: "http://127.0.0.1:1".to_owned(),
            casework: "http://127.0.0.1:2/cpr/events".to_owned(),
            schools: "http://127.0.0.1:3/cpr/events".to_owned(),
            own: "authority".to_owned(),
            theirs: "team".to_owned(),
        };
        let all = [
            places.samples().unwrap(),
            places.clients().unwrap(),
            places.schools().unwrap(),
            places.source_with_grant().unwrap(),
        ]
        .concat();
        assert_eq!(all.len(), 10);
        let text = serde_json::to_string(&all).unwrap();
        for left in ["https://", "10s", "2027-06-01", "AUTHORITY", "SCHOOLS", "RECEIVER"] {
            assert!(!text.contains(left), "{left}");
        }
        assert!(text.contains(r#""namespace":"team""#) && text.contains(r#""namespace":"authority""#));
        assert_ne!(places.schools().unwrap()[2].data, places.schools_mended().unwrap()[2].data);
        assert!(casework_secret().starts_with("whsec_") && schools_secret().starts_with("whsec_"));
    }
}
