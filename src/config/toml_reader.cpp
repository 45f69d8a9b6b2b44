// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <toml.hpp>

#include "config/text.hpp"
#include "config/toml_guard.hpp"

namespace guestd::config {
namespace {

#if TOML11_VERSION_MAJOR >= 4
Place place_of(const toml::source_location& at) {
    return {static_cast<std::uint32_t>(at.first_line_number()),
            static_cast<std::uint32_t>(at.first_column_number())};
}
#else
Place place_of(const toml::source_location& at) {
    return {at.line(), at.column()};
}
#endif

/// What toml11 says comes with its function's name in front, and drawn pictures behind.
std::string first_line(std::string_view message) {
    message = message.substr(0, message.find('\n'));
    for (const std::string_view prefix : {"[error]", "toml::"}) {
        if (!message.starts_with(prefix))
            continue;
        const auto end = prefix == "toml::" ? message.find(": ") : prefix.size();
        message = end == std::string_view::npos ? "" : trim(message.substr(end + 1));
    }
    return std::string{message};
}

class Converter {
public:
    explicit Converter(const std::string& text) {
        for (std::size_t at = 0; at <= text.size();) {
            const auto end = std::min(text.find('\n', at), text.size());
            lines_.push_back(std::string_view{text}.substr(at, end - at));
            at = end + 1;
        }
    }

    Table table(const toml::value& value) const {
        Table table;
        for (const auto& [key, child] : value.as_table()) {
            const auto place = place_of(child.location());
            table.push_back({key, key_place(key, place), {convert(child), place}});
        }
        std::ranges::stable_sort(table, {}, [](const Entry& entry) {
            return std::pair{entry.place.line, entry.place.column};
        });
        return table;
    }

private:
    decltype(Node::data) convert(const toml::value& value) const {
        if (value.is_boolean())
            return value.as_boolean();
        if (value.is_integer())
            return std::int64_t{value.as_integer()};
        if (value.is_floating())
            return value.as_floating();
        if (value.is_string())
            return std::string{toml::get<std::string>(value)};
        if (value.is_table())
            return table(value);
        if (!value.is_array())
            return Other{};
        Array array;
        for (const auto& child : value.as_array())
            array.push_back({convert(child), place_of(child.location())});
        return array;
    }

    /// toml11 knows where a value stands, not where its key does: that is looked up before it.
    Place key_place(const std::string& key, Place value) const {
        if (value.line == 0 || value.line > lines_.size())
            return value;
        const auto line = lines_[value.line - 1];
        const auto at = line.substr(0, value.column - 1).rfind(key);
        if (at == std::string_view::npos)
            return value;
        return {value.line, static_cast<std::uint32_t>(at + 1)};
    }

    std::vector<std::string_view> lines_;
};

tl::expected<toml::value, Problem> parse(const std::string& file, const std::string& text) {
    std::istringstream stream{text};
#if TOML11_VERSION_MAJOR >= 4
    auto parsed = toml::try_parse(stream, file);
    if (parsed.is_ok())
        return std::move(parsed.unwrap());
    const auto& error = parsed.unwrap_err().at(0);
    Place place;
    std::string detail;
    if (!error.locations().empty()) {
        place = place_of(error.locations().front().first);
        detail = error.locations().front().second;
    }
    const auto title = first_line(error.title());
    return tl::unexpected{
        Problem{file, place.line, place.column, detail.empty() ? title : title + ": " + detail}};
#else
    try {
        return toml::parse(stream, file);
    } catch (const toml::exception& error) {
        const auto place = place_of(error.location());
        return tl::unexpected{Problem{file, place.line, place.column, first_line(error.what())}};
    }
#endif
}

}  // namespace

tl::expected<Table, Problem> read_toml(const std::string& file, const std::string& text) {
    if (auto unfit = unfit_for_toml11(text))
        return tl::unexpected{
            Problem{file, unfit->place.line, unfit->place.column, std::move(unfit->message)}};
    try {
        return parse(file, text).map([&](const toml::value& root) {
            return Converter{text}.table(root);
        });
    } catch (const std::exception& error) {
        return tl::unexpected{Problem{file, 0, 0, "not TOML: " + first_line(error.what())}};
    }
}

}  // namespace guestd::config
