//! `persons`: a subscription's list, kept from standard input. No number is ever written out.

use std::collections::VecDeque;
use std::io::{BufRead, stdin};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::output::Output;
use super::socket::{Socket, SocketArgs, path_of, query};
use super::{note, say};
use crate::admin::persons::MOST;
use crate::admin::wire::{Line, Lines, ListState, NumberLine, Numbers, PersonPage, Tickets};
use crate::domain::identifier::CprNumber;
use crate::domain::resource::ResourceKey;

/// Lines that may wait for the register before more are handed over.
const AHEAD: usize = 200 * MOST;
/// How often is asked what became of them.
const LOOK: Duration = Duration::from_millis(300);
/// How often is said how far it is.
const SAY: Duration = Duration::from_secs(5);

/// What to do with a list.
#[derive(Debug, Subcommand)]
pub enum PersonsCommand {
    /// Put persons on it; waits until the register has answered for each.
    Add(ChangeArgs),
    /// As `add`, and says how far it is. Interrupted, it can be started again with the same lines.
    Import(ChangeArgs),
    /// Take persons off it.
    Remove(ChangeArgs),
    /// List the references of those who are on it.
    List(ListArgs),
}

/// Which list. The numbers come by standard input, one a line.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// The subscription, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    subscription: ResourceKey,
    /// Do not wait for the register.
    #[arg(long)]
    no_wait: bool,
    /// Form of the answer; as JSON one object a line.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Which list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The subscription, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    subscription: ResourceKey,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Runs the command. Success: every line came to what was asked.
