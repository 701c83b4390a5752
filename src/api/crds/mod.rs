//! The CustomResourceDefinitions as they are installed, and as files.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::consumer::ConsumerSystem;
use super::source::CprSource;
use super::subscription::CprSubscription;

/// What can go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A definition could not be turned into plain data.
    #[error("a definition could not be turned into plain data")]
    Read(#[source] serde_json::Error),
    /// A definition could not be written as YAML.
    #[error("a definition could not be written as YAML")]
    Write(#[source] serde_saphyr::ser_error::Error),
}

/// Every definition, in the order in which they are best installed.
pub fn all() -> Vec<CustomResourceDefinition> {
    [CprSource::crd(), ConsumerSystem::crd(), CprSubscription::crd()].into_iter().map(finish).collect()
}

/// Every definition as a file of `crds/`: its name and its YAML. Each begins with `---`, so that they can be joined to one stream.
pub fn yaml() -> Result<Vec<(String, String)>, Error> {
    all().iter().map(|crd| Ok((format!("{}.yaml", crd.spec.names.plural), document(crd)?))).collect()
}

/// One definition as a YAML document.
fn document(crd: &CustomResourceDefinition) -> Result<String, Error> {
    let mut value = serde_json::to_value(crd).map_err(Error::Read)?;
    write_whole_numbers_as_integers(&mut value);
    serde_saphyr::to_string(&value).map(|text| format!("---\n{}\n", text.trim_end())).map_err(Error::Write)
}

/// Bounds such as `1024.0` become `1024`, as the API server gives them back.
fn write_whole_numbers_as_integers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers_as_integers),
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers_as_integers),
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15) {
                *value = Value::from(whole as i64);
            }
        }
        _ => {}
    }
}

/// What the derive leaves to do: labels on the definition alone, descriptions as running text, and no `nullable`, with which the
/// API server would keep an explicit null instead of the default.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert("app.kubernetes.io/name".into(), "cpr-operator".into());
    labels.insert("app.kubernetes.io/component".into(), "crds".into());
    let schemas = crd.spec.versions.iter_mut().filter_map(|v| v.schema.as_mut()?.open_api_v3_schema.as_mut());
    schemas.for_each(finish_schema);
    crd
}

fn finish_schema(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    schema.properties.iter_mut().flat_map(|p| p.values_mut()).for_each(finish_schema);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => finish_schema(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(finish_schema),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        finish_schema(values);
    }
    let junctors = [&mut schema.all_of, &mut schema.any_of, &mut schema.one_of];
    junctors.into_iter().flat_map(|j| j.iter_mut().flatten()).for_each(finish_schema);
}

#[cfg(test)]
mod tests;
