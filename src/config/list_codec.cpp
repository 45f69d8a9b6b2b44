// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/codec.hpp"
#include "config/glob.hpp"
#include "config/ladder.hpp"
#include "config/probe.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

/// Far more than anybody writes by hand; metadata is written by others.
constexpr std::size_t kLongestList = 256;

tl::unexpected<Complaint> wrong(const Node& node, std::string reason = {}) {
    return tl::unexpected{Complaint{node.place, shown(node), std::move(reason)}};
}

template <class T, class ParseText>
Parsed<T> from_text(const Node& node, ParseText parse_text) {
    const auto* text = node.as<std::string>();
    if (text == nullptr)
        return wrong(node);
    auto value = parse_text(*text);
    if (!value)
        return wrong(node, value.error());
    return *std::move(value);
}

/// { step = "save", time = "2min" }
Parsed<Step> step_of_table(const Node& node, const Table& table) {
    std::string action;
    std::string time;
    for (const auto& entry : table) {
        if (entry.key != "step" && entry.key != "time")
            return tl::unexpected{Complaint{entry.place, in_quotes(entry.key),
                                            "a step as a table has only 'step' and 'time'"}};
        if (const auto* text = entry.value.as<std::string>())
            (entry.key == "step" ? action : time) = *text;
        else if (const auto* seconds = entry.value.as<std::int64_t>();
                 seconds != nullptr && entry.key == "time")
            time = std::to_string(*seconds);
        else
            return wrong(entry.value);
    }
    if (action.empty())
        return wrong(node, "'step' is missing");
    auto step = parse_step(action, time);
    if (!step)
        return wrong(node, step.error());
    return *std::move(step);
}

Parsed<Step> parse_element(const Node& node, std::type_identity<Step>) {
    if (const auto* table = node.as<Table>())
        return step_of_table(node, *table);
    return from_text<Step>(node, [](const std::string& text) { return parse_step(text); });
}
Parsed<Probe> parse_element(const Node& node, std::type_identity<Probe>) {
    return from_text<Probe>(node, parse_probe);
}
Parsed<Need> parse_element(const Node& node, std::type_identity<Need>) {
    return from_text<Need>(node, parse_need);
}
Parsed<std::string> parse_element(const Node& node, std::type_identity<std::string>) {
    if (const auto* text = node.as<std::string>())
        return *text;
    return wrong(node);
}

std::string format_element(const Step& step) {
    return format_step(step);
}
std::string format_element(const Probe& probe) {
    return format_probe(probe);
}
std::string format_element(const Need& need) {
    return format_need(need);
}
std::string format_element(const std::string& text) {
    return text;
}

/// Rules over the whole list; the place is the element that breaks one.
template <class T>
std::optional<Complaint> check_list(const Node&, const Array&, const std::vector<T>&) {
    return std::nullopt;
}
std::optional<Complaint> check_list(const Node& node, const Array& array, const Ladder& ladder) {
    const auto fault = check_ladder(ladder);
    if (fault.text.empty())
        return std::nullopt;
    const auto& at = fault.index < array.size() ? array[fault.index] : node;
    return Complaint{at.place, shown(at), fault.text};
}
std::optional<Complaint> check_list(const Node& node, const Array&,
                                    const std::vector<Probe>& probes) {
    if (probes.empty())
        return Complaint{node.place, shown(node), "write \"running\" to wait for nothing more"};
    return std::nullopt;
}

}  // namespace

template <class T>
Parsed<std::vector<T>> ListCodec<T>::parse(const Node& node, const Limits&) {
    const Array alone = node.as<Array>() ? Array{} : Array{node};
    const auto& array = node.as<Array>() ? *node.as<Array>() : alone;
    if (array.size() > kLongestList)
        return wrong(node, fmt::format("more than {} elements", kLongestList));
    std::vector<T> values;
    for (const auto& child : array) {
        auto value = parse_element(child, std::type_identity<T>{});
        if (!value)
            return tl::unexpected{value.error()};
        values.push_back(*std::move(value));
    }
    if (auto complaint = check_list(node, array, values))
        return tl::unexpected{*std::move(complaint)};
    return values;
}

template <class T>
std::string ListCodec<T>::format(const std::vector<T>& values) {
    std::string text;
    for (const auto& value : values)
        text += (text.empty() ? "" : ", ") + toml_string(format_element(value));
    return '[' + text + ']';
}

template <>
std::string LadderCodec::allowed(const Limits&) {
    return "a list of steps: shutdown, shutdown:agent, shutdown:acpi, save, destroy, leave, "
           "migrate:URI, each with its time, as in [\"shutdown 3min\", \"destroy\"]";
}
template <>
std::string ProbeCodec::allowed(const Limits&) {
    return "a list of running, agent, address, io-settle[:RATE[:FOR]], tcp:[HOST:]PORT, exec:PATH, "
           "delay:SPAN";
}
template <>
std::string NeedCodec::allowed(const Limits&) {
    return "a list of mount:PATH, path:PATH, pool:NAME, network:NAME, unit:NAME";
}
template struct ListCodec<Step>;
template struct ListCodec<Probe>;
template struct ListCodec<Need>;
template Parsed<std::vector<std::string>> ListCodec<std::string>::parse(const Node&, const Limits&);
template std::string ListCodec<std::string>::format(const std::vector<std::string>&);

namespace {

/// Applies `fault` (its text, "" = none) to each string; the first complaint wins.
template <class Fault>
Parsed<std::vector<std::string>> checked(Parsed<std::vector<std::string>> values, const Node& node,
                                         Fault fault) {
    for (std::size_t i = 0; values && i < values->size(); ++i) {
        const auto* array = node.as<Array>();
        const auto& at = array != nullptr ? (*array)[i] : node;
        if (const std::string text{fault((*values)[i])}; !text.empty())
            return wrong(at, text);
    }
    return values;
}

}  // namespace

Parsed<std::vector<std::string>> GlobCodec::parse(const Node& node, const Limits& limits) {
    return checked(ListCodec::parse(node, limits), node, glob_error);
}

std::string GlobCodec::allowed(const Limits&) {
    return "a list of guest names; *, ? and [a-z] are patterns";
}

Parsed<std::vector<std::string>> UriCodec::parse(const Node& node, const Limits& limits) {
    std::set<std::string_view> seen;
    auto values = checked(ListCodec::parse(node, limits), node, [&](const std::string& uri) {
        if (uri.find(":/") == std::string::npos)
            return "this is no URI";
        return seen.insert(uri).second ? "" : "it is named twice";
    });
    if (values && values->empty())
        return wrong(node, "without a URI there is nothing to look after");
    return values;
}

std::string UriCodec::allowed(const Limits&) {
    return "a list of libvirt URIs, as in [\"qemu:///system\"]";
}

}  // namespace guestd::config
