//! The documents: `docs/resources.md` is written from the schemas, and the others name all that the code has.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use cpr_operator::api::conditions::{ConditionType, OF_CONSUMER, OF_SOURCE, OF_SUBSCRIPTION};
use cpr_operator::api::crds;
use cpr_operator::domain::event_type::{Class, EventType};
use cpr_operator::domain::field_group::FieldGroup;
use serde_json::Value;

const DOCUMENTS: [&str; 22] = [
    "README.md",
    "docs/backup.md",
    "docs/concepts.md",
    "docs/conditions.md",
    "docs/events.md",
    "docs/gitops.md",
    "docs/install.md",
    "docs/limits.md",
    "docs/metrics.md",
    "docs/monitoring.md",
    "docs/operations.md",
    "docs/postgresql.md",
    "docs/quickstart.md",
    "docs/receivers.md",
    "docs/resources.md",
    "docs/security.md",
    "docs/settings.md",
    "docs/soak.md",
    "docs/tools.md",
    "docs/troubleshooting.md",
    "docs/upgrades.md",
    "docs/values.md",
];

/// The documents, and the runbooks of alerts.
fn documents() -> Vec<String> {
    let runbooks = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let runbooks = runbooks.map(|file| format!("docs/runbooks/{}", file.unwrap().file_name().display()));
    DOCUMENTS.into_iter().map(str::to_owned).chain(runbooks).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_reference_of_resources_is_as_the_schemas_say() {
    let written = resources();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join("docs/resources.md"), &written).unwrap();
    }
    let hint = "write it anew with UPDATE_DOCS=1 cargo test --test it published::docs";
    assert!(read("docs/resources.md") == written, "docs/resources.md is not what the schemas say: {hint}");
}

/// The whole document.
fn resources() -> String {
    let mut out = String::from(OPENING);
    for crd in crds::all() {
        let crd = serde_json::to_value(crd).unwrap();
        let names = &crd["spec"]["names"];
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let (kind, short) = (text(&names["kind"]), text(&names["shortNames"][0]));
        write!(out, "\n## {kind}\n\n{} Short name `{short}`.\n", text(&schema["description"])).unwrap();
        for part in ["spec", "status"] {
            let mut table = Table::default();
            table.object(&schema["properties"][part], "");
            write!(out, "\n### {kind}: `{part}`\n\n{}", table.written(part)).unwrap();
        }
    }
    out
}

const OPENING: &str = "# Resources

<!-- Written from the schemas by tests/it/published/docs.rs. Do not edit. -->

Group `cpr-operator.dev`, version `v1alpha1`, all namespaced, all listed by `kubectl get cpr`. Samples are in
[config/samples](../config/samples). `kubectl explain cprsubscription.spec` tells the same from the cluster.

A field with a dot lies in the one before the dot, `[]` stands for each entry of a list. A required field is required
where what it lies in is there. Durations are texts such as `500ms`, `30s`, `10m`, `72h` or `1h30m`; times are RFC 3339.
What the schema lacks is refused. Conditions and their reasons are in [conditions.md](conditions.md), event types and
field groups in [events.md](events.md).
";

/// One row for each field, and the rules over several fields.
#[derive(Default)]
struct Table {
    rows: String,
    rules: String,
}

impl Table {
    fn object(&mut self, schema: &Value, path: &str) {
        self.rules(schema, path);
        let required: BTreeSet<&str> = schema["required"].as_array().into_iter().flatten().map(text).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            self.row(&path, field, required.contains(name.as_str()));
            // What conditions hold is the same everywhere.
            if name == "conditions" {
                continue;
            }
            match text(&field["type"]) {
                "object" => self.object(field, &format!("{path}.")),
                "array" => self.object(&field["items"], &format!("{path}[].")),
                _ => {}
            }
        }
    }

    fn row(&mut self, path: &str, field: &Value, required: bool) {
        let default = match &field["default"] {
            Value::Null => String::new(),
            Value::Object(_) => "see below it".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let (kind, needed) = (kind(field), if required { "yes" } else { "" });
        let description = text(&field["description"]).replace('|', "\\|");
        writeln!(self.rows, "| `{path}` | {kind} | {default} | {needed} | {description} |").unwrap();
    }

    fn rules(&mut self, schema: &Value, path: &str) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let field = rule["fieldPath"].as_str().unwrap_or_default().trim_start_matches('.');
            let place = format!("{path}{field}");
            let place = place.trim_end_matches('.');
            let place = if place.is_empty() { String::new() } else { format!("`{place}`: ") };
            writeln!(self.rules, "- {place}{}", text(&rule["message"])).unwrap();
        }
    }

    fn written(&self, part: &str) -> String {
        let head = "| Field | Type | Default | Required | Description |\n| --- | --- | --- | --- | --- |\n";
        let rules = match self.rules.as_str() {
            "" => String::new(),
            rules => format!("\nRules over the fields of `{part}`, as the API server tells them:\n\n{rules}"),
        };
        format!("{head}{}{rules}", self.rows)
    }
}

