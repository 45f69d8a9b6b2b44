// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Metrics as text that OpenMetrics parsers and the older ones of Prometheus (node_exporter's
/// textfile collector has such a one) both read. That is what gauges are: every value here is how
/// something is, or how it was in the last run, so nothing else is needed.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace guestd::render {

/// Name and raw value; the value is escaped here.
using Labels = std::vector<std::pair<std::string_view, std::string>>;

class Metrics {
public:
    /// Samples that follow are of this family. `name` is a metric name; one that ends in _seconds,
    /// _bytes or the like says so as its unit. A family without samples is left out.
    void family(std::string name, std::string_view help);
    void sample(const Labels& labels, double value);
    void sample(double value) { sample({}, value); }

    /// The whole, ended as OpenMetrics wants it.
    std::string str() const { return out_ + "# EOF\n"; }

private:
    std::string name_;
    std::string head_;  ///< of the family, until its first sample
    std::string out_;
};

}  // namespace guestd::render
