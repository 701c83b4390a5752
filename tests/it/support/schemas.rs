//! Holds deliveries against the published schemas.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schemas, each compiled when it is first needed.
pub struct Schemas {
    bundle: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    /// All of them, from the document that `cpr-operator schemas` prints.
    pub fn new(bundle: Value) -> Self {
        Self { bundle, compiled: Mutex::default() }
    }

    /// What is wrong with an event: its type and the place in it and in the schema, never what stands there.
    pub fn faults(&self, event: &Value) -> Vec<String> {
        let kind = event["type"].as_str().unwrap_or_default();
        let name = kind.strip_prefix("dev.cpr-operator.").unwrap_or_default();
        if self.bundle["$defs"].get(format!("{name}.json")).is_none() {
            return vec!["the event has no type that is published".to_owned()];
        }
        let schema = self.at(&format!("{name}.json#event"));
        schema.iter_errors(event).map(|e| format!("{name} at {}: {}", e.instance_path(), e.schema_path())).collect()
    }

    /// Fails the test where an event is not as published.
    pub fn check(&self, event: &Value) {
        let faults = self.faults(event);
        assert!(faults.is_empty(), "not as published: {}", faults.join("; "));
    }

    /// The part of the schemas that a reference below their common address leads to.
    pub fn at(&self, reference: &str) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.entry(reference.to_owned()).or_insert_with(|| Arc::new(self.compile(reference))).clone()
    }

    fn compile(&self, reference: &str) -> Validator {
        let base = self.bundle["$id"].as_str().expect("the bundle has an address");
        let schema = json!({
            "$schema": self.bundle["$schema"],
            "$ref": base.replace("event.json", reference),
            "$defs": { "all": self.bundle },
        });
        let options = jsonschema::options().should_validate_formats(true).offline();
        options.build(&schema).unwrap_or_else(|error| panic!("{reference}: {error}"))
    }
}
