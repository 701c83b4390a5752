//! What the chart renders, held against golden files, and rules that hold for all of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde_json::Value;

use super::helm::{CLUSTER, documents, helm, objects, root, template};

/// A golden file, and the values with which it is rendered.
const CASES: [(&str, &[&str]); 6] = [
    ("defaults", &[]),
    ("bare", &["--values", "tests/it/chart/values/bare.yaml"]),
    ("postgres", &["--values", "tests/it/chart/values/postgres.yaml"]),
    ("cluster", &["--set", CLUSTER, "--set", "admissionPolicy.enabled=false,rbac.aggregate=false"]),
    ("everything", &["--values", "tests/it/chart/values/everything.yaml"]),
    ("openshift", &["--values", "tests/it/chart/values/openshift.yaml", "--api-versions", "security.openshift.io/v1"]),
];

#[test]
fn helm_finds_nothing_to_say_of_it() {
    let chart = super::helm::chart();
    // What the cluster knows is nothing that lint asks for.
    for (_, values) in CASES.into_iter().filter(|(_, values)| !values.contains(&"--api-versions")) {
        helm(&[&["lint", "--strict", chart.to_str().unwrap()], values].concat()).unwrap();
    }
}

#[test]
fn what_is_rendered_is_as_the_golden_files_say() {
    for (name, values) in CASES {
        let rendered = template(values).unwrap();
        // The definitions are held against their source elsewhere.
        let kept = documents(&rendered).filter(|text| !text.contains("\nkind: CustomResourceDefinition\n"));
        let kept = kept.map(|text| format!("---\n{text}\n")).collect::<String>();
        let path = root().join(format!("tests/it/chart/golden/{name}.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &kept).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let hint = "write it anew with UPDATE_GOLDEN=1 cargo test --test it chart::rendered, and read what changed";
        assert!(golden == kept, "{} is not what the chart renders: {hint}", path.display());
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (name, values) in CASES {
        let rendered = template(values).unwrap();
        assert!(!objects(&rendered).is_empty(), "{name}");
        assert!(rendered == template(values).unwrap(), "{name}");
    }
}

/// Every object of every case.
fn all() -> Vec<Value> {
    CASES.iter().flat_map(|(_, values)| objects(&template(values).unwrap())).collect()
}

#[test]
fn nothing_is_rendered_that_somebody_else_writes() {
    let written_by_others = ["HorizontalPodAutoscaler", "Job", "Lease", "Pod", "Secret"];
    for object in all() {
        assert!(!written_by_others.contains(&object["kind"].as_str().unwrap()), "{object}");
        let text = object.to_string();
        assert!(object["status"].is_null() && !text.contains("\"caBundle\""), "{object}");
    }
}

#[test]
fn every_object_says_to_which_release_it_belongs() {
    let extra = |object: &&Value| object["metadata"]["name"] != "beside" && object["metadata"]["name"] != "cpr-text";
    for object in all().iter().filter(extra) {
        for label in ["name", "instance", "version", "part-of", "managed-by"] {
            let label = format!("app.kubernetes.io/{label}");
            assert!(object["metadata"]["labels"][&label].is_string(), "{} lacks {label}", object["metadata"]);
        }
    }
}

#[test]
fn rights_are_the_least_and_each_has_its_reason() {
    let mut rules = 0;
    for (_, values) in CASES {
        for text in documents(&template(values).unwrap()).filter(|text| text.contains("\nrules:\n")) {
            let lines: Vec<_> = text.lines().collect();
            for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("  - apiGroups:")) {
                assert!(lines[number - 1].starts_with("  # "), "a rule without a reason: {text}");
                rules += 1;
            }
        }
    }
    assert!(rules > 30, "{rules}");
    for role in all().iter().filter(|object| object["rules"].is_array()) {
        for rule in role["rules"].as_array().unwrap() {
            let words = ["apiGroups", "resources", "verbs"].iter().flat_map(|key| rule[key].as_array().unwrap());
            let words: BTreeSet<_> = words.map(|word| word.as_str().unwrap()).collect();
            for word in ["*", "escalate", "bind", "impersonate"] {
                assert!(!words.contains(word), "{rule}");
            }
        }
    }
}

/// Rights over what the operator makes for its workers stay in the release's namespace.
#[test]
fn a_namespace_that_is_followed_gives_no_right_to_write_but_statuses_and_events() {
    for role in
        all().iter().filter(|object| object["metadata"]["name"].as_str().is_some_and(|n| n.ends_with("-followed")))
    {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let writes = rule["verbs"]
                .as_array()
                .unwrap()
                .iter()
                .any(|verb| !["get", "list", "watch"].contains(&verb.as_str().unwrap()));
            let on = rule["resources"].to_string();
            assert!(!writes || on.contains("/status") || on == "[\"events\"]", "{rule}");
        }
    }
}

#[test]
fn on_openshift_no_user_and_no_group_is_asked_for() {
    for (name, values) in CASES {
        let rendered = objects(&template(values).unwrap());
        let deployment = rendered.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let context = &deployment["spec"]["template"]["spec"]["securityContext"];
        assert!(context["runAsUser"].is_null() && context["runAsNonRoot"] == true, "{name}");
        assert_eq!(context["fsGroup"].is_null(), name == "openshift", "{name}");
    }
}

/// The settings of a case, by section.
fn settings(values: &[&str]) -> figment::value::Dict {
    let rendered = objects(&template(values).unwrap());
    let text = rendered.iter().find_map(|object| object["data"]["settings.toml"].as_str()).unwrap();
    Figment::from(Toml::string(text)).extract().unwrap()
}

#[test]
fn the_program_knows_every_setting_that_is_rendered() {
    let text = fs::read_to_string(root().join("config/default.toml")).unwrap();
    // Those that have no default are written as comments.
    let known: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line).to_owned() + "\n")
        .collect();
    let known: figment::value::Dict = Figment::from(Toml::string(&known)).extract().unwrap();
    let mut seen = 0;
    for (name, values) in CASES {
        for (section, keys) in settings(values) {
            // A program that makes no workers yet has no settings for them.
            if section == "workers" && !known.contains_key("workers") {
                continue;
            }
            for key in keys.as_dict().unwrap().keys() {
                assert!(known[&section].as_dict().unwrap().contains_key(key), "{name}: no setting {section}.{key}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}
