//! Rows of text in columns, as wide as a terminal at the most. Pure.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// The least room for a last column that stands beside the others.
const LEAST: usize = 40;

/// The columns' names and rows, one line each. The first column is of numbers;
/// the last one gets what room is left of `width`, and where that is too little
/// a line of its own.
pub fn table<const N: usize>(
    names: [&str; N],
    rows: &[[String; N]],
    width: Option<usize>,
) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| measure_text_width(&row[column]));
        cells.max().unwrap_or(0).max(names[column].len())
    });
    let before: usize = widths
        .iter()
        .take(N - 1)
        .map(|width| width + GAP.len())
        .sum();
    let beside = width.is_none_or(|width| width >= before + LEAST);
    let below = " ".repeat(widths[0] + GAP.len());
    let mut text = String::new();
    let mut put = |line: &str| {
        let line = line.trim_end();
        match width {
            Some(width) => text += &truncate_str(line, width, "…"),
            None => text += line,
        }
        text.push('\n');
    };
    let head = names.map(str::to_owned);
    for (n, row) in std::iter::once(&head).chain(rows).enumerate() {
        let mut line = String::with_capacity(before);
        for (column, (cell, width)) in row.iter().zip(widths).take(N - 1).enumerate() {
            let side = match column {
                0 => Alignment::Right,
                _ => Alignment::Left,
            };
            line += &pad_str(cell, width, side, None);
            line += GAP;
        }
        let last = &row[N - 1];
        if beside {
            put(&(line + last));
        } else {
            put(&line);
            // Nobody takes what is below the other columns for one of them.
            if n > 0 {
                put(&format!("{below}{last}"));
            }
        }
    }
    text
}

const GAP: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[String; 3]> {
        [["1", "näme", "a reason"], ["200", "b", &"ä".repeat(90)]]
            .map(|row| row.map(str::to_owned))
            .to_vec()
    }

    fn of(width: Option<usize>) -> String {
        table(["N", "WHO", "WHY"], &rows(), width)
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        let long = "ä".repeat(90);
        assert_eq!(
            of(None),
            format!("  N  WHO   WHY\n  1  näme  a reason\n200  b     {long}\n")
        );
    }

    #[test]
    fn the_last_column_is_cut_to_the_width() {
        let cut = "ä".repeat(39);
        assert_eq!(
            of(Some(51)),
            format!("  N  WHO   WHY\n  1  näme  a reason\n200  b     {cut}…\n")
        );
    }

    #[test]
    fn the_last_column_goes_below_where_it_has_no_room_beside() {
        let cut = "ä".repeat(44);
        assert_eq!(
            of(Some(50)),
            format!("  N  WHO\n  1  näme\n     a reason\n200  b\n     {cut}…\n")
        );
    }

    #[test]
    fn no_width_is_too_small() {
        for width in 0..60 {
            for line in of(Some(width)).lines() {
                assert!(measure_text_width(line) <= width.max(1), "{width}: {line}");
            }
        }
    }
}
