// SPDX-License-Identifier: LGPL-2.1-or-later
#include "render/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "render/style.hpp"
#include "render/text.hpp"
#include "render/units.hpp"

namespace guestd::render {
namespace {

using namespace std::chrono_literals;

// Geometry, in pixels. The width is that of A4 across at 96 dpi, so that it prints unscaled.
constexpr double kWidth = 1120;
constexpr double kMargin = 24;
constexpr double kNameWidth = 190;
constexpr double kOutcomeWidth = 190;
constexpr double kPlotLeft = kMargin + kNameWidth;
constexpr double kPlotWidth = kWidth - kPlotLeft - kOutcomeWidth - kMargin;
constexpr double kHeadHeight = 62;
constexpr double kLegendHeight = 26;
constexpr double kAxisHeight = 24;
constexpr double kGroupHeight = 26;
/// Wide rows up to this many, narrow ones above: 200 guests should fit three sheets, not ten.
constexpr std::size_t kRoomyRows = 60;
/// The axis' labels are repeated at the bottom above this many rows: about a screen.
constexpr std::size_t kTallRows = 30;
/// Mean advance of the font's characters, in em: what decides whether a text fits.
constexpr double kAdvance = 0.57;
/// A deadline further away than this many lengths of the run would squeeze the bars: it is then
/// named at the edge of the picture, not drawn to scale.
constexpr int kDeadlineReach = 2;

struct Kind {
    std::string_view what;
    std::string_view label;
    std::string_view fill;
    std::string_view ink;
};
// Told apart in grey print and by the colour-blind: lightness differs, not only hue.
constexpr std::array kKinds = {
    Kind{"waiting", "waiting", "#ccd2d9", "#5b6470"},
    Kind{"starting", "starting", "#2f6fb7", "#ffffff"},
    Kind{"settling", "until ready", "#a9cdf0", "#1c3f66"},
    Kind{"resume", "resuming", "#5d93cf", "#ffffff"},
    Kind{"shutdown", "shutting down", "#f2b04b", "#5a3a00"},
    Kind{"save", "saving", "#6c56b3", "#ffffff"},
    Kind{"migrate", "migrating", "#23877a", "#ffffff"},
    Kind{"abort", "aborting", "#d98aa5", "#551c30"},
    Kind{"destroy", "destroying", "#c0303a", "#ffffff"},
};
constexpr Kind kOtherKind{"", "other", "#a5abb3", "#20242a"};

const Kind& kind_of(std::string_view what) {
    const auto at = std::find_if(kKinds.begin(), kKinds.end(),
                                 [what](const Kind& kind) { return kind.what == what; });
    return at == kKinds.end() ? kOtherKind : *at;
}

std::string_view ink_of_outcome(std::string_view outcome) {
    switch (style_of_outcome(outcome)) {
        case Style::bad:
            return "#b3202a";
        case Style::warn:
            return "#8f5b00";
        case Style::good:
            return "#1f7a3d";
        case Style::plain:
        case Style::bold:
        case Style::dim:
        case Style::busy:
            return "#5b6470";
    }
    return "#5b6470";
}

/// Distance of the axis' labels: the smallest round time that leaves them room.
Duration tick_of(Duration length) {
    constexpr std::array kTicks = {
        Duration{1ms},   Duration{2ms},   Duration{5ms},   Duration{10ms},  Duration{20ms},
        Duration{50ms},  Duration{100ms}, Duration{200ms}, Duration{500ms}, Duration{1s},
        Duration{2s},    Duration{5s},    Duration{10s},   Duration{15s},   Duration{30s},
        Duration{1min},  Duration{2min},  Duration{5min},  Duration{10min}, Duration{15min},
        Duration{30min}, Duration{1h},    Duration{2h},    Duration{6h},    Duration{12h},
        Duration{24h},
    };
    constexpr int kMostTicks = 12;
    for (const Duration tick : kTicks)
        if (length / tick <= kMostTicks)
            return tick;
    return length / kMostTicks;
}

constexpr fmt::format_string<double&> kStyle = R"(<style>
text {{ font-family: 'Source Sans 3', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif;
       font-size: {}px; fill: #20242a; }}
.title {{ font-size: 20px; font-weight: 600; }}
.dim {{ font-size: 12.5px; fill: #5b6470; }}
.small {{ font-size: 11px; fill: #5b6470; }}
.group {{ font-size: 12.5px; font-weight: 600; fill: #5b6470; }}
.name {{ text-anchor: end; }}
.critical {{ font-weight: 600; }}
.inner {{ font-size: 10px; text-anchor: middle; }}
.halo {{ stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; paint-order: stroke; }}
.mid {{ text-anchor: middle; }}
.end {{ text-anchor: end; }}
.start {{ text-anchor: start; }}
.late {{ fill: #b3202a; }}
.grid {{ stroke: #dde1e6; stroke-width: 1; }}
.axis {{ stroke: #8a929c; stroke-width: 1; }}
.deadline {{ stroke: #b3202a; stroke-width: 1.5; stroke-dasharray: 5 3; }}
.band {{ fill: #f5f6f8; }}
</style>
)";

class Drawing {
public:
    explicit Drawing(const Timeline& timeline);
    std::string svg();

private:
    template <class... Args>
    void put(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
    }
    double x_of(Duration time) const;
    /// Baseline of the last line of text.
    double foot() const { return rows_bottom_ + (tall_ ? 32 : 16); }
    void head();
    void legend();
    void axis();
    void deadline();
    void rows();
    void row(const TimelineRow& row, double y);
    void stretch(const Stretch& stretch, double y);
    void outcome(const TimelineRow& row, double y);

    const Timeline& timeline_;
    bool grouped_ = false;
    bool roomy_ = true;
    bool tall_ = false;  ///< the axis at the top is out of sight at the bottom
    bool deadline_in_scale_ = false;
    Duration length_{};
    double row_height_ = 0;
    double font_ = 0;
    double rows_top_ = 0;
    double rows_bottom_ = 0;
    std::string bands_;
    std::string body_;
};

Drawing::Drawing(const Timeline& timeline) : timeline_(timeline), length_(timeline.length) {
    std::set<std::string_view> groups;
    for (const auto& row : timeline.rows) {
        groups.insert(row.group);
        for (const auto& stretch : row.stretches)
            length_ = std::max(length_, stretch.end.value_or(stretch.begin));
    }
    length_ = std::max(length_, Duration{10ms});
    if (timeline.deadline && *timeline.deadline <= length_ * kDeadlineReach) {
        deadline_in_scale_ = true;
        length_ = std::max(length_, *timeline.deadline);
    }
    length_ += length_ / 50;  // so that the last bar does not touch the edge
    grouped_ = groups.size() > 1;
    roomy_ = timeline.rows.size() <= kRoomyRows;
    tall_ = timeline.rows.size() > kTallRows;
    row_height_ = roomy_ ? 24 : 15;
    font_ = roomy_ ? 12.5 : 10.5;
    rows_top_ = kHeadHeight + kLegendHeight + kAxisHeight;
    rows_bottom_ = rows_top_ + row_height_ * static_cast<double>(timeline.rows.size()) +
                   (grouped_ ? kGroupHeight * static_cast<double>(groups.size()) : 0) + 4;
}

double Drawing::x_of(Duration time) const {
    const double share = static_cast<double>(std::max(time, Duration::zero()).count()) /
                         static_cast<double>(length_.count());
    return kPlotLeft + kPlotWidth * std::min(share, 1.0);
}

void Drawing::head() {
    put("<text x=\"{}\" y=\"34\" class=\"title\">{}</text>\n", kMargin,
        escape_xml(timeline_.title));
    put("<text x=\"{}\" y=\"53\" class=\"dim\">{}</text>\n", kMargin,
        escape_xml(timeline_.subtitle));
}

void Drawing::legend() {
    std::set<std::string_view> used;
    for (const auto& row : timeline_.rows)
        for (const auto& stretch : row.stretches)
            used.insert(kind_of(stretch.what).what);
    double x = kPlotLeft;
    const auto entry = [&](const Kind& kind) {
        if (used.count(kind.what) == 0)
            return;
        put("<rect x=\"{:.1f}\" y=\"{}\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{}\"/>\n", x,
            kHeadHeight + 4, kind.fill);
        put("<text x=\"{:.1f}\" y=\"{}\" class=\"small\">{}</text>\n", x + 17, kHeadHeight + 14,
            kind.label);
        x += 17 + static_cast<double>(kind.label.size()) * 11 * kAdvance + 18;
    };
    for (const auto& kind : kKinds)
        entry(kind);
    entry(kOtherKind);
    if (std::ranges::any_of(timeline_.rows, &TimelineRow::critical)) {
        put("<rect x=\"{:.1f}\" y=\"{}\" width=\"3\" height=\"12\" fill=\"#20242a\"/>\n", x + 6,
            kHeadHeight + 4);
        put("<text x=\"{:.1f}\" y=\"{}\" class=\"small\">longest chain</text>\n", x + 15,
            kHeadHeight + 14);
    }
}

void Drawing::axis() {
    const Duration tick = tick_of(length_);
    const double top = rows_top_ - 4;
    for (Duration at{}; at <= length_; at += tick) {
        const double x = x_of(at);
        put("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" class=\"grid\"/>\n", x,
            top, rows_bottom_);
        const std::string label = at == Duration::zero() ? "0" : duration(at);
        put("<text x=\"{:.1f}\" y=\"{}\" class=\"small mid\">{}</text>\n", x, top - 5, label);
        if (tall_)
            put("<text x=\"{:.1f}\" y=\"{}\" class=\"small mid\">{}</text>\n", x, rows_bottom_ + 14,
                label);
    }
    put("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"axis\"/>\n", kPlotLeft, top,
        kPlotLeft + kPlotWidth, top);
}

void Drawing::deadline() {
    if (!timeline_.deadline)
        return;
    const std::string label = "deadline " + duration(*timeline_.deadline);
    if (!deadline_in_scale_) {
        put("<text x=\"{}\" y=\"{:.1f}\" class=\"small end late\">{} →</text>\n",
            kPlotLeft + kPlotWidth, foot(), label);
        return;
    }
    const double x = x_of(*timeline_.deadline);
    put("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" class=\"deadline\"/>\n", x,
        rows_top_ - 4, rows_bottom_ + 3);
    const bool near_left = x < kPlotLeft + kPlotWidth / 4;
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"small late {}\">{}</text>\n", x, foot(),
        near_left ? "start" : "end", label);
}

void Drawing::rows() {
    double y = rows_top_;
    const std::string* group = nullptr;
    bool shaded = false;
    for (const auto& each : timeline_.rows) {
        if (grouped_ && (group == nullptr || *group != each.group)) {
            put("<text x=\"{}\" y=\"{:.1f}\" class=\"group\">{}</text>\n", kMargin, y + 17,
                escape_xml(each.group));
            group = &each.group;
            y += kGroupHeight;
            shaded = false;
        }
        if (shaded)
            fmt::format_to(
                std::back_inserter(bands_),
                "<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" class=\"band\"/>\n",
                kMargin - 6, y, kWidth - 2 * kMargin + 12, row_height_);
        shaded = !shaded;
        row(each, y);
        y += row_height_;
    }
}

void Drawing::row(const TimelineRow& each, double y) {
    const std::string whole = escape_terminal(each.name);
    const auto fits = static_cast<std::size_t>((kNameWidth - 14) / (font_ * kAdvance));
    if (each.critical)  // a mark at the name, which lasts in print and for the colour-blind
        put("<rect x=\"{}\" y=\"{:.1f}\" width=\"3\" height=\"{:.1f}\" fill=\"#20242a\">"
            "<title>on the longest chain</title></rect>\n",
            kPlotLeft - 6, y + row_height_ * 0.16, row_height_ * 0.68);
    put("<text x=\"{}\" y=\"{:.1f}\" class=\"name{}\">", kPlotLeft - 10,
        y + row_height_ / 2 + font_ * 0.36, each.critical ? " critical" : "");
    put("{}<title>{}</title></text>\n", escape_xml(ellipsize(whole, fits)), escape_xml(each.name));
    for (const auto& part : each.stretches)
        stretch(part, y);
    outcome(each, y);
}

void Drawing::stretch(const Stretch& part, double y) {
    const Kind& kind = kind_of(part.what);
    const Duration end = part.end.value_or(std::max(timeline_.length, part.begin));
    const double left = x_of(part.begin);
    // A stretch that is too short to be seen is drawn as a hair all the same: it happened.
    const double width = std::max(x_of(end) - left, 1.5);
    const double inset = kind.what == "waiting" ? row_height_ * 0.36 : row_height_ * 0.16;
    const std::string span = duration(end - part.begin);
    std::string tip = escape_terminal(part.what) + " " + span;
    if (!part.note.empty())
        tip += " · " + part.note;
    put("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\" fill=\"{}\"",
        left, y + inset, width, row_height_ - 2 * inset, kind.fill);
    put("{}><title>{}</title></rect>\n", part.end ? "" : " fill-opacity=\"0.6\"", escape_xml(tip));
    // A bar tells how long, and the thin line of one that waits, what for.
    const bool waits = kind.what == "waiting";
    const std::string inner = waits ? escape_terminal(part.note) : span;
    const double needs = static_cast<double>(display_width(inner)) * 10 * kAdvance + 8;
    if (roomy_ && !inner.empty() && width >= needs)
        put("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"inner{}\" style=\"fill:{}\">{}</text>\n",
            left + width / 2, y + row_height_ / 2 + 3.6, waits ? " halo" : "", kind.ink,
            escape_xml(inner));
}

void Drawing::outcome(const TimelineRow& each, double y) {
    if (each.outcome.empty())
        return;
    std::string details;
    if (!each.stretches.empty()) {
        const auto& last = each.stretches.back();
        if (last.end)
            details = "· " + duration(*last.end);
    }
    if (each.saved.count > 0)
        details += " · " + bytes(each.saved);
    put("<text x=\"{}\" y=\"{:.1f}\" class=\"name start\"><tspan fill=\"{}\" font-weight=\"600\">",
        kPlotLeft + kPlotWidth + 12, y + row_height_ / 2 + font_ * 0.36,
        ink_of_outcome(each.outcome));
    put("{}</tspan><tspan dx=\"5\" fill=\"#5b6470\">{}</tspan>", escape_xml(each.outcome),
        escape_xml(details));
    put("{}</text>\n", each.cause.empty() ? "" : "<title>" + escape_xml(each.cause) + "</title>");
}

std::string Drawing::svg() {
    // Bands lie under the grid, the grid under the bars.
    rows();
    const std::string bars = std::exchange(body_, {});
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{0}\" "
        "height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0} {1:.0f}\">\n<title>{2}</title>\n",
        kWidth, foot() + 12, escape_xml(timeline_.title));
    put(kStyle, font_);
    put("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    head();
    legend();
    body_ += bands_;
    axis();
    body_ += bars;
    deadline();
    put("</svg>\n");
    return std::move(body_);
}

}  // namespace

std::string timeline_svg(const Timeline& timeline) {
    return Drawing{timeline}.svg();
}

}  // namespace guestd::render
