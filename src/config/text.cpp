// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "config/problem.hpp"
#include "guestd/utf8.hpp"

namespace guestd::config {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
/// Longer words are no slip of a finger, and the distance costs the product of both lengths.
constexpr std::size_t kLongestWord = 64;
constexpr std::size_t kMostShown = 60;

/// Levenshtein distance in which exchanging two neighbours counts once: the commonest slip.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> now(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(now);
    }
    return last[b.size()];
}

std::string escaped(std::string_view text, std::size_t most) {
    std::string out;
    std::size_t count = 0;
    while (!text.empty()) {
        if (count++ == most)
            return out + "...";
        const auto c = decode_utf8(text);
        const auto bytes = text.substr(0, c.length);
        text.remove_prefix(c.length);
        if (bytes == "\"" || bytes == "\\")
            out += '\\';
        if (!c.valid)
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c.code));
        else if (is_control(c.code))
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c.code));
        else
            out += bytes;
    }
    return out;
}

}  // namespace

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    while (true) {
        const auto end = text.find(separator);
        pieces.push_back(trim(text.substr(0, end)));
        if (end == std::string_view::npos)
            return pieces;
        text.remove_prefix(end + 1);
    }
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string in_quotes(std::string_view text) {
    return '"' + escaped(text, kMostShown) + '"';
}

std::string toml_string(std::string_view text) {
    return '"' + escaped(text, text.size() + 1) + '"';
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    if (word.empty() || word.size() > kLongestWord)
        return {};
    // One slip in three letters: more, and the suggestion would be a guess.
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::string_view found;
    for (const auto candidate : known) {
        const auto far = distance(word, candidate);
        if (far < best) {
            best = far;
            found = candidate;
        }
    }
    return found;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
    if (const auto near = nearest(word, known); !near.empty())
        return fmt::format("; did you mean '{}'?", near);
    return fmt::format("; known here: {}", fmt::join(known, ", "));
}

std::string alternatives(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0)
            text += i + 1 == words.size() ? " or " : ", ";
        text += fmt::format("\"{}\"", words[i]);
    }
    return text;
}

std::string render_problem(const Problem& problem) {
    const auto file = escaped(problem.file, problem.file.size() + 1);
    if (problem.line == 0)
        return fmt::format("{}: {}", file, problem.message);
    return fmt::format("{}:{}:{}: {}", file, problem.line, problem.column, problem.message);
}

}  // namespace guestd::config
