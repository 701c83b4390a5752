//! The programs that people use, and waiting for what they bring about.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long anything may take that is waited for; a bound for failing, never a measure.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program under test.
pub const PRODUCT: &str = env!("CARGO_BIN_EXE_cpr-operator");

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where what was built lies.
pub fn built(name: &str) -> PathBuf {
    root().join("build").join(name)
}

/// Runs kubectl and gives what it wrote.
pub async fn kubectl(arguments: &[&str]) -> Result<String> {
    run(&built("kubectl"), arguments, "").await
}

/// Applies manifests.
pub async fn apply(manifests: &str) -> Result<()> {
    run(&built("kubectl"), &["apply", "-f", "-"], manifests).await.map(drop)
}

/// Runs helm in the release's namespace.
pub async fn helm(arguments: &[&str]) -> Result<String> {
    run(&built("helm"), &[arguments, &["--namespace", "cpr-system"]].concat(), "").await
}

/// Runs a program with this on its standard input and gives what it wrote.
pub async fn run(program: &Path, arguments: &[&str], input: &str) -> Result<String> {
    let what = format!("{} {}", program.display(), arguments.join(" "));
    let mut command = Command::new(program);
    // Neither this machine's settings of helm nor its repositories.
    for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        command.env(name, built("helm-home").join(folder));
    }
    command.args(arguments).current_dir(root()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| what.clone())?;
    let mut stdin = child.stdin.take().context("it is piped")?;
    // A command that reads nothing closes it.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.with_context(|| what.clone())?;
    if !output.status.success() {
        bail!("{what}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks again and again until there is an answer; where patience ends before that, says what was found instead.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(found) if began.elapsed() > PATIENCE => {
                return Err(found.context(format!("expected within {} s: {what}", PATIENCE.as_secs())));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
