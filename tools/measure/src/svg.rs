//! Line charts with logarithmic axes, as SVG.

use std::fmt::{self, Display};

/// One axis: from `low` to `high`, with a label at each tick.
pub struct Axis {
    pub title: String,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Where on the axis a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
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

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 60.0;
/// Okabe and Ito's colours, which most people can tell apart.
const COLOURS: [&str; 8] =
    ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a"];

impl Chart {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, label) in &self.x.ticks {
            let x = self.x(*value);
            writeln!(f, r#"<path d="M{x:.1} {TOP}V{bottom}" class="grid"/>"#)?;
            let y = bottom + 18.0;
            writeln!(f, r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{label}</text>"#)?;
        }
        for (value, label) in &self.y.ticks {
            let y = self.y(*value);
            writeln!(f, r#"<path d="M{LEFT} {y:.1}H{right}" class="grid"/>"#)?;
            let (x, y) = (LEFT - 8.0, y + 4.0);
            writeln!(f, r#"<text x="{x}" y="{y:.1}" text-anchor="end">{label}</text>"#)?;
        }
        writeln!(f, r#"<path d="M{LEFT} {TOP}V{bottom}H{right}" class="axis"/>"#)?;
        let middle = (LEFT + right) / 2.0;
        let (title, y) = (&self.x.title, HEIGHT - 16.0);
        writeln!(f, r#"<text x="{middle}" y="{y}" text-anchor="middle">{title}</text>"#)?;
        let (title, middle) = (&self.y.title, (TOP + bottom) / 2.0);
        writeln!(
            f,
            r#"<text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">{title}</text>"#
        )
    }

    fn curve(&self, f: &mut fmt::Formatter<'_>, index: usize, curve: &Curve) -> fmt::Result {
        let colour = COLOURS[index % COLOURS.len()];
        let dashes = if curve.dashed { r#" stroke-dasharray="6 4""# } else { "" };
        write!(f, r#"<path class="curve" stroke="{colour}"{dashes} d=""#)?;
        for (i, (x, y)) in curve.points.iter().enumerate() {
            let step = if i == 0 { 'M' } else { 'L' };
            write!(f, "{step}{:.1} {:.1}", self.x(*x), self.y(*y))?;
        }
        writeln!(f, r#""/>"#)?;
        for (x, y) in curve.points.iter().filter(|_| curve.marks) {
            let (x, y) = (self.x(*x), self.y(*y));
            writeln!(f, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#)?;
        }
        let (x, y) = (WIDTH - RIGHT + 14.0, TOP + 10.0 + 20.0 * index as f64);
        writeln!(f, r#"<path class="curve" stroke="{colour}"{dashes} d="M{x} {y}h24"/>"#)?;
        writeln!(f, r#"<text x="{}" y="{}">{}</text>"#, x + 30.0, y + 4.0, curve.name)
    }
}

impl Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
        )?;
        writeln!(
            f,
            "<style>.grid{{stroke:#e4e4e4}}.axis{{stroke:#444;fill:none}}\
             .curve{{stroke-width:2;fill:none;stroke-linejoin:round}}</style>"
        )?;
        writeln!(f, r#"<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#)?;
        writeln!(f, r#"<text x="{LEFT}" y="26" font-size="16">{}</text>"#, self.title)?;
        self.axes(f)?;
        for (index, curve) in self.curves.iter().enumerate() {
            self.curve(f, index, curve)?;
        }
        writeln!(f, "</svg>")
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
