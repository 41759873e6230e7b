//! What does it look like? Bars for the cases that most ask for, lines over the number of callers and over the size.

use anyhow::anyhow;
use clap::ValueEnum as _;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

use crate::plan::SIZE;
use crate::report::{Case, Figures, Report, Work};
use crate::system::System;
use crate::table::title;

const WIDTH: u32 = 860;
/// Of a line of bars.
const LINE: i32 = 24;
const HEAD: i32 = 44;
/// Where bars begin, and how long the longest is.
const LEFT: i32 = 130;
const LONGEST: i32 = 580;
const FONT: &str = "sans-serif";
const HEIGHT_OF_LINES: u32 = 520;

const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const FLOOR: RGBColor = RGBColor(0xa0, 0xa0, 0xa0);
const PEER: RGBColor = RGBColor(0xe0, 0x8a, 0x3c);

/// What bars, or lines, show.
#[derive(Clone, Copy, Debug)]
struct Shown {
    file: &'static str,
    what: &'static str,
    figure: fn(&Figures) -> f64,
}

/// Draws what there is; the names of the files.
pub(crate) fn draw(report: &Report, dir: &Path) -> anyhow::Result<Vec<String>> {
    let mut drawn = Vec::new();
    for (case, shown) in bars() {
        let lines = figures(report, case, shown.figure);
        if !lines.is_empty() {
            bar_chart(&dir.join(shown.file), &format!("{}: {}", title(case), shown.what), &lines)
                .map_err(|error| anyhow!("cannot draw {}: {error}", shown.file))?;
            drawn.push(shown.file.to_owned());
        }
    }
    for (file, what, along) in [
        ("calls-by-callers.svg", "replies/s by callers, 128 B", Along::Callers),
        ("calls-by-size.svg", "replies/s by bytes of the payload, 100 callers", Along::Size),
    ] {
        let series = series(report, along);
        if series.iter().any(|(_, points)| points.len() > 2) {
            line_chart(&dir.join(file), what, &series)
                .map_err(|error| anyhow!("cannot draw {file}: {error}"))?;
            drawn.push(file.to_owned());
        }
    }
    Ok(drawn)
}

fn bars() -> [(Case, Shown); 4] {
    let call = |concurrency| Case { work: Work::Call, size: SIZE, concurrency };
    let shown = |file, what, figure| Shown { file, what, figure };
    [
        (call(1), shown("calls-1.svg", "p50 in µs, less is better", |it| it.p50_us)),
        (call(100), shown("calls-100.svg", "replies/s", |it| it.per_second)),
        (
            Case { work: Work::Pub, size: SIZE, concurrency: 1 },
            shown("pub-1.svg", "messages/s", |it| it.per_second),
        ),
        (
            Case { work: Work::Stream, size: 1024 * 1024, concurrency: 1 },
            shown("stream-bulk.svg", "items/s", |it| it.per_second),
        ),
    ]
}

fn figures(report: &Report, case: Case, figure: fn(&Figures) -> f64) -> Vec<(System, f64)> {
    let one = |system: &System| Some((*system, figure(&report.row(case, *system)?.figures?)));
    System::value_variants().iter().filter_map(one).collect()
}

/// Drawing fails with an error of whatever it is drawn on.
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn bar_chart(path: &Path, title: &str, lines: &[(System, f64)]) -> Drawn {
    let height = HEAD + LINE * i32::try_from(lines.len())? + LINE / 2;
    let area = SVGBackend::new(path, (WIDTH, u32::try_from(height)?)).into_drawing_area();
    area.fill(&WHITE)?;
    area.draw(&Text::new(title.to_owned(), (12, 12), (FONT, 17)))?;
    let most = lines.iter().map(|(_, figure)| *figure).fold(f64::MIN_POSITIVE, f64::max);
    let mut y = HEAD;
    for (system, figure) in lines {
        bar(&area, y, *system, (*figure, figure / most))?;
        y += LINE;
    }
    Ok(area.present()?)
}

