//! A receiver as a process of its own, and what its database holds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sqlx::Row;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::files;

/// How long a receiver may take to start; a bound for failing.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kit {
    /// Its folder under `docs/receivers`.
    pub language: &'static str,
    /// What runs it.
    program: &'static str,
    /// What builds it, beside that.
    builder: &'static str,
}

/// All of them.
pub const KITS: [Kit; 3] = [
    Kit { language: "python", program: "python3", builder: "python3" },
    Kit { language: "typescript", program: "node", builder: "npm" },
    Kit { language: "java", program: "java", builder: "mvn" },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_on_the_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(program).is_file()))
}

impl Kit {
    /// The kit of this language, or none, said in the output, where it cannot run here.
    pub fn get(language: &str) -> Option<Self> {
        let kit = KITS.into_iter().find(|kit| kit.language == language).unwrap();
        let missing = [kit.program, kit.builder].into_iter().find(|program| !is_on_the_path(program));
        let why = match missing {
            Some(program) => format!("{program} not found"),
            None if !kit.folder().join("built").exists() => "not built: make receivers".to_owned(),
            None => return Some(kit),
        };
        // Not by a macro, whose output of tests that succeed nobody sees.
        let line = format!("skipped: {language} receiver, {why}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        None
    }

    fn folder(self) -> PathBuf {
        root().join("build/receivers").join(self.language)
    }

    fn command(self) -> Command {
        let (program, arguments) = match self.language {
            "python" => (self.folder().join("bin/python"), vec![root().join("docs/receivers/python/receiver.py")]),
            "typescript" => ("node".into(), vec![self.folder().join("dist/receiver.js")]),
            _ => ("java".into(), vec!["-jar".into(), self.folder().join("receiver.jar")]),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }
}

/// A receiver that runs.
pub struct Running {
    pub kit: Kit,
    pub url: String,
    secret: String,
    folder: TempDir,
    process: Child,
}

/// What a receiver holds of a person.
#[derive(Debug, Default, PartialEq)]
pub struct Held {
    pub groups: BTreeMap<String, Value>,
    pub sequence: Option<u64>,
    pub gap: bool,
    pub subscriptions: BTreeSet<String>,
}

impl Running {
    /// Starts it with this secret and a database of its own.
    pub async fn start(kit: Kit, secret: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (process, url) = spawn(kit, secret, folder.path()).await;
        Self { kit, url, secret: secret.to_owned(), folder, process }
    }

    /// It ends without warning, and another begins with the same database at another port.
    pub async fn restart(&mut self) {
        self.process.kill().await.unwrap();
        (self.process, self.url) = spawn(self.kit, &self.secret, self.folder.path()).await;
    }

    /// What it holds of a person.
    pub async fn held(&self, reference: &str) -> Held {
        let mut conn = files::open(&self.folder.path().join("received.db")).await;
        let mut held = Held::default();
        let person = sqlx::query("SELECT sequence, gap FROM person WHERE reference = ?").bind(reference);
        if let Some(row) = person.fetch_optional(&mut conn).await.unwrap() {
            held.sequence = row.get::<String, _>(0).parse().ok();
            held.gap = row.get::<i64, _>(1) != 0;
        }
        let content = sqlx::query("SELECT name, value FROM content WHERE reference = ?").bind(reference);
        let content = content.fetch_all(&mut conn).await.unwrap();
        held.groups = content.iter().map(|row| (row.get(0), serde_json::from_str(row.get(1)).unwrap())).collect();
        let grounds = sqlx::query("SELECT subscription FROM ground WHERE reference = ?").bind(reference);
        held.subscriptions = grounds.fetch_all(&mut conn).await.unwrap().iter().map(|row| row.get(0)).collect();
        held
    }

    /// The reference under which a person is known now who was merged into another.
    pub async fn now_known_as(&self, earlier: &str) -> Option<String> {
        let mut conn = files::open(&self.folder.path().join("received.db")).await;
        let alias = sqlx::query("SELECT reference FROM alias WHERE earlier = ?").bind(earlier);
        alias.fetch_optional(&mut conn).await.unwrap().map(|row| row.get(0))
    }

    /// All that it ever said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }
}

async fn spawn(kit: Kit, secret: &str, folder: &Path) -> (Child, String) {
    let said = std::fs::File::options().create(true).append(true).open(folder.join("said")).unwrap();
    let mut command = kit.command();
    command.env("PORT", "0").env("SIGNING_SECRET", secret).env("DATABASE", folder.join("received.db"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts").unwrap();
    let said = || std::fs::read_to_string(folder.join("said")).unwrap();
    let first = first.unwrap_or_else(|| panic!("the {} receiver does not start: {}", kit.language, said()));
    let port: u16 = first.rsplit(' ').next().unwrap().parse().unwrap();
    (process, format!("http://127.0.0.1:{port}/cpr/events"))
}
