// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/toml_guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "guestd/utf8.hpp"

namespace guestd::config {
namespace {

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    /// Behind the first bracket or dot too many; empty when there is none.
    std::optional<std::size_t> run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'')
                skip_string(c);
            else if (c == '#')
                at_ = std::min(text_.find('\n', at_), text_.size());
            else if (step(c); depth_ > kDeepestNesting || dots_ > kDeepestNesting)
                return at_;
        }
        return std::nullopt;
    }

private:
    void step(char c) {
        if (c == '[' || c == '{')
            ++depth_;
        else if ((c == ']' || c == '}') && depth_ > 0)
            --depth_;
        if (c == '.')
            ++dots_;
        else if (c == '=' || c == '\n' || c == ',' || c == '[' || c == '{')
            dots_ = 0;
        ++at_;
    }

    void skip_string(char quote) {
        const std::string three(3, quote);
        const bool multi = text_.substr(at_, 3) == three;
        at_ += multi ? 3 : 1;
        while (at_ < text_.size()) {
            if (multi ? text_.substr(at_, 3) == three : text_[at_] == quote) {
                at_ += multi ? 3 : 1;
                return;
            }
            if (!multi && text_[at_] == '\n')
                return;
            at_ += text_[at_] == '\\' && quote == '"' ? 2 : 1;
        }
        at_ = text_.size();
    }

    std::string_view text_;
    std::size_t at_ = 0;
    unsigned depth_ = 0;
    unsigned dots_ = 0;
};

/// The first byte that is not UTF-8; empty when there is none.
std::optional<std::size_t> broken_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto c = decode_utf8(text.substr(at));
        if (!c.valid)
            return at;
        at += c.length;
    }
    return std::nullopt;
}

Place place_of(std::string_view text, std::size_t offset) {
    Place place{1, 1};
    for (const char c : text.substr(0, offset)) {
        place.column = c == '\n' ? 1 : place.column + 1;
        place.line += c == '\n' ? 1 : 0;
    }
    return place;
}

}  // namespace

std::optional<Unfit> unfit_for_toml11(std::string_view text) {
    if (const auto at = broken_utf8(text))
        return Unfit{place_of(text, *at), fmt::format("byte 0x{:02x} is not UTF-8",
                                                      static_cast<unsigned char>(text[*at]))};
    if (const auto behind = Scanner{text}.run())
        return Unfit{place_of(text, *behind - 1),
                     fmt::format("nested more than {} deep", kDeepestNesting)};
    return std::nullopt;
}

}  // namespace guestd::config
