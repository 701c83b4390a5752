//! Alerts, runbooks and dashboard, by Prometheus' own promtool, which `make build/promtool` fetches.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use cpr_operator::api::crds;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::helm::{chart, objects, root, template};

fn promtool(arguments: &[&str]) -> Result<(), String> {
    let run = Command::new(root().join("build/promtool")).args(arguments).current_dir(root()).output();
    let run = run.expect("build/promtool is there: `make test` fetches it");
    let said = [run.stdout, run.stderr].concat();
    if run.status.success() { Ok(()) } else { Err(String::from_utf8(said).unwrap()) }
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

fn rules_file() -> std::path::PathBuf {
    chart().join("alerts/cpr-operator.yaml")
}

/// Every alert of groups of rules.
fn alerts(groups: &Value) -> Vec<Value> {
    let groups = groups.as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn names(alerts: &[Value]) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert["alert"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    promtool(&["check", "rules", rules_file().to_str().unwrap()]).unwrap();
    promtool(&["test", "rules", "tests/prometheus/alerts.yaml"]).unwrap();
    let tests = fs::read_to_string(root().join("tests/prometheus/alerts.yaml")).unwrap();
    for name in names(&alerts(&yaml(&rules_file())["groups"])) {
        let fires = format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"");
        assert!(tests.contains(&fires), "tests/prometheus/alerts.yaml never has {name} fire");
    }
}

#[test]
fn the_rule_object_has_the_same_alerts_for_its_release_alone() {
    let set = "prometheusRule.enabled=true,prometheusRule.runbooks=https://wiki.example.org/cpr,prometheusRule.disabled={CprFeedStale}";
    let rendered = objects(&template(&["--set", set]).unwrap());
    let rule = rendered.into_iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rules.json");
    fs::write(&path, rule["spec"].to_string()).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()]).unwrap();
    let rendered = alerts(&rule["spec"]["groups"]);
    let mut expected = names(&alerts(&yaml(&rules_file())["groups"]));
    assert!(expected.remove("CprFeedStale"));
    assert_eq!(names(&rendered), expected);
    for alert in rendered {
        let (expr, name) = (alert["expr"].as_str().unwrap(), alert["alert"].as_str().unwrap());
        // Conditions are those of resources, which may be in any namespace.
        let selectors = expr.matches('{').count() - expr.matches("cpr_condition{").count();
        assert_eq!(expr.matches("namespace=\"cpr-system\"").count(), selectors, "{expr}");
        assert_eq!(alert["annotations"]["runbook_url"], format!("https://wiki.example.org/cpr/{name}.md"));
    }
}

#[test]
fn each_alert_has_a_runbook_and_each_runbook_an_alert() {
    let mut known = BTreeSet::new();
    for alert in alerts(&yaml(&rules_file())["groups"]) {
        let name = alert["alert"].as_str().unwrap();
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(alert["annotations"][text].is_string(), "{name} has no {text}");
        }
        let runbook = alert["annotations"]["runbook_url"].as_str().unwrap();
        assert_eq!(runbook, format!("docs/runbooks/{name}.md"));
        let text = fs::read_to_string(root().join(runbook)).unwrap_or_else(|error| panic!("{runbook}: {error}"));
        let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {name}");
        assert_eq!(headings, [&title, "## Meaning", "## Impact", "## Diagnosis", "## What to do"], "{runbook}");
        known.insert(format!("{name}.md"));
    }
    let files = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, known);
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("dashboards/cpr-operator.json")).unwrap()).unwrap()
}

/// Every expression of the dashboard, with what Grafana puts in place of its variables.
fn expressions() -> Vec<String> {
    let dashboard = dashboard();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().cloned());
    let all = targets.flatten().map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"));
    all.collect()
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() {
    let rules: Value = expressions().into_iter().map(|expr| json!({ "record": "a:panel", "expr": expr })).collect();
    assert!(rules.as_array().unwrap().len() > 20);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rules.json");
    fs::write(&path, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()).unwrap();
    promtool(&["check", "rules", "--lint=none", path.to_str().unwrap()]).unwrap();
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_exist() {
    let document = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let mut asked: BTreeSet<String> = expressions().iter().flat_map(|expr| metrics(expr)).collect();
    for alert in alerts(&yaml(&rules_file())["groups"]) {
        asked.extend(metrics(alert["expr"].as_str().unwrap()));
    }
    assert!(asked.len() > 25, "{asked:?}");
    for metric in asked {
        let name = metric.strip_suffix("_bucket").unwrap_or(&metric);
        // Those of the kubelet, and the one of docs/monitoring/kube-state-metrics.yaml.
        let of_others = name.starts_with("container_") || name == "cpr_condition";
        assert!(of_others || document.contains(&format!("`{name}`")), "docs/metrics.md has no {metric}");
    }
}

/// What stands before the labels of an expression.
fn metrics(expr: &str) -> Vec<String> {
    let before = expr.split('{').collect::<Vec<_>>();
    let name = |text: &&str| text.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned();
    before[..before.len() - 1].iter().map(name).collect()
}

#[test]
fn panels_lie_side_by_side_and_say_what_they_show() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} lies over another", panel["title"]);
        }
        assert!(panel["type"] == "row" || panel["title"].as_str().is_some_and(|title| !title.is_empty()));
    }
}

#[test]
fn conditions_of_every_kind_become_a_metric() {
    let config = yaml(&root().join("docs/monitoring/kube-state-metrics.yaml"));
    let resources = config["spec"]["resources"].as_array().unwrap();
    let kinds: Vec<_> = resources.iter().map(|one| one["groupVersionKind"]["kind"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = crds::all().into_iter().map(|crd| crd.spec.names.kind).collect();
    expected.sort();
    assert_eq!(kinds, expected);
    for one in resources {
        let metric =
            format!("{}_{}", one["metricNamePrefix"].as_str().unwrap(), one["metrics"][0]["name"].as_str().unwrap());
        assert_eq!(metric, "cpr_condition");
        assert_eq!(one["metrics"][0]["each"]["gauge"]["path"], json!(["status", "conditions"]));
    }
}
