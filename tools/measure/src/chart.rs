//! Line charts with logarithmic axes, as SVG.

use plotters::coord::combinators::WithKeyPoints;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

/// One axis: from `low` to `high`, with a label at each tick.
pub struct Axis {
    pub title: String,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    fn scale(&self) -> WithKeyPoints<LogCoord<f64>> {
        let ticks = self.ticks.iter().map(|(tick, _)| *tick).collect();
        (self.low..self.high).log_scale().with_key_points(ticks)
    }

    fn label(&self, value: f64) -> String {
        let is_it = |tick: f64| (value / tick - 1.0).abs() < 1e-9;
        let found = self.ticks.iter().find(|(tick, _)| is_it(*tick));
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

pub struct Curve {
    pub name: String,
    /// A floor, not a thing to choose.
    pub dashed: bool,
    /// Whether to mark each point.
    pub marks: bool,
    pub points: Vec<(f64, f64)>,
}

pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub curves: Vec<Curve>,
}

const SIZE: (u32, u32) = (860, 460);
/// Right of the plot, for the curves' names.
const NAMES: u32 = 200;
const FONT: (&str, u32) = ("sans-serif", 12);
/// Okabe and Ito's colours, which most people can tell apart.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x8a, 0x8a, 0x8a),
];

impl Chart {
    /// Draws the chart into a file.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (plot, names) = area.split_horizontally(SIZE.0 - NAMES);
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, (FONT.0, 16))
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(self.x.scale(), self.y.scale())?;
        chart
            .configure_mesh()
            .label_style(FONT)
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .x_label_formatter(&|value| self.x.label(*value))
            .y_label_formatter(&|value| self.y.label(*value))
            .draw()?;
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let style = colour.stroke_width(2);
            let points = curve.points.iter().copied();
            if curve.dashed {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?;
            } else {
                chart.draw_series(LineSeries::new(points, style))?;
            }
            if curve.marks {
                let mark = |&point| Circle::new(point, 3, colour.filled());
                chart.draw_series(curve.points.iter().map(mark))?;
            }
            let y = 40 + 20 * index as i32;
            let sample: Vec<(i32, i32)> = vec![(6, y), (30, y)];
            if curve.dashed {
                names.draw(&DashedPathElement::new(sample, 6, 4, style))?;
            } else {
                names.draw(&PathElement::new(sample, style))?;
            }
            names.draw(&Text::new(curve.name.clone(), (36, y - 6), FONT))?;
        }
        area.present()?;
        Ok(())
    }
}

/// The powers of ten within the axis's bounds, which are widened to such.
pub fn decades(title: &str, values: impl Iterator<Item = f64>, label: fn(f64) -> String) -> Axis {
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    for value in values {
        (low, high) = (low.min(value), high.max(value));
    }
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let ticks: Vec<_> =
        (first..=last).map(|power| 10f64.powi(power)).map(|tick| (tick, label(tick))).collect();
    Axis { title: title.into(), low: ticks[0].0, high: ticks[ticks.len() - 1].0, ticks }
}