/// A field's type for people.
fn kind(field: &Value) -> String {
    if text(&field["type"]) == "array" {
        let of = if field["items"]["properties"].is_object() { "object".to_owned() } else { kind(&field["items"]) };
        return format!("list of {of}");
    }
    let Some(values) = field["enum"].as_array() else {
        let form = field["format"].as_str().filter(|form| *form == "date-time");
        return form.unwrap_or(text(&field["type"])).to_owned();
    };
    let names: Vec<&str> = values.iter().map(text).collect();
    if names == FieldGroup::ALL.map(FieldGroup::name) {
        return "[field group](events.md#field-groups)".to_owned();
    }
    if names.iter().all(|name| name.parse::<EventType>().is_ok()) {
        return "[event type](events.md#types)".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn every_condition_and_reason_is_explained_and_no_other() {
    let document = read("docs/conditions.md");
    let all: BTreeSet<ConditionType> = [OF_SOURCE, OF_CONSUMER, OF_SUBSCRIPTION].concat().into_iter().collect();
    for type_ in all.into_iter().chain([ConditionType::Reconciling, ConditionType::Stalled]) {
        let heading = format!("\n### {}\n", type_.name());
        assert!(document.contains(&heading), "docs/conditions.md has no heading {}", type_.name());
    }
    let (known, explained) = (reasons(), first_cells(&document));
    let missing: Vec<_> = known.difference(&explained).collect();
    assert!(missing.is_empty(), "docs/conditions.md does not explain {missing:?}");
    let stale: Vec<_> = explained.difference(&known).collect();
    assert!(stale.is_empty(), "docs/conditions.md explains what no code sets: {stale:?}");
}

/// Words in the code that look like reasons and are none: kinds, an action, the end of a resource that has no status any more, and
/// what the cluster says of Deployments.
const NO_REASONS: [&str; 10] = [
    "ConfigMap",
    "ConsumerSystem",
    "CprSource",
    "CprSubscription",
    "Deleted",
    "False",
    "ProgressDeadlineExceeded",
    "Progressing",
    "Reconcile",
    "Secret",
];

/// Every text of the code that sets conditions which looks like a reason.
fn reasons() -> BTreeSet<String> {
    let mut found: BTreeSet<String> = [60, 30, 7].map(|days| format!("EndsWithin{days}Days")).into();
    found.insert("NotTried".to_owned());
    let mut files = sources(&root().join("src/operator"));
    // Objects for the cluster, in the cluster's words.
    files.retain(|file| !file.starts_with(root().join("src/operator/workers/build")));
    files.extend(
        ["ingest/state.rs", "ingest/feed.rs", "delivery/state.rs", "delivery/verify.rs"]
            .map(|file| root().join("src").join(file)),
    );
    for file in files {
        let code = without_tests(&file);
        let texts = code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(literals);
        found.extend(texts.filter(|text| is_word(text) && !NO_REASONS.contains(text)).map(str::to_owned));
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn without_tests(file: &Path) -> String {
    let code = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    code.split("#[cfg(test)]").next().unwrap().to_owned()
}

/// What stands between quotation marks in a line.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

fn is_word(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.chars().any(|c| c.is_ascii_lowercase())
}

/// The names in the first cells of all tables.
fn first_cells(document: &str) -> BTreeSet<String> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    rows.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect()
}

/// The row that begins with this name, from the list of types on.
fn row<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("| `{name}` |");
    let (_, lists) = document.split_once("\n## Types\n").unwrap();
    let found = lists.lines().find(|line| line.starts_with(&start));
    let line = found.unwrap_or_else(|| panic!("docs/events.md has no row for {name}"));
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_event_type_stands_in_the_contract_with_what_it_needs() {
    let document = read("docs/events.md");
    for type_ in EventType::ALL {
        let expected = match (type_.class(), type_.needs().names()) {
            (Class::Always, _) => "—".to_owned(),
            (_, groups) => groups.join(" or "),
        };
        assert_eq!(row(&document, type_.name())[1], expected, "{type_}");
    }
}

#[test]
fn every_field_group_stands_in_the_contract_with_its_protection() {
    let document = read("docs/events.md");
    for group in FieldGroup::ALL {
        let expected = if group.is_governed() { "governed" } else { "" };
        assert_eq!(row(&document, group.name()).last().unwrap(), &expected, "{group:?}");
    }
}

#[test]
fn every_metric_is_explained_and_no_other() {
    let document = read("docs/metrics.md");
    let mut known = vec!["cpr_operator_build".to_owned()];
    let files = [
        ("ingest/metrics.rs", ""),
        ("operator/metrics.rs", ""),
        ("delivery/metrics.rs", "cpr_delivery_"),
        ("store/watch.rs", "cpr_store_"),
    ];
    for (file, prefix) in files {
        let code = without_tests(&root().join("src").join(file));
        let mut count = 0;
        for call in ["register(", "register_with_unit(", "add("] {
            for rest in code.split(call).skip(1) {
                let Some(name) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                    continue;
                };
                count += 1;
                known.push(format!("{prefix}{name}"));
            }
        }
        assert!(count > 1, "{file}: {count}");
    }
    // What stands behind the name says of which kind or unit it is.
    let is_of = |cell: &str, name: &str| {
        cell.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | "_total" | "_seconds" | "_info"))
    };
    let explained = first_cells(&document);
    for name in &known {
        assert!(explained.iter().any(|cell| is_of(cell, name)), "docs/metrics.md lacks {name}");
    }
    for cell in explained.iter().filter(|cell| !cell.contains([' ', '('])) {
        assert!(known.iter().any(|name| is_of(cell, name)), "docs/metrics.md explains {cell}, which is not measured");
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    for name in documents() {
        let document = read(&name);
        let folder = root().join(&name).parent().unwrap().to_owned();
        for target in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            if path.contains("://") {
                continue;
            }
            let file = if path.is_empty() { root().join(&name) } else { folder.join(path) };
            assert!(file.exists(), "{name}: {target}");
            let is_there = || anchors(&fs::read_to_string(&file).unwrap()).contains(anchor);
            assert!(anchor.is_empty() || is_there(), "{name}: {target}");
        }
    }
}

#[test]
fn settings_that_documents_name_exist() {
    let settings = settings();
    let sections: BTreeSet<&str> = settings.iter().filter_map(|setting| setting.split('.').next()).collect();
    // The references of resources and of the chart's values have names of the same form.
    let references = ["docs/resources.md", "docs/values.md"];
    for name in documents().into_iter().filter(|name| !references.contains(&name.as_str())) {
        let document = read(&name);
        let is_plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'));
        for word in document.split('`').filter(is_plain) {
            let Some((section, _)) = word.split_once('.') else { continue };
            assert!(!sections.contains(section) || settings.contains(word), "{name}: no setting {word}");
        }
    }
}

/// Anchors of headings, without what is neither letter, digit, hyphen nor blank.
fn anchors(document: &str) -> BTreeSet<String> {
    let heads = document.lines().filter(|line| line.starts_with('#'));
    let kept =
        |line: &str| line.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>();
    heads.map(|line| kept(line).trim().to_lowercase().replace(' ', "-")).collect()
}

/// Every setting, as `section.key`.
fn settings() -> BTreeSet<String> {
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in read("config/default.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            found.insert(format!("{section}.{key}"));
        }
    }
    found
}
