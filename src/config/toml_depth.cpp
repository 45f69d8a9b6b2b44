// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/toml_depth.hpp"

namespace guestd::config {
namespace {

class Scanner {
public:
    Scanner(std::string_view text, unsigned most) : text_(text), most_(most) {}

    std::optional<Place> run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'')
                skip_string(c);
            else if (c == '#')
                at_ = std::min(text_.find('\n', at_), text_.size());
            else if (step(c); depth_ > most_ || dots_ > most_)
                return place();
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

    Place place() const {
        Place place{1, 1};
        for (const char c : text_.substr(0, at_ - 1)) {
            place.column = c == '\n' ? 1 : place.column + 1;
            place.line += c == '\n' ? 1 : 0;
        }
        return place;
    }

    std::string_view text_;
    unsigned most_;
    std::size_t at_ = 0;
    unsigned depth_ = 0;
    unsigned dots_ = 0;
};

}  // namespace

std::optional<Place> too_deep(std::string_view text, unsigned most) {
    return Scanner{text, most}.run();
}

}  // namespace guestd::config
