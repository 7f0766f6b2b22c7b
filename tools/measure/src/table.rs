//! Tables, and how figures stand in them.

use std::fmt::Write;

/// A Markdown table that can be read as it is.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        assert!(cells.len() == self.rows[0].len());
        self.rows.push(cells);
    }

    pub fn write(&self, text: &mut String) {
        if self.rows.len() == 1 {
            return;
        }
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (i, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(text, "| {cell:width$} ").expect("a string takes all");
            }
            text.push_str("|\n");
            if i == 0 {
                for width in &widths {
                    write!(text, "|{:-<1$}", "", width + 2).expect("a string takes all");
                }
                text.push_str("|\n");
            }
        }
        text.push('\n');
    }
}

pub fn ns(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".into())
}

pub fn bytes(size: usize) -> String {
    match size {
        size if size >= 1 << 20 && size % (1 << 20) == 0 => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 && size % (1 << 10) == 0 => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}
