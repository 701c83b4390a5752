//! The table: one row for each figure, with its goal where there is one.

use super::machine;

/// What is better than the goal.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Only to be known.
    None,
}

/// One figure as measured.
pub struct Row {
    figure: String,
    measured: f64,
    unit: &'static str,
    goal: Goal,
}

impl Row {
    /// A figure with its goal.
    pub fn new(figure: impl Into<String>, measured: f64, unit: &'static str, goal: Goal) -> Self {
        Self { figure: figure.into(), measured, unit, goal }
    }

    /// A figure that is only to be known.
    pub fn known(figure: impl Into<String>, measured: f64, unit: &'static str) -> Self {
        Self::new(figure, measured, unit, Goal::None)
    }

    fn cells(&self) -> [String; 4] {
        let with_unit = |value: f64| format!("{} {}", number(value), self.unit).trim_end().to_owned();
        let (goal, ratio, met) = match self.goal {
            Goal::AtLeast(goal) => (format!("≥ {}", with_unit(goal)), self.measured / goal, self.measured >= goal),
            Goal::AtMost(goal) => (format!("≤ {}", with_unit(goal)), self.measured / goal, self.measured <= goal),
            Goal::None => return [self.figure.clone(), with_unit(self.measured), String::new(), String::new()],
        };
        let verdict = if met { "" } else { " missed" };
        // Nothing is a part of a goal of nothing.
        let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { String::new() };
        [self.figure.clone(), with_unit(self.measured), goal, format!("{ratio}{verdict}").trim_start().to_owned()]
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Says how far a run is: the rows of one figure, without the table.
#[expect(clippy::print_stderr, reason = "a benchmark speaks to people")]
pub fn progress(rows: &[Row]) {
    for [figure, measured, ..] in rows.iter().map(Row::cells) {
        eprintln!("  {figure}: {measured}");
    }
}

/// Prints the machine and all rows.
#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
pub fn print(rows: &[Row]) {
    let head = ["figure", "measured", "goal", "measured / goal"].map(str::to_owned);
    let cells: Vec<[String; 4]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    println!("{}\n", machine::describe());
    for (at, [figure, measured, goal, ratio]) in cells.iter().enumerate() {
        let [a, b, c, d] = widths;
        println!("| {figure:<a$} | {measured:>b$} | {goal:>c$} | {ratio:<d$} |");
        if at == 0 {
            println!("| {:-<a$} | {:->b$} | {:->c$} | {:-<d$} |", "", ":", ":", "");
        }
    }
}