pub async fn run(command: PersonsCommand) -> anyhow::Result<ExitCode> {
    let (args, what, loud) = match command {
        PersonsCommand::List(args) => return list(args).await.map(|()| ExitCode::SUCCESS),
        PersonsCommand::Add(args) => (args, "add", false),
        PersonsCommand::Import(args) => (args, "add", true),
        PersonsCommand::Remove(args) => (args, "remove", false),
    };
    let base = format!("/v1/subscriptions/{}/persons", path_of(&args.subscription));
    let socket = Socket::find(&args.socket)?;
    let mut change =
        Change { socket, base, what, loud, output: args.output, waits: !args.no_wait, ..Change::default() };
    if change.output == Output::Table {
        say("   LINE  OUTCOME    PERSON");
    }
    change.run(stdin().lock()).await?;
    note(&format!("{} as asked, {} not.", change.done, change.failed));
    Ok(if change.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lines on their way onto a list, or off it.
#[derive(Default)]
struct Change {
    socket: Socket,
    base: String,
    what: &'static str,
    loud: bool,
    output: Output,
    waits: bool,
    waiting: VecDeque<(u32, String)>,
    done: u64,
    failed: u64,
    /// When it was first asked how many lines wait, and how many did.
    began: Option<(Instant, u64)>,
    said: Option<Instant>,
}

impl Change {
    async fn run(&mut self, input: impl BufRead) -> anyhow::Result<()> {
        let mut numbers = Vec::new();
        for (at, text) in input.lines().enumerate() {
            let line = u32::try_from(at + 1).context("more lines than can be counted")?;
            let text = Zeroizing::new(text.context("standard input")?);
            let number = text.split('#').next().unwrap_or_default().trim();
            match (number.is_empty(), CprNumber::parse(number)) {
                (true, _) => {}
                (false, Ok(number)) => numbers.push(NumberLine { line, number }),
                (false, Err(_)) => self.tell(Line::new(line, "Malformed"))?,
            }
            if numbers.len() == MOST {
                self.hand_over(std::mem::take(&mut numbers)).await?;
                self.settle(AHEAD).await?;
            }
        }
        if !numbers.is_empty() {
            self.hand_over(numbers).await?;
        }
        self.settle(0).await
    }

    async fn hand_over(&mut self, lines: Vec<NumberLine>) -> anyhow::Result<()> {
        let answer: Lines = self.socket.post(&format!("{}/{}", self.base, self.what), &Numbers { lines }).await?;
        for line in answer.lines {
            match line.ticket.clone().filter(|_| self.waits) {
                Some(ticket) => self.waiting.push_back((line.line, ticket)),
                None => self.tell(line)?,
            }
        }
        Ok(())
    }

    /// Waits until no more lines than `most` wait. They are met in their order, so it is the first that are asked for.
    async fn settle(&mut self, most: usize) -> anyhow::Result<()> {
        while self.waiting.len() > most {
            let asked: Vec<(u32, String)> = self.waiting.drain(..self.waiting.len().min(MOST)).collect();
            let tickets = Tickets { tickets: asked.iter().map(|(_, ticket)| ticket.clone()).collect() };
            let state: ListState = self.socket.post(&format!("{}/progress", self.base), &tickets).await?;
            let mut left = Vec::new();
            for (waiting, told) in asked.into_iter().zip(&state.lines) {
                if told.outcome == "Waiting" {
                    left.push(waiting);
                } else {
                    self.tell(Line { line: waiting.0, ..told.clone() })?;
                }
            }
            let moved = left.len() < state.lines.len();
            left.into_iter().rev().for_each(|waiting| self.waiting.push_front(waiting));
            self.say_how_far(&state);
            if !moved {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    fn tell(&mut self, line: Line) -> anyhow::Result<()> {
        let well = matches!(line.outcome.as_str(), "Listed" | "Removed") || (line.outcome == "Waiting" && !self.waits);
        if well {
            self.done += 1
        } else {
            self.failed += 1
        }
        match self.output {
            Output::Json => say(&serde_json::to_string(&Line { ticket: None, ..line })?),
            Output::Table => {
                let person = line.person.or(line.class).unwrap_or_else(|| "-".to_owned());
                say(&format!("{:>7}  {:<9}  {person}", line.line, line.outcome));
            }
        }
        Ok(())
    }

    fn say_how_far(&mut self, state: &ListState) {
        let (since, before) = *self.began.get_or_insert((Instant::now(), state.waiting));
        if !self.loud || self.said.is_some_and(|said| said.elapsed() < SAY) {
            return;
        }
        self.said = Some(Instant::now());
        note(&match state.held_until {
            Some(until) => {
                format!("{} lines wait: a limit of this hour is reached, they go on at {until}", state.waiting)
            }
            None => {
                let limit = Duration::from_secs(state.remaining);
                let left = remaining(before, state.waiting, since.elapsed()).unwrap_or(limit).max(limit);
                let (waiting, left, limit) = (state.waiting, left.as_secs(), limit.as_secs());
                format!("{waiting} lines wait: about {left} s, at least {limit} s by the register's limit")
            }
        });
    }
}

/// How long so many lines will go on to wait, when so many waited this time ago; none where that does not show yet.
fn remaining(before: u64, now: u64, time: Duration) -> Option<Duration> {
    let met = before.checked_sub(now).filter(|met| *met > 0)?;
    Some(time.mul_f64(now as f64 / met as f64))
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let socket = Socket::find(&args.socket)?;
    let path = format!("/v1/subscriptions/{}/persons", path_of(&args.subscription));
    let (mut persons, mut after) = (Vec::new(), None::<String>);
    loop {
        let page: PersonPage = socket.get(&query(&path, &[("after", after.as_deref())])).await?;
        match args.output {
            Output::Table => page.persons.iter().for_each(|person| say(person)),
            Output::Json => persons.extend(page.persons),
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if args.output == Output::Json {
        say(&serde_json::to_string_pretty(&persons)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_follows_from_what_was_met() {
        let second = Duration::from_secs(1);
        assert_eq!(remaining(1_000, 900, second), Some(9 * second));
        assert_eq!(remaining(1_000, 1_000, second), None);
        assert_eq!(remaining(1_000, 1_100, second), None, "others hand over as well");
    }
}
