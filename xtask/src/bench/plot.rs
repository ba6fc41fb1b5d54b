//! The rows as a picture: an SVG that is light or dark as its reader likes it.
//!
//! In each row a bar for each server, as long as what a unit costs there beside what it costs ours. Clients
//! of Engine.IO 4 alone, and floors; the tables have the rest.

use std::fmt::Write as _;

use super::options::Protocol;
use super::ratios::{Spread, figure};
use super::rows::Row;
use super::servers::OURS;
use super::tables::Measured;

/// One server in one row.
#[derive(Debug, PartialEq)]
struct Bar {
    name: String,
    /// What a unit costs.
    value: f64,
    /// The same beside ours.
    ratio: f64,
}

/// A picture of these rows, where ours was measured. `below` says what they were measured on.
pub(crate) fn svg(rows: &[&Row], measured: &Measured, below: &str) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.title, row.unit(), bars(row, measured)))
        .filter(|(.., bars)| !bars.is_empty())
        .collect();
    picture(&rows, below)
}

fn bars(row: &Row, measured: &Measured) -> Vec<Bar> {
    let median = |name: &str, protocol| {
        let values = measured.of(row.name, name, protocol, row.key());
        Spread::of(values.into_iter().map(|(_, value)| value)).map(|spread| spread.median)
    };
    let Some(ours) = median(OURS, Protocol::Eio4).filter(|ours| *ours > 0.0) else {
        return Vec::new();
    };
    let contenders = measured.contenders(row.name).into_iter();
    let mut bars: Vec<Bar> = contenders
        .filter(|contender| contender.protocol != Protocol::Eio3 || contender.name == "node2")
        .filter_map(|contender| {
            let value = median(&contender.name, contender.protocol)?;
            Some(Bar { name: contender.name.clone(), value, ratio: value / ours })
        })
        .collect();
    bars.sort_by(|one, other| one.value.total_cmp(&other.value));
    bars
}

fn picture(rows: &[(&str, &str, Vec<Bar>)], below: &str) -> String {
    let lines: usize = rows.iter().map(|(.., bars)| bars.len() + 2).sum();
    let height = (lines + 2) * LINE;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<style>
text {{ fill: #24292f }} .title {{ font-weight: bold }} rect {{ fill: #8c959f }} .ours {{ fill: #0969da }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} rect {{ fill: #6e7681 }} .ours {{ fill: #4493f8 }} }}
</style>
"#
    );
    let mut y = 0;
    for (title, unit, bars) in rows {
        y += 2 * LINE;
        let title = escaped(title);
        let _ = writeln!(svg, r#"<text class="title" x="8" y="{}">{title}</text>"#, y - 5);
        for Bar { name, value, ratio } in bars {
            let length = (ratio.min(LONGEST) / LONGEST * f64::from(BARS)).max(1.0);
            let class = if name == OURS { r#" class="ours""# } else { "" };
            let more = if *ratio > LONGEST { " …" } else { "" };
            let (name, value, ratio) = (escaped(name), figure(*value), figure(*ratio));
            let (middle, end) = (y + LINE - 6, f64::from(NAMES) + length + 6.0);
            let _ = writeln!(
                svg,
                r#"<text x="16" y="{middle}">{name}</text><rect{class} x="{NAMES}" y="{}" width="{length:.0}" height="{}" rx="2"/><text x="{end:.0}" y="{middle}">{value} {unit}, {ratio}×{more}</text>"#,
                y + 3,
                LINE - 6,
            );
            y += LINE;
        }
    }
    let below = escaped(below);
    let _ = writeln!(svg, r#"<text x="8" y="{}" font-size="11">{below}</text>"#, height - 6);
    svg + "</svg>\n"
}

/// As XML says it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const WIDTH: u32 = 760;
const LINE: usize = 20;

/// Where the bars begin, and how much room they have.
const NAMES: u32 = 130;
const BARS: u32 = 440;

/// The ratio of the longest bar; what is more is as long, and says so.
const LONGEST: f64 = 6.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rows::ROWS;
    use super::super::servers::Contender;
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_they_cost() {
        let mut measured = Measured::default();
        let mut add = |row, name: &str, protocol, values: &[f64]| {
            for (round, value) in values.iter().enumerate() {
                let contender =
                    Contender { name: name.to_owned(), protocol, command: String::new() };
                measured.add(row, contender, round, json!({ "cpu_us": value }));
            }
        };
        add("echo", "mini", Protocol::Raw, &[5.0]);
        add("echo", OURS, Protocol::Eio4, &[9.0, 10.0, 30.0]);
        add("echo", OURS, Protocol::Eio3, &[99.0]);
        add("echo", "node4", Protocol::Eio4, &[200.0]);
        add("ack", "node4", Protocol::Eio4, &[1.0]);
        let rows: Vec<&Row> =
            ROWS.iter().filter(|row| ["echo", "ack"].contains(&row.name)).collect();
        let found: Vec<_> = bars(rows[0], &measured);
        let bar = |name: &str, value, ratio| Bar { name: name.to_owned(), value, ratio };
        let expected = [bar("mini", 5.0, 0.5), bar(OURS, 10.0, 1.0), bar("node4", 200.0, 20.0)];
        assert_eq!(found, expected);
        assert_eq!(bars(rows[1], &measured), [], "ours is not there");

        let svg = svg(&rows, &measured, "a <machine>");
        assert!(svg.contains("5.00 us, 0.50×<") && svg.contains("200 us, 20.0× …<"), "{svg}");
        assert!(
            svg.contains(r#"width="440""#)
                && svg.contains(r#"class="ours" x="130" y="63" width="73""#),
            "{svg}"
        );
        assert!(svg.contains("a &lt;machine&gt;") && !svg.contains(">ack 32 B<"), "{svg}");
        assert_eq!(svg.matches("<rect ").count(), 3);
    }
}
