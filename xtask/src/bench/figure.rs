//! A measured figure beside its goal.

use serde_json::{Value, json};

/// A figure, the smaller the better.
#[derive(Debug, Default)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// What it may be at most.
    pub(super) goal: Option<f64>,
    /// What we would have it be at most, where that is less; to miss it is no failure.
    pub(super) aim: Option<f64>,
}

/// What one bench has found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    /// What was measured, in a line.
    pub(super) title: String,
    /// Rows of a table, the first its head; may be empty.
    pub(super) table: Vec<Vec<String>>,
    pub(super) figures: Vec<Figure>,
    /// What could not be measured, with the reason.
    pub(super) not_run: Vec<(String, String)>,
}

impl Figure {
    pub(super) fn is_missed(&self) -> bool {
        self.goal.is_some_and(|goal| goal < self.value)
    }

    fn print(&self) {
        let Self { name, value, unit, goal, aim } = self;
        let verdict = match goal {
            Some(goal) if self.is_missed() => format!("goal: at most {goal} {unit}, MISSED"),
            Some(goal) => format!("goal: at most {goal} {unit}, met"),
            None => String::new(),
        };
        let aim = match aim {
            Some(aim) if aim < value => format!("; aim: {aim}, missed"),
            Some(aim) => format!("; aim: {aim}, met"),
            None => String::new(),
        };
        println!("  {name:<44} {:>10} {unit:<11} {verdict}{aim}", short(*value));
    }
}

impl Report {
    pub(super) fn print(&self) {
        println!("{}: {}", self.bench, self.title);
        let columns = self.table.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.table {
            let mut line = format!("  {:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            println!("{line}");
        }
        for figure in &self.figures {
            figure.print();
        }
        for (name, why) in &self.not_run {
            println!("  NOT RUN: {name} ({why})");
        }
        println!();
    }

    pub(super) fn json(&self) -> Value {
        let figures = self.figures.iter().map(|it| {
            json!({
                "name": it.name, "value": it.value, "unit": it.unit, "goal": it.goal, "aim": it.aim,
                "missed": it.is_missed(),
            })
        });
        let not_run = self.not_run.iter().map(|(name, why)| json!({ "name": name, "why": why }));
        json!({
            "bench": self.bench,
            "title": self.title,
            "table": self.table,
            "figures": figures.collect::<Vec<_>>(),
            "not_run": not_run.collect::<Vec<_>>(),
        })
    }
}

/// Three digits that say something.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        it if it < 10.0 => format!("{value:.2}"),
        it if it < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