/// One line: a name, a bar as long as its `part` of the longest, and the figure.
fn bar(
    area: &DrawingArea<SVGBackend, Shift>,
    y: i32,
    system: System,
    (figure, part): (f64, f64),
) -> Drawn {
    let end = LEFT + pixels(f64::from(LONGEST) * part).max(1);
    let color = color(system);
    area.draw(&Text::new(system.name(), (12, y + 4), (FONT, 14)))?;
    area.draw(&Rectangle::new([(LEFT, y), (end, y + LINE - 6)], color.filled()))?;
    area.draw(&Text::new(short(figure), (end + 6, y + 4), (FONT, 14)))?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "within a picture")]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

fn color(system: System) -> RGBColor {
    match system {
        system if system.is_ours() => OURS,
        system if system.is_floor() => FLOOR,
        _ => PEER,
    }
}

/// Three digits.
fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        _ if figure >= 1e4 => format!("{:.0} k", figure / 1e3),
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ => format!("{figure:.1}"),
    }
}

/// What lines go along.
#[derive(Clone, Copy, Debug)]
enum Along {
    Callers,
    Size,
}

impl Along {
    fn at(self, case: Case) -> Option<f64> {
        match self {
            _ if case.work != Work::Call => None,
            Self::Callers => (case.size == SIZE).then(|| f64::from(case.concurrency)),
            Self::Size => (case.concurrency == 100).then(|| f64::from(case.size)),
        }
    }
}

type Series = Vec<(System, Vec<(f64, f64)>)>;

fn series(report: &Report, along: Along) -> Series {
    let of = |system: &System| {
        let point =
            |case: Case| Some((along.at(case)?, report.row(case, *system)?.figures?.per_second));
        let mut points: Vec<(f64, f64)> = report.cases().into_iter().filter_map(point).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        (*system, points)
    };
    let all = System::value_variants().iter().map(of);
    all.filter(|(_, points)| points.len() > 1).collect()
}

fn line_chart(path: &Path, title: &str, series: &Series) -> Drawn {
    let points = || series.iter().flat_map(|(_, points)| points);
    let least = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MAX, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(1.0, f64::max);
    let x = least(|point| point.0)..most(|point| point.0) * 1.1;
    let y = (least(|point| point.1) * 0.8).max(1.0)..most(|point| point.1) * 1.3;
    let area = SVGBackend::new(path, (WIDTH, HEIGHT_OF_LINES)).into_drawing_area();
    area.fill(&WHITE)?;
    let (plot, legend) = area.split_horizontally(WIDTH - 140);
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, (FONT, 17))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    let label = |figure: &f64| short(*figure);
    chart.configure_mesh().x_label_formatter(&label).y_label_formatter(&label).draw()?;
    for (index, (system, points)) in series.iter().enumerate() {
        let color = Palette99::pick(index).mix(if system.is_floor() { 0.5 } else { 1.0 });
        let width = if system.is_ours() { 3 } else { 1 };
        chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(width)))?;
        let y = 40 + LINE * i32::try_from(index)?;
        legend.draw(&Rectangle::new([(0, y + 3), (16, y + 7)], color.filled()))?;
        legend.draw(&Text::new(system.name(), (22, y), (FONT, 14)))?;
    }
    Ok(area.present()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Round;

    fn report() -> Report {
        let mut report = Report::default();
        for (callers, per_second) in [(1, 50e3), (10, 300e3), (100, 1e6)] {
            let case = Case { work: Work::Call, size: SIZE, concurrency: callers };
            for system in [System::Tcp, System::Homing, System::Nats] {
                let round = Round {
                    per_second,
                    p50_us: 20.0,
                    p99_us: 0.0,
                    p999_us: 0.0,
                    lost: 0,
                    cpu_us: 0.0,
                };
                report.add(case, system, 0, round);
            }
        }
        report
    }

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let files = draw(&report(), dir.path()).unwrap();
        assert_eq!(files, ["calls-1.svg", "calls-100.svg", "calls-by-callers.svg"]);
        for file in files {
            let text = std::fs::read_to_string(dir.path().join(file)).unwrap();
            assert!(text.starts_with("<svg") && text.contains("homing"), "{text}");
        }
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([1.25e6, 47e3, 312.4, 9.87].map(short), ["1.25 M", "47 k", "312", "9.9"]);
    }
}
