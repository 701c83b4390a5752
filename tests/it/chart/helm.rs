//! Helm, as people run it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Name of the releases of tests that render; what is installed has names of its own.
pub const RELEASE: &str = "cpr";

/// Values with which mode Cluster can be rendered.
pub const CLUSTER: &str = "mode=Cluster,database.existingSecret=database,rootKey.existingSecret=root-key";

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The chart's folder.
pub fn chart() -> PathBuf {
    root().join("charts/cpr-operator")
}

/// Runs helm and gives what it wrote, or what it said where it failed.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(root().join("build/helm"));
    // Neither this machine's settings nor its repositories.
    for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        command.env(name, root().join("build/helm-home").join(folder));
    }
    let Output { status, stdout, stderr } =
        command.args(arguments).current_dir(root()).output().expect("build/helm is there: `make test` builds it");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
}

/// Renders the chart in namespace `cpr-system` with these further arguments.
pub fn template(arguments: &[&str]) -> Result<String, String> {
    let chart = chart();
    let first = ["template", RELEASE, chart.to_str().unwrap(), "--namespace", "cpr-system"];
    helm(&[&first, arguments].concat())
}

/// The objects of what was rendered.
pub fn objects(rendered: &str) -> Vec<Value> {
    documents(rendered).map(|text| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e} in\n{text}"))).collect()
}

/// The objects of what was rendered, as texts.
pub fn documents(rendered: &str) -> impl Iterator<Item = &str> {
    rendered.split("\n---\n").map(|text| text.trim_start_matches("---\n").trim()).filter(|text| holds_an_object(text))
}

fn holds_an_object(text: &str) -> bool {
    text.lines().any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A release in a namespace of a cluster.
pub struct Release {
    kubeconfig: PathBuf,
    namespace: String,
}

impl Release {
    /// Names one; nothing is installed yet.
    pub fn new(kubeconfig: &Path, namespace: &str) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), namespace: namespace.to_owned() }
    }

    /// Installs a chart, or upgrades to it, and waits until all of it is as it should be.
    pub fn apply(&self, chart: &Path, arguments: &[&str]) -> Result<String, String> {
        let first = ["upgrade", "--install", RELEASE, chart.to_str().unwrap(), "--create-namespace", "--wait"];
        self.run(&[&first, arguments].concat())
    }

    /// Runs helm in the release's namespace.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let place = ["--kubeconfig", self.kubeconfig.to_str().unwrap(), "--namespace", &self.namespace];
        helm(&[arguments, &place].concat())
    }
}
