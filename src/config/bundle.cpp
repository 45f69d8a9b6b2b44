// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <charconv>

#include "config/sources.hpp"

/// Form: a first line with the number of sources, then for each source a line "KIND NAME-LENGTH
/// TEXT-LENGTH" and the two, each with a line end behind it, so that a person can read the whole.
/// Lengths rule; nothing is escaped.

namespace guestd::config {
namespace {

constexpr std::string_view kFirstLine = "guestd configuration 1, sources: ";

class Reader {
public:
    explicit Reader(std::string_view rest) : rest_(rest) {}

    bool at_end() const { return rest_.empty(); }

    std::optional<std::string_view> line() {
        const auto end = rest_.find('\n');
        if (end == std::string_view::npos)
            return std::nullopt;
        return take(end);
    }

    /// `length` bytes and the line end behind them.
    std::optional<std::string_view> take(std::size_t length) {
        if (length >= rest_.size() || rest_[length] != '\n')
            return std::nullopt;
        const auto taken = rest_.substr(0, length);
        rest_.remove_prefix(length + 1);
        return taken;
    }

private:
    std::string_view rest_;
};

std::optional<std::size_t> number(std::string_view text) {
    std::size_t value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
        return std::nullopt;
    return value;
}

std::optional<Source> read_source(Reader& reader) {
    const auto head = reader.line();
    if (!head)
        return std::nullopt;
    const auto first = std::min(head->find(' '), head->size());
    const auto second = std::min(head->find(' ', first + 1), head->size());
    const auto kind = head->substr(0, first);
    if ((kind != "toml" && kind != "sysconfig") || second == head->size())
        return std::nullopt;
    const auto name_length = number(head->substr(first + 1, second - first - 1));
    const auto text_length = number(head->substr(second + 1));
    if (!name_length || !text_length)
        return std::nullopt;
    const auto name = reader.take(*name_length);
    const auto text = name ? reader.take(*text_length) : std::nullopt;
    if (!text)
        return std::nullopt;
    return Source{kind == "toml" ? SourceKind::toml : SourceKind::sysconfig, std::string{*name},
                  std::string{*text}};
}

}  // namespace

std::string make_bundle(const std::vector<Source>& sources) {
    auto bundle = fmt::format("{}{}\n", kFirstLine, sources.size());
    for (const auto& source : sources) {
        const auto& text = source.text.value();
        bundle += fmt::format("{} {} {}\n", source.kind == SourceKind::toml ? "toml" : "sysconfig",
                              source.name.size(), text.size());
        bundle += source.name + '\n' + text + '\n';
    }
    return bundle;
}

Result<Sources> open_bundle(std::string_view bundle) {
    Reader reader{bundle};
    const auto first = reader.line().value_or("");
    const auto count =
        first.starts_with(kFirstLine) ? number(first.substr(kFirstLine.size())) : std::nullopt;
    if (!count)
        return fail(ErrorCode::corrupt, "not a stored configuration");
    Sources sources;
    while (sources.list.size() < *count) {
        auto source = read_source(reader);
        if (!source)
            return fail(ErrorCode::corrupt, "stored configuration is damaged");
        sources.list.push_back(*std::move(source));
    }
    if (!reader.at_end())
        return fail(ErrorCode::corrupt, "stored configuration is damaged");
    return sources;
}

}  // namespace guestd::config
