// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/glob.hpp"

#include <optional>

namespace guestd::config {
namespace {

/// Stands for "anything" in samples: nobody names a guest so, and no `?` or `[a-z]` matches it all.
constexpr std::string_view kAnyText = "~~~~~~~~";
constexpr auto kNone = std::string_view::npos;

unsigned char byte(char c) {
    return static_cast<unsigned char>(c);
}

/// Index behind the bracket expression that begins at `at`, kNone when it never ends. A `]`
/// directly after the opening (or its `!`) is a member.
std::size_t bracket_end(std::string_view pattern, std::size_t at) {
    auto from = at + 1;
    if (from < pattern.size() && (pattern[from] == '!' || pattern[from] == '^'))
        ++from;
    const auto close = pattern.find(']', from + 1);
    return close == kNone ? kNone : close + 1;
}

/// `set` is what stands between the brackets.
bool set_contains(std::string_view set, char c) {
    const bool negated = set.front() == '!' || set.front() == '^';
    if (negated)
        set.remove_prefix(1);
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i + 2 < set.size() && set[i + 1] == '-') {
            found |= byte(set[i]) <= byte(c) && byte(c) <= byte(set[i + 2]);
            i += 2;
        } else {
            found |= set[i] == c;
        }
    }
    return found != negated;
}

char first_member(std::string_view set) {
    for (unsigned candidate = 'a'; candidate < 'a' + 256; ++candidate)
        if (const auto c = static_cast<char>(candidate % 256); set_contains(set, c))
            return c;
    return '?';
}

/// Length of the one-character element at the front of `pattern` if it matches `c`, else 0.
std::size_t match_one(std::string_view pattern, char c) {
    switch (pattern.front()) {
        case '?':
            return 1;
        case '[': {
            const auto end = bracket_end(pattern, 0);
            if (end == kNone)
                return 0;
            return set_contains(pattern.substr(1, end - 2), c) ? end : 0;
        }
        case '\\':
            return pattern.size() > 1 && pattern[1] == c ? 2 : 0;
        default:
            return pattern.front() == c ? 1 : 0;
    }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = kNone;  // behind the last `*`; on a mismatch it takes one character more
    std::size_t star_text = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        const auto step = p < pattern.size() ? match_one(pattern.substr(p), text[t]) : 0;
        if (step > 0) {
            p += step;
            ++t;
        } else if (star != kNone) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

std::string_view glob_error(std::string_view pattern) {
    if (pattern.empty())
        return "it is empty";
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\') {
            if (++i == pattern.size())
                return "nothing follows the backslash";
        } else if (pattern[i] == '[') {
            const auto end = bracket_end(pattern, i);
            if (end == kNone)
                return "']' is missing";
            i = end - 1;
        }
    }
    return {};
}

bool is_literal(std::string_view pattern) {
    return pattern.find_first_of("*?[\\") == kNone;
}

std::string glob_sample(std::string_view pattern) {
    std::string name;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '[') {
            const auto end = bracket_end(pattern, i);
            if (end == kNone)
                return name;
            name += first_member(pattern.substr(i + 1, end - i - 2));
            i = end - 1;
        } else if (c == '*') {
            name += kAnyText;
        } else if (c == '?') {
            name += kAnyText.front();
        } else if (c == '\\' && i + 1 < pattern.size()) {
            name += pattern[++i];
        } else {
            name += c;
        }
    }
    return name;
}

}  // namespace guestd::config
